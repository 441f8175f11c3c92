const CLOSE = 8;
const OPCODE = 0x0f;
const LENGTH = 0x7f;
const MASKED = 0x80;
const MASK_BYTES = 4;

/**
 * Follows the frames of a WebSocket in one direction (RFC 6455 §5.2) to know where one ends: there,
 * and nowhere else, a frame of ours can stand. Reads the two to ten bytes before each payload, and
 * skips the payload. What it follows is not judged: frames pass as they are.
 */
export class FrameFollower {
  /** Bytes of the header of the frame that were read; 0 = a frame may begin. */
  #header = 0;
  /** Bytes of the header that follow the first two and say the length. */
  #lengthBytes = 0;
  #masked = false;
  /** Bytes of the payload that are still to come, with its mask. */
  #left = 0;
  #closed = false;

  /** One frame has ended and no other one has begun; never behind a Close frame. */
  get atBoundary(): boolean {
    return this.#header === 0 && this.#left === 0 && !this.#closed;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0 && this.#header === 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
      } else {
        this.#headerByte(bytes[at]!);
        at += 1;
      }
    }
  }

  #headerByte(byte: number): void {
    this.#header += 1;
    if (this.#header === 1) {
      if ((byte & OPCODE) === CLOSE) this.#closed = true;
      return;
    }
    if (this.#header === 2) {
      const length = byte & LENGTH;
      this.#masked = (byte & MASKED) !== 0;
      this.#lengthBytes = length === 126 ? 2 : length === 127 ? 8 : 0;
      this.#left = this.#lengthBytes === 0 ? length : 0;
    } else {
      this.#left = this.#left * 256 + byte;
    }
    if (this.#header < 2 + this.#lengthBytes) return;
    this.#header = 0;
    if (this.#masked) this.#left += MASK_BYTES;
  }
}
