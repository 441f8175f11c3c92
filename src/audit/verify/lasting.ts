import type { Finding } from './finding.ts';

/**
 * Of a record that goes on, what looks wrong at one moment may be right at the next: an event can
 * be on its way, or a word about it. Told is what stays wrong for a time, and once for as long as
 * it stays.
 */
export class LastingFindings {
  readonly #afterMs: number;
  readonly #found: (finding: Finding) => void;
  /** Since when each is there, in ms, and whether it was told. */
  #seen = new Map<string, { readonly sinceMs: number; told: boolean }>();

  constructor(afterMs: number, found: (finding: Finding) => void) {
    this.#afterMs = afterMs;
    this.#found = found;
  }

  /** @param findings all that looks wrong now */
  look(findings: readonly Finding[], nowMs: number): void {
    const seen = new Map<string, { readonly sinceMs: number; told: boolean }>();
    for (const finding of findings) {
      const key = keyOf(finding);
      const before = this.#seen.get(key) ?? { sinceMs: nowMs, told: false };
      if (!before.told && nowMs - before.sinceMs >= this.#afterMs) {
        before.told = true;
        this.#found(finding);
      }
      seen.set(key, before);
    }
    this.#seen = seen;
  }
}

/** What it is about; an end that is cut off goes on being the same one. */
function keyOf({ kind, instance, firstSeq, lastSeq }: Finding): string {
  return `${kind} ${instance} ${firstSeq} ${kind === 'truncated' ? '' : lastSeq}`;
}
