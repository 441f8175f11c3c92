import type { Socket } from 'node:net';

/**
 * Gathers what belongs together (a head and the first piece of its body, a chunk and its size) into
 * one write: one system call and one TLS record instead of three.
 */

/**
 * Up to here pieces are copied into one buffer; beyond, the copy would cost more than the vectored
 * write it saves.
 */
const MAX_COPIED_BYTES = 32 * 1024;

export class Gather {
  readonly #socket: Socket;
  /** Text that comes before all pieces: the usual case is a head alone, or a head and one piece. */
  #text = '';
  #pieces: (Buffer | string)[] = [];
  #pieceBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Latin-1 text: heads and chunk framing. */
  text(text: string): void {
    if (this.#pieces.length === 0) {
      this.#text += text;
    } else {
      this.#pieces.push(text);
      this.#pieceBytes += text.length;
    }
  }

  bytes(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#pieceBytes += bytes.length;
  }

  /** Forgets what was gathered since the last flush. */
  discard(): void {
    this.#text = '';
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  /**
   * Writes what was gathered. @returns false when the socket wants a pause until its `drain` event
   */
  flush(): boolean {
    const text = this.#text;
    const pieces = this.#pieces;
    if (pieces.length === 0) {
      if (text.length === 0) return !this.#socket.writableNeedDrain;
      this.#text = '';
      return this.#socket.write(text, 'latin1');
    }
    const total = text.length + this.#pieceBytes;
    this.discard();
    return total <= MAX_COPIED_BYTES
      ? this.#socket.write(joined(text, pieces, total))
      : this.#writeEach(text, pieces);
  }

  #writeEach(text: string, pieces: readonly (Buffer | string)[]): boolean {
    this.#socket.cork();
    let more = text.length === 0 || this.#socket.write(text, 'latin1');
    for (const piece of pieces)
      more =
        typeof piece === 'string' ? this.#socket.write(piece, 'latin1') : this.#socket.write(piece);
    this.#socket.uncork();
    return more;
  }
}

function joined(text: string, pieces: readonly (Buffer | string)[], total: number): Buffer {
  const whole = Buffer.allocUnsafe(total);
  let at = whole.write(text, 0, 'latin1');
  for (const piece of pieces)
    at += typeof piece === 'string' ? whole.write(piece, at, 'latin1') : piece.copy(whole, at);
  return whole;
}
