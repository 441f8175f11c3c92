import type { Socket } from 'node:net';
import type { Deadline, Deadlines, Watched } from '../deadlines.ts';

/** Silence of the client after our last word, all the time it may go on sending, and how much. */
const SILENCE_MS = 2000;
const TOTAL_MS = 10_000;
const BYTES_MAX = 64 * 1024 * 1024;

/**
 * The end of a connection after our last word (RFC 9112 §9.6). Closing a socket with unread bytes
 * in it makes the kernel reset the connection, and the client, still busy sending, could lose the
 * very answer that tells it to stop. So our direction ends first, and what still comes is read and
 * thrown away, for a while.
 *
 * Takes the socket over: whoever hands it in gives its listeners up, but for `close`, which comes
 * in any case.
 */
export class Lingering implements Watched {
  readonly #socket: Socket;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  #untilMs = Number.POSITIVE_INFINITY;
  #bytes = 0;

  /** @param writeMs how long the client may take to read what is still to be written */
  constructor(socket: Socket, deadlines: Deadlines, writeMs: number) {
    this.#socket = socket;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.watch(this, deadlines.nowMs + writeMs);
    socket.once('close', () => this.#deadline.end());
    socket.end(() => this.#onWritten());
  }

  #onWritten(): void {
    this.#untilMs = this.#deadlines.nowMs + TOTAL_MS;
    this.#deadline.untilMs = this.#deadlines.nowMs + SILENCE_MS;
  }

  /** Bytes that nobody will read. */
  drop(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > BYTES_MAX) this.#socket.destroy();
    else if (this.#untilMs !== Number.POSITIVE_INFINITY)
      this.#deadline.untilMs = Math.min(this.#untilMs, this.#deadlines.nowMs + SILENCE_MS);
  }

  expired(): void {
    this.#socket.destroy();
  }
}
