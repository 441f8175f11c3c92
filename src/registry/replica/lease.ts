import type { Clock } from '../../clock.ts';

/** A moment on both clocks. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

export function momentOf(clock: Clock): Moment {
  return { monotonicMs: clock.monotonicMs(), wallMs: clock.wallMs() };
}

/**
 * What became of a renewal's answer. `elsewhere`: the store that gave it does not know what we
 * know.
 */
export type Renewal = 'counts' | 'waits' | 'elsewhere';

/**
 * Positions whose tips are remembered: a renewal's answer may have been passed by that many changes
 * while it was on its way.
 */
const TIPS_KEPT = 1_024;

/**
 * How long an instance may answer from its cache without proof that it is up to date.
 *
 * A renewal says: "at some moment after you sent this, the store that accepts changes stood at
 * `seq`". It is worth something only once the reader has applied everything up to that `seq`, and
 * it is worth it from the moment of sending, the only one that surely came before the store's
 * answer.
 *
 * Time is the monotonic clock's, which no administrator can set. It stands still while a machine is
 * suspended, though, and then the wall clock knows better: the larger of the two spans counts. So a
 * wall clock that jumps forward ends a lease early, and one that jumps back changes nothing.
 */
export class Lease {
  readonly leaseMs: number;
  #since: Moment | null = null;
  /** The lease under which what is open was last found to be permitted. */
  #covering: Moment | null = null;
  /** A renewal whose changes are not all applied yet. */
  #waiting: {
    readonly sent: Moment;
    readonly seq: number;
    readonly tip: string | undefined;
  } | null = null;
  /** Tips of what was applied, by position. */
  readonly #tips = new Map<number, string | undefined>();
  #appliedSeq = 0;

  constructor(leaseMs: number) {
    this.leaseMs = leaseMs;
  }

  /** Asked at every request. */
  valid(clock: Clock): boolean {
    return this.remainingMs(clock) > 0;
  }

  /** 0 when it has run out. */
  remainingMs(clock: Clock): number {
    return this.#since === null ? 0 : this.#leftMs(this.#since, clock, clock.monotonicMs());
  }

  /**
   * For how long what was permitted and is open may go on. Everything that was learned may have
   * been dropped meanwhile: the store counts with the lease that it gave.
   *
   * @param nowMs monotonic clock, for whoever has just looked at it
   */
  coversMs(clock: Clock, nowMs = clock.monotonicMs()): number {
    return this.#covering === null ? 0 : this.#leftMs(this.#covering, clock, nowMs);
  }

  /** All that is open was judged by everything that this lease demands: it may go on as long. */
  cover(): void {
    this.#covering = this.#since ?? this.#covering;
  }

  #leftMs(since: Moment, clock: Clock, nowMs: number): number {
    const monotonicMs = since.monotonicMs + this.leaseMs - nowMs;
    if (monotonicMs <= 0) return 0;
    return Math.max(0, Math.min(monotonicMs, since.wallMs + this.leaseMs - clock.wallMs()));
  }

  /**
   * A renewal was answered. Answers may arrive out of order: none shortens what another has given.
   */
  renewed(sent: Moment, seq: number, tip: string | undefined): Renewal {
    if (seq > this.#appliedSeq) {
      // The earlier one is kept: it needs less to be applied, and a stream of changes must not put
      // the lease off for ever.
      this.#waiting ??= { sent, seq, tip };
      return 'waits';
    }
    if (!this.#tips.has(seq) || this.#tips.get(seq) !== tip) return 'elsewhere';
    this.#extend(sent);
    return 'counts';
  }

  /**
   * The reader has applied everything up to `seq`. False: a renewal was waiting for another change
   * than this one.
   */
  applied(seq: number, tip: string | undefined): boolean {
    this.#appliedSeq = seq;
    this.#tips.set(seq, tip);
    this.#tips.delete(seq - TIPS_KEPT);
    if (this.#waiting === null || seq < this.#waiting.seq) return true;
    if (this.#waiting.tip !== tip) return false;
    this.#extend(this.#waiting.sent);
    this.#waiting = null;
    return true;
  }

  /** Nothing learned before counts any more. */
  clear(): void {
    this.#since = null;
    this.#waiting = null;
    this.#tips.clear();
    this.#appliedSeq = 0;
  }

  #extend(sent: Moment): void {
    if (this.#since === null || sent.monotonicMs >= this.#since.monotonicMs) this.#since = sent;
  }
}
