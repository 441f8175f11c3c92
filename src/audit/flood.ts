import type { Clock } from '../clock.ts';
import { networkOf } from '../limits/client-network.ts';
import type { Reason } from '../refusal.ts';
import type { FoldedFacts } from './folded-event.ts';

export interface FloodFoldOptions {
  readonly clock: Clock;
  /** Writes one event that stands for many. Must not throw. */
  readonly write: (facts: FoldedFacts) => void;
  /** Whether what is written now is kept; until then it is counted on. Default: always. */
  readonly hasRoom?: () => boolean;
  /** Refusals of one client that are written singly per interval. */
  readonly singles: number;
  readonly limits?: Partial<FloodLimits>;
}

export interface FloodLimits {
  readonly intervalMs: number;
  /** How often it is looked for intervals that are over. */
  readonly sweepMs: number;
  /** Clients told apart; further ones count as one. */
  readonly clients: number;
  /**
   * Refusals of all clients together that are written singly per interval, in multiples of
   * `singles`.
   */
  readonly singlesInAll: number;
}

export const FLOOD_LIMITS: FloodLimits = {
  intervalMs: 10_000,
  sweepMs: 1_000,
  clients: 2_048,
  singlesInAll: 100,
};

/** Clients looked at for one to forget when the table is full. */
const SEARCHED = 32;

/**
 * Folds floods of refusals whose caller is not known, so that nobody without an account can fill
 * the audit log or push history out of it.
 *
 * The first refusals of a client (an IPv4 address, or a /64 of IPv6) in ten seconds are written one
 * by one. Those beyond are counted, and at the end of the interval one event says how many, why,
 * and when the first and the last came. A flood that goes on is counted from its first refusal on,
 * until an interval stays within what would have been written singly. No refusal is both written
 * and counted, and none is neither.
 *
 * What a folded refusal gives up: its path, its user agent, its request id and the account id that
 * it claimed are not kept, and its answer does not wait for a record. Nothing is given out by that:
 * the answer is a "no" to somebody unknown. A crash loses the counts that are not written yet: of
 * twenty seconds at most.
 *
 * At worst, however many clients there are: 100 times `singles` single events per interval, and one
 * event for each of 2,048 clients and one for all others.
 */
export class FloodFold {
  readonly #options: FloodFoldOptions;
  readonly #limits: FloodLimits;
  readonly #floods = new Map<string, Flood>();
  readonly #others = new Flood(null);
  #singlesSinceMs = Number.NEGATIVE_INFINITY;
  #singles = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: FloodFoldOptions) {
    this.#options = options;
    this.#limits = { ...FLOOD_LIMITS, ...options.limits };
  }

  /** Whether this refusal was counted here, so that no record of its own must be written. */
  folds(address: string, reason: Reason): boolean {
    const nowMs = this.#options.clock.monotonicMs();
    const flood = this.#flood(networkOf(address), nowMs);
    if (this.#isOver(flood, nowMs)) this.#turn(flood, nowMs);
    if (!flood.flooding && flood.singles < this.#options.singles && this.#singleLeft(nowMs)) {
      flood.singles += 1;
      return false;
    }
    flood.add(reason, this.#options.clock.wallMs());
    this.#watch();
    return true;
  }

  /** Writes what is counted. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    for (const flood of [...this.#floods.values(), this.#others])
      if (flood.count > 0) this.#options.write(flood.take());
    this.#floods.clear();
  }

  #singleLeft(nowMs: number): boolean {
    if (nowMs - this.#singlesSinceMs >= this.#limits.intervalMs) {
      this.#singlesSinceMs = nowMs;
      this.#singles = 0;
    }
    if (this.#singles >= this.#options.singles * this.#limits.singlesInAll) return false;
    this.#singles += 1;
    return true;
  }

  #isOver(flood: Flood, nowMs: number): boolean {
    return nowMs - flood.sinceMs >= this.#limits.intervalMs;
  }

  /** From one interval to the next. */
  #turn(flood: Flood, nowMs: number): void {
    const quietSince = nowMs - flood.sinceMs >= 2 * this.#limits.intervalMs;
    flood.flooding = !quietSince && flood.singles + flood.count > this.#options.singles;
    this.#write(flood);
    flood.singles = 0;
    flood.sinceMs = nowMs;
  }

  #write(flood: Flood): void {
    if (flood.count > 0 && (this.#options.hasRoom?.() ?? true)) this.#options.write(flood.take());
  }

  #watch(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#sweep(this.#options.clock.monotonicMs());
    }, this.#limits.sweepMs);
    this.#timer.unref();
  }

  #sweep(nowMs: number): void {
    let counting = false;
    for (const flood of [...this.#floods.values(), this.#others]) {
      if (this.#isOver(flood, nowMs)) this.#turn(flood, nowMs);
      if (flood.count > 0) counting = true;
      else if (!flood.flooding && flood.singles === 0) this.#floods.delete(flood.network ?? '');
    }
    if (counting) this.#watch();
  }

  #flood(network: string, nowMs: number): Flood {
    let flood = this.#floods.get(network);
    if (flood !== undefined) return flood;
    if (this.#floods.size >= this.#limits.clients && !this.#forgetOne(nowMs)) return this.#others;
    flood = new Flood(network);
    flood.sinceMs = nowMs;
    this.#floods.set(network, flood);
    return flood;
  }

  #forgetOne(nowMs: number): boolean {
    let searched = 0;
    for (const [network, flood] of this.#floods) {
      if (searched === SEARCHED) return false;
      searched += 1;
      this.#floods.delete(network);
      if (flood.count === 0 && this.#isOver(flood, nowMs)) return true;
      this.#floods.set(network, flood);
    }
    return false;
  }
}

/** What one client was refused in the present interval. */
class Flood {
  readonly network: string | null;
  sinceMs = Number.NEGATIVE_INFINITY;
  singles = 0;
  count = 0;
  /** The interval before was a flood: this one is counted from its first refusal on. */
  flooding = false;
  #firstMs = 0;
  #lastMs = 0;
  #reasons = new Map<Reason, number>();

  constructor(network: string | null) {
    this.network = network;
  }

  add(reason: Reason, wallMs: number): void {
    if (this.count === 0) this.#firstMs = wallMs;
    this.#lastMs = wallMs;
    this.count += 1;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  /** What was counted, which then counts no more. */
  take(): FoldedFacts {
    const facts = {
      clientAddress: this.network,
      count: this.count,
      reasons: this.#reasons,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
    };
    this.count = 0;
    this.#reasons = new Map();
    return facts;
  }
}
