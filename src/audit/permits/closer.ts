import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { unknownOutcome } from '../event/unknown-outcome.ts';
import { EventLines } from '../outbox/lines.ts';
import type { PermitLedger } from './ledger.ts';
import type { OpenPermits } from './open-permits.ts';

export interface PermitCloserOptions {
  readonly ledger: PermitLedger;
  /** Of this instance. */
  readonly permits: OpenPermits;
  readonly instance: string;
  readonly clock: Clock;
  /** How long an instance may be silent and still live, in ms: its lease. */
  readonly leaseMs: number;
  /**
   * Outcomes were written for an instance that is gone: these lines, which have no number, each
   * with its line feed.
   */
  readonly written: (instance: string, outcomes: number, lines: Buffer) => void;
  /** Permits of an instance that is gone were closed. */
  readonly closed: (instance: string, permits: number) => void;
  /** The store does not let us look; told once per outage. */
  readonly onFault: (fault: unknown) => void;
  readonly beatMs?: number;
  readonly lookMs?: number;
}

const BEAT_MS = 1000;
const LOOK_MS = 3000;

/**
 * Closes permits that were left open by instances that are gone, as `outcome-unknown`: at the start
 * of any instance, and while one runs.
 *
 * An instance is gone when its lease is over, and a second look, one beat later, finds it silent
 * too: a store whose clock was set forward forgets the living for one beat only. One that was cut
 * off for longer than its lease and comes back may add a true outcome; that one counts.
 */
export class PermitCloser {
  readonly #options: PermitCloserOptions;
  readonly #stopBeats = new AbortController();
  readonly #stopLooks = new AbortController();
  readonly #beats: Promise<unknown>;
  readonly #looks: Promise<unknown>;
  #faulty = false;

  constructor(options: PermitCloserOptions) {
    this.#options = options;
    this.#beats = this.#beat();
    this.#looks = this.#look();
  }

  /** No other instance's permits are closed any more; this one still lives. */
  async rest(): Promise<void> {
    this.#stopLooks.abort();
    await this.#looks;
  }

  /** @param allWritten nothing of this instance is open: it says goodbye */
  async close(allWritten: boolean): Promise<void> {
    await this.rest();
    this.#stopBeats.abort();
    await this.#beats;
    const { ledger, instance } = this.#options;
    if (allWritten) await this.#tried(() => ledger.forget(instance));
  }

  async #beat(): Promise<void> {
    const { beatMs = BEAT_MS } = this.#options;
    do await this.#tried(() => this.#live());
    while (await pause(beatMs, this.#stopBeats.signal));
  }

  async #live(): Promise<void> {
    const { ledger, instance, permits, leaseMs, beatMs = BEAT_MS } = this.#options;
    if (!(await ledger.alive(instance, Math.max(leaseMs, 3 * beatMs)))) permits.noteAnew();
  }

  async #look(): Promise<void> {
    const { lookMs = LOOK_MS } = this.#options;
    do await this.#tried(() => this.#closeAll());
    while (await pause(lookMs, this.#stopLooks.signal));
  }

  async #closeAll(): Promise<void> {
    const { ledger, instance, beatMs = BEAT_MS } = this.#options;
    const first = (await ledger.silent()).filter((name) => name !== instance);
    if (first.length === 0) return;
    if (!(await pause(beatMs + beatMs / 2, this.#stopLooks.signal))) return;
    const again = new Set(await ledger.silent());
    for (const gone of first) if (again.has(gone)) await this.#closeOf(gone);
  }

  /** Nothing is lost or doubled if this process ends half-way: the store does each step whole. */
  async #closeOf(gone: string): Promise<void> {
    const { ledger, instance, clock, written, closed } = this.#options;
    for (let count = 0; ; ) {
      const left = await ledger.left(gone);
      if (left === null) return;
      const lines = new EventLines();
      for (const permit of left.permits) {
        const outcome = unknownOutcome(instance, clock.wallMs(), permit, gone);
        lines.push(outcome, permit.account?.id ?? null);
      }
      const outcomes = lines.batch(instance, 0);
      if (!(await ledger.close(gone, left, outcomes))) return;
      if (outcomes.count > 0) written(gone, outcomes.count, outcomes.lines);
      count += left.permits.length;
      if (left.all && count > 0) closed(gone, count);
      if (left.all) return;
    }
  }

  async #tried(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.#faulty = false;
    } catch (fault) {
      if (!this.#faulty) this.#options.onFault(fault);
      this.#faulty = true;
    }
  }
}

/** False: it is time to end. */
async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await sleep(ms, undefined, { signal, ref: false });
    return true;
  } catch {
    return false;
  }
}
