/** Numbers that are not there. */
export interface MissingRange {
  readonly first: number;
  readonly last: number;
  /** Of the last event before them. */
  readonly time: string | null;
  /** Of the first one after them; absent: nobody asks for it. */
  readonly nextTime?: string;
}

/** Kept of one instance; what comes later is a finding at once. */
const MOST = 1000;

/** Holes of one instance, until it is known whether something accounts for them. */
export class MissingNumbers {
  #ranges: MissingRange[] = [];

  /** Answers whether it is kept. */
  add(range: MissingRange): boolean {
    if (this.#ranges.length >= MOST) return false;
    this.#ranges.push(range);
    return true;
  }

  /** Takes numbers out; answers those that were in, each with what is known of it. */
  take(first: number, last: number): readonly MissingRange[] {
    const taken: MissingRange[] = [];
    this.#ranges = this.#ranges.flatMap((range) => {
      if (range.last < first || range.first > last) return [range];
      taken.push({
        ...range,
        first: Math.max(range.first, first),
        last: Math.min(range.last, last),
      });
      const left = { ...range, last: first - 1 };
      const right = { ...range, first: last + 1 };
      return [left, right].filter((part) => part.first <= part.last);
    });
    return taken;
  }

  all(): readonly MissingRange[] {
    return this.#ranges;
  }
}
