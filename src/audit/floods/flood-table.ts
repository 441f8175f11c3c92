import type { Reason } from '../../refusal.ts';
import type { AccountFacts } from '../event/call-facts.ts';
import type { FoldedFacts } from '../event/folded-event.ts';

export interface FloodTableOptions {
  readonly write: (facts: FoldedFacts) => void;
  /** Whether what is written now is kept; until then it is counted on. */
  readonly hasRoom: () => boolean;
  /** Of one caller, per interval. */
  readonly singles: number;
  /** Of all callers together: at once, and again in `refillMs`. */
  readonly singlesInAll: number;
  readonly intervalMs: number;
  readonly refillMs: number;
  /** Callers told apart; further ones count as one. */
  readonly callers: number;
}

/** Callers looked at for one to forget when the table is full. */
const SEARCHED = 32;

/** The callers of one kind (see flood.ts), and what is counted of each. */
export class FloodTable {
  readonly #options: FloodTableOptions;
  readonly #floods = new Map<string, Flood>();
  readonly #others = new Flood('', null);
  #singlesLeft: number;
  #filledMs = Number.NEGATIVE_INFINITY;

  constructor(options: FloodTableOptions) {
    this.#options = options;
    this.#singlesLeft = options.singlesInAll;
  }

  /** Whether the verdict was counted; else it is to be written singly. */
  counts(
    network: string,
    account: AccountFacts | null,
    reason: Reason,
    nowMs: number,
    wallMs: number,
  ): boolean {
    const flood = this.#flood(network, account, reason, nowMs);
    if (this.#isOver(flood, nowMs)) this.#turn(flood, nowMs);
    if (!flood.flooding && flood.singles < this.#options.singles && this.#takeSingle(nowMs)) {
      flood.singles += 1;
      return false;
    }
    flood.add(network, account, reason, wallMs);
    return true;
  }

  /** Writes what intervals that are over have counted. Answers whether something is counted. */
  sweep(nowMs: number): boolean {
    let counting = false;
    for (const flood of [...this.#floods.values(), this.#others]) {
      if (this.#isOver(flood, nowMs)) this.#turn(flood, nowMs);
      if (flood.count > 0) counting = true;
      else if (!flood.flooding && flood.singles === 0) this.#floods.delete(flood.key);
    }
    return counting;
  }

  close(): void {
    for (const flood of [...this.#floods.values(), this.#others])
      if (flood.count > 0) this.#options.write(flood.take());
    this.#floods.clear();
  }

  #takeSingle(nowMs: number): boolean {
    const { singlesInAll, refillMs } = this.#options;
    if (this.#singlesLeft < singlesInAll) {
      const refilled = ((nowMs - this.#filledMs) / refillMs) * singlesInAll;
      this.#singlesLeft = Math.min(singlesInAll, this.#singlesLeft + refilled);
    }
    this.#filledMs = nowMs;
    if (this.#singlesLeft < 1) return false;
    this.#singlesLeft -= 1;
    return true;
  }

  #isOver(flood: Flood, nowMs: number): boolean {
    return nowMs - flood.sinceMs >= this.#options.intervalMs;
  }

  /** From one interval to the next. */
  #turn(flood: Flood, nowMs: number): void {
    const quietSince = nowMs - flood.sinceMs >= 2 * this.#options.intervalMs;
    flood.flooding = !quietSince && flood.singles + flood.count > this.#options.singles;
    this.#write(flood);
    flood.singles = 0;
    flood.sinceMs = nowMs;
  }

  #write(flood: Flood): void {
    if (flood.count > 0 && this.#options.hasRoom()) this.#options.write(flood.take());
  }

  /** What is let in and what is refused is counted apart: one event is about one of the two. */
  #flood(network: string, account: AccountFacts | null, reason: Reason, nowMs: number): Flood {
    const key = `${reason === 'permitted' ? '+' : '-'}${account === null ? network : account.id}`;
    let flood = this.#floods.get(key);
    if (flood !== undefined) return flood;
    if (this.#floods.size >= this.#options.callers && !this.#forgetOne(nowMs)) return this.#others;
    flood = new Flood(key, account);
    flood.sinceMs = nowMs;
    this.#floods.set(key, flood);
    return flood;
  }

  #forgetOne(nowMs: number): boolean {
    let searched = 0;
    for (const [key, flood] of this.#floods) {
      if (searched === SEARCHED) return false;
      searched += 1;
      this.#floods.delete(key);
      if (flood.count === 0 && this.#isOver(flood, nowMs)) return true;
      this.#floods.set(key, flood);
    }
    return false;
  }
}

/** What is counted of one caller in the present interval. */
class Flood {
  /** Empty: of all whom the table has no room for. */
  readonly key: string;
  #account: AccountFacts | null;
  sinceMs = Number.NEGATIVE_INFINITY;
  singles = 0;
  count = 0;
  /** The interval before was a flood: this one is counted from its first verdict on. */
  flooding = false;
  /** Null = of several. */
  #network: string | null = null;
  #firstMs = 0;
  #lastMs = 0;
  #reasons = new Map<Reason, number>();

  constructor(key: string, account: AccountFacts | null) {
    this.key = key;
    this.#account = account;
  }

  add(network: string, account: AccountFacts | null, reason: Reason, wallMs: number): void {
    if (this.count === 0) {
      this.#firstMs = wallMs;
      this.#network = this.key === '' ? null : network;
    } else if (this.#network !== network) this.#network = null;
    // The newest record of the account: its name may have changed.
    if (this.key !== '') this.#account = account;
    this.#lastMs = wallMs;
    this.count += 1;
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
  }

  /** What was counted, which then counts no more. */
  take(): FoldedFacts {
    const facts = {
      account: this.#account,
      clientAddress: this.#network,
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
