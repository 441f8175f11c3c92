import type { Cursor } from './cursor.ts';

/** An account's place in the order of a list. */
export interface Ranked<K extends string | number = string | number> {
  readonly key: K;
  readonly number: number;
}

/** How many are looked at between two sortings. */
const ROOM = 4096;

/**
 * Of all that are offered, the first so many after a cursor. Keeps a few thousand at most, however
 * many are offered.
 */
export class First<K extends string | number> {
  readonly #isDown: boolean;
  readonly #from: Cursor | null;
  readonly #most: number;
  #kept: Ranked<K>[] = [];
  /** Whoever comes after it is not among the first. */
  #last: Ranked<K> | null = null;
  #bound: K | null = null;

  constructor(isDown: boolean, from: Cursor | null, most: number) {
    this.#isDown = isDown;
    this.#from = from;
    this.#most = most;
  }

  offer(key: K, number: number): void {
    // Nearly all are past the last, and told by their key alone.
    if (this.#bound !== null && (this.#isDown ? key < this.#bound : key > this.#bound)) return;
    if (this.#last !== null && this.#compare(key, number, this.#last) > 0) return;
    if (this.#from !== null && this.#compare(key, number, this.#from) <= 0) return;
    this.#kept.push({ key, number });
    if (this.#kept.length >= ROOM) this.#prune();
  }

  get ranked(): readonly Ranked<K>[] {
    this.#prune();
    return this.#kept;
  }

  #prune(): void {
    this.#kept.sort((one, other) => this.#compare(one.key, one.number, other));
    this.#kept.length = Math.min(this.#kept.length, this.#most);
    if (this.#kept.length < this.#most) return;
    this.#last = this.#kept.at(-1) ?? null;
    this.#bound = this.#last?.key ?? null;
  }

  #compare(key: string | number, number: number, other: Ranked): number {
    const order = key === other.key ? number - other.number : key < other.key ? -1 : 1;
    return this.#isDown ? -order : order;
  }
}
