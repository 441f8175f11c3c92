/** Whose time may run out. */
export interface Watched {
  /** Must not throw. */
  expired(): void;
}

const SWEEP_INTERVAL_MS = 100;
const NEVER = Number.POSITIVE_INFINITY;
const PAGE_PLACES = 1024;

/**
 * Places for deadlines, side by side. A page is never moved: whoever has a place in it writes there
 * without asking.
 */
interface Page {
  readonly untilMs: Float64Array;
  readonly watched: (Watched | null)[];
  readonly free: number[];
}

/**
 * One coarse timer for every connection: a timer of its own per connection and request would be the
 * dearest part of a request.
 *
 * A sweep tells those whose time is over. A deadline is kept late by up to two sweep intervals, and
 * not early. Deadlines stand side by side in memory: to look at those of ten thousand connections
 * that wait takes some 13 µs, where asking each of them took twenty times as long.
 */
export class Deadlines {
  readonly #pages: Page[] = [];
  readonly #timer: NodeJS.Timeout;
  #sweptMs = performance.now();
  /**
   * Milliseconds as of the last sweep, on a scale of its own: cheap to read, up to one interval
   * behind. Time in which the process did not run (stopped, or its loop blocked) counts for one
   * interval more at most: nobody can be called silent while we were not listening.
   */
  nowMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#sweep(), SWEEP_INTERVAL_MS);
    this.#timer.unref();
  }

  /** @param untilMs on the scale of `nowMs`; `Infinity` = no deadline now */
  watch(watched: Watched, untilMs: number): Deadline {
    const page = this.#pages.find(({ free }) => free.length > 0) ?? this.#addPage();
    const place = page.free.pop()!;
    page.watched[place] = watched;
    page.untilMs[place] = untilMs;
    return new Deadline(page, place);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #addPage(): Page {
    const page = {
      untilMs: new Float64Array(PAGE_PLACES).fill(NEVER),
      watched: Array.from({ length: PAGE_PLACES }, () => null),
      free: Array.from({ length: PAGE_PLACES }, (_, place) => place).reverse(),
    };
    this.#pages.push(page);
    return page;
  }

  #sweep(): void {
    const sweptMs = performance.now();
    this.nowMs += Math.min(sweptMs - this.#sweptMs, 2 * SWEEP_INTERVAL_MS);
    this.#sweptMs = sweptMs;
    // `nowMs` was up to one interval behind when a deadline was counted from it.
    const overMs = this.nowMs - SWEEP_INTERVAL_MS;
    for (const { untilMs, watched } of this.#pages) {
      for (let place = 0; place < PAGE_PLACES; place += 1) {
        if (untilMs[place]! > overMs) continue;
        untilMs[place] = NEVER;
        watched[place]?.expired();
      }
    }
  }
}

/** Until when one watched thing may go on. */
export class Deadline {
  #page: Page | null;
  readonly #place: number;
  /**
   * The page's; once this has ended, one where nobody looks: the place may be another's by then.
   */
  #untilMs: Float64Array;

  constructor(page: Page, place: number) {
    this.#page = page;
    this.#place = place;
    this.#untilMs = page.untilMs;
  }

  /** On the scale of `Deadlines.nowMs`; `Infinity` = no deadline now. */
  get untilMs(): number {
    return this.#untilMs[this.#place]!;
  }

  set untilMs(ms: number) {
    this.#untilMs[this.#place] = ms;
  }

  /** Nothing is watched any more. */
  end(): void {
    const page = this.#page;
    if (page === null) return;
    this.#page = null;
    this.#untilMs = NOWHERE;
    page.watched[this.#place] = null;
    page.untilMs[this.#place] = NEVER;
    page.free.push(this.#place);
  }
}

const NOWHERE = new Float64Array(PAGE_PLACES).fill(NEVER);
