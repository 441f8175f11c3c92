import { type Bucket, ROUNDING_MS, type Terms } from './bucket.ts';
import type { QuotaAsk, QuotaGrant } from './quota-port.ts';

/** What one instance may do with a bucket that it shares. */
export interface LeaseTerms extends Terms {
  /**
   * Calls that may be let in before the store has been asked for them, and, while it is away, per
   * window.
   */
  readonly credit: number;
  /** Calls leased ahead of need at most. */
  readonly ahead: number;
}

/**
 * Leases ahead are a sixteenth: a busy bucket asks about thirty times per window, whatever its
 * size.
 */
const AHEAD_DIVISOR = 16;
/** For whom the store's answer is due any moment. */
const ANSWER_DUE_MS = 1000;

/** @param sharePercent `limits.localSharePercent`: the credit, in hundredths of the limit */
export function leaseTerms(terms: Terms, sharePercent: number): LeaseTerms {
  const { requests } = terms;
  return {
    ...terms,
    credit: Math.max(1, Math.ceil((requests * sharePercent) / 100)),
    ahead: Math.max(1, Math.ceil(requests / AHEAD_DIVISOR)),
  };
}

/**
 * One instance's part of a bucket that lives in the store. Decides at once and alone; the store is
 * asked behind its back.
 *
 * ```
 *   a call ──▶ leased calls left? ── yes ──▶ let in, one less
 *                 │ no
 *                 ▼
 *              credit left, and the store's bucket not known to be empty?
 *                 │ no                              └─ yes ──▶ let in, one more of debt
 *                 ▼
 *              refused
 * ```
 *
 * In the background the debt is charged (even beyond what the bucket holds: those calls have
 * happened) and up to `ahead` calls are leased. While the store is away the debt is written off at
 * `credit` per window instead, so the instance goes on at that rate and no faster.
 *
 * **The largest overshoot.** Let Q calls per window W be shared by N instances, each with credit C
 * and leases ahead H. In any stretch of t seconds, of which the store was away for a seconds, at
 * most
 *
 *     Q (1 + t/W)  +  N (C + H)  +  N C a/W
 *
 * calls are let in. For: let L be the store's level in calls (0 = full bucket), D the sum of debts,
 * A the sum of leases not used yet, and F = L + D - A. A call let in raises F by one (A falls or D
 * rises); a lease moves debt into L and adds as much to A as to L, which leaves F as it is; L runs
 * off at Q/W; the write-off takes C/W from each debt while the store is away. So the calls in the
 * stretch are at most F(end) - F(begin) + Q t/W + N C a/W. F(begin) is at least -N H. F(end) is at
 * most L + D, and L + D <= Q + N C: leases are never granted beyond Q, so only charged debts lift L
 * above Q; each instance is told the level that its charge led to and takes no credit until that
 * has run off below Q, and what runs off first is what was charged first; so of each instance at
 * most C is either charged above Q or still owed. With one instance and quiet before, F(begin) = 0
 * and the overshoot is C at most, while the answer to its first questions is on its way.
 *
 * Against the bound, not beyond it: a lost answer charges twice, which only refuses earlier. Beyond
 * it: a store that loses its data begins with full buckets.
 */
export class LeasedBucket implements Bucket {
  readonly name: string;
  readonly #terms: LeaseTerms;
  readonly #wants: (bucket: LeasedBucket) => void;
  #held = 0;
  #heldUntilMs = 0;
  #debt = 0;
  /** The store's level at `#levelAtMs`, debts since then not included. */
  #levelMs = 0;
  #levelAtMs = 0;
  /** Until when the debt has been written off; null while the store answers. */
  #awayAtMs: number | null = null;
  /** Waits for the store: no need to say so again. */
  #wanting = false;

  /**
   * @param wants told once when the store should be asked; `answered` or `unanswered` must follow
   */
  constructor(name: string, terms: LeaseTerms, wants: (bucket: LeasedBucket) => void) {
    this.name = name;
    this.#terms = terms;
    this.#wants = wants;
  }

  waitMs(nowMs: number): number {
    if (this.#leased(nowMs) > 0) return 0;
    this.#writeOff(nowMs);
    const { intervalMs, credit } = this.#terms;
    const roomMs = this.#roomMs(nowMs);
    const emptyMs = roomMs + ROUNDING_MS >= intervalMs ? 0 : intervalMs - roomMs;
    const overdrawn = this.#debt + 1 - credit;
    if (overdrawn <= ROUNDING_MS) return emptyMs;
    const creditMs =
      this.#awayAtMs === null ? ANSWER_DUE_MS : (overdrawn * this.#terms.windowMs) / credit;
    return Math.max(emptyMs, creditMs);
  }

  take(nowMs: number): void {
    if (this.#leased(nowMs) > 0) this.#held -= 1;
    else this.#debt += 1;
    if (this.#wanting || !this.#needs(nowMs)) return;
    this.#wanting = true;
    this.#wants(this);
  }

  remaining(nowMs: number): number {
    const inStore = Math.max(
      0,
      Math.floor((this.#roomMs(nowMs) + ROUNDING_MS) / this.#terms.intervalMs),
    );
    const reachable =
      this.#awayAtMs === null
        ? inStore
        : Math.min(inStore, Math.floor(this.#terms.credit - this.#debt));
    return Math.min(this.#terms.requests, this.#leased(nowMs) + Math.max(0, reachable));
  }

  fullInMs(nowMs: number): number {
    return this.#levelNowMs(nowMs) + this.#debt * this.#terms.intervalMs;
  }

  idle(nowMs: number): boolean {
    return (
      !this.#wanting &&
      this.#debt === 0 &&
      this.#leased(nowMs) === 0 &&
      this.#levelNowMs(nowMs) === 0
    );
  }

  /** What to ask now. */
  ask(nowMs: number): QuotaAsk {
    this.#writeOff(nowMs);
    const { requests, windowMs, ahead } = this.#terms;
    return {
      name: this.name,
      requests,
      windowMs,
      debt: this.#debt,
      want: Math.max(0, ahead - this.#leased(nowMs)),
    };
  }

  answered(ask: QuotaAsk, grant: QuotaGrant, nowMs: number): void {
    this.#wanting = false;
    this.#awayAtMs = null;
    this.#debt = Math.max(0, this.#debt - ask.debt);
    this.#held = this.#leased(nowMs) + grant.granted;
    // Unused for a whole window they are dropped: by then the store's bucket is full without them,
    // and they would come on top.
    this.#heldUntilMs = nowMs + this.#terms.windowMs;
    this.#levelMs = grant.levelMs;
    this.#levelAtMs = nowMs;
    this.#payDebt();
  }

  /** The store is away. The question stands. */
  unanswered(nowMs: number): void {
    this.#awayAtMs ??= nowMs;
  }

  /** What was let in while the answer was on its way. */
  #payDebt(): void {
    const paid = Math.min(this.#held, Math.floor(this.#debt));
    this.#held -= paid;
    this.#debt -= paid;
  }

  #needs(nowMs: number): boolean {
    if (this.#debt > 0) return true;
    return this.#held <= this.#terms.ahead / 2 && this.#roomMs(nowMs) >= this.#terms.intervalMs;
  }

  #leased(nowMs: number): number {
    return nowMs < this.#heldUntilMs ? this.#held : 0;
  }

  #levelNowMs(nowMs: number): number {
    return Math.max(0, this.#levelMs - (nowMs - this.#levelAtMs));
  }

  /** How much of the store's bucket is left, as far as we know. Negative when it is overdrawn. */
  #roomMs(nowMs: number): number {
    return this.#terms.windowMs - this.fullInMs(nowMs);
  }

  #writeOff(nowMs: number): void {
    if (this.#awayAtMs === null) return;
    this.#debt = Math.max(
      0,
      this.#debt - ((nowMs - this.#awayAtMs) * this.#terms.credit) / this.#terms.windowMs,
    );
    this.#awayAtMs = nowMs;
  }
}
