/** So much may wait for a late flush: with it, what one write gathers stays below twice as much. */
const MAX_LATE_BYTES = 64 * 1024;

/**
 * When what was read of a response is written out: at once, but behind a full read, where there is
 * nearly always more, one turn of the loop later at most. A response's tail of a few bytes then
 * travels with what came before it, instead of as a write and TLS records of its own. Small reads
 * are never put off, so a stream of events is not held up.
 */
export class LateFlush {
  readonly #fullReadBytes: number;
  readonly #flush: () => void;
  #later: NodeJS.Immediate | null = null;
  /** How much was read since the last flush. */
  #bytes = 0;

  /**
   * @param fullReadBytes as much as one read brings at most
   * @param flush must not throw
   */
  constructor(fullReadBytes: number, flush: () => void) {
    this.#fullReadBytes = fullReadBytes;
    this.#flush = flush;
  }

  /** A read brought so many bytes, and they were handed on. */
  read(bytes: number): void {
    this.#bytes += bytes;
    if (bytes === this.#fullReadBytes && this.#bytes <= MAX_LATE_BYTES)
      this.#later ??= setImmediate(() => this.#now());
    else this.#now();
  }

  #now(): void {
    this.forget();
    this.#flush();
  }

  /** What was put off is not to come. */
  forget(): void {
    this.#bytes = 0;
    if (this.#later === null) return;
    clearImmediate(this.#later);
    this.#later = null;
  }
}
