import type { Lookup } from './port.ts';

interface Entry {
  readonly id: string;
  readonly answer: Lookup;
  /** The position at which the answer was true. */
  readonly asOfSeq: number;
  /** Asked for since the last time that the eviction came by. */
  used: boolean;
}

/**
 * How many entries in use one eviction passes over at most, so that no single look-up pays for a
 * sweep.
 */
const SECOND_CHANCES = 32;

/** A power of two. */
const PLACES = 4_096;

/**
 * Answers by account id, bounded. What is not asked for goes first: a "second chance" queue instead
 * of strict least-recently-used, because a hit then costs one look-up and no reordering.
 *
 * In front of the map stand so many places, one for each id by its characters, with what was asked
 * for there last: the map of 100,000 accounts spreads over so much memory that looking one up was a
 * quarter of a decision. A place never holds what the map does not.
 */
export class AccountCache {
  readonly #entries = new Map<string, Entry>();
  readonly #places: (Entry | undefined)[] = new Array(PLACES).fill(undefined);
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Lookup | undefined {
    const place = placeOf(id);
    let entry = this.#places[place];
    if (entry?.id !== id) {
      entry = this.#entries.get(id);
      if (entry === undefined) return undefined;
      this.#places[place] = entry;
    }
    // Nearly all that are asked for say so already: memory that is only read stays shared.
    if (!entry.used) entry.used = true;
    return entry.answer;
  }

  /** Without counting as asked for. */
  peek(id: string): Lookup | undefined {
    return this.#entries.get(id)?.answer;
  }

  /** All ids; those that go next come first. */
  ids(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The position at which the cached answer was true; undefined when nothing is cached. */
  asOf(id: string): number | undefined {
    return this.#entries.get(id)?.asOfSeq;
  }

  put(id: string, answer: Lookup, asOfSeq: number): void {
    if (!this.#entries.has(id) && this.#entries.size >= this.#maxEntries) this.#evictOne();
    const entry: Entry = { id, answer, asOfSeq, used: false };
    this.#entries.set(id, entry);
    this.#places[placeOf(id)] = entry;
  }

  delete(id: string): void {
    this.#entries.delete(id);
    const place = placeOf(id);
    if (this.#places[place]?.id === id) this.#places[place] = undefined;
  }

  #evictOne(): void {
    let chances = SECOND_CHANCES;
    for (const [id, entry] of this.#entries) {
      this.delete(id);
      if (!entry.used || chances === 0) return;
      chances -= 1;
      entry.used = false;
      this.#entries.set(id, entry);
    }
  }
}

function placeOf(id: string): number {
  let mixed = 0;
  for (let index = 0; index < id.length; index += 1)
    mixed = Math.imul(mixed, 31) + id.charCodeAt(index);
  return (mixed ^ (mixed >>> 12)) & (PLACES - 1);
}
