/**
 * A token bucket, in the form of the Generic Cell Rate Algorithm: what is kept is not the number of
 * tokens but the time that it would take to fill up (`levelMs`, 0 = full). One addition per call,
 * and nothing has to run in between.
 *
 * All times are milliseconds on the monotonic clock.
 */
export interface Bucket {
  /** 0 = a call is let in now; otherwise how long until one is. Takes nothing. */
  waitMs(nowMs: number): number;
  /** Takes one call. Only after `waitMs` has said 0, at the same time. */
  take(nowMs: number): void;
  /** Whole calls that are left. */
  remaining(nowMs: number): number;
  /** Until the bucket is full. */
  fullInMs(nowMs: number): number;
  /** Nothing would be lost if it were forgotten. */
  idle(nowMs: number): boolean;
}

/** The terms of a bucket, shared by all buckets of one limit. */
export interface Terms {
  readonly requests: number;
  readonly windowMs: number;
  /** Time for one call to come back: windowMs / requests. */
  readonly intervalMs: number;
}

/**
 * Slack for the rounding of floating point, in milliseconds: far below one call at any rate that
 * can be configured.
 */
export const ROUNDING_MS = 1e-4;

/** A bucket that nobody shares: exact. */
export class LocalBucket implements Bucket {
  readonly #terms: Terms;
  #levelMs = 0;
  #atMs = 0;

  constructor(terms: Terms) {
    this.#terms = terms;
  }

  waitMs(nowMs: number): number {
    const overMs = this.fullInMs(nowMs) + this.#terms.intervalMs - this.#terms.windowMs;
    return overMs <= ROUNDING_MS ? 0 : overMs;
  }

  take(nowMs: number): void {
    this.#levelMs = this.fullInMs(nowMs) + this.#terms.intervalMs;
    this.#atMs = nowMs;
  }

  remaining(nowMs: number): number {
    return Math.max(
      0,
      Math.floor(
        (this.#terms.windowMs - this.fullInMs(nowMs) + ROUNDING_MS) / this.#terms.intervalMs,
      ),
    );
  }

  fullInMs(nowMs: number): number {
    return Math.max(0, this.#levelMs - (nowMs - this.#atMs));
  }

  idle(nowMs: number): boolean {
    return this.fullInMs(nowMs) === 0;
  }
}
