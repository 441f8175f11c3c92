import { createHash, type Hash } from 'node:crypto';
import { digestOf, type Numbered } from './region.ts';

/** Kept of a segment until its link; what is longer is hashed as it passes. */
const KEPT_BYTES = 4 * 1024 * 1024;
const KEPT_EVENTS = 20_000;

/** The events of the segment under way, or their hash so far. */
export class KeptLines {
  #lines: Numbered[] = [];
  #bytes = 0;
  /** Where it is too long to be kept. */
  #stream: Hash | null = null;
  #streamFirst = 0;

  get all(): readonly Numbered[] {
    return this.#lines;
  }

  /** Some have gone into the hash, and cannot be told from each other any more. */
  get isPoured(): boolean {
    return this.#stream !== null;
  }

  /** More than so many times of what is kept usually. */
  isMoreThan(times: number): boolean {
    return this.#bytes > times * KEPT_BYTES || this.#lines.length > times * KEPT_EVENTS;
  }

  keep(line: Numbered): void {
    this.#lines.push(line);
    this.#bytes += line.text.length;
  }

  /** From the lines kept into the hash. */
  pour(): void {
    const [first] = this.#lines;
    if (first === undefined) return;
    if (this.#stream === null) {
      this.#stream = createHash('sha256');
      this.#streamFirst = first.seq;
    }
    for (const { text } of this.#lines) this.#stream.update(`${text}\n`);
    this.#lines = [];
    this.#bytes = 0;
  }

  /** The first number of the segment; null: there is nothing in it. */
  get firstSeq(): number | null {
    return this.#stream === null ? (this.#lines[0]?.seq ?? null) : this.#streamFirst;
  }

  /** To be followed by `restart`. */
  digest(): string {
    if (this.#stream === null) return digestOf(this.#lines);
    // Once some of it has, all of it is poured as it comes.
    return this.#stream.digest('base64url');
  }

  restart(lines: readonly Numbered[] = []): void {
    this.#stream = null;
    this.#lines = [...lines];
    this.#bytes = lines.reduce((total, { text }) => total + text.length, 0);
  }
}
