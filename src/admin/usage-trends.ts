import type { UsageRow } from '../stats/usage/table.ts';
import type { UsageSpan } from './usage-span.ts';

/**
 * Named ones that are kept apart while a range is read; of more than twice as many some are not.
 */
export const HELD = 4_096;
const PARTS = 60;
const HOUR_MINUTES = 60;

export function evenTrends({ first, last }: UsageSpan): Trends {
  const steps = last - first + 1;
  const each = Math.ceil(steps / PARTS);
  return new Trends(first, each, Math.ceil(steps / each));
}

/** Of minutes, by the hours of the clock: the first and the last are in the range in part. */
export function hourlyTrends({ first, last }: UsageSpan): Trends {
  const from = Math.floor(first / HOUR_MINUTES);
  const parts = Math.floor(last / HOUR_MINUTES) - from + 1;
  return new Trends(from * HOUR_MINUTES, HOUR_MINUTES, parts);
}

/** Calls over time, of so many as are held at most. */
export class Trends {
  readonly #first: number;
  readonly #each: number;
  readonly #parts: number;
  readonly #counts = new Map<string, number[]>();

  /** @param each steps of a part */
  constructor(first: number, each: number, parts: number) {
    this.#first = first;
    this.#each = each;
    this.#parts = parts;
  }

  add(at: number, rows: readonly UsageRow[]): void {
    const part = Math.floor((at - this.#first) / this.#each);
    for (const { id, calls } of rows) {
      let counts = this.#counts.get(id);
      if (counts === undefined) {
        if (this.#counts.size >= 2 * HELD) continue;
        counts = Array.from({ length: this.#parts }, () => 0);
        this.#counts.set(id, counts);
      }
      counts[part] = (counts[part] ?? 0) + calls;
    }
  }

  of(id: string): readonly number[] {
    return this.#counts.get(id) ?? [];
  }
}
