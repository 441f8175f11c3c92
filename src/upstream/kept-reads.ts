/** A response that is held back waits in the kernel beyond this. */
const MAX_HELD_BYTES = 64 * 1024;

/**
 * What an upstream has sent and nobody takes yet: its response is held back, or its client is slow.
 *
 * Of a response that is held back 64 KiB and one read at most are kept here, and how the connection
 * ended if it did: an end completes a response that only the connection delimits, a failure never
 * does. For a slow client one read is kept: stopping at once would close the window of a fast
 * upstream at every pause, and open it again. The rest waits in the kernel.
 */
export class KeptReads {
  /** The response is held back. */
  holding = false;
  /** How the connection ended while it was. */
  ended: 'open' | 'end' | { readonly detail: string } = 'open';
  /**
   * Monotonic milliseconds (`performance.now()`) since which a held response has been waiting; 0 =
   * none came.
   */
  heldSinceMs = 0;
  #bytes: Buffer | null = null;

  hold(): void {
    this.holding = true;
    this.heldSinceMs = 0;
    this.ended = 'open';
  }

  /** @returns whether the upstream is to be read no further */
  keep(chunk: Buffer): boolean {
    if (this.holding && this.#bytes === null) this.heldSinceMs = performance.now();
    this.#bytes = this.#bytes === null ? chunk : Buffer.concat([this.#bytes, chunk]);
    return !this.holding || this.#bytes.length >= MAX_HELD_BYTES;
  }

  /** The connection failed. @returns whether that waits too: there are bytes that came before it */
  keepFailure(detail: string): boolean {
    if (!this.holding || this.#bytes === null) return false;
    if (this.ended === 'open') this.ended = { detail };
    return true;
  }

  /** Gives out what was kept; nothing is left of it here. */
  take(): Buffer | null {
    const bytes = this.#bytes;
    this.#bytes = null;
    return bytes;
  }
}
