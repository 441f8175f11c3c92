import type { Clock } from '../../clock.ts';
import type { OutboxLimits } from './options.ts';

/** Over how long waiters are counted. */
const WINDOW_MS = 10;

/**
 * Keeps appends apart while so many requests wait for theirs that some can share one: an append of
 * its own costs this process a third of what the request costs. Below that rate, and for the first
 * one after a while without any, nobody waits longer for it.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #apartMs: number;
  /** So many waiters in one window make it busy. */
  readonly #busyFrom: number;
  #isBusy = false;
  #windowMs = 0;
  #count = 0;
  #sentMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, { apartMs, apartFrom }: Pick<OutboxLimits, 'apartMs' | 'apartFrom'>) {
    this.#clock = clock;
    this.#apartMs = apartMs;
    this.#busyFrom = (apartFrom * WINDOW_MS) / 1000;
  }

  /** Somebody waits for an append from now on. */
  waits(nowMs: number): void {
    const passedMs = nowMs - this.#windowMs;
    if (passedMs >= WINDOW_MS) {
      this.#isBusy = (this.#count * WINDOW_MS) / passedMs >= this.#busyFrom;
      this.#windowMs = nowMs;
      this.#count = 0;
    }
    this.#count += 1;
  }

  /** An append has begun. */
  sent(nowMs: number): void {
    this.#sentMs = nowMs;
  }

  /** In how many milliseconds the next append is to begin; 0 or less: now. */
  get restMs(): number {
    return this.#isBusy ? this.#sentMs + this.#apartMs - this.#clock.monotonicMs() : 0;
  }
}
