/** Smaller pieces than this are put together: each costs memory of its own, however small it is. */
const SMALL_BYTES = 4096;

/** Content that came and that nobody takes yet. Bounded by the stream's window. */
export class KeptContent {
  readonly #pieces: Buffer[] = [];
  bytes = 0;

  get isEmpty(): boolean {
    return this.#pieces.length === 0;
  }

  add(content: Buffer): void {
    this.bytes += content.length;
    const last = this.#pieces.at(-1);
    if (content.length >= SMALL_BYTES) this.#pieces.push(content);
    else if (last !== undefined && last.length < SMALL_BYTES)
      this.#pieces[this.#pieces.length - 1] = Buffer.concat([last, content]);
    // Copied: a few bytes must not keep all of what was read.
    else this.#pieces.push(Buffer.from(content));
  }

  /** The first piece. Only where there is one. */
  take(): Buffer {
    const piece = this.#pieces.shift()!;
    this.bytes -= piece.length;
    return piece;
  }

  clear(): void {
    this.#pieces.length = 0;
    this.bytes = 0;
  }
}
