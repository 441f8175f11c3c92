import type { Clock } from '../clock.ts';
import { type Assurance, type Committed, type InstanceProgress, type RegistryStore, RegistryUnavailable } from './port.ts';
import { leaseTtlMs } from './redis-members.ts';
import type { Timing } from './timing.ts';

/** Whether what was revoked is refused everywhere: the receipt of a rotation, a deactivation, a deletion, or of whatever else takes rights away. */
export interface Revocation {
  /** Every instance that could have let the old state pass has applied the change, or answers nothing until it has. */
  readonly effective: boolean;
  /** `proven`: the store was shown unable to have two primaries at once. */
  readonly assurance: Assurance['assurance'];
  /** Instances that held a lease when the change was made. */
  readonly instances: number;
  /** Of these, those that have applied it and cut off whom it shuts out. */
  readonly acknowledged: number;
  /** Of these, those that have said goodbye or whose lease is over. */
  readonly lapsed: number;
  /** From the sending of the change to the last of them, in milliseconds; null when nobody was to be waited for. */
  readonly slowestMs: number | null;
  /** ISO 8601, UTC: when it is certain without anybody's word, because every lease from before the change is over. Null when it is effective. */
  readonly certainAt: string | null;
}

export interface ReceiptOptions {
  readonly store: Pick<RegistryStore, 'progress' | 'assurance'>;
  readonly clock: Clock;
  readonly timing: Timing;
  /** How long to wait at most, in milliseconds. */
  readonly waitMs: number;
  /** Monotonic clock, when the change was sent. */
  readonly sentMs: number;
}

/** Asked often at first, because most instances answer within milliseconds, and less often for those that don't. */
const ASK = { firstMs: 1, growth: 1.5, longestMs: 100 } as const;

/**
 * Waits until a change is in force everywhere, and says what is known then. Never throws: the change is made, and when its reach cannot be found out the
 * answer says when it is certain all the same.
 */
export async function awaitReceipt(committed: Committed, options: ReceiptOptions): Promise<Revocation> {
  const answeredWallMs = options.clock.wallMs();
  const assurance = assuranceOf(options.store);
  const waiting = new Waiting(committed, options);
  await waiting.untilDone();
  const { assurance: word, marginMs } = await assurance;
  const effective = waiting.pending === 0 && committed.replicated;
  const largestLeaseMs = Math.max(0, ...committed.members.map(({ leaseMs }) => leaseTtlMs(leaseMs)));
  return {
    effective,
    assurance: word,
    instances: committed.members.length,
    acknowledged: waiting.acknowledged,
    lapsed: waiting.lapsed,
    slowestMs: waiting.slowestMs,
    certainAt: effective ? null : new Date(Math.ceil(answeredWallMs + largestLeaseMs + marginMs)).toISOString(),
  };
}

/** What cannot be shown is not shown. */
async function assuranceOf(store: Pick<RegistryStore, 'assurance'>): Promise<Assurance> {
  try {
    return await store.assurance();
  } catch {
    return UNKNOWN;
  }
}

const UNKNOWN: Assurance = { assurance: 'topology-dependent', marginMs: 10_000 };

class Waiting {
  readonly #committed: Committed;
  readonly #options: ReceiptOptions;
  readonly #pending: Set<string>;
  acknowledged = 0;
  lapsed = 0;
  slowestMs: number | null = null;

  constructor(committed: Committed, options: ReceiptOptions) {
    this.#committed = committed;
    this.#options = options;
    this.#pending = new Set(committed.members.map(({ instance }) => instance));
  }

  get pending(): number {
    return this.#pending.size;
  }

  async untilDone(): Promise<void> {
    const { clock, timing, waitMs } = this.#options;
    const endMs = clock.monotonicMs() + waitMs;
    for (let pauseMs: number = ASK.firstMs; this.#pending.size > 0; pauseMs = Math.min(ASK.longestMs, pauseMs * ASK.growth)) {
      await this.#ask();
      const leftMs = endMs - clock.monotonicMs();
      if (this.#pending.size === 0 || leftMs <= 0) return;
      await timing.sleep(Math.min(pauseMs, leftMs), null);
    }
  }

  async #ask(): Promise<void> {
    try {
      for (const progress of await this.#options.store.progress([...this.#pending])) this.#take(progress);
    } catch (fault) {
      // Nobody is found out about now; the next question may be answered.
      if (!(fault instanceof RegistryUnavailable)) throw fault;
    }
  }

  #take({ instance, registered, applied }: InstanceProgress): void {
    const acknowledged = applied !== null && applied.epoch === this.#committed.epoch && applied.seq >= this.#committed.seq;
    if (!acknowledged && registered) return;
    if (!this.#pending.delete(instance)) return;
    if (acknowledged) this.acknowledged += 1;
    else this.lapsed += 1;
    this.slowestMs = Math.round((this.#options.clock.monotonicMs() - this.#options.sentMs) * 10) / 10;
  }
}
