import type { Socket } from 'node:net';
import { CalmBudget, COST } from './calm-budget.ts';
import { ContentPieces } from './content-pieces.ts';
import { type FrameHandler, FrameReader } from './frame-reader.ts';
import { shapeFault } from './frame-shape.ts';
import type { FrameWriter } from './frame-writer.ts';
import {
  ERROR,
  type ErrorCode,
  FIRST_WINDOW_BYTES,
  FLAG,
  FRAME,
  MAX_WINDOW_BYTES,
  putHeader,
} from './frames.ts';
import { blockIn, HeaderBlock } from './header-block.ts';
import { FieldSection, HpackDecoder } from './hpack-decoder.ts';
import { Sending } from './sending.ts';
import { type PeerSettings, peerSettings } from './settings.ts';
import type { Http2Stream, StreamHost } from './stream.ts';

/** What the other end may send before somebody has taken it. */
export interface ReceiveWindows {
  /** Content of one stream. */
  readonly streamWindowBytes: number;
  /** Of all of them together. */
  readonly connectionWindowBytes: number;
}

/** Whom a connection is for. None of these may throw. */
export interface SessionOwner {
  /** Monotonic milliseconds; may be coarse. */
  readonly nowMs: number;
  /** The largest head that is taken. */
  readonly headBytes: number;
  /** The first bytes of a field section are there, and the others are not. */
  onSectionBegun(): void;
  onSectionEnd(): void;
  onStreamClosed(): void;
  /** The other end broke the protocol, or asked too often for nothing: GOAWAY is on its way. */
  onSessionFault(code: ErrorCode, what: string): void;
}

/** What each side takes of the other. */
export interface SessionBounds {
  /** Of one field section. */
  readonly fields: number;
  /**
   * Of streams that we have reset, so many are remembered: what was under way on them is no fault.
   */
  readonly resets: number;
}

/**
 * One connection of HTTP/2 (RFC 9113), what is the same at both of its ends: frames in turn,
 * streams side by side. `ServerSession` and `ClientSession` say what a field section begins.
 *
 * Every quantity that the other end chooses has a limit: streams at a time, bytes that wait for
 * somebody to take them (the windows), a field section, what is written and not read, and whatever
 * leads to nothing (calm-budget.ts).
 */
export abstract class Http2Session<Stream extends Http2Stream> implements FrameHandler, StreamHost {
  protected readonly out: FrameWriter;
  protected readonly streams = new Map<number, Stream>();
  protected readonly resetByUs = new Set<number>();
  /** The highest that was opened. */
  protected lastStream = 0;
  /** What the other end takes of a stream before it says more. */
  protected firstSendWindow = FIRST_WINDOW_BYTES;
  protected ended = false;
  readonly #owner: SessionOwner;
  readonly #windows: ReceiveWindows;
  readonly #bounds: SessionBounds;
  readonly #in = new FrameReader(this);
  readonly #decoder = new HpackDecoder();
  readonly #calm: CalmBudget;
  readonly #sending: Sending;
  readonly #pieces = new ContentPieces();

  #sawSettings = false;
  #block: HeaderBlock | null = null;
  /** The stream whose DATA comes; null = nobody's. */
  #dataStream: Stream | null = null;
  #dataEnds = false;
  #receiveWindow: number;
  #uncredited = 0;
  /** Since the last PING from the other end. */
  #sentContent = false;

  constructor(socket: Socket, windows: ReceiveWindows, owner: SessionOwner, bounds: SessionBounds) {
    this.#owner = owner;
    this.#windows = windows;
    this.#bounds = bounds;
    this.#sending = new Sending(socket);
    this.out = this.#sending.out;
    this.#calm = new CalmBudget(owner.nowMs);
    this.#receiveWindow = windows.connectionWindowBytes;
  }

  // ── what each side says for itself ──

  /** HEADERS came on this stream. @returns why they may not */
  protected abstract headersFault(stream: number): string | null;
  /** Nobody has opened the stream. */
  protected abstract isIdle(stream: number): boolean;
  /** @param stream null: there is none of this number (any more) */
  protected abstract onSection(
    block: HeaderBlock,
    section: FieldSection,
    stream: Stream | null,
  ): void;
  protected abstract onGoaway(last: number, code: number): void;
  /** The window of streams is looked to already. */
  protected abstract onPeerSettings(settings: PeerSettings): void;
  /** A reply to a PING of ours. @returns false when there was none */
  protected abstract onPong(): boolean;
  /** Takes the preface off, at the side that gets one. */
  protected abstract afterPreface(chunk: Buffer): Buffer;

  /** The first word, behind what was said before. */
  protected greet(settings: Buffer): void {
    this.out.frame(settings);
    const more = this.#windows.connectionWindowBytes - FIRST_WINDOW_BYTES;
    if (more > 0) this.out.windowUpdate(0, more);
    this.out.flush();
  }

  get open(): number {
    return this.streams.size;
  }

  /** Some of a field section is here, and the rest is not. */
  get inSection(): boolean {
    return this.#block !== null;
  }

  push(chunk: Buffer): void {
    if (this.ended) return;
    this.#sending.reading = true;
    try {
      const rest = this.afterPreface(chunk);
      if (rest.length > 0) this.#in.push(rest);
      this.#pieces.afterRead(this.#in.inContent);
    } finally {
      this.#sending.reading = false;
    }
    this.writeOut();
  }

  /** The socket takes bytes again. */
  onDrain(): void {
    this.#sending.onDrain();
  }

  /** There is no connection any more. */
  gone(): void {
    this.#end();
  }

  #end(): void {
    this.ended = true;
    this.#in.stop();
    this.#sending.stop();
    this.#pieces.end();
    for (const stream of [...this.streams.values()]) stream.gone(null);
  }

  protected fail(code: ErrorCode, what: string): void {
    if (this.ended) return;
    this.out.goaway(this.lastStream, code);
    this.#end();
    this.out.flush();
    this.#owner.onSessionFault(code, what);
  }

  /** @returns false when the connection has ended for it */
  protected spend(cost: number): boolean {
    if (!this.#calm.spend(cost, this.#owner.nowMs))
      this.fail(ERROR.calm, 'it asks for much that leads to nothing');
    return !this.ended && this.isRead();
  }

  protected allow(cost: number): void {
    this.#calm.allow(cost);
  }

  /** Nothing more can be sent for now: the other end takes no content of anybody. */
  get stalled(): boolean {
    return this.#sending.stalled;
  }

  /** Whether the other end reads what it asks for. */
  protected isRead(): boolean {
    if (this.out.piledUp) this.fail(ERROR.calm, 'it does not read what it asks for');
    return !this.ended;
  }

  // ── frames from the other end ──

  onFrameFault(code: ErrorCode): void {
    this.fail(code, 'a frame has a size that is not valid');
  }

  onFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    this.#pieces.end(); // before a stream or all of them may end
    if (this.#isOutOfTurn(type, flags, stream)) return;
    const fault = shapeFault(type, flags, stream, payload);
    if (fault === null) this.#onValidFrame(type, flags, stream, payload);
    else this.fail(fault.code, fault.what);
  }

  #onValidFrame(type: number, flags: number, stream: number, payload: Buffer): void {
    switch (type) {
      case FRAME.headers:
        this.#onHeaders(flags, stream, payload);
        return;
      case FRAME.continuation:
        this.#onContinuation(flags, payload);
        return;
      case FRAME.rstStream:
        this.#onReset(stream, payload);
        return;
      case FRAME.settings:
        if (this.spend(COST.control) && (flags & FLAG.ack) === 0) this.#takeSettings(payload);
        return;
      case FRAME.ping:
        this.#onPing(flags, payload);
        return;
      case FRAME.goaway:
        if (this.spend(COST.control))
          this.onGoaway(payload.readUInt32BE(0) & MAX_WINDOW_BYTES, payload.readUInt32BE(4));
        return;
      case FRAME.windowUpdate:
        this.#onWindowUpdate(stream, payload);
        return;
      default: // PRIORITY too, which says nothing to us
        this.spend(COST.control);
    }
  }

  /** RFC 9113 §3.4, §6.2: SETTINGS come first, and nothing comes between the parts of a section. */
  #isOutOfTurn(type: number, flags: number, stream: number): boolean {
    const first = !this.#sawSettings;
    this.#sawSettings = true;
    if (first && (type !== FRAME.settings || (flags & FLAG.ack) !== 0))
      this.fail(ERROR.protocol, 'it does not begin with SETTINGS');
    else if (this.#block === null ? type === FRAME.continuation : type !== FRAME.continuation)
      this.fail(ERROR.protocol, 'a frame out of turn');
    else if (this.#block !== null && this.#block.stream !== stream)
      this.fail(ERROR.protocol, 'CONTINUATION of another stream');
    return this.ended;
  }

  #onHeaders(flags: number, stream: number, payload: Buffer): void {
    const found = blockIn(payload, flags);
    const fault = this.headersFault(stream);
    if (fault !== null) this.fail(ERROR.protocol, fault);
    else if (found === null) this.fail(ERROR.protocol, 'HEADERS whose padding is too long');
    else if (found.dependency === stream)
      this.fail(ERROR.protocol, 'a stream that depends on itself');
    else {
      this.#block = new HeaderBlock(stream, flags, this.#owner.headBytes);
      this.#addToBlock(this.#block, flags, found.block);
    }
  }

  #onContinuation(flags: number, payload: Buffer): void {
    if (this.spend(COST.control)) this.#addToBlock(this.#block!, flags, payload);
  }

  #addToBlock(block: HeaderBlock, flags: number, piece: Buffer): void {
    const isLast = (flags & FLAG.endHeaders) !== 0;
    if (!block.add(piece, isLast)) {
      this.fail(ERROR.calm, 'a field section that is much too large');
    } else if (isLast) {
      this.#block = null;
      this.#read(block);
      this.#owner.onSectionEnd();
    } else {
      this.#owner.onSectionBegun();
    }
  }

  #read(block: HeaderBlock): void {
    const section = new FieldSection(this.#owner.headBytes, this.#bounds.fields);
    if (!this.#decoder.decode(block.whole, section)) {
      this.fail(ERROR.compression, 'a field section that cannot be read');
      return;
    }
    this.onSection(block, section, this.streams.get(block.stream) ?? null);
  }

  protected abort(stream: Http2Stream, code: ErrorCode): void {
    if (this.spend(COST.reset)) stream.abort(code);
  }

  onDataBegin(id: number, flags: number, frameBytes: number, contentBytes: number): void {
    if (this.#isOutOfTurn(FRAME.data, flags, id)) return;
    this.#dataEnds = (flags & FLAG.endStream) !== 0;
    this.#dataStream = null;
    this.#receiveWindow -= frameBytes;
    if (this.#receiveWindow < 0) {
      this.fail(ERROR.flowControl, 'more content than the window allows');
      return;
    }
    if (contentBytes === 0 && !this.#dataEnds && !this.spend(COST.control)) return;
    const stream = this.streams.get(id);
    if (stream !== undefined) this.#beginDataOf(stream, frameBytes, contentBytes);
    else if (id === 0 || this.isIdle(id))
      this.fail(ERROR.protocol, 'DATA on a stream that was not opened');
    else if (this.resetByUs.has(id)) this.consumed(0, frameBytes - contentBytes);
    else this.fail(ERROR.streamClosed, 'DATA on a stream that has ended');
  }

  #beginDataOf(stream: Stream, frameBytes: number, contentBytes: number): void {
    const fault = stream.beginData(frameBytes, contentBytes, this.#dataEnds);
    if (fault === null) {
      this.#dataStream = stream;
      return;
    }
    this.consumed(0, frameBytes - contentBytes);
    this.abort(stream, fault);
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

  #onReset(id: number, payload: Buffer): void {
    if (this.isIdle(id)) this.fail(ERROR.protocol, 'RST_STREAM of no stream');
    else if (this.spend(COST.reset)) this.streams.get(id)?.gone(payload.readUInt32BE(0));
  }

  #takeSettings(payload: Buffer): void {
    const settings = peerSettings(payload);
    if ('fault' in settings) {
      this.fail(settings.fault, 'SETTINGS with a value that is not valid');
      return;
    }
    const ack = Buffer.allocUnsafe(9);
    putHeader(ack, 0, 0, FRAME.settings, FLAG.ack, 0);
    this.out.frame(ack);
    if (settings.initialWindowBytes !== null) this.#resize(settings.initialWindowBytes);
    if (!this.ended) this.onPeerSettings(settings);
  }

  #resize(toBytes: number): void {
    const more = toBytes - this.firstSendWindow;
    this.firstSendWindow = toBytes;
    for (const stream of this.streams.values()) {
      if (stream.widen(more)) continue;
      this.fail(ERROR.flowControl, 'a window past its limit');
      return;
    }
    if (more > 0) this.#sending.pump();
  }

  #onPing(flags: number, payload: Buffer): void {
    if ((flags & FLAG.ack) !== 0) this.onPong() || this.spend(COST.control);
    else if (this.#measures() || this.spend(COST.control)) this.#pong(payload);
  }

  /**
   * Some measure the way by a PING for each piece of content that they get (grpc-go does): as many
   * as that lead to something.
   */
  #measures(): boolean {
    const sent = this.#sentContent;
    this.#sentContent = false;
    return sent;
  }

  #pong(payload: Buffer): void {
    const pong = Buffer.allocUnsafe(17);
    putHeader(pong, 0, 8, FRAME.ping, FLAG.ack, 0);
    payload.copy(pong, 9);
    this.out.frame(pong);
  }

  #onWindowUpdate(id: number, payload: Buffer): void {
    if (!this.spend(COST.windowUpdate)) return;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) this.#widen(more);
    else if (this.isIdle(id))
      this.fail(ERROR.protocol, 'WINDOW_UPDATE on a stream that was not opened');
    else this.#widenStream(this.streams.get(id), more);
  }

  #widen(more: number): void {
    if (more === 0) this.fail(ERROR.protocol, 'WINDOW_UPDATE of nothing');
    else if (!this.#sending.widen(more)) this.fail(ERROR.flowControl, 'a window past its limit');
  }

  #widenStream(stream: Stream | undefined, more: number): void {
    if (stream === undefined) return;
    if (more === 0) this.abort(stream, ERROR.protocol);
    else if (!stream.widen(more)) this.abort(stream, ERROR.flowControl);
    else if (this.#sending.isWaiting(stream)) this.#sending.pump();
  }

  // ── what streams say ──

  sendable(wanted: number): number {
    return this.ended ? 0 : this.#sending.sendable(wanted);
  }

  sendHead(stream: number, section: Buffer, end: boolean): void {
    this.out.head(stream, section, end);
  }

  sendData(stream: number, content: Buffer, end: boolean): void {
    this.#calm.earn();
    this.#sentContent = true;
    this.#sending.data(stream, content, end);
  }

  sendReset(stream: number, code: ErrorCode): void {
    if (this.ended) return;
    this.resetByUs.add(stream);
    if (this.resetByUs.size > this.#bounds.resets)
      this.resetByUs.delete(this.resetByUs.values().next().value!);
    this.out.reset(stream, code);
    this.#sending.writeSoon();
  }

  consumed(stream: number, bytes: number): void {
    if (this.ended) return;
    if (stream !== 0) {
      this.out.windowUpdate(stream, bytes);
      this.#sending.writeSoon();
      return;
    }
    this.#uncredited += bytes;
    if (this.#uncredited * 2 < this.#windows.connectionWindowBytes) return;
    this.out.windowUpdate(0, this.#uncredited);
    this.#receiveWindow += this.#uncredited;
    this.#uncredited = 0;
    this.#sending.writeSoon();
  }

  gave(stream: Http2Stream, bytes: number): void {
    this.#pieces.gave(stream, bytes);
  }

  waits(stream: Http2Stream): void {
    this.#sending.waits(stream);
  }

  closed(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.#sending.closed(stream);
    this.#owner.onStreamClosed();
  }

  flush(): boolean {
    return this.#sending.flush(this.streams.size <= 1);
  }

  protected writeOut(): void {
    this.#sending.writeOut();
  }
}
