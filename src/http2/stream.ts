import type { Fields } from '../http/fields.ts';
import type { Trailers } from '../http/trailers.ts';
import { ERROR, type ErrorCode, MAX_WINDOW_BYTES } from './frames.ts';
import { encodeTrailers } from './hpack-encoder.ts';
import { KeptContent } from './kept-content.ts';

/** Whom a stream is for. Nothing is said after `onGone`. None of these may throw. */
export interface StreamHandler {
  /** Bytes of the content that was awaited are here. */
  onContentHere(): void;
  onContent(content: Buffer): void;
  /** The end of what was at hand. */
  onContentPiece(): void;
  /** @param trailers fields behind the content; null: none came */
  onContentEnd(trailers: Trailers | null): void;
  /** The content is not what its head says. Our side of the stream can still be used. */
  onContentBroken(): void;
  /** All that was given to the stream is on its way. */
  onWritable(): void;
  /**
   * The other end has reset the stream, with this code, or has broken the protocol on it; null: its
   * connection has gone.
   */
  onGone(code: number | null): void;
  /** Both sides have ended. */
  onClosed(): void;
}

/** The connection, as its streams see it. */
export interface StreamHost {
  /** How much of `wanted` may be sent now: what the window, one frame and the socket allow. */
  sendable(wanted: number): number;
  sendHead(stream: number, section: Buffer, end: boolean): void;
  sendData(stream: number, content: Buffer, end: boolean): void;
  sendReset(stream: number, code: ErrorCode): void;
  /**
   * So much of the content was taken: the windows open again. `stream` 0: of the connection only.
   */
  consumed(stream: number, bytes: number): void;
  /** It gave its handler content: `pieceEnded()` follows once what came together was given. */
  gave(stream: Http2Stream, bytes: number): void;
  /** It is to be told when more can be sent. */
  waits(stream: Http2Stream): void;
  closed(stream: Http2Stream): void;
  /** Writes out. @returns false when the socket takes no more for now */
  flush(): boolean;
}

const NOTHING = Buffer.alloc(0);

/**
 * One stream of a connection (RFC 9113 §5), what is the same at both of its ends: content comes,
 * content goes, each as fast as the other end takes it.
 */
export abstract class Http2Stream<Handler extends StreamHandler = StreamHandler> {
  readonly id: number;
  protected readonly host: StreamHost;
  handler: Handler | null = null;

  // ── what comes ──
  #receiveWindow: number;
  readonly #creditStep: number;
  #uncredited = 0;
  /** Of the content; null = nobody has said. */
  #lengthLeft: number | null = null;
  readonly #kept = new KeptContent();
  #flows = false;
  #awaited = false;
  #dropping = false;
  #remoteEnded = false;
  #endGiven = false;
  #trailers: Trailers | null = null;
  #broken = false;

  // ── what goes ──
  #sendWindow: number;
  /** Field sections that were not sent yet. */
  #sections: Buffer[] = [];
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #endWanted = false;
  /** The section that ends what goes; null: its content does. */
  #lastSection: Buffer | null = null;
  #localEnded = false;
  #closed = false;
  /** The other end takes and sends nothing more on it: what came is given out, and nothing goes. */
  #left = false;
  /** Its handler is to be told when all is on its way. */
  #tells = false;

  /**
   * @param receiveWindow bytes that the other end may send before some were taken
   * @param sendWindow bytes that it takes of us
   */
  constructor(id: number, host: StreamHost, receiveWindow: number, sendWindow: number) {
    this.id = id;
    this.host = host;
    this.#receiveWindow = receiveWindow;
    this.#creditStep = Math.floor(receiveWindow / 2);
    this.#sendWindow = sendWindow;
  }

  // ── what each side says for itself ──

  /** All that we have to say is on its way. */
  protected abstract onLocalEnd(): void;
  /** All that came is about to be given out. */
  protected abstract onRemoteEnd(): void;

  get closed(): boolean {
    return this.#closed;
  }

  /** All that the other end has to say has come. */
  get remoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** There is, or will be, content that nobody has taken. */
  get contentLeft(): boolean {
    return !this.#endGiven;
  }

  get contentHere(): boolean {
    return !this.#endGiven && (!this.#kept.isEmpty || this.#remoteEnded);
  }

  /** All has come, and there is no content that somebody could take. */
  get cameEmpty(): boolean {
    return this.#remoteEnded && this.#kept.isEmpty;
  }

  /** The other end is waited for. */
  get contentWaits(): boolean {
    return (this.#flows || this.#awaited) && !this.#remoteEnded;
  }

  /** All that we had to say is on its way. */
  protected get localEnded(): boolean {
    return this.#localEnded;
  }

  /** Something was given that the other end has not taken. */
  get unsent(): boolean {
    return this.#pendingBytes > 0 || (this.#endWanted && !this.#localEnded);
  }

  // ── from the connection ──

  /** @param length of the content; null = nobody has said */
  opened(length: number | null, end: boolean): void {
    this.#lengthLeft = length;
    this.#remoteEnded = end;
    this.#endGiven = end;
  }

  /** A DATA frame begins. @returns why it may not */
  beginData(frameBytes: number, contentBytes: number, end: boolean): ErrorCode | null {
    if (this.#remoteEnded) return ERROR.streamClosed;
    this.#receiveWindow -= frameBytes;
    if (this.#receiveWindow < 0) return ERROR.flowControl;
    const padding = frameBytes - contentBytes;
    if (padding > 0) this.#credit(padding);
    if (this.#lengthLeft !== null) {
      this.#lengthLeft -= contentBytes;
      if (this.#lengthLeft < 0 || (end && this.#lengthLeft > 0)) this.#break();
    }
    return null;
  }

  data(content: Buffer): void {
    if (this.#dropping || this.#closed) {
      this.host.consumed(0, content.length);
    } else if (this.#flows && this.#kept.isEmpty) {
      this.#give(content);
      if (!this.#closed) this.host.gave(this, content.length);
    } else {
      this.#kept.add(content);
      this.#tellHere();
    }
  }

  /** The end of what came together. Behind the end of the content there is none. */
  pieceEnded(): void {
    if (!this.#closed && !this.#endGiven) this.handler!.onContentPiece();
  }

  /** The other end has said all. */
  endData(trailers: Trailers | null = null): void {
    if (this.#closed) return;
    this.#trailers = trailers;
    this.#remoteEnded = true;
    if (this.#lengthLeft !== null && this.#lengthLeft > 0) this.#break();
    if (this.#closed || this.#broken) return;
    this.#tellHere();
    this.#giveEnd();
  }

  #tellHere(): void {
    if (!this.#awaited) return;
    this.#awaited = false;
    this.handler!.onContentHere();
  }

  #break(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.drop();
    this.handler?.onContentBroken();
  }

  #give(content: Buffer): void {
    this.handler!.onContent(content);
    this.#credit(content.length);
  }

  #giveEnd(): void {
    if (!this.#remoteEnded || this.#endGiven || !this.#flows || !this.#kept.isEmpty) return;
    this.#endGiven = true;
    this.onRemoteEnd();
    this.handler!.onContentEnd(this.#trailers);
  }

  /** The windows open again: each stream's in two steps, as few updates do. */
  #credit(bytes: number): void {
    this.host.consumed(0, bytes);
    this.#uncredited += bytes;
    if (this.#uncredited < this.#creditStep || this.#remoteEnded || this.#closed) return;
    this.host.consumed(this.id, this.#uncredited);
    this.#receiveWindow += this.#uncredited;
    this.#uncredited = 0;
  }

  /** The other end lets us send so much more. @returns false when that is more than there can be */
  widen(bytes: number): boolean {
    this.#sendWindow += bytes;
    return this.#sendWindow <= MAX_WINDOW_BYTES;
  }

  /** What came behind the content is no end of it. */
  endBroken(): void {
    if (this.#closed) return;
    this.#remoteEnded = true;
    this.#break();
  }

  /** All has come as it should, and not all of it was given out. */
  protected get holdsAll(): boolean {
    return this.#remoteEnded && !this.#endGiven && !this.#closed;
  }

  /** Nothing goes on it any more; what has come is still given out. */
  protected leave(): void {
    this.#left = true;
    this.discard();
    this.host.closed(this);
  }

  /** The other end has given the stream up; null: there is no connection any more. */
  gone(code: number | null): void {
    if (this.close()) this.handler?.onGone(code);
  }

  // ── from the handler ──

  /** Content may wait with its sender until it is wanted: `onContentHere` once it is here. */
  awaitContent(): void {
    this.#awaited = !this.#endGiven;
  }

  pause(): void {
    this.#flows = false;
    this.#awaited = false;
  }

  resume(): void {
    if (this.#endGiven || this.#dropping || this.#closed) return;
    this.#flows = true;
    this.#awaited = false;
    let gave = false;
    while (this.#flows && !this.#closed && !this.#kept.isEmpty) {
      this.#give(this.#kept.take());
      gave = true;
    }
    if (this.#closed) return;
    if (gave) this.handler!.onContentPiece();
    this.#giveEnd();
  }

  /** Whatever comes, and has come, of the content is of no use. */
  drop(): void {
    this.#flows = false;
    this.#awaited = false;
    this.#dropping = true;
    this.#endGiven = true;
    const { bytes } = this.#kept;
    this.#kept.clear();
    if (bytes > 0) this.host.consumed(0, bytes);
  }

  /** A field section to be sent, before any content that is given later. */
  protected section(section: Buffer): void {
    this.#sections.push(section);
  }

  content(content: Buffer): void {
    if (content.length === 0 || this.#left) return;
    this.#pending.push(content);
    this.#pendingBytes += content.length;
  }

  /** Forgets what was given and is not on its way. */
  discard(): void {
    this.#sections = [];
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#lastSection = null;
  }

  /** @param trailers fields behind the content; null: none */
  end(trailers: Fields | null = null): void {
    this.#endWanted = true;
    if (trailers !== null) this.#lastSection = encodeTrailers(trailers);
    this.flush();
  }

  /** @returns false when the other end is slow: `onWritable` follows */
  flush(): boolean {
    if (this.#closed || this.#left) return true;
    this.sendSections();
    this.pump(Number.POSITIVE_INFINITY);
    const more = this.host.flush();
    if (this.#closed || (more && this.#pendingBytes === 0)) return true;
    this.#tells = true;
    this.host.waits(this);
    return false;
  }

  /** As much as may be sent, `frames` at most. @returns whether all is on its way */
  pump(frames: number): boolean {
    // Nothing stands before its field section, which goes out by the flush behind it.
    if (this.#sections.length > 0) return true;
    for (let sent = 0; sent < frames && this.#pending.length > 0 && !this.#closed; sent += 1) {
      const piece = this.#pending[0]!;
      const bytes = this.host.sendable(Math.min(piece.length, Math.max(0, this.#sendWindow)));
      if (bytes <= 0) return false;
      if (bytes === piece.length) this.#pending.shift();
      else this.#pending[0] = piece.subarray(bytes);
      this.#sendWindow -= bytes;
      this.#pendingBytes -= bytes;
      const end = this.#endsWith(this.#pending.length === 0);
      this.host.sendData(this.id, piece.subarray(0, bytes), end);
      if (end) this.#ended();
    }
    if (this.#pending.length > 0) return this.#closed;
    if (this.#endWanted && !this.#localEnded && !this.#closed) {
      if (this.#lastSection === null) this.host.sendData(this.id, NOTHING, true);
      else this.host.sendHead(this.id, this.#lastSection, true);
      this.#ended();
    }
    return true;
  }

  /** All that was given is on its way. */
  pumped(): void {
    if (!this.#tells || this.#closed) return;
    this.#tells = false;
    this.handler?.onWritable();
  }

  /** The stream ends before its time. */
  reset(code: ErrorCode): void {
    if (this.close()) this.sayReset(code);
  }

  protected sayReset(code: ErrorCode): void {
    if (!this.#left) this.host.sendReset(this.id, code);
  }

  /** The other end has broken the protocol on it. */
  abort(code: ErrorCode): void {
    if (!this.close()) return;
    this.host.sendReset(this.id, code);
    this.handler?.onGone(code);
  }

  protected sendSections(): void {
    if (this.#sections.length === 0) return;
    const sections = this.#sections;
    this.#sections = [];
    for (const [index, section] of sections.entries()) {
      const end = this.#endsWith(index === sections.length - 1 && this.#pending.length === 0);
      this.host.sendHead(this.id, section, end);
      if (end) this.#ended();
    }
  }

  /** Whether what goes out now, if nothing is left behind it, is the end. */
  #endsWith(isLast: boolean): boolean {
    return isLast && this.#endWanted && this.#lastSection === null;
  }

  #ended(): void {
    this.#localEnded = true;
    this.onLocalEnd();
  }

  /** @returns false when it was closed already */
  protected close(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    this.drop();
    this.discard();
    this.host.closed(this);
    return true;
  }
}
