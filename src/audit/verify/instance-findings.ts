import { type Finding, type FindingKind, numbers } from './finding.ts';

/** What is wrong with the events of one instance, in words. */
export class InstanceFindings {
  readonly #name: string;
  readonly #found: (finding: Finding) => void;
  /** Told when nothing more can belong to it. */
  #changed: { first: number; last: number; time: string } | null = null;

  constructor(name: string, found: (finding: Finding) => void) {
    this.#name = name;
    this.#found = found;
  }

  one(kind: FindingKind, line: { readonly seq: number; readonly time: string }, how: string): void {
    this.say(kind, line.seq, line.seq, line, how);
  }

  say(
    kind: FindingKind,
    first: number,
    last: number,
    line: { readonly time: string },
    how: string,
  ): void {
    const message = `${numbers(first, last)} of ${this.#name} ${how}`;
    const found = { kind, instance: this.#name, firstSeq: first, lastSeq: last } as const;
    this.#found({ ...found, time: line.time === '' ? null : line.time, message });
  }

  /** Two segments that touch are one edit: the link between them is in both. */
  noteChanged(first: number, last: number, time: string): void {
    if (this.#changed !== null && this.#changed.last + 1 === first) this.#changed.last = last;
    else {
      this.tellChanged();
      this.#changed = { first, last, time };
    }
  }

  /** The last number of an edit that is not told yet; without one beyond all numbers. */
  get openUntil(): number {
    return this.#changed?.last ?? Number.POSITIVE_INFINITY;
  }

  tellChanged(): void {
    if (this.#changed === null) return;
    const { first, last, time } = this.#changed;
    const what = numbers(first, last);
    const one = first === last ? 'is' : 'are';
    const message =
      `${what} of ${this.#name} ${one} not what was written: at least one of them was changed, ` +
      `says the link after them`;
    this.#changed = null;
    const found = {
      kind: 'changed',
      instance: this.#name,
      firstSeq: first,
      lastSeq: last,
    } as const;
    this.#found({ ...found, time, message });
  }
}
