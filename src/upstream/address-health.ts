/**
 * Whether one address of an upstream is to be used, from what became of the requests that were sent
 * there, and of the health checks where there are any.
 *
 * ```
 *   in use ── failures in a row, or no connection ──▶ ejected ── its time is over ──▶ on probation
 *     ▲                                                 ▲ (base, doubled each time)      │     │
 *     │                                                 └────── the next failure ────────┘     │
 *     └──────────────────────────────── a response ────────────────────────────────────────────┘
 * ```
 *
 * Ejected is a preference and not a wall: who has no better address uses this one
 * (pool.ts).
 */
export interface EjectionOptions {
  /**
   * Failures in a row: resets, broken or missing answers. A connection that could not be made is
   * enough by itself.
   */
  readonly afterFailures: number;
  /**
   * The first ejection, in milliseconds; each further one without a response in between takes twice
   * as long, up to `maxMs`.
   */
  readonly baseMs: number;
  readonly maxMs: number;
  /** 502, 503 and 504 count as failures. */
  readonly countServerErrors: boolean;
}

export interface CheckOptions {
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

export type HealthChange = 'ejected' | 'back' | 'unhealthy' | 'healthy';

/** Told of changes only. Must not throw. */
export type HealthObserver = (change: HealthChange, why: string) => void;

const SERVER_ERRORS: ReadonlySet<number> = new Set([502, 503, 504]);

export class AddressHealth {
  #options: EjectionOptions;
  #checks: CheckOptions | null;
  readonly #clock: { readonly nowMs: number };
  #observer: HealthObserver;
  #failures = 0;
  /** Ejections since the last answer that came while in use. */
  #ejections = 0;
  #ejectedUntilMs = 0;
  #passesChecks = true;
  /** Results of health checks in a row that speak against the present verdict. */
  #contrary = 0;

  /** @param clock milliseconds that never go back, `Deadlines.nowMs` */
  constructor(
    options: EjectionOptions,
    checks: CheckOptions | null,
    clock: { readonly nowMs: number },
    observer: HealthObserver,
  ) {
    this.#options = options;
    this.#checks = checks;
    this.#clock = clock;
    this.#observer = observer;
  }

  /**
   * A reload has changed how it is judged; the verdicts stay, but for those that nothing would ever
   * change again: of checks that are no longer made, and of an ejection that would now be over.
   */
  judgeBy(options: EjectionOptions, checks: CheckOptions | null, observer: HealthObserver): void {
    this.#options = options;
    this.#checks = checks;
    // The former one holds what its pool was made of, credentials included.
    this.#observer = observer;
    this.#contrary = 0;
    if (checks === null) this.#passesChecks = true;
    if (this.ejected)
      this.#ejectedUntilMs = Math.min(
        this.#ejectedUntilMs,
        this.#clock.nowMs + this.#ejectionMs(this.#ejections - 1),
      );
  }

  /** @param before ejections since the last answer */
  #ejectionMs(before: number): number {
    const { baseMs, maxMs } = this.#options;
    return Math.min(maxMs, baseMs * 2 ** Math.min(before, 20));
  }

  /** Neither left out nor on probation: what goes there is expected to be answered. */
  get sound(): boolean {
    return this.usable && !this.onProbation;
  }

  get usable(): boolean {
    return this.#passesChecks && !this.ejected;
  }

  get ejected(): boolean {
    return this.#ejectedUntilMs > this.#clock.nowMs;
  }

  /** Was ejected, and has not answered since: one exchange at a time is risked. */
  get onProbation(): boolean {
    return this.#ejections > 0;
  }

  /** The final head of a response came. */
  answered(status: number): void {
    if (this.#options.countServerErrors && SERVER_ERRORS.has(status)) {
      this.failed(false, `status ${status}`);
      return;
    }
    this.#failures = 0;
    if (this.#ejections === 0) return;
    // While ejected it may be a response from before: used again, but at the next failure the time
    // goes on doubling.
    if (this.ejected) this.#ejectedUntilMs = 0;
    else this.#ejections = 0;
    if (this.#ejections === 0) this.#observer('back', 'it answers');
  }

  /** @param unreachable no connection could be made */
  failed(unreachable: boolean, why: string): void {
    // The exchanges that were under way together fail together: that is one failure.
    if (this.ejected) return;
    this.#failures += 1;
    if (!unreachable && this.#ejections === 0 && this.#failures < this.#options.afterFailures)
      return;
    this.#ejectedUntilMs = this.#clock.nowMs + this.#ejectionMs(this.#ejections);
    this.#ejections += 1;
    this.#failures = 0;
    if (this.#ejections === 1) this.#observer('ejected', why);
  }

  /** The result of a health check. */
  checked(passed: boolean, why: string): void {
    if (this.#checks === null) return;
    if (passed === this.#passesChecks) {
      this.#contrary = 0;
      return;
    }
    this.#contrary += 1;
    if (this.#contrary < (passed ? this.#checks.healthyAfter : this.#checks.unhealthyAfter)) return;
    this.#contrary = 0;
    this.#passesChecks = passed;
    this.#observer(passed ? 'healthy' : 'unhealthy', why);
  }
}
