/** As much as one read brings at most: libuv's own size. */
export const READ_BYTES = 64 * 1024;
/** Up to here a read is copied out, and its memory used again; beyond, the copy would cost more. */
const COPIED_BYTES = 32 * 1024;

/**
 * The memory into which one connection reads.
 *
 * A small read is copied out of it, so that the next one may go into the same memory; a large one
 * takes the memory along. Never shared between connections: what somebody still holds of one
 * exchange (a socket that has not sent it yet, a response that is held back) is never written to
 * again. Saves 64 KiB of new memory for each read, which the collector would have to count.
 */
export class ReadBuffer {
  #memory = Buffer.allocUnsafeSlow(READ_BYTES);

  /** Where the next read goes. */
  get free(): Buffer {
    return this.#memory;
  }

  /** What the last read brought, in memory of its own. */
  taken(bytes: number): Buffer {
    if (bytes <= COPIED_BYTES) return Buffer.from(this.#memory.subarray(0, bytes));
    const taken = this.#memory.subarray(0, bytes);
    this.#memory = Buffer.allocUnsafeSlow(READ_BYTES);
    return taken;
  }
}
