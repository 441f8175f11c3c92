import type { Socket } from 'node:net';
import { COST } from './calm-budget.ts';
import { ClientStream, type ResponseHandler } from './client-stream.ts';
import {
  ERROR,
  type ErrorCode,
  FRAME,
  HEADER_BYTES,
  PREFACE,
  putHeader,
  SETTING,
  settingsFrame,
} from './frames.ts';
import type { HeaderBlock } from './header-block.ts';
import type { FieldSection } from './hpack-decoder.ts';
import { MAX_RESPONSE_FIELDS } from './response-head.ts';
import { Http2Session, type ReceiveWindows, type SessionOwner } from './session.ts';
import type { PeerSettings } from './settings.ts';

/** Whom a connection to a server is for. None of these may throw. */
export interface ClientSessionOwner extends SessionOwner {
  /** The server has said what it takes: requests may go. Once. */
  onReady(): void;
  /** No further stream is served; those that it did not begin with are gone. */
  onGoaway(): void;
  onPong(): void;
}

const REMEMBERED_RESETS = 1024;
/** Streams have 31 bits, and a connection does not last for so many. */
const LAST_STREAM = 2 ** 30;
const UNLIMITED = Number.POSITIVE_INFINITY;

/** One connection of HTTP/2, its client's side: streams begin by requests of ours. */
export class ClientSession extends Http2Session<ClientStream> {
  readonly #owner: ClientSessionOwner;
  readonly #streamWindowBytes: number;
  #ready = false;
  #accepts = true;
  #pinging = false;
  /** What the server did that ended the connection; null: nothing. */
  fault: string | null = null;
  /** Streams that the server takes at a time. */
  maxStreams = UNLIMITED;
  /** It takes extended CONNECT (RFC 8441). */
  takesTunnels = false;

  constructor(socket: Socket, windows: ReceiveWindows, owner: ClientSessionOwner) {
    super(socket, windows, owner, { fields: MAX_RESPONSE_FIELDS, resets: REMEMBERED_RESETS });
    this.#owner = owner;
    this.#streamWindowBytes = windows.streamWindowBytes;
    this.out.frame(PREFACE);
    this.greet(
      settingsFrame([
        [SETTING.enablePush, 0],
        [SETTING.initialWindowBytes, windows.streamWindowBytes],
        [SETTING.maxFieldSectionBytes, owner.headBytes],
      ]),
    );
  }

  /** A further stream may be opened, as far as the server has said. */
  get accepts(): boolean {
    return this.#accepts && !this.ended && this.lastStream < LAST_STREAM;
  }

  /** The next stream. Its request is to be given, and flushed, before another one is opened. */
  begin(handler: ResponseHandler, toHead: boolean): ClientStream {
    const id = this.lastStream === 0 ? 1 : this.lastStream + 2;
    this.lastStream = id;
    const { firstSendWindow } = this;
    const stream = new ClientStream(id, this, toHead, this.#streamWindowBytes, firstSendWindow);
    stream.handler = handler;
    this.streams.set(id, stream);
    // Each may end by a reset, if the server wants it so.
    this.allow(COST.reset);
    return stream;
  }

  /** Asks for a sign of life: `onPong` follows. */
  ping(): void {
    if (this.#pinging || this.ended) return;
    this.#pinging = true;
    const ping = Buffer.alloc(HEADER_BYTES + 8);
    putHeader(ping, 0, 8, FRAME.ping, 0, 0);
    this.out.frame(ping);
    this.writeOut();
  }

  /** Says goodbye; the socket is the owner's to close. */
  leave(): void {
    if (this.ended) return;
    this.out.goaway(0);
    this.writeOut();
  }

  protected override fail(code: ErrorCode, what: string): void {
    this.fault ??= what;
    super.fail(code, what);
  }

  protected afterPreface(chunk: Buffer): Buffer {
    return chunk;
  }

  protected headersFault(stream: number): string | null {
    return stream === 0 || this.isIdle(stream) ? 'HEADERS on a stream that was not opened' : null;
  }

  protected isIdle(id: number): boolean {
    return id > this.lastStream || (id % 2 === 0 && id !== 0);
  }

  protected onSection(
    block: HeaderBlock,
    section: FieldSection,
    stream: ClientStream | null,
  ): void {
    if (stream !== null) {
      const fault = stream.remoteEnded ? STREAM_ENDED : stream.received(section, block.endStream);
      if (fault !== null && this.spend(COST.reset)) stream.broken(fault);
    } else if (!this.resetByUs.has(block.stream)) {
      this.fail(ERROR.streamClosed, STREAM_ENDED);
    }
  }

  /** RFC 9113 §6.8: what lies behind the last one was not looked at. */
  protected onGoaway(last: number): void {
    this.#accepts = false;
    for (const stream of [...this.streams.values()])
      if (stream.id > last) stream.gone(ERROR.refusedStream);
    if (!this.ended) this.#owner.onGoaway();
  }

  protected onPeerSettings(settings: PeerSettings): void {
    const { maxConcurrentStreams, enablesPush, takesConnect } = settings;
    // RFC 8441 §3: what it takes once, it takes from then on.
    if (enablesPush || (takesConnect === false && this.takesTunnels)) {
      this.fail(ERROR.protocol, 'SETTINGS with a value that is not valid');
      return;
    }
    if (maxConcurrentStreams !== null) this.maxStreams = maxConcurrentStreams;
    if (takesConnect !== null) this.takesTunnels = takesConnect;
    if (this.#ready) return;
    this.#ready = true;
    this.#owner.onReady();
  }

  protected onPong(): boolean {
    if (!this.#pinging) return false;
    this.#pinging = false;
    this.#owner.onPong();
    return true;
  }
}

const STREAM_ENDED = 'HEADERS on a stream that has ended';
