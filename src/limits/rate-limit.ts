/**
 * A limit as it is configured: a bucket of `requests` that fills up again evenly over
 * `windowSeconds`.
 *
 * So whoever was quiet may make `requests` calls at once, and in any stretch of t seconds there are
 * at most `requests × (1 + t / windowSeconds)`. A fixed window would let through the same at worst
 * (two bursts around the turn of the window) and refuse for longer.
 */
export interface RateLimit {
  readonly requests: number;
  readonly windowSeconds: number;
  /** Whose bucket it is: one for each account, or one for the whole route. */
  readonly per: 'account' | 'route';
}

/**
 * How a caller stands with its limits after a call: what `RateLimit-Policy`, `RateLimit` and
 * `Retry-After` say (draft-ietf-httpapi-ratelimit-headers-10, lists of items whose values are
 * strings, RFC 9651).
 */
export interface RateStanding {
  /** Whole seconds until a call will be let in again; 0 = this one is let in. */
  readonly retryAfterSeconds: number;
  /**
   * Value of `RateLimit-Policy`: the limits that cover the call. Quota `q` in requests, window `w`
   * in seconds.
   */
  readonly policy: string;
  /**
   * Value of `RateLimit`: what remains (`r`, requests) and when the quota is whole again (`t`,
   * seconds); of a refusal, `t` is the retry.
   */
  readonly limit: string;
}
