import type { FloodFold } from '../audit/floods/flood.ts';
import type { AcceptanceWaiter, Taken } from '../audit/port.ts';

/**
 * The way of every request, through whichever door it comes, until something may be done for it:
 *
 * ```
 *   identify ─▶ decide ─────▶ record ────────────▶ wait ──▶ admitted: done, or refused as decided
 *      │          │             │ one of a flood      │
 *      │          │             ├──▶ counted: as if recorded, nothing is waited for
 *      │          │             └ no room ────────────┤
 *      └──────────┴─▶ a refusal is a verdict:         └──▶ not on record: 503 audit-unavailable,
 *                     recorded like a permit               nothing is done, nothing is given out
 * ```
 *
 * Identify and decide are `decision/`; a door may find a refusal out by itself. This is the rest:
 * exactly one decision is on record, or counted, before anything is answered, and before anything
 * that cannot be taken back is done.
 */
export interface AdmissionServices {
  /** Counts what comes too thick to be recorded one by one. */
  readonly floods: Pick<FloodFold, 'folds'>;
  /** Whether a request waits until the log has its decision. */
  readonly guarantee: 'acknowledged' | 'buffered';
}

/** How the verdicts of one door are written down. */
export interface DecisionWriter<Verdict> {
  /**
   * Whether this one is counted as one of many like it, instead of being recorded. Of what is let
   * in only what has no effect may be: strangers can make as many refusals as they like.
   */
  isOneOfFlood(verdict: Verdict, floods: AdmissionServices['floods']): boolean;
  /** @param waiter told whether the record was accepted; null = nobody waits */
  decision(verdict: Verdict, waiter: AcceptanceWaiter | null): Taken;
}

/**
 * `counted`, `recorded`: go on. `waits`: the waiter is told, unless it was told already. `lost`:
 * the waiter will be told that it waited in vain; nothing may be done meanwhile.
 */
export type Standing = 'counted' | 'recorded' | 'waits' | 'lost';

/**
 * Records a verdict, or counts it.
 *
 * @param waiter told once whether the log has the decision, if that is waited for
 * @param bestEffort the route takes less than the guarantee: nobody waits
 */
export function recordDecision<Verdict>(
  { floods, guarantee }: AdmissionServices,
  writer: DecisionWriter<Verdict>,
  verdict: Verdict,
  waiter: AcceptanceWaiter,
  bestEffort: boolean,
): Standing {
  if (writer.isOneOfFlood(verdict, floods)) return 'counted';
  if (guarantee === 'buffered' || bestEffort) {
    writer.decision(verdict, null);
    return 'recorded';
  }
  return writer.decision(verdict, waiter) === 'kept' ? 'waits' : 'lost';
}
