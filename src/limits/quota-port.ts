/** What an instance asks of one shared bucket. Units are calls. */
export interface QuotaAsk {
  /**
   * Name of the bucket, the same on every instance; its terms are part of it, so a changed limit
   * begins with a full bucket.
   */
  readonly name: string;
  readonly requests: number;
  readonly windowMs: number;
  /** Calls that were let in on credit: charged whatever the bucket holds. May have a fraction. */
  readonly debt: number;
  /** Calls to lease ahead of need: as many of them as the bucket holds. */
  readonly want: number;
}

export interface QuotaGrant {
  /** Leased: 0 to `want`. */
  readonly granted: number;
  /** How long the bucket would take to fill up after this, as the store counts. */
  readonly levelMs: number;
}

/** Where instances that share limits keep the buckets. */
export interface QuotaStore {
  /**
   * All at once; `null` for what could not be asked now (it may have been charged nevertheless).
   * Never rejects.
   */
  lease(asks: readonly QuotaAsk[]): Promise<readonly (QuotaGrant | null)[]>;
}
