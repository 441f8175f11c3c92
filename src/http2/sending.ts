import type { Socket } from 'node:net';
import { FrameWriter } from './frame-writer.ts';
import { FIRST_WINDOW_BYTES, MAX_FRAME_BYTES, MAX_WINDOW_BYTES } from './frames.ts';
import type { Http2Stream } from './stream.ts';

/**
 * What one connection sends: frames, in as few writes as there can be, and the content of streams
 * as far as the other end's window for all of them allows, a frame of each in turn.
 */
export class Sending {
  readonly out: FrameWriter;
  /** While what came is read, what it leads to is gathered: whoever reads writes it out. */
  reading = false;
  /** Those that have something to send, or wait for the socket. */
  readonly #waiting = new Set<Http2Stream>();
  #window = FIRST_WINDOW_BYTES;
  #pumping = false;
  #later: NodeJS.Immediate | null = null;

  constructor(socket: Socket) {
    this.out = new FrameWriter(socket);
  }

  /** Nothing more can be sent for now: the other end takes no content of anybody. */
  get stalled(): boolean {
    return this.out.blocked || this.#window <= 0;
  }

  /** How much of `wanted` one frame may hold now. */
  sendable(wanted: number): number {
    return this.out.blocked ? 0 : Math.min(wanted, MAX_FRAME_BYTES, this.#window);
  }

  data(stream: number, content: Buffer, end: boolean): void {
    this.#window -= content.length;
    this.out.data(stream, content, end);
  }

  /** The other end takes so much more. @returns false when that is more than there can be */
  widen(bytes: number): boolean {
    this.#window += bytes;
    if (this.#window > MAX_WINDOW_BYTES) return false;
    this.pump();
    return true;
  }

  waits(stream: Http2Stream): void {
    this.#waiting.add(stream);
  }

  isWaiting(stream: Http2Stream): boolean {
    return this.#waiting.has(stream);
  }

  closed(stream: Http2Stream): void {
    this.#waiting.delete(stream);
  }

  /** The socket takes bytes again. */
  onDrain(): void {
    this.out.unblock();
    this.pump();
  }

  /**
   * With other streams beside it, what one turn of the loop brings goes out in one write.
   *
   * @returns false when the socket takes no more for now
   */
  flush(isAlone: boolean): boolean {
    if (this.reading || this.#pumping) return !this.out.blocked;
    if (isAlone) this.writeOut();
    else this.writeSoon();
    return !this.out.blocked;
  }

  writeSoon(): void {
    if (!this.reading && !this.#pumping) this.#later ??= setImmediate(() => this.writeOut());
  }

  writeOut(): void {
    this.stop();
    this.out.flush();
  }

  /** Nothing goes out by itself any more. */
  stop(): void {
    if (this.#later !== null) clearImmediate(this.#later);
    this.#later = null;
  }

  /** Streams that wait send a frame each, in turn, as long as anything can be sent. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (let left = -1; left !== this.#window && this.#waiting.size > 0; ) {
        left = this.#window;
        for (const stream of [...this.#waiting]) {
          if (this.out.blocked) break;
          if (!stream.pump(1)) continue;
          this.#waiting.delete(stream);
          stream.pumped();
        }
      }
    } finally {
      this.#pumping = false;
    }
    if (!this.reading) this.writeOut();
  }
}
