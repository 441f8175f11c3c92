import type { Clock } from '../../clock.ts';
import type { Committed } from '../commit.ts';
import type { Assurance, InstanceProgress } from '../members.ts';
import { type RegistryStore, RegistryUnavailable } from '../port.ts';
import { leaseTtlMs } from '../redis/members.ts';
import type { Timing } from '../timing.ts';
import { SilentMembers } from './silent-members.ts';

/**
 * Whether what was revoked is refused everywhere: the receipt of a rotation, a deactivation, a
 * deletion, or of whatever else takes rights away.
 */
export interface Revocation {
  /**
   * Every instance that could have let the old state pass has applied the change, or answers
   * nothing until it has.
   */
  readonly effective: boolean;
  /** `proven`: the store was shown unable to have two primaries at once. */
  readonly assurance: Assurance['assurance'];
  /** Instances that might have held a lease when the change was made. */
  readonly instances: number;
  /** Of these, those that have applied it and cut off whom it shuts out. */
  readonly acknowledged: number;
  /** Of these, those that have said goodbye, or whose lease is over by our own clock. */
  readonly lapsed: number;
  /**
   * From the sending of the change to the last of them, in milliseconds; null when nobody was to be
   * waited for.
   */
  readonly slowestMs: number | null;
  /**
   * ISO 8601, UTC: when it is certain without anybody's word, because every lease from before the
   * change is over. Null when it is effective, or lost.
   */
  readonly certainAt: string | null;
  /** The store made the change and has lost it again in a failover: it must be repeated. */
  readonly lost: boolean;
}

export interface ReceiptOptions {
  readonly store: Pick<RegistryStore, 'progress' | 'assurance' | 'holds' | 'forget'>;
  readonly clock: Clock;
  readonly timing: Timing;
  /** How long to wait at most, in milliseconds. */
  readonly waitMs: number;
  /** Monotonic clock, when the change was sent. */
  readonly sentMs: number;
}

/**
 * Asked often at first, because most instances answer within milliseconds, and less often for those
 * that don't.
 */
const ASK = { firstMs: 1, growth: 1.5, longestMs: 100 } as const;

/**
 * Waits until a change is in force everywhere, and says what is known then. Never throws: the
 * change is made, and when its reach cannot be found out the answer says when it is certain all the
 * same.
 */
export async function awaitReceipt(
  committed: Committed,
  options: ReceiptOptions,
): Promise<Revocation> {
  const answeredWallMs = options.clock.wallMs();
  const assurance = assuranceOf(options.store);
  const waiting = new Waiting(committed, options, assurance);
  await waiting.untilDone();
  const held = await isHeld(committed, options.store);
  const { assurance: word, marginMs } = await assurance;
  const effective = waiting.pending === 0 && committed.replicated && held === 'yes';
  const lost = held === 'no';
  const largestLeaseMs = Math.max(
    0,
    ...committed.members.map(({ leaseMs }) => leaseTtlMs(leaseMs)),
  );
  return {
    effective,
    assurance: word,
    instances: committed.members.length,
    acknowledged: waiting.acknowledged,
    lapsed: waiting.lapsed,
    slowestMs: waiting.slowestMs,
    certainAt:
      effective || lost
        ? null
        : new Date(Math.ceil(answeredWallMs + largestLeaseMs + marginMs)).toISOString(),
    lost,
  };
}

/**
 * Asked last: what was acknowledged by everybody, or had no one left to acknowledge it, may have
 * been lost by the store meanwhile.
 */
async function isHeld(
  committed: Committed,
  store: Pick<RegistryStore, 'holds'>,
): Promise<'yes' | 'no' | 'unknown'> {
  try {
    return (await store.holds(committed)) ? 'yes' : 'no';
  } catch (fault) {
    if (!(fault instanceof RegistryUnavailable)) throw fault;
    return 'unknown';
  }
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
  readonly #assurance: Promise<Assurance>;
  /**
   * Instance -> until when, on our monotonic clock, a lease from before the change can last.
   * Counted from when it was first seen, so that who has not renewed since is surely silent by
   * then.
   */
  readonly #pending: Map<string, { readonly leaseMs: number; untilMs: number | null }>;
  readonly #silent = new SilentMembers();
  acknowledged = 0;
  lapsed = 0;
  slowestMs: number | null = null;

  constructor(committed: Committed, options: ReceiptOptions, assurance: Promise<Assurance>) {
    this.#committed = committed;
    this.#options = options;
    this.#assurance = assurance;
    this.#pending = new Map(
      committed.members.map(({ instance, leaseMs }) => [instance, { leaseMs, untilMs: null }]),
    );
  }

  get pending(): number {
    return this.#pending.size;
  }

  async untilDone(): Promise<void> {
    const { clock, timing, waitMs } = this.#options;
    const endMs = clock.monotonicMs() + waitMs;
    for (
      let pauseMs: number = ASK.firstMs;
      this.#pending.size > 0;
      pauseMs = Math.min(ASK.longestMs, pauseMs * ASK.growth)
    ) {
      await this.#ask();
      const leftMs = endMs - clock.monotonicMs();
      if (this.#pending.size === 0 || leftMs <= 0) return;
      await timing.sleep(Math.min(pauseMs, leftMs), null);
    }
  }

  async #ask(): Promise<void> {
    const { store, clock } = this.#options;
    try {
      const assurance = await this.#assurance;
      const askedMs = clock.monotonicMs();
      const answers = await store.progress([...this.#pending.keys()]);
      const look = { askedMs, answeredMs: clock.monotonicMs() };
      for (const progress of answers) await this.#take(progress, look, assurance);
    } catch (fault) {
      // Nobody is found out about now; the next question may be answered.
      if (!(fault instanceof RegistryUnavailable)) throw fault;
    }
  }

  async #take(
    progress: InstanceProgress,
    look: { readonly askedMs: number; readonly answeredMs: number },
    assurance: Assurance,
  ): Promise<void> {
    const { instance, applied, renewal } = progress;
    const pending = this.#pending.get(instance);
    if (pending === undefined) return;
    pending.untilMs ??= look.answeredMs + leaseTtlMs(pending.leaseMs);
    const { epoch, seq } = this.#committed;
    const acknowledged = applied !== null && applied.epoch === epoch && applied.seq >= seq;
    const silent = this.#silent.isSilent(
      { ...look, progress, leaseMs: pending.leaseMs },
      assurance.marginMs,
    );
    if (!acknowledged && !hasLapsed(progress, look.askedMs - pending.untilMs, assurance)) return;
    this.#pending.delete(instance);
    if (acknowledged) this.acknowledged += 1;
    else this.lapsed += 1;
    this.slowestMs =
      Math.round((this.#options.clock.monotonicMs() - this.#options.sentMs) * 10) / 10;
    if (silent) await this.#options.store.forget(instance, renewal);
  }
}

/**
 * Whether nothing that was permitted before the change can go on there: it has said goodbye, or
 * every lease from before the change is over. A store that may have lost the last renewal does not
 * know of whom it knows nothing.
 *
 * @param overMs for how long, on our monotonic clock, every lease from before has been over
 */
function hasLapsed(
  { registered }: InstanceProgress,
  overMs: number,
  { assurance, marginMs }: Assurance,
): boolean {
  return overMs >= marginMs || (!registered && (assurance === 'proven' || overMs >= 0));
}
