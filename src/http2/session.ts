import type { Socket } from 'node:net';
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
  putHeader,
} from './frames.ts';
import { blockIn, HeaderBlock } from './header-block.ts';
import { FieldSection, HpackDecoder } from './hpack-decoder.ts';
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
/** So much content goes on without waiting for the rest of its frame. */
const GIVEN_BYTES = 64 * 1024;

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
  /** Those that have something to send, or wait for the socket. */
  readonly #waiting = new Set<Http2Stream>();

  #sawSettings = false;
  #block: HeaderBlock | null = null;
  /** The stream whose DATA comes; null = nobody's. */
  #dataStream: Stream | null = null;
  #dataEnds = false;
  /** It has given so much content, and its handler was not told that this is all for now. */
  #giving: Http2Stream | null = null;
  #givenBytes = 0;
  #pieceEnds: NodeJS.Immediate | null = null;
  #receiveWindow: number;
  #uncredited = 0;
  #sendWindow = FIRST_WINDOW_BYTES;
  /** Since the last PING from the other end. */
  #sentContent = false;
  #reading = false;
  #pumping = false;
  #later: NodeJS.Immediate | null = null;

  constructor(socket: Socket, windows: ReceiveWindows, owner: SessionOwner, bounds: SessionBounds) {
    this.#owner = owner;
    this.#windows = windows;
    this.#bounds = bounds;
    this.out = new FrameWriter(socket);
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
    this.#reading = true;
    try {
      const rest = this.afterPreface(chunk);
      if (rest.length > 0) this.#in.push(rest);
      this.#afterContent();
    } finally {
      this.#reading = false;
    }
    this.writeOut();
  }

  /** The socket takes bytes again. */
  onDrain(): void {
    this.out.unblock();
    this.#pump();
  }

  /** There is no connection any more. */
  gone(): void {
    this.#end();
  }

  #end(): void {
    this.ended = true;
    this.#in.stop();
    if (this.#later !== null) clearImmediate(this.#later);
    this.#later = null;
    this.#endPiece();
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
    return this.out.blocked || this.#sendWindow <= 0;
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
    this.#endPiece(); // before a stream or all of them may end
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
        if (stream !== 0) this.fail(ERROR.protocol, 'GOAWAY on a stream');
        else if (payload.length < 8) this.fail(ERROR.frameSize, 'GOAWAY is too short');
        else if (this.spend(COST.control))
          this.onGoaway(payload.readUInt32BE(0) & MAX_WINDOW_BYTES, payload.readUInt32BE(4));
        return;
      case FRAME.windowUpdate:
        this.#onWindowUpdate(stream, payload);
        return;
      case FRAME.pushPromise:
        this.fail(ERROR.protocol, 'PUSH_PROMISE, which nobody asked for');
        return;
      default:
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

  #onPriority(stream: number, payload: Buffer): void {
    if (stream === 0) this.fail(ERROR.protocol, 'PRIORITY of no stream');
    else if (payload.length !== 5) this.fail(ERROR.frameSize, 'PRIORITY has another size');
    else if ((payload.readUInt32BE(0) & 0x7fff_ffff) === stream)
      this.fail(ERROR.protocol, 'a stream that depends on itself');
    else this.spend(COST.control);
  }

  #onReset(id: number, payload: Buffer): void {
    if (id === 0 || this.isIdle(id)) this.fail(ERROR.protocol, 'RST_STREAM of no stream');
    else if (payload.length !== 4) this.fail(ERROR.frameSize, 'RST_STREAM has another size');
    else if (this.spend(COST.reset)) this.streams.get(id)?.gone(payload.readUInt32BE(0));
  }

  #onSettings(flags: number, stream: number, payload: Buffer): void {
    const isAck = (flags & FLAG.ack) !== 0;
    if (stream !== 0) this.fail(ERROR.protocol, 'SETTINGS on a stream');
    else if (payload.length % 6 !== 0 || (isAck && payload.length > 0))
      this.fail(ERROR.frameSize, 'SETTINGS have another size');
    else if (this.spend(COST.control) && !isAck) this.#takeSettings(payload);
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
    if (more > 0) this.#pump();
  }

  #onPing(flags: number, stream: number, payload: Buffer): void {
    if (stream !== 0) this.fail(ERROR.protocol, 'PING on a stream');
    else if (payload.length !== 8) this.fail(ERROR.frameSize, 'PING has another size');
    else if ((flags & FLAG.ack) !== 0) this.onPong() || this.spend(COST.control);
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
    if (payload.length !== 4) {
      this.fail(ERROR.frameSize, 'WINDOW_UPDATE has another size');
      return;
    }
    if (!this.spend(COST.windowUpdate)) return;
    const more = payload.readUInt32BE(0) & 0x7fff_ffff;
    if (id === 0) this.#widen(more);
    else if (this.isIdle(id))
      this.fail(ERROR.protocol, 'WINDOW_UPDATE on a stream that was not opened');
    else this.#widenStream(this.streams.get(id), more);
  }

  #widen(more: number): void {
    this.#sendWindow += more;
    if (more === 0) this.fail(ERROR.protocol, 'WINDOW_UPDATE of nothing');
    else if (this.#sendWindow > MAX_WINDOW_BYTES)
      this.fail(ERROR.flowControl, 'a window past its limit');
    else this.#pump();
  }

  #widenStream(stream: Stream | undefined, more: number): void {
    if (stream === undefined) return;
    if (more === 0) this.abort(stream, ERROR.protocol);
    else if (!stream.widen(more)) this.abort(stream, ERROR.flowControl);
    else if (this.#waiting.has(stream)) this.#pump();
  }

  // ── what streams say ──

  sendable(wanted: number): number {
    return this.out.blocked || this.ended ? 0 : Math.min(wanted, MAX_FRAME_BYTES, this.#sendWindow);
  }

  sendHead(stream: number, section: Buffer, end: boolean): void {
    this.out.head(stream, section, end);
  }

  sendData(stream: number, content: Buffer, end: boolean): void {
    this.#sendWindow -= content.length;
    this.#calm.earn();
    this.#sentContent = true;
    this.out.data(stream, content, end);
  }

  sendReset(stream: number, code: ErrorCode): void {
    if (this.ended) return;
    this.resetByUs.add(stream);
    if (this.resetByUs.size > this.#bounds.resets)
      this.resetByUs.delete(this.resetByUs.values().next().value!);
    this.out.reset(stream, code);
    this.#writeSoon();
  }

  consumed(stream: number, bytes: number): void {
    if (this.ended) return;
    if (stream !== 0) {
      this.out.windowUpdate(stream, bytes);
      this.#writeSoon();
      return;
    }
    this.#uncredited += bytes;
    if (this.#uncredited * 2 < this.#windows.connectionWindowBytes) return;
    this.out.windowUpdate(0, this.#uncredited);
    this.#receiveWindow += this.#uncredited;
    this.#uncredited = 0;
    this.#writeSoon();
  }

  gave(stream: Http2Stream, bytes: number): void {
    if (this.#giving !== stream) this.#endPiece();
    this.#giving = stream;
    this.#givenBytes += bytes;
  }

  /**
   * What one read brought goes on at once; in the middle of a frame with what follows in the same
   * turn of the loop, where most often the rest of it does: TLS cuts frames in two.
   */
  #afterContent(): void {
    if (this.#giving === null) return;
    if (this.#in.inContent && this.#givenBytes < GIVEN_BYTES)
      this.#pieceEnds ??= setImmediate(() => this.#endPiece());
    else this.#endPiece();
  }

  #endPiece(): void {
    if (this.#giving === null) return;
    if (this.#pieceEnds !== null) clearImmediate(this.#pieceEnds);
    this.#pieceEnds = null;
    const stream = this.#giving;
    this.#giving = null;
    this.#givenBytes = 0;
    stream.pieceEnded();
  }

  waits(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  closed(stream: Http2Stream): void {
    this.streams.delete(stream.id);
    this.#waiting.delete(stream);
    this.#owner.onStreamClosed();
  }

  /** With other streams beside it, what one turn of the loop brings goes out in one write. */
  flush(): boolean {
    if (this.#reading || this.#pumping) return !this.out.blocked;
    if (this.streams.size > 1) this.#writeSoon();
    else this.writeOut();
    return !this.out.blocked;
  }

  #writeSoon(): void {
    if (!this.#reading && !this.#pumping) this.#later ??= setImmediate(() => this.writeOut());
  }

  protected writeOut(): void {
    if (this.#later !== null) clearImmediate(this.#later);
    this.#later = null;
    this.out.flush();
  }

  /** Streams that wait send a frame each, in turn, as long as anything can be sent. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let left = -1; left !== this.#sendWindow && this.#waiting.size > 0; ) {
        left = this.#sendWindow;
        for (const stream of [...this.#waiting]) {
          if (this.out.blocked) break;
          if (!stream.pump(1)) continue;
          this.#waiting.delete(stream);
          stream.pumped();
        }
      }
    } finally {
      this.#pumping = false;
    }
    if (!this.#reading) this.writeOut();
  }
}
