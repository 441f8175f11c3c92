import type { Lookup } from '../registry/replica/port.ts';

export interface GuessLimits {
  /**
   * Ids without an account that a client may ask for within the window before it counts as
   * guessing.
   */
  readonly allowance: number;
  readonly windowMs: number;
  /** Look-ups of quiet clients under way at the same time, in all and of one client. */
  readonly quietAtOnce: number;
  readonly atOncePerClient: number;
  /** Look-ups of all guessing clients together, per tick and under way at the same time. */
  readonly guessesPerTick: number;
  readonly tickMs: number;
  /** Look-ups that may wait, of one client and in all. */
  readonly waitingPerClient: number;
  readonly waitingInAll: number;
  readonly longestWaitMs: number;
  /** Clients told apart. */
  readonly clients: number;
}

export const GUESS_LIMITS: GuessLimits = {
  allowance: 60,
  windowMs: 60_000,
  quietAtOnce: 256,
  atOncePerClient: 64,
  guessesPerTick: 256,
  tickMs: 50,
  waitingPerClient: 8_192,
  waitingInAll: 32_768,
  longestWaitMs: 5_000,
  clients: 4_096,
};

interface Waiter {
  readonly accountId: string;
  readonly sinceMs: number;
  readonly resolve: (lookup: Lookup) => void;
}

/** First in, first out; taking one out moves nothing. */
class WaitingLine {
  #waiters: Waiter[] = [];
  #first = 0;

  get length(): number {
    return this.#waiters.length - this.#first;
  }

  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  peek(): Waiter | null {
    return this.#waiters[this.#first] ?? null;
  }

  shift(): Waiter | null {
    const waiter = this.peek();
    if (waiter === null) return null;
    this.#first += 1;
    if (this.#first > 1024 || this.#first === this.#waiters.length) {
      this.#waiters = this.#waiters.slice(this.#first);
      this.#first = 0;
    }
    return waiter;
  }
}

/** One client of the throttle: what waits for it, and how much it has guessed of late. */
export class GuessingClient {
  readonly network: string;
  readonly waiting = new WaitingLine();
  inFlight = 0;
  readonly #limits: GuessLimits;
  /** Time until all guesses are forgotten, as of `#atMs`. Each adds its share of the window. */
  #levelMs = 0;
  #atMs = 0;

  constructor(network: string, limits: GuessLimits) {
    this.network = network;
    this.#limits = limits;
  }

  /**
   * Asked for an id that names no account. However many there are, a client that stops is quiet
   * again after one window more.
   */
  guessed(nowMs: number): void {
    const { allowance, windowMs } = this.#limits;
    this.#levelMs = Math.min(this.#levelNowMs(nowMs) + windowMs / allowance, 2 * windowMs);
    this.#atMs = nowMs;
  }

  guesses(nowMs: number): boolean {
    return this.#levelMs > this.#limits.windowMs && this.#levelNowMs(nowMs) > this.#limits.windowMs;
  }

  quietInMs(nowMs: number): number {
    return Math.max(0, this.#levelNowMs(nowMs) - this.#limits.windowMs);
  }

  idle(nowMs: number): boolean {
    return this.inFlight === 0 && this.waiting.length === 0 && this.#levelNowMs(nowMs) === 0;
  }

  #levelNowMs(nowMs: number): number {
    return Math.max(0, this.#levelMs - (nowMs - this.#atMs));
  }
}
