/**
 * What an upstream has sent while its answer is kept back: the bytes of one read (the connection is
 * paused after it), and how the connection ended if it did. How it ended matters: an end completes
 * an answer that only the connection delimits, a failure never does.
 */
export class HeldAnswer {
  /** Answers are kept back now. */
  holding = false;
  bytes: Buffer | null = null;
  /** Monotonic milliseconds (`performance.now()`) when the first byte came; 0 = none came. */
  sinceMs = 0;
  ended: 'open' | 'end' | { readonly detail: string } = 'open';

  hold(): void {
    this.holding = true;
    this.bytes = null;
    this.sinceMs = 0;
    this.ended = 'open';
  }

  keep(chunk: Buffer): void {
    if (this.bytes === null) {
      this.bytes = chunk;
      this.sinceMs = performance.now();
    } else {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    }
  }

  /** The connection failed. @returns whether that waits too: there are bytes that came before it */
  keepFailure(detail: string): boolean {
    if (!this.holding || this.bytes === null) return false;
    if (this.ended === 'open') this.ended = { detail };
    return true;
  }

  /** Gives out the bytes; from now on nothing is kept. */
  release(): Buffer | null {
    const { bytes } = this;
    this.holding = false;
    this.bytes = null;
    return bytes;
  }
}
