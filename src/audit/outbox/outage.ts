import type { OutboxLimits } from './options.ts';

/** Whether the log is away, since when, and when it is tried again. */
export class Outage {
  readonly #limits: OutboxLimits;
  /** Send time of the first failed append of the present one; null while all is well. */
  #sinceMs: number | null = null;
  #backoffMs: number;

  constructor(limits: OutboxLimits) {
    this.#limits = limits;
    this.#backoffMs = limits.minBackoffMs;
  }

  get isOn(): boolean {
    return this.#sinceMs !== null;
  }

  /** It has lasted for longer than anybody waits. */
  lasts(nowMs: number): boolean {
    return this.#sinceMs !== null && nowMs - this.#sinceMs >= this.#limits.deadlineMs;
  }

  /** Answers whether it was over until now. */
  begin(sentMs: number): boolean {
    if (this.#sinceMs !== null) return false;
    this.#sinceMs = sentMs;
    return true;
  }

  /** Answers whether there was one. */
  end(): boolean {
    if (this.#sinceMs === null) return false;
    this.#sinceMs = null;
    this.#backoffMs = this.#limits.minBackoffMs;
    return true;
  }

  /** Until the next try: longer each time. */
  nextTryMs(): number {
    const now = this.#backoffMs;
    this.#backoffMs = Math.min(now * 2, this.#limits.maxBackoffMs);
    return now;
  }
}
