import type { Lookup } from './port.ts';

interface Entry {
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

/**
 * Answers by account id, bounded. What is not asked for goes first: a "second chance" queue instead
 * of strict least-recently-used, because a hit then costs one look-up and no reordering.
 */
export class AccountCache {
  readonly #entries = new Map<string, Entry>();
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): Lookup | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
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
    this.#entries.set(id, { answer, asOfSeq, used: false });
  }

  delete(id: string): void {
    this.#entries.delete(id);
  }

  #evictOne(): void {
    let chances = SECOND_CHANCES;
    for (const [id, entry] of this.#entries) {
      this.#entries.delete(id);
      if (!entry.used || chances === 0) return;
      chances -= 1;
      entry.used = false;
      this.#entries.set(id, entry);
    }
  }
}
