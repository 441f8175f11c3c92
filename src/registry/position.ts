/** Where a reader stands in the registry's history. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
  /**
   * Names the change at `seq` itself: a random word, chained through the feed. Two stores that went
   * on separately after a failover agree on epoch and number and differ here. Absent where there is
   * nothing to tell apart (a store that lives in one file).
   */
  readonly tip?: string;
}

/**
 * What else a store says about itself where changes can be lost: the number of the present state of
 * its tombstones.
 */
export interface StoreState extends Position {
  readonly tombstones?: number;
}
