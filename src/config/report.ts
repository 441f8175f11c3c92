import { type ConfigPath, type Fault, type Report, showPath } from './faults.ts';
import type { Place, YamlSource } from './yaml-source.ts';

const MAX_FAULTS = 200;

/**
 * Collects faults and warnings, adds their places, and drops what only repeats an earlier fault at
 * or above the same key.
 */
export class Reporter implements Report {
  readonly #source: YamlSource;
  readonly #faults = new Map<string, Fault>();
  readonly #warnings = new Map<string, Fault>();

  constructor(source: YamlSource) {
    this.#source = source;
  }

  /** `place` where it is not the key's own. */
  fault(path: ConfigPath, message: string, place: Place = this.#source.place(path)): void {
    if (this.#faults.size >= MAX_FAULTS || this.#isKnown(path)) return;
    this.#faults.set(JSON.stringify(path), {
      line: place.line,
      column: place.column,
      path: showPath(path),
      message,
    });
  }

  warning(path: ConfigPath, message: string): void {
    this.#warnings.set(JSON.stringify(path) + message, {
      ...this.#source.place(path),
      path: showPath(path),
      message,
    });
  }

  get faults(): readonly Fault[] {
    return inFileOrder(this.#faults);
  }

  get warnings(): readonly Fault[] {
    return inFileOrder(this.#warnings);
  }

  #isKnown(path: ConfigPath): boolean {
    return (
      path.some((_, index) => this.#faults.has(JSON.stringify(path.slice(0, index + 1)))) ||
      this.#faults.has(JSON.stringify(path))
    );
  }
}

function inFileOrder(faults: ReadonlyMap<string, Fault>): readonly Fault[] {
  return [...faults.values()].sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
