/**
 * Counts of tries that taught nothing, kept in the store: all instances count together, and a
 * restart forgets nothing.
 *
 * A count is a level that time lowers: each try raises it by `costMs`, and it is gone when so much
 * time has passed. Up to `mostMs` there are tries at once (`mostMs / costMs` of them), and after
 * that one in every `costMs`: it slows down, and never closes for good.
 */
export interface TryCount {
  readonly key: string;
  /** Whole milliseconds, above 0. */
  readonly costMs: number;
  /** Whole milliseconds. */
  readonly mostMs: number;
}

export interface TryCharged {
  /**
   * 0 = counted, everywhere. Above: nothing was counted, and it is worth coming again in so long.
   */
  readonly waitMs: number;
  /** The same for the one who comes next. */
  readonly nextWaitMs: number;
}

/**
 * Each function is one step of the store, however many instances come at once. Everything throws
 * `StoreUnavailable`: then nobody knows, and nobody may try.
 */
export interface TryStore {
  /** Counts one try in all of `counts`, or in none. */
  charge(counts: readonly TryCount[]): Promise<TryCharged>;
  /** Takes one try back. */
  giveBack(counts: readonly TryCount[]): Promise<void>;
  close(): Promise<void>;
}
