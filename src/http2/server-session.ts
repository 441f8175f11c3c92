import type { Socket } from 'node:net';
import type { RequestHead } from '../http/request-head.ts';
import { COST } from './calm-budget.ts';
import { ERROR, MAX_WINDOW_BYTES, PREFACE, SETTING, settingsFrame } from './frames.ts';
import type { Http2HeadFault } from './head-fault.ts';
import type { HeaderBlock } from './header-block.ts';
import type { FieldSection } from './hpack-decoder.ts';
import { isHttp2Fault, MAX_FIELDS, readRequestHead, readTrailers } from './request-head.ts';
import { ServerStream } from './server-stream.ts';
import { Http2Session, type ReceiveWindows, type SessionOwner } from './session.ts';

/** What one client may use of its connection. */
export interface SessionLimits extends ReceiveWindows {
  readonly maxConcurrentStreams: number;
}

/** Whom a connection is for. None of these may throw. */
export interface SessionHandler extends SessionOwner {
  /** Longest request target in bytes. */
  readonly targetBytes: number;
  /** Gives the stream its handler. */
  onRequest(stream: ServerStream, head: RequestHead): void;
  /** What came is no request that can be served. Gives the stream its handler, too. */
  onHeadFault(stream: ServerStream, fault: Http2HeadFault): void;
}

const LEAST_REMEMBERED_RESETS = 256;
const NOTHING = Buffer.alloc(0);

/** One connection of HTTP/2, its server's side: streams begin by requests. */
export class ServerSession extends Http2Session<ServerStream> {
  readonly #handler: SessionHandler;
  readonly #limits: SessionLimits;
  #prefaceLeft: Buffer | null = PREFACE;
  /** Streams past this one are not served. */
  #servedUpTo = MAX_WINDOW_BYTES;

  constructor(socket: Socket, limits: SessionLimits, handler: SessionHandler) {
    super(socket, limits, handler, {
      fields: MAX_FIELDS,
      resets: Math.max(LEAST_REMEMBERED_RESETS, 2 * limits.maxConcurrentStreams),
    });
    this.#handler = handler;
    this.#limits = limits;
    this.greet(
      settingsFrame([
        [SETTING.maxConcurrentStreams, limits.maxConcurrentStreams],
        [SETTING.initialWindowBytes, limits.streamWindowBytes],
        [SETTING.maxFieldSectionBytes, handler.headBytes],
        [SETTING.enableConnectProtocol, 1],
      ]),
    );
  }

  protected afterPreface(chunk: Buffer): Buffer {
    const left = this.#prefaceLeft;
    if (left === null) return chunk;
    const length = Math.min(left.length, chunk.length);
    if (!chunk.subarray(0, length).equals(left.subarray(0, length))) {
      this.fail(ERROR.protocol, 'it does not begin with the preface');
      return NOTHING;
    }
    this.#prefaceLeft = length === left.length ? null : left.subarray(length);
    return chunk.subarray(length);
  }

  /** Streams that begin from now on are served, and their client is asked to go elsewhere. */
  announceEnd(): void {
    if (this.ended) return;
    this.out.goaway(MAX_WINDOW_BYTES);
    this.writeOut();
  }

  /** No further stream is served; what is under way goes on. */
  stopAccepting(): void {
    if (this.ended || this.#servedUpTo !== MAX_WINDOW_BYTES) return;
    this.#servedUpTo = this.lastStream;
    this.out.goaway(this.lastStream);
    this.writeOut();
  }

  protected headersFault(stream: number): string | null {
    return stream % 2 === 0 ? 'HEADERS on a stream that no client opens' : null;
  }

  protected isIdle(id: number): boolean {
    return id > this.lastStream || (id % 2 === 0 && id !== 0);
  }

  protected onSection(
    block: HeaderBlock,
    section: FieldSection,
    stream: ServerStream | null,
  ): void {
    if (stream !== null) this.#onTrailers(stream, section, block.endStream);
    else if (block.stream > this.lastStream) this.#open(block, section);
    else if (!this.resetByUs.has(block.stream))
      this.fail(ERROR.streamClosed, 'HEADERS on a stream that has ended');
  }

  #open({ stream: id, endStream }: HeaderBlock, section: FieldSection): void {
    if (!this.isRead()) return;
    this.lastStream = id;
    if (id > this.#servedUpTo || this.streams.size >= this.#limits.maxConcurrentStreams) {
      if (this.spend(COST.reset)) this.sendReset(id, ERROR.refusedStream);
      return;
    }
    const { streamWindowBytes } = this.#limits;
    const stream = new ServerStream(id, this, streamWindowBytes, this.firstSendWindow);
    this.streams.set(id, stream);
    const head = readRequestHead(section, endStream, this.#handler.targetBytes);
    if (isHttp2Fault(head)) {
      stream.opened(null, endStream);
      if (!head.malformed || this.spend(COST.reset)) this.#handler.onHeadFault(stream, head);
    } else {
      stream.opened(lengthOf(head), endStream);
      this.#handler.onRequest(stream, head);
    }
  }

  #onTrailers(stream: ServerStream, section: FieldSection, endStream: boolean): void {
    if (stream.remoteEnded) {
      this.abort(stream, ERROR.streamClosed);
      return;
    }
    const trailers = endStream ? readTrailers(section) : null;
    if (trailers !== null) stream.endData(trailers);
    else if (this.spend(COST.reset)) stream.endBroken();
  }

  /** Of a client: what is under way on its streams goes on. */
  protected onGoaway(): void {}
  protected onPeerSettings(): void {}
  protected onPong(): boolean {
    return false;
  }
}

function lengthOf({ framing, upgrade }: RequestHead): number | null {
  if (upgrade !== null) return null;
  if (framing.kind === 'length') return framing.bytes;
  return framing.kind === 'none' ? 0 : null;
}
