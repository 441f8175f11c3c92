import type { Numbered } from './region.ts';

/** What stands outside of the order in which events should stand. */
export interface SortedOut {
  /** In the order in which they were found: too late by far, or there already. */
  readonly wrong: readonly { readonly line: Numbered; readonly how: 'late' | 'copy' }[];
  /** Not due yet. */
  readonly early: readonly Numbered[];
  /** They stand elsewhere than they belong. */
  readonly moved: readonly Numbered[];
}

/**
 * Tells copies, moved events and others from each other. What claims a number joins `claims`: those
 * that were moved, and those whose number is taken.
 *
 * @param base the lowest number that is under way
 * @param last the highest
 */
export function sortedOut(
  aside: readonly Numbered[],
  claims: Map<number, Numbered[]>,
  base: number,
  last: number,
): SortedOut {
  const wrong: { line: Numbered; how: 'late' | 'copy' }[] = [];
  const early: Numbered[] = [];
  const moved: Numbered[] = [];
  for (const line of aside) {
    const there = claims.get(line.seq);
    if (line.seq < base) wrong.push({ line, how: 'late' });
    else if (there?.some(({ text }) => text === line.text)) wrong.push({ line, how: 'copy' });
    else if (there !== undefined) there.push(line);
    else if (line.seq > last) early.push(line);
    else {
      moved.push(line);
      claims.set(line.seq, [line]);
    }
  }
  return { wrong, early, moved };
}

/**
 * Those of the early ones that are due by now join `claims`.
 *
 * @returns the others
 */
export function notDue(
  early: readonly Numbered[],
  claims: Map<number, Numbered[]>,
  last: number,
): readonly Numbered[] {
  for (const line of early.filter(({ seq }) => seq <= last)) {
    const there = claims.get(line.seq);
    if (there === undefined) claims.set(line.seq, [line]);
    else there.push(line);
  }
  return early.filter(({ seq }) => seq > last);
}
