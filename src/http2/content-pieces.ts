import type { Http2Stream } from './stream.ts';

/** So much content goes on without waiting for the rest of its frame. */
const GIVEN_BYTES = 64 * 1024;

/**
 * The pieces in which content is handed on: what one read brought goes on at once; in the middle of
 * a frame with what follows in the same turn of the loop, where most often the rest of it does: TLS
 * cuts frames in two.
 */
export class ContentPieces {
  /** It has given so much content, and its handler was not told that this is all for now. */
  #giving: Http2Stream | null = null;
  #givenBytes = 0;
  #ends: NodeJS.Immediate | null = null;

  gave(stream: Http2Stream, bytes: number): void {
    if (this.#giving !== stream) this.end();
    this.#giving = stream;
    this.#givenBytes += bytes;
  }

  /** @param inContent of the frame that came last, some is still to come */
  afterRead(inContent: boolean): void {
    if (this.#giving === null) return;
    if (inContent && this.#givenBytes < GIVEN_BYTES) this.#ends ??= setImmediate(() => this.end());
    else this.end();
  }

  end(): void {
    if (this.#giving === null) return;
    if (this.#ends !== null) clearImmediate(this.#ends);
    this.#ends = null;
    const stream = this.#giving;
    this.#giving = null;
    this.#givenBytes = 0;
    stream.pieceEnded();
  }
}
