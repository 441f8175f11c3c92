/**
 * One coarse timer for every connection: a timer of its own per connection and request would be the dearest part of a request.
 *
 * A watched object says until when it may go on (`deadlineMs`); a sweep tells those whose time is over. A deadline is kept late by up to two sweep intervals, and
 * not early.
 */
export interface Watched {
  /** On the scale of `Deadlines.nowMs`; `Infinity` = no deadline now. */
  deadlineMs: number;
  /** Must not throw. */
  expired(): void;
}

const SWEEP_INTERVAL_MS = 100;

export class Deadlines {
  readonly #watched = new Set<Watched>();
  readonly #timer: NodeJS.Timeout;
  #sweptMs = performance.now();
  /**
   * Milliseconds as of the last sweep, on a scale of its own: cheap to read, up to one interval behind. Time in which the process did not run (stopped, or
   * its loop blocked) counts for one interval more at most: nobody can be called silent while we were not listening.
   */
  nowMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    this.#timer.unref();
  }

  watch(watched: Watched): void {
    this.#watched.add(watched);
  }

  forget(watched: Watched): void {
    this.#watched.delete(watched);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watched.clear();
  }

  #sweep(): void {
    const sweptMs = performance.now();
    this.nowMs += Math.min(sweptMs - this.#sweptMs, 2 * SWEEP_INTERVAL_MS);
    this.#sweptMs = sweptMs;
    // `nowMs` was up to one interval behind when a deadline was counted from it.
    const overMs = this.nowMs - SWEEP_INTERVAL_MS;
    for (const watched of this.#watched) {
      if (watched.deadlineMs > overMs) continue;
      watched.deadlineMs = Number.POSITIVE_INFINITY;
      watched.expired();
    }
  }
}
