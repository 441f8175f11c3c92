import { ERROR, type ErrorCode, FLAG, FRAME, HEADER_BYTES, MAX_FRAME_BYTES } from './frames.ts';

/** Whom the frames of a client are for. */
export interface FrameHandler {
  /** A whole frame that is not DATA. `payload` is not kept: it is a part of what was read. */
  onFrame(type: number, flags: number, stream: number, payload: Buffer): void;
  /**
   * DATA begins. Its content follows in pieces, then `onDataEnd`.
   *
   * @param frameBytes of the payload, padding included: so much of the windows it takes
   * @param contentBytes without padding
   */
  onDataBegin(stream: number, flags: number, frameBytes: number, contentBytes: number): void;
  onData(content: Buffer): void;
  onDataEnd(): void;
  onFrameFault(code: ErrorCode): void;
}

/**
 * Finds frames in what one client sends (RFC 9113 §4.1). DATA is handed on as it comes, so that a
 * slow client is seen to send; of the others, which are short, the beginning waits for the end.
 */
export class FrameReader {
  readonly #handler: FrameHandler;
  #rest: Buffer | null = null;
  #inData = false;
  #contentLeft = 0;
  #paddingLeft = 0;
  #stopped = false;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Some of the content of a frame is here, and the rest is not. */
  get inContent(): boolean {
    return this.#inData;
  }

  stop(): void {
    this.#stopped = true;
    this.#rest = null;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = null;
    let at = 0;
    while (!this.#stopped) {
      const next = this.#inData ? this.#readData(bytes, at) : this.#readFrame(bytes, at);
      if (next === at && !this.#inData) break;
      at = next;
      if (at >= bytes.length) break;
    }
    // Copied: a few bytes must not keep all of what was read.
    if (at < bytes.length && !this.#stopped) this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** @returns where the next one begins; `at` itself when this one is not complete */
  #readFrame(bytes: Buffer, at: number): number {
    const left = bytes.length - at;
    if (left < HEADER_BYTES) return at;
    const length = bytes.readUIntBE(at, 3);
    if (length > MAX_FRAME_BYTES) {
      this.#handler.onFrameFault(ERROR.frameSize);
      return at;
    }
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
    const from = at + HEADER_BYTES;
    if (type === FRAME.data) return this.#beginData(bytes, from, flags, stream, length) ?? at;
    if (left < HEADER_BYTES + length) return at;
    this.#handler.onFrame(type, flags, stream, bytes.subarray(from, from + length));
    return from + length;
  }

  #beginData(
    bytes: Buffer,
    from: number,
    flags: number,
    stream: number,
    length: number,
  ): number | null {
    let begin = from;
    let padding = 0;
    if ((flags & FLAG.padded) !== 0) {
      if (length > 0 && from >= bytes.length) return null;
      padding = length === 0 ? 0 : bytes[from]!;
      if (length === 0 || padding >= length) {
        this.#handler.onFrameFault(ERROR.protocol);
        return null;
      }
      begin += 1;
    }
    this.#contentLeft = length - padding - (begin - from);
    this.#paddingLeft = padding;
    this.#inData = true;
    this.#handler.onDataBegin(stream, flags, length, this.#contentLeft);
    return this.#stopped ? begin : this.#readData(bytes, begin);
  }

  #readData(bytes: Buffer, at: number): number {
    const content = Math.min(this.#contentLeft, bytes.length - at);
    if (content > 0) {
      this.#contentLeft -= content;
      this.#handler.onData(bytes.subarray(at, at + content));
    }
    const padding = Math.min(this.#paddingLeft, bytes.length - at - content);
    this.#paddingLeft -= padding;
    if (this.#contentLeft === 0 && this.#paddingLeft === 0 && !this.#stopped) {
      this.#inData = false;
      this.#handler.onDataEnd();
    }
    return at + content + padding;
  }
}
