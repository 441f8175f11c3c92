/**
 * What an upstream has sent while its response is kept back, and how the connection ended if it
 * did. How it ended matters: an end completes a response that only the connection delimits, a
 * failure never does.
 */
export class HeldResponse {
  /** Responses are kept back now. */
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

  /** @returns how many bytes are kept */
  keep(chunk: Buffer): number {
    if (this.bytes === null) {
      this.bytes = chunk;
      this.sinceMs = performance.now();
    } else {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    }
    return this.bytes.length;
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
