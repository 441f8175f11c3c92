import type { Socket } from 'node:net';
import type { RequestHead } from '../http/request-head.ts';
import { CalmBudget, COST } from './calm-budget.ts';
import { type FrameHandler, FrameReader } from './frame-reader.ts';
import { FrameWriter } from './frame-writer.ts';
import {
  ERROR,
  type ErrorCode,
  FIRST_WINDOW_BYTES,
  FLAG,
  FRAME,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  PREFACE,
  putHeader,
  SETTING,
  settingsFrame,
} from './frames.ts';
import type { Http2HeadFault } from './head-fault.ts';
import { blockIn, HeaderBlock } from './header-block.ts';
import { FieldSection, HpackDecoder } from './hpack-decoder.ts';
import { isHttp2Fault, MAX_FIELDS, readRequestHead, readTrailers } from './request-head.ts';
import { clientSettings } from './settings.ts';
import { ServerStream, type StreamHost } from './stream.ts';

/** What one client may use of its connection. */
export interface SessionLimits {
  readonly maxConcurrentStreams: number;
  /** Content of one request that may come before somebody has taken it. */
  readonly streamWindowBytes: number;
  /** Of all of them together. */
  readonly connectionWindowBytes: number;
}

/** Whom a connection is for. None of these may throw. */
export interface SessionHandler {
  /** Monotonic milliseconds; may be coarse. */
  readonly nowMs: number;
  readonly headBytes: number;
  /** Longest request target in bytes. */
  readonly targetBytes: number;
  /** The first bytes of a field section are there, and the others are not. */
  onSectionBegun(): void;
  onSectionEnd(): void;
  /** Gives the stream its handler. */
  onRequest(stream: ServerStream, head: RequestHead): void;
  /** What came is no request that can be served. Gives the stream its handler, too. */
  onHeadFault(stream: ServerStream, fault: Http2HeadFault): void;
  onStreamClosed(): void;
  /** The client broke the protocol, or asked too often for nothing: GOAWAY is on its way. */
  onSessionFault(code: ErrorCode, what: string): void;
}

/**
 * Of streams that we have reset, so many are remembered: what was under way on them is no fault.
 */
const REMEMBERED_RESETS = 256;

/**
 * One connection of HTTP/2, its server's side (RFC 9113): frames in turn, streams side by side.
 *
 * Every quantity that a client chooses has a limit: streams at a time, bytes that wait for somebody
 * to take them (the windows), a field section, what is written and not read, and whatever leads to
 * nothing (calm-budget.ts).
 */
export class ServerSession implements FrameHandler, StreamHost {
  readonly #handler: SessionHandler;
  readonly #limits: SessionLimits;
  readonly #in = new FrameReader(this);
  readonly #out: FrameWriter;
  readonly #decoder = new HpackDecoder();
  readonly #calm: CalmBudget;
  readonly #streams = new Map<number, ServerStream>();
  /** Those that have something to send, or wait for the socket. */
  readonly #waiting = new Set<ServerStream>();
  readonly #resetByUs = new Set<number>();

  #prefaceLeft: Buffer | null = PREFACE;
  #sawSettings = false;
  #block: HeaderBlock | null = null;
  /** The stream whose DATA comes; null = nobody's. */
  #dataStream: ServerStream | null = null;
  #dataEnds = false;
  #lastStream = 0;
  /** Streams past this one are not served. */
  #servedUpTo = MAX_WINDOW_BYTES;
  #receiveWindow: number;
  #uncredited = 0;
  #sendWindow = FIRST_WINDOW_BYTES;
  #firstSendWindow = FIRST_WINDOW_BYTES;
  #ended = false;
  #reading = false;
  #pumping = false;
  #later: NodeJS.Immediate | null = null;

  constructor(socket: Socket, limits: SessionLimits, handler: SessionHandler) {
    this.#handler = handler;
    this.#limits = limits;
    this.#out = new FrameWriter(socket);
    this.#calm = new CalmBudget(handler.nowMs);
    this.#receiveWindow = limits.connectionWindowBytes;
    this.#out.frame(
      settingsFrame([
        [SETTING.maxConcurrentStreams, limits.maxConcurrentStreams],
        [SETTING.initialWindowBytes, limits.streamWindowBytes],
        [SETTING.maxFieldSectionBytes, handler.headBytes],
      ]),
    );
    const more = limits.connectionWindowBytes - FIRST_WINDOW_BYTES;
    if (more > 0) this.#out.windowUpdate(0, more);
    this.#out.flush();
  }

  get open(): number {
    return this.#streams.size;
  }

  /** Some of a field section is here, and the rest is not. */
  get inSection(): boolean {
    return this.#block !== null;
  }

  push(chunk: Buffer): void {
    if (this.#ended) return;
    this.#reading = true;
    try {
      const rest = this.#prefaceLeft === null ? chunk : this.#readPreface(chunk);
      if (rest.length > 0) this.#in.push(rest);
    } finally {
      this.#reading = false;
    }
    this.#writeOut();
  }

  #readPreface(chunk: Buffer): Buffer {
    const left = this.#prefaceLeft!;
    const length = Math.min(left.length, chunk.length);
    if (!chunk.subarray(0, length).equals(left.subarray(0, length))) {
      this.#fail(ERROR.protocol, 'it does not begin with the preface');
      return NOTHING;
    }
    this.#prefaceLeft = length === left.length ? null : left.subarray(length);
    return chunk.subarray(length);
  }

  /** The socket takes bytes again. */
  onDrain(): void {
    this.#out.unblock();
    this.#pump();
  }

  /** Streams that begin from now on are served, and their client is asked to go elsewhere. */
  announceEnd(): void {
    if (this.#ended) return;
    this.#out.goaway(MAX_WINDOW_BYTES);
    this.#writeOut();
  }

  /** No further stream is served; what is under way goes on. */
  stopAccepting(): void {
    if (this.#ended || this.#servedUpTo !== MAX_WINDOW_BYTES) return;
    this.#servedUpTo = this.#lastStream;
    this.#out.goaway(this.#lastStream);
    this.#writeOut();
  }

  /** There is no connection any more. */
  gone(): void {
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#in.stop();
    if (this.#later !== null) clearImmediate(this.#later);
    this.#later = null;
    for (const stream of [...this.#streams.values()]) stream.gone();
  }

  #fail(code: ErrorCode, what: string): void {
    if (this.#ended) return;
    this.#out.goaway(this.#lastStream, code);
    this.#end();
    this.#out.flush();
    this.#handler.onSessionFault(code, what);
  }

  /** @returns false when the connection has ended for it */
  #spend(cost: number): boolean {
    if (!this.#calm.spend(cost, this.#handler.nowMs))
      this.#fail(ERROR.calm, 'it asks for much that leads to nothing');
    return !this.#ended && this.#isRead();
  }

  /** Whether the client reads what it asks for. */
  #isRead(): boolean {
    if (this.#out.piledUp) this.#fail(ERROR.calm, 'it does not read what it asks for');
    return !this.#ended;
  }

  // ── frames from the client ──

  onFrameFault(code: ErrorCode): void {
    this.#fail(code, 'a frame has a size that is not valid');
  }

  onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    if (this.#isOutOfTurn(type, flags, stream)) return;
    switch (type) {
      case FRAME.headers:
        this.#onHeaders(flags, stream, payload);
        return;
      case FRAME.continuation:
        this.#onContinuation(flags, payload);
        return;
      case FRAME.priority:
        this.#onPriority(stream, payload);
        return;
      case FRAME.rstStream:
        this.#onReset(stream, payload);
        return;
      case FRAME.settings:
        this.#onSettings(flags, stream, payload);
        return;
      case FRAME.ping:
        this.#onPing(flags, stream, payload);
        return;
      case FRAME.goaway:
        if (stream !== 0) this.#fail(ERROR.protocol, 'GOAWAY on a stream');
        else if (payload.length < 8) this.#fail(ERROR.frameSize, 'GOAWAY is too short');
        else this.#spend(COST.control);
        return;
      case FRAME.windowUpdate:
        this.#onWindowUpdate(stream, payload);
        return;
      case FRAME.pushPromise:
        this.#fail(ERROR.protocol, 'PUSH_PROMISE from a client');
        return;
      default:
        this.#spend(COST.control);
    }
  }

  /** RFC 9113 §3.4, §6.2: SETTINGS come first, and nothing comes between the parts of a section. */
  #isOutOfTurn(type: number, flags: number, stream: number): boolean {
    const first = !this.#sawSettings;
    this.#sawSettings = true;
    if (first && (type !== FRAME.settings || (flags & FLAG.ack) !== 0))
      this.#fail(ERROR.protocol, 'it does not begin with SETTINGS');
    else if (this.#block === null ? type === FRAME.continuation : type !== FRAME.continuation)
      this.#fail(ERROR.protocol, 'a frame out of turn');
    else if (this.#block !== null && this.#block.stream !== stream)
      this.#fail(ERROR.protocol, 'CONTINUATION of another stream');
    return this.#ended;
  }

  #onHeaders(flags: number, stream: number, payload: Buffer): void {
    const found = blockIn(payload, flags);
    if (stream % 2 === 0) this.#fail(ERROR.protocol, 'HEADERS on a stream that no client opens');
    else if (found === null) this.#fail(ERROR.protocol, 'HEADERS whose padding is too long');
    else if (found.dependency === stream)
      this.#fail(ERROR.protocol, 'a stream that depends on itself');
    else {
      this.#block = new HeaderBlock(stream, flags, this.#handler.headBytes);
      this.#addToBlock(this.#block, flags, found.block);
    }
  }

  #onContinuation(flags: number, payload: Buffer): void {
    if (this.#spend(COST.control)) this.#addToBlock(this.#block!, flags, payload);
  }

  #addToBlock(block: HeaderBlock, flags: number, piece: Buffer): void {
    const isLast = (flags & FLAG.endHeaders) !== 0;
    if (!block.add(piece, isLast)) {
      this.#fail(ERROR.calm, 'a field section that is much too large');
    } else if (isLast) {
      this.#block = null;
      this.#onSection(block);
      this.#handler.onSectionEnd();
    } else {
      this.#handler.onSectionBegun();
    }
  }

  #onSection(block: HeaderBlock): void {
    const section = new FieldSection(this.#handler.headBytes, MAX_FIELDS);
    if (!this.#decoder.decode(block.whole, section)) {
      this.#fail(ERROR.compression, 'a field section that cannot be read');
      return;
    }
    const stream = this.#streams.get(block.stream);
    if (stream !== undefined) this.#onTrailers(stream, section, block.endStream);
    else if (block.stream > this.#lastStream) this.#open(block, section);
    else if (!this.#resetByUs.has(block.stream))
      this.#fail(ERROR.streamClosed, 'HEADERS on a stream that has ended');
  }

  #open({ stream: id, endStream }: HeaderBlock, section: FieldSection): void {
    if (!this.#isRead()) return;
    this.#lastStream = id;
    if (id > this.#servedUpTo || this.#streams.size >= this.#limits.maxConcurrentStreams) {
      if (this.#spend(COST.reset)) this.sendReset(id, ERROR.refusedStream);
      return;
    }
    const stream = new ServerStream(
      id,
      this,
      this.#limits.streamWindowBytes,
      this.#firstSendWindow,
    );
    this.#streams.set(id, stream);
    const head = readRequestHead(section, endStream, this.#handler.targetBytes);
    if (isHttp2Fault(head)) {
      stream.opened(null, endStream);
      if (!head.malformed || this.#spend(COST.reset)) this.#handler.onHeadFault(stream, head);
    } else {
      stream.opened(lengthOf(head), endStream);
      this.#handler.onRequest(stream, head);
    }
  }

  #onTrailers(stream: ServerStream, section: FieldSection, endStream: boolean): void {
    if (stream.remoteEnded) {
      this.#abort(stream, ERROR.streamClosed);
      return;
    }
    const trailers = endStream ? readTrailers(section) : null;
    if (trailers === null) this.#abort(stream, ERROR.protocol);
    else stream.endData(trailers);
  }

  #abort(stream: ServerStream, code: ErrorCode): void {
    if (this.#spend(COST.reset)) stream.abort(code);
  }

  onDataBegin(id: number, flags: number, frameBytes: number, contentBytes: number): void {
    if (this.#isOutOfTurn(FRAME.data, flags, id)) return;
    this.#dataEnds = (flags & FLAG.endStream) !== 0;
    this.#dataStream = null;
    this.#receiveWindow -= frameBytes;
    if (this.#receiveWindow < 0) {
      this.#fail(ERROR.flowControl, 'more content than the window allows');
      return;
    }
    if (contentBytes === 0 && !this.#dataEnds && !this.#spend(COST.control)) return;
    const stream = this.#streams.get(id);
    if (stream !== undefined) this.#beginDataOf(stream, frameBytes, contentBytes);
    else if (id === 0 || id % 2 === 0 || id > this.#lastStream)
      this.#fail(ERROR.protocol, 'DATA on a stream that was not opened');
    else if (this.#resetByUs.has(id)) this.consumed(0, frameBytes - contentBytes);
    else this.#fail(ERROR.streamClosed, 'DATA on a stream that has ended');
  }

  #beginDataOf(stream: ServerStream, frameBytes: number, contentBytes: number): void {
    const fault = stream.beginData(frameBytes, contentBytes, this.#dataEnds);
    if (fault === null) {
      this.#dataStream = stream;
      return;
    }
    this.consumed(0, frameBytes - contentBytes);
    this.#abort(stream, fault);
  }

  onData(content: Buffer): void {
    if (this.#dataStream === null) this.consumed(0, content.length);
    else this.#dataStream.data(content);
  }

  onDataEnd(): void {
    const stream = this.#dataStream;
    this.#dataStream = null;
    if (this.#dataEnds) stream?.endData();
  }

  #onPriority(stream: number, payload: Buffer): void {
    if (stream === 0) this.#fail(ERROR.protocol, 'PRIORITY of no stream');
    else if (payload.length !== 5) this.#fail(ERROR.frameSize, 'PRIORITY has another size');
    else if ((payload.readUInt32BE(0) & 0x7fff_ffff) === stream)
      this.#fail(ERROR.protocol, 'a stream that depends on itself');
    else this.#spend(COST.control);
  }

  #onReset(id: number, payload: Buffer): void {
    if (id === 0 || this.#isIdle(id)) this.#fail(ERROR.protocol, 'RST_STREAM of no stream');
    else if (payload.length !== 4) this.#fail(ERROR.frameSize, 'RST_STREAM has another size');
    else if (this.#spend(COST.reset)) this.#streams.get(id)?.gone();
  }

  #isIdle(id: number): boolean {
    return id > this.#lastStream || (id % 2 === 0 && id !== 0);
  }

  #onSettings(flags: number, stream: number, payload: Buffer): void {
    const isAck = (flags & FLAG.ack) !== 0;
    if (stream !== 0) this.#fail(ERROR.protocol, 'SETTINGS on a stream');
    else if (payload.length % 6 !== 0 || (isAck && payload.length > 0))
      this.#fail(ERROR.frameSize, 'SETTINGS have another size');
    else if (this.#spend(COST.control) && !isAck) this.#takeSettings(payload);
  }

  #takeSettings(payload: Buffer): void {
    const settings = clientSettings(payload);
    if ('fault' in settings) {
      this.#fail(settings.fault, 'SETTINGS with a value that is not valid');
      return;
    }
    const ack = Buffer.allocUnsafe(9);
    putHeader(ack, 0, 0, FRAME.settings, FLAG.ack, 0);
    this.#out.frame(ack);
    if (settings.initialWindowBytes === null) return;
    const more = settings.initialWindowBytes - this.#firstSendWindow;
    this.#firstSendWindow = settings.initialWindowBytes;
    for (const stream of this.#streams.values()) {
      if (stream.widen(more)) continue;
      this.#fail(ERROR.flowControl, 'a window past its limit');
      return;
    }
    if (more > 0) this.#pump();
  }

  #onPing(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) this.#fail(ERROR.protocol, 'PING on a stream');
    else if (payload.length !== 8) this.#fail(ERROR.frameSize, 'PING has another size');
    else if (this.#spend(COST.control) && (flags & FLAG.ack) === 0) {
      const pong = Buffer.allocUnsafe(17);
      putHeader(pong, 0, 8, FRAME.ping, FLAG.ack, 0);
      payload.copy(pong, 9);
      this.#out.frame(pong);
    }
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (payload.length !== 4) {
      this.#fail(ERROR.frameSize, 'WINDOW_UPDATE has another size');
      return;
    }
    if (!this.#spend(COST.windowUpdate)) return;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) this.#widen(more);
    else if (this.#isIdle(id))
      this.#fail(ERROR.protocol, 'WINDOW_UPDATE on a stream that was not opened');
    else this.#widenStream(this.#streams.get(id), more);
  }

  #widen(more: number): void {
    this.#sendWindow += more;
    if (more === 0) this.#fail(ERROR.protocol, 'WINDOW_UPDATE of nothing');
    else if (this.#sendWindow > MAX_WINDOW_BYTES)
      this.#fail(ERROR.flowControl, 'a window past its limit');
    else this.#pump();
  }

  #widenStream(stream: ServerStream | undefined, more: number): void {
    if (stream === undefined) return;
    if (more === 0) this.#abort(stream, ERROR.protocol);
    else if (!stream.widen(more)) this.#abort(stream, ERROR.flowControl);
    else if (this.#waiting.has(stream)) this.#pump();
  }

  // ── what streams say ──

  sendable(wanted: number): number {
    return this.#out.blocked || this.#ended
      ? 0
      : Math.min(wanted, MAX_FRAME_BYTES, this.#sendWindow);
  }

  sendHead(stream: number, section: Buffer, end: boolean): void {
    this.#out.head(stream, section, end);
  }

  sendData(stream: number, content: Buffer, end: boolean): void {
    this.#sendWindow -= content.length;
    this.#calm.earn();
    this.#out.data(stream, content, end);
  }

  sendReset(stream: number, code: ErrorCode): void {
    if (this.#ended) return;
    this.#resetByUs.add(stream);
    const most = Math.max(REMEMBERED_RESETS, 2 * this.#limits.maxConcurrentStreams);
    if (this.#resetByUs.size > most) this.#resetByUs.delete(this.#resetByUs.values().next().value!);
    this.#out.reset(stream, code);
    this.#writeSoon();
  }

  consumed(stream: number, bytes: number): void {
    if (this.#ended) return;
    if (stream !== 0) {
      this.#out.windowUpdate(stream, bytes);
      this.#writeSoon();
      return;
    }
    this.#uncredited += bytes;
    if (this.#uncredited * 2 < this.#limits.connectionWindowBytes) return;
    this.#out.windowUpdate(0, this.#uncredited);
    this.#receiveWindow += this.#uncredited;
    this.#uncredited = 0;
    this.#writeSoon();
  }

  waits(stream: ServerStream): void {
    this.#waiting.add(stream);
  }

  closed(stream: ServerStream): void {
    this.#streams.delete(stream.id);
    this.#waiting.delete(stream);
    this.#handler.onStreamClosed();
  }

  /** With other streams beside it, what one turn of the loop brings goes out in one write. */
  flush(): boolean {
    if (this.#reading || this.#pumping) return !this.#out.blocked;
    if (this.#streams.size > 1) this.#writeSoon();
    else this.#writeOut();
    return !this.#out.blocked;
  }

  #writeSoon(): void {
    if (!this.#reading && !this.#pumping) this.#later ??= setImmediate(() => this.#writeOut());
  }

  #writeOut(): void {
    if (this.#later !== null) clearImmediate(this.#later);
    this.#later = null;
    this.#out.flush();
  }

  /** Streams that wait send a frame each, in turn, as long as anything can be sent. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let left = -1; left !== this.#sendWindow && this.#waiting.size > 0; ) {
        left = this.#sendWindow;
        for (const stream of [...this.#waiting]) {
          if (this.#out.blocked) break;
          if (!stream.pump(1)) continue;
          this.#waiting.delete(stream);
          stream.pumped();
        }
      }
    } finally {
      this.#pumping = false;
    }
    if (!this.#reading) this.#writeOut();
  }
}

function lengthOf({ framing }: RequestHead): number | null {
  if (framing.kind === 'length') return framing.bytes;
  return framing.kind === 'none' ? 0 : null;
}

const NOTHING = Buffer.alloc(0);
