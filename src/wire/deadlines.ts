/**
 * One coarse timer for every connection: a timer of its own per connection and request would be the dearest part of a request.
 *
 * A watched object says until when it may go on (`deadlineMs`); a sweep tells those whose time is over. A deadline is kept to within one sweep interval, late,
 * never early.
 */
export interface Watched {
  /** On the scale of `Deadlines.nowMs`; `Infinity` = no deadline now. */
  deadlineMs: number;
  expired(): void;
}

const SWEEP_INTERVAL_MS = 100;

export class Deadlines {
  readonly #watched = new Set<Watched>();
  readonly #timer: NodeJS.Timeout;
  /** Monotonic milliseconds, as of the last sweep: cheap to read, up to one interval behind. */
  nowMs = performance.now();

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
    this.nowMs = performance.now();
    for (const watched of this.#watched) {
      if (watched.deadlineMs > this.nowMs) continue;
      watched.deadlineMs = Number.POSITIVE_INFINITY;
      watched.expired();
    }
  }
}
