import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Clock } from '../../clock.ts';
import { unknownOutcome } from '../event/unknown-outcome.ts';
import { EventLines } from '../outbox/lines.ts';
import type { PermitLedger, WrittenOutcomes } from './ledger.ts';
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
   * Puts on record that this instance vouches for outcomes, which have no number. Resolves once it
   * is; throws when that is not certain: then it is asked for again.
   */
  readonly vouch: (written: WrittenOutcomes) => Promise<void>;
  /** Permits of an instance that is gone were closed. */
  readonly closed: (instance: string, permits: number) => void;
  /** The store does not let us look; told once per outage. */
  readonly onFault: (fault: unknown) => void;
  readonly beatMs?: number;
  readonly lookMs?: number;
}

/** Outcomes for which this instance has to vouch. */
interface Owed {
  readonly written: WrittenOutcomes;
  isOnRecord: boolean;
  running: Promise<void> | null;
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
 *
 * Whoever writes outcomes for another vouches for them by a numbered event. The store keeps what is
 * owed until that is on record; when whoever owes it ends before, the next one takes it over.
 */
export class PermitCloser {
  readonly #options: PermitCloserOptions;
  readonly #stopBeats = new AbortController();
  readonly #stopLooks = new AbortController();
  readonly #beats: Promise<unknown>;
  readonly #looks: Promise<unknown>;
  readonly #owed = new Map<string, Owed>();
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
    await Promise.all([...this.#owed.values()].map(({ running }) => running));
    const { ledger, instance } = this.#options;
    // What is owed others take over from who is silent.
    if (allWritten && this.#owed.size === 0) await this.#tried(() => ledger.forget(instance));
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
    for (const owed of this.#owed.values()) this.#payFor(owed);
    const { ledger, instance, beatMs = BEAT_MS } = this.#options;
    const first = (await ledger.silent()).filter((name) => name !== instance);
    if (first.length === 0) return;
    if (!(await pause(beatMs + beatMs / 2, this.#stopLooks.signal))) return;
    const again = new Set(await ledger.silent());
    for (const gone of first)
      if (again.has(gone)) {
        // First, for nobody looks at one of whom all is closed.
        await this.#takeOver(gone);
        await this.#closeOf(gone);
      }
  }

  async #takeOver(gone: string): Promise<void> {
    const { ledger, instance } = this.#options;
    for (const written of await ledger.unvouched(gone)) {
      await ledger.takeOver(written, instance);
      this.#owe(written);
    }
  }

  #owe(written: WrittenOutcomes): void {
    const owed: Owed = { written, isOnRecord: false, running: null };
    this.#owed.set(written.digest, owed);
    this.#payFor(owed);
  }

  /** What cannot be put on record now is tried again with the next look. */
  #payFor(owed: Owed): void {
    owed.running ??= this.#pay(owed)
      .catch(() => {})
      .finally(() => {
        owed.running = null;
      });
  }

  async #pay(owed: Owed): Promise<void> {
    const { ledger, vouch } = this.#options;
    if (!owed.isOnRecord) await vouch(owed.written);
    owed.isOnRecord = true;
    await ledger.vouched(owed.written);
    this.#owed.delete(owed.written.digest);
  }

  /** Nothing is lost or doubled if this process ends half-way: the store does each step whole. */
  async #closeOf(gone: string): Promise<void> {
    const { ledger, instance, clock, closed } = this.#options;
    for (let [count, step] = [0, 0]; ; step += 1) {
      const left = await ledger.left(gone);
      if (left === null) return;
      const lines = new EventLines();
      for (const permit of left.permits) {
        const outcome = unknownOutcome(instance, clock.wallMs(), permit, gone);
        lines.push(outcome, permit.account?.id ?? null);
      }
      const outcomes = lines.batch(instance, 0);
      const written =
        outcomes.count === 0
          ? null
          : writtenBy(instance, gone, outcomes.lines, outcomes.count, step);
      if (!(await ledger.close(gone, left, outcomes, written))) return;
      if (written !== null) this.#owe(written);
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

function writtenBy(
  by: string,
  decidedBy: string,
  lines: Buffer,
  count: number,
  step: number,
): WrittenOutcomes {
  return { decidedBy, by, count, digest: hash('sha256', lines, 'base64url'), step };
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
