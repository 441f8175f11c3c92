import type { Clock } from '../clock.ts';
import { Periodic } from '../periodic.ts';
import type { RequestTotals } from '../telemetry/request-meter.ts';
import type { InstanceMinute, MinuteCounts, StatsStore } from './port.ts';
import { minuteOf, WAITING_MINUTES_MAX } from './times.ts';

export interface RecorderOptions {
  readonly store: StatsStore;
  readonly instance: string;
  readonly clock: Clock;
  /** What the meter has counted since the start. */
  readonly totals: () => RequestTotals;
  /** Told once per outage. */
  readonly onFault: (fault: unknown) => void;
}

const FLUSH_EVERY_MS = 5_000;

/**
 * Every few seconds adds what the meter has counted meanwhile to the present minute and writes that
 * minute. A call costs nothing here; its minute is the one of the flush, so it may be off by one
 * flush.
 */
export class StatsRecorder {
  readonly #options: RecorderOptions;
  readonly #waiting = new Map<number, MinuteCounts>();
  readonly #writing: Periodic;
  #before: RequestTotals;
  #failing = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#before = options.totals();
    this.#writing = new Periodic(() => this.#flush(), FLUSH_EVERY_MS);
  }

  /** Never rejects. */
  flush(): Promise<void> {
    return this.#writing.now();
  }

  /** Writes the last counts, as well as can be. */
  close(): Promise<void> {
    return this.#writing.close();
  }

  async #flush(): Promise<void> {
    const minute = minuteOf(this.#options.clock.wallMs());
    this.#gather(minute);
    for (const [waiting, counts] of [...this.#waiting]) {
      if (!(await this.#write({ minute: waiting, instance: this.#options.instance, counts })))
        return;
      // The present minute goes on.
      if (waiting !== minute) this.#waiting.delete(waiting);
    }
  }

  #gather(minute: number): void {
    const now = this.#options.totals();
    const since = difference(now, this.#before);
    this.#before = now;
    if (since === null) return;
    this.#waiting.set(minute, sum(this.#waiting.get(minute) ?? null, since));
    const { size } = this.#waiting;
    const oldest = size > WAITING_MINUTES_MAX ? this.#waiting.keys().next().value : undefined;
    if (oldest !== undefined) this.#waiting.delete(oldest);
  }

  async #write(entry: InstanceMinute): Promise<boolean> {
    try {
      await this.#options.store.write(entry);
      this.#failing = false;
      return true;
    } catch (fault) {
      if (!this.#failing) this.#options.onFault(fault);
      this.#failing = true;
      return false;
    }
  }
}

/** Null when nothing happened. */
function difference(now: RequestTotals, before: RequestTotals): MinuteCounts | null {
  const reasons: Record<string, number> = {};
  for (const [reason, count] of now.reasons) {
    const more = count - (before.reasons.get(reason) ?? 0);
    if (more > 0) reasons[reason] = more;
  }
  if (Object.keys(reasons).length === 0) return null;
  const less = (one: readonly number[], other: readonly number[]) =>
    one.map((count, index) => count - (other[index] ?? 0));
  return {
    reasons,
    durations: less(now.durations, before.durations),
    overheads: less(now.overheads, before.overheads),
  };
}

/** Counts of two, added up. */
function sum(one: MinuteCounts | null, other: MinuteCounts): MinuteCounts {
  if (one === null) return other;
  const reasons: Record<string, number> = { ...one.reasons };
  for (const [reason, count] of Object.entries(other.reasons))
    reasons[reason] = (reasons[reason] ?? 0) + count;
  const add = (left: readonly number[], right: readonly number[]) =>
    Array.from(
      { length: Math.max(left.length, right.length) },
      (_, index) => (left[index] ?? 0) + (right[index] ?? 0),
    );
  return {
    reasons,
    durations: add(one.durations, other.durations),
    overheads: add(one.overheads, other.overheads),
  };
}
