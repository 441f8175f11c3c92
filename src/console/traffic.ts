import type { InstanceMinute } from '../stats/port.ts';
import { quantileOf } from '../stats/quantile.ts';
import { DURATION_BOUNDS, OVERHEAD_BOUNDS } from '../telemetry/request-meter.ts';

/** Counts of a stretch of time, cut into bins of equal length. */
export interface Traffic {
  readonly bins: readonly TrafficBin[];
  readonly total: TrafficBin;
  /** Refusals by reason, most frequent first. What ended badly after it was let in counts too. */
  readonly refusals: readonly { readonly reason: string; readonly count: number }[];
}

export interface TrafficBin {
  readonly startMs: number;
  readonly letIn: number;
  readonly refused: number;
  /**
   * Milliseconds that half of the calls, and 95 of 100, took at most; null without calls. Read off
   * a histogram, so about right.
   */
  readonly medianMs: number | null;
  readonly slowMs: number | null;
  /** Our own share, of 95 of 100 calls. */
  readonly overheadMs: number | null;
}

/** Not refused: let in, or given up by the client. */
const NOT_REFUSED: ReadonlySet<string> = new Set([
  'permitted',
  'client-aborted',
  'outcome-unknown',
]);

class Sum {
  readonly reasons = new Map<string, number>();
  readonly durations: number[] = [];
  readonly overheads: number[] = [];

  add({ counts }: InstanceMinute): void {
    for (const [reason, count] of Object.entries(counts.reasons))
      this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + count);
    counts.durations.forEach((count, index) => {
      this.durations[index] = (this.durations[index] ?? 0) + count;
    });
    counts.overheads.forEach((count, index) => {
      this.overheads[index] = (this.overheads[index] ?? 0) + count;
    });
  }

  bin(startMs: number): TrafficBin {
    let [letIn, refused] = [0, 0];
    for (const [reason, count] of this.reasons) {
      if (NOT_REFUSED.has(reason)) letIn += count;
      else refused += count;
    }
    return {
      startMs,
      letIn,
      refused,
      medianMs: quantileMs(this.durations, DURATION_BOUNDS, 0.5),
      slowMs: quantileMs(this.durations, DURATION_BOUNDS, 0.95),
      overheadMs: quantileMs(this.overheads, OVERHEAD_BOUNDS, 0.95),
    };
  }
}

/** @param first first minute; bins cover `binCount * binMinutes` minutes from there */
export function trafficOf(
  entries: readonly InstanceMinute[],
  first: number,
  binMinutes: number,
  binCount: number,
): Traffic {
  const sums = Array.from({ length: binCount }, () => new Sum());
  const total = new Sum();
  for (const entry of entries) {
    const sum = sums[Math.floor((entry.minute - first) / binMinutes)];
    if (sum === undefined) continue;
    sum.add(entry);
    total.add(entry);
  }
  const refusals = [...total.reasons]
    .filter(([reason]) => !NOT_REFUSED.has(reason))
    .map(([reason, count]) => ({ reason, count }))
    .sort((one, other) => other.count - one.count);
  return {
    bins: sums.map((sum, index) => sum.bin((first + index * binMinutes) * 60_000)),
    total: total.bin(first * 60_000),
    refusals,
  };
}

function quantileMs(
  counts: readonly number[],
  bounds: readonly number[],
  part: number,
): number | null {
  const seconds = quantileOf(counts, bounds, part);
  return seconds === null ? null : seconds * 1000;
}
