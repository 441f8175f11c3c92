import type { Clock } from '../../clock.ts';

/** So many in each second, counted from the first of them. */
export class PerSecond {
  readonly #clock: Clock;
  readonly #limit: () => number;
  #sinceMs = Number.NEGATIVE_INFINITY;
  #taken = 0;

  constructor(clock: Clock, limit: () => number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /** @returns false when this second has had all of them */
  take(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= 1000) {
      this.#sinceMs = nowMs;
      this.#taken = 0;
    }
    if (this.#taken >= this.#limit()) return false;
    this.#taken += 1;
    return true;
  }
}
