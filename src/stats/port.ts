/**
 * What people see of the traffic: counts per minute, kept for a day. Each instance writes what it
 * has counted itself; whoever looks adds them up. No promise hangs on them: a minute that could not
 * be written is missing and nothing else.
 */

/** What was counted in one minute. */
export interface MinuteCounts {
  /** Requests by reason (`permitted`, `permission-denied`, …). */
  readonly reasons: Readonly<Record<string, number>>;
  /** Requests per bucket of `DURATION_BOUNDS`, and one more for what took longer. */
  readonly durations: readonly number[];
  /** The same for our own share, by `OVERHEAD_BOUNDS`. */
  readonly overheads: readonly number[];
}

/** One instance's minute: minutes since the Unix epoch. */
export interface InstanceMinute {
  readonly minute: number;
  readonly instance: string;
  readonly counts: MinuteCounts;
}

export interface StatsReader {
  /**
   * All minutes from `first` to `last`, both included, in no order. What cannot be read is left
   * out. Throws `StoreUnavailable`.
   */
  read(first: number, last: number): Promise<readonly InstanceMinute[]>;
}

export interface StatsStore extends StatsReader {
  /**
   * Replaces what this instance has written for that minute: writing twice is harmless. Throws
   * `StoreUnavailable`.
   */
  write(entry: InstanceMinute): Promise<void>;
  close(): Promise<void>;
}
