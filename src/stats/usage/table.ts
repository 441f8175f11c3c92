import { DURATION_BOUNDS } from '../../telemetry/request-meter.ts';

/**
 * Who called, over some stretch of time: the busiest by name, and what is left of all others. The
 * figures of a row are never too high; `missed` says how many calls it may lack.
 */

/** What calls are told apart by. */
export const SUBJECTS = ['account', 'application', 'route'] as const;
export type Subject = (typeof SUBJECTS)[number];

/** How many of each are watched, and kept: in a minute of an instance, and in an hour of all. */
export const KEPT: Readonly<Record<Subject, number>> = {
  account: 256,
  application: 128,
  route: 128,
};

/**
 * The row of all calls of nobody known: on public routes, and refused before a token was proven. No
 * account can have that name.
 */
export const NO_ACCOUNT = { id: 'none', name: 'no account' } as const;

/** One for each of `DURATION_BOUNDS`, and one for what took longer. */
export const BUCKETS = DURATION_BOUNDS.length + 1;

export interface UsageCounts {
  readonly calls: number;
  readonly refused: number;
  /** Content, in bytes. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Calls by how long they took, from the first byte to the last: `BUCKETS` of them. */
  readonly durations: readonly number[];
}

export interface UsageRow extends UsageCounts {
  readonly id: string;
  /** Of an account; applications and routes have their name as id. */
  readonly name: string;
  /** It had so many calls more at most. */
  readonly missed: number;
}

export interface UsageTable {
  readonly rows: readonly UsageRow[];
  /** Of whoever has no row, and of the calls that rows lack. */
  readonly other: UsageCounts;
  /** Whoever has no row had so many calls at most. */
  readonly least: number;
}

export const NO_COUNTS: UsageCounts = {
  calls: 0,
  refused: 0,
  requestBytes: 0,
  responseBytes: 0,
  durations: [],
};

/** Counts that grow. */
export class UsageSum implements UsageCounts {
  calls = 0;
  refused = 0;
  requestBytes = 0;
  responseBytes = 0;
  readonly durations: number[] = new Array<number>(BUCKETS).fill(0);

  add({ calls, refused, requestBytes, responseBytes, durations }: UsageCounts): void {
    this.calls += calls;
    this.refused += refused;
    this.requestBytes += requestBytes;
    this.responseBytes += responseBytes;
    for (let bucket = 0; bucket < durations.length; bucket += 1)
      this.durations[bucket] = (this.durations[bucket] as number) + (durations[bucket] as number);
  }
}

export function totalOf({ rows, other }: UsageTable): UsageCounts {
  const sum = new UsageSum();
  sum.add(other);
  for (const row of rows) sum.add(row);
  return sum;
}
