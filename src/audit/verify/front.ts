import { type Finding, numbers } from './finding.ts';
import type { Known, Lost } from './known.ts';
import type { MissingRange } from './missing.ts';

/** Whether what is not there of an instance's oldest events was due to be cut. */
export type FrontVerdict =
  | { readonly is: 'cut' }
  /** Nothing signed tells. */
  | { readonly is: 'unproven' }
  /** From this number on, something is missing that was not due. */
  | { readonly is: 'hole'; readonly firstSeq: number };

/**
 * Judges an instance whose first event is not its first. The first head that is left says when it
 * was signed and names the head before it, so it proves that what is missing is old, or that it is
 * not: an instance that is silent signs before, within seconds.
 *
 * @param lost numbers that somebody says to be in no log
 * @param boundMs what happened up to this time may have been cut
 */
export function judgeFront(
  { check, heads }: Known,
  lost: readonly Lost[],
  boundMs: number,
): FrontVerdict {
  const isOld = (time: string) => Date.parse(time) <= boundMs;
  const last = lastBefore(check.firstSeq, lost);
  if (heads.first !== null) {
    const { time, lastHead } = heads.first;
    if (isOld(time)) return { is: 'cut' };
    if (lastHead === undefined) return { is: 'unproven' };
    if (lastHead.number >= last && isOld(lastHead.time)) return { is: 'cut' };
    if (last < check.firstSeq - 1) return { is: 'unproven' };
    return { is: 'hole', firstSeq: isOld(lastHead.time) ? lastHead.number + 1 : 1 };
  }
  const known = heads.expected.filter(({ seq }) => seq < check.firstSeq);
  if (known.some(({ seq, time }) => seq >= last && isOld(time))) return { is: 'cut' };
  // A signed time counts for more than that of an event that no head holds.
  if (known.some(({ time }) => !isOld(time))) return { is: 'hole', firstSeq: 1 };
  return isOld(check.firstTime) ? { is: 'cut' } : { is: 'unproven' };
}

/** The last number before the first event that any log has held. */
function lastBefore(firstSeq: number, lost: readonly Lost[]): number {
  let last = firstSeq - 1;
  for (const range of lost.toSorted((a, b) => b.last - a.last))
    if (range.first <= last && last <= range.last) last = range.first - 1;
  return last;
}

/**
 * @param missing of the first numbers
 * @param from older ones were due to be cut
 * @param anchored whether anything signed speaks of a cut
 */
export function frontHole(
  { check: { name, firstTime } }: Known,
  missing: readonly MissingRange[],
  from: number,
  anchored: boolean,
): Finding {
  const young = missing.filter(({ last }) => last >= from);
  const [firstSeq, lastSeq] = [Math.max(from, young[0]!.first), young.at(-1)!.last];
  const why = anchored
    ? 'they are younger than what retention has signed'
    : 'no anchor speaks of a cut there';
  return {
    ...{ kind: anchored ? 'missing' : 'anchor-missing', instance: name, firstSeq, lastSeq },
    time: firstTime === '' ? null : firstTime,
    message: `${numbers(firstSeq, lastSeq)} of ${name} are missing at the front, and ${why}`,
  };
}
