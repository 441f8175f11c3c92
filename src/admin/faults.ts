import { type Fault, invalid } from './error.ts';

/**
 * C0, DEL, C1, line and paragraph separators, and the controls that reorder text: none of them has
 * a place in a name, a table or a log.
 */
export const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/u;

/** Gathers everything that is wrong with an input, so that a person mends it in one go. */
export class Faults {
  readonly #faults: Fault[] = [];

  add(field: string, message: string): void {
    this.#faults.push({ field, message });
  }

  all(faults: readonly Fault[]): void {
    this.#faults.push(...faults);
  }

  /** Throws one `invalid` error that names every fault found so far. */
  check(): void {
    if (this.#faults.length > 0) throw invalid(this.#faults);
  }
}

/** A foreign value, made fit for one line of a message: quoted, cut, without control characters. */
export function shown(value: unknown): string {
  return JSON.stringify(
    printable(typeof value === 'string' ? value : String(JSON.stringify(value))),
  );
}

/** Text cut to 64 characters, control characters replaced. */
export function printable(text: string): string {
  const clean = text.replaceAll(new RegExp(UNPRINTABLE, 'gu'), '\ufffd');
  return clean.length > 64 ? `${clean.slice(0, 64)}…` : clean;
}
