import { compilePrincipal } from '../../account/principal.ts';
import type { Clock } from '../../clock.ts';
import {
  type FeedEvent,
  FeedLost,
  type RegistrySource,
  RegistryUnavailable,
  type Subscription,
} from '../port.ts';
import type { StoreState } from '../position.ts';
import { Acknowledger } from '../receipts/acknowledger.ts';
import { systemTiming, type Timing } from '../timing.ts';
import type { Tombstone } from '../tombstone.ts';
import type { Holdings, WarmSnapshot } from '../warm/snapshot.ts';
import { warmAccounts } from '../warm/start.ts';
import { AccountReads } from './account-reads.ts';
import { Announced } from './announced.ts';
import { Cover } from './cover.ts';
import { Generation, UNAVAILABLE } from './generation.ts';
import { Lease, momentOf } from './lease.ts';
import type { LookupCounts, ReplicaObserver, ReplicaOptions, ReplicaStatus } from './options.ts';
import type { Lookup, RegistryView } from './port.ts';
import { PresentPolicy } from './present-policy.ts';
import { Remembrance } from './remembrance.ts';
import { backoffMs, RenewalPace } from './renewal-pace.ts';
import {
  assertSameHistory,
  assertSameTombstones,
  GONE_ANOTHER_WAY,
  isLoss,
} from './same-history.ts';

const DEFAULTS = { maxNegatives: 10_000, maxLookups: 1_000 } as const;

const RELOAD = { firstMs: 100, longestMs: 2_000 } as const;

/**
 * What this instance knows of the registry, and whether that still counts.
 *
 * `current` and a cached `lookup` are asked once per request: they allocate nothing and never wait.
 */
export class Replica extends PresentPolicy implements RegistryView {
  readonly counts: LookupCounts = { hit: 0, negative: 0, miss: 0, unavailable: 0 };
  readonly #options: ReplicaOptions;
  readonly #source: RegistrySource;
  readonly #clock: Clock;
  readonly #observer: ReplicaObserver;
  readonly #lease: Lease;
  readonly #closed = new AbortController();
  readonly #firstAttempt = Promise.withResolvers<boolean>();
  readonly #timing: Timing;
  readonly #acks: Acknowledger;
  readonly #remembered: Remembrance;
  readonly #pace: RenewalPace;
  readonly #cover: Cover;
  readonly #announced: Announced;
  readonly #reads: AccountReads;
  #warm: WarmSnapshot | null;
  #running: Promise<unknown> | null = null;
  #why = 'not started';
  /** The store holds another registry than the one that was served, or none. */
  #foreign = false;
  /** The highest position that the store has shown us. */
  #storeSeq = 0;

  constructor(options: ReplicaOptions) {
    super();
    this.#options = options;
    this.#source = options.source;
    this.#clock = options.clock;
    this.#warm = options.warm ?? null;
    this.#observer = options.observer ?? {};
    this.#lease = new Lease(options.leaseMs);
    const told = {
      onRevived: (records: number) => this.#observer.onRevived?.(records),
      onFault: (fault: unknown) => this.#observer.onFault?.('assert', asError(fault)),
    };
    this.#remembered = new Remembrance(options.source, told, options.remembered);
    this.#timing = options.timing ?? systemTiming;
    this.#pace = new RenewalPace(options.leaseMs, this.#timing);
    this.#cover = new Cover({
      lease: this.#lease,
      clock: options.clock,
      timing: this.#timing,
      judged: () => this.#observer.judged?.() ?? true,
      onLapsed: () => this.#observer.onLapsed?.(),
    });
    this.#acks = new Acknowledger({
      source: options.source,
      instance: options.instance,
      leaseMs: options.leaseMs,
      timing: this.#timing,
      settled: () => this.#observer.settled?.() ?? true,
      onFault: (fault) => this.#observer.onFault?.('acknowledge', asError(fault)),
    });
    this.#announced = new Announced({
      source: options.source,
      timing: this.#timing,
      isPresent: (generation) => this.generation === generation,
      apply: (generation, events) => this.#apply(generation, events),
    });
    this.#reads = new AccountReads({
      source: options.source,
      announced: this.#announced,
      remembered: this.#remembered,
      counts: this.counts,
      maxLookups: options.maxLookups ?? DEFAULTS.maxLookups,
      isCurrent: (generation) => this.current && this.generation === generation,
      failed: (generation, fault) => this.#readFailed(generation, fault),
    });
  }

  /** Asked at every request, so that no stopped process or blocked loop can outlive its lease. */
  get current(): boolean {
    if (this.generation === null) return false;
    if (this.#lease.valid(this.#clock)) return true;
    // A machine that was asleep need not wait for the next turn of the loop.
    this.#pace.wake();
    return false;
  }

  /**
   * Whether what was permitted and is open may go on at this moment: the lease has not ended under
   * which it was last judged. Asked at every read of an open call.
   *
   * @param nowMs monotonic clock, for whoever has just looked at it
   */
  covers(nowMs?: number): boolean {
    return this.#lease.coversMs(this.#clock, nowMs) > 0;
  }

  get unavailableReason(): 'registry-unavailable' | 'registry-foreign' {
    return this.#foreign ? 'registry-foreign' : 'registry-unavailable';
  }

  cached(accountId: string): Lookup | null {
    const generation = this.generation;
    if (generation === null) return this.#unavailable();
    const account = generation.accounts.get(accountId);
    if (account !== undefined) {
      this.counts.hit += 1;
      return account;
    }
    const absent = generation.negatives.get(accountId);
    if (absent !== undefined) {
      this.counts.negative += 1;
      return absent;
    }
    return null;
  }

  lookup(accountId: string): Lookup | Promise<Lookup> {
    const known = this.cached(accountId);
    const generation = this.generation;
    if (known !== null || generation === null) return known ?? this.#unavailable();
    this.counts.miss += 1;
    return this.#reads.of(generation, accountId);
  }

  status(): ReplicaStatus {
    const ready = this.current;
    const generation = this.generation;
    return {
      ready,
      why: ready ? null : this.#why,
      lagSeq: generation === null ? 0 : Math.max(0, this.#storeSeq - generation.appliedSeq),
      leaseRemainingMs: this.#lease.remainingMs(this.#clock),
      cachedAccounts: generation?.accounts.size ?? 0,
      damagedRoles: generation?.damagedRoles ?? [],
    };
  }

  /**
   * What this instance has seen of a record, for who would bring back an earlier one.
   *
   * @param label id of an account, `role:NAME` or `team:NAME`
   */
  known(label: string): Tombstone | null {
    return this.#remembered.known(label);
  }

  /** What was seen revoked, to be written down for the next start. */
  remembered() {
    return this.#remembered.remembered(this.generation);
  }

  /** What is cached, to be written down for the next start; null while nothing is known. */
  holdings(): Holdings | null {
    return this.generation?.holdings() ?? null;
  }

  /**
   * Begins, and goes on until `close`, however long the store is away. Resolves after the first
   * attempt: whether it led to a lease.
   */
  start(): Promise<boolean> {
    this.#running ??= Promise.all([this.#run(), this.#cover.watch(this.#closed.signal)]);
    return this.#firstAttempt.promise;
  }

  /**
   * Answers nothing any more and gives the lease back. The source stays open: whoever made it
   * closes it.
   */
  async close(): Promise<void> {
    this.#closed.abort();
    this.#drop(this.generation, 'closed');
    await this.#running;
    await this.#acks.close();
    try {
      await this.#source.release(this.#options.instance);
    } catch {
      // It runs out by itself.
    }
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#closed.signal.aborted; failures += 1) {
      if (failures > 0)
        await this.#timing.sleep(backoffMs(failures, RELOAD, this.#timing), this.#closed.signal);
      if (this.#closed.signal.aborted) break;
      try {
        if (await this.#live()) failures = 0;
      } catch (fault) {
        this.#failed('load', fault);
      }
      this.#firstAttempt.resolve(false);
    }
    this.#firstAttempt.resolve(false);
  }

  /**
   * One generation from its snapshot to its end. Answers whether it was ever good for an answer.
   */
  async #live(): Promise<boolean> {
    const snapshot = await this.#remembered.load();
    this.#foreign = false;
    const generation = new Generation(snapshot, {
      maxAccounts: this.#options.maxAccounts,
      maxNegatives: this.#options.maxNegatives ?? DEFAULTS.maxNegatives,
    });
    if (this.#warm !== null) await this.#warmUp(generation, this.#warm, snapshot);
    if (this.#closed.signal.aborted) return false;
    this.#why = 'no lease yet';
    this.#storeSeq = generation.appliedSeq;
    this.generation = generation;
    this.#lease.applied(generation.appliedSeq, generation.position.tip);
    this.#observer.onLoaded?.();
    this.#acks.applied(generation.position);
    const subscription = this.#follow(generation);
    try {
      return await this.#keepLease(generation);
    } finally {
      this.#drop(generation, this.#why);
      await subscription.close();
    }
  }

  /**
   * Only for the first load: later ones follow on something having gone wrong with what was known.
   * The accounts are at the generation's own position, so like everything in it they count from the
   * first lease on, which demands every change up to that renewal to be applied.
   */
  async #warmUp(generation: Generation, warm: WarmSnapshot, now: StoreState): Promise<void> {
    this.#warm = null;
    const { accounts, why } = await warmAccounts(this.#source, warm, now).catch(
      (fault: unknown) => {
        // Nothing but the store's silence is worth a second try.
        if (fault instanceof RegistryUnavailable) this.#warm = warm;
        throw fault;
      },
    );
    for (const [id, held] of accounts ?? []) {
      const account = this.#remembered.against(held);
      if (account !== null)
        generation.learn(id, { found: 'account', account: compilePrincipal(account) }, now.seq);
    }
    this.#observer.onWarm?.(generation.accounts.size, why);
  }

  #follow(generation: Generation): Subscription {
    return this.#source.follow(generation.position, {
      onEvents: (events) => this.#apply(generation, events),
      onLost: (why) => this.#drop(generation, why),
    });
  }

  #apply(generation: Generation, events: readonly FeedEvent[]): void {
    for (const event of events) {
      if (this.generation !== generation) return;
      if (event.seq <= generation.appliedSeq) continue;
      const noted = this.#remembered.note(event);
      if (!generation.apply(noted)) {
        this.#drop(generation, 'the feed has a gap');
        return;
      }
      this.#observer.onApplied?.(noted);
      if (!this.#lease.applied(generation.appliedSeq, generation.position.tip)) {
        this.#drop(generation, 'the registry that renewed the lease has gone another way');
        return;
      }
      this.#cover.extend();
    }
    if (this.generation === generation) this.#acks.applied(generation.position);
  }

  /** Renews until the generation ends. */
  async #keepLease(generation: Generation): Promise<boolean> {
    let held = false;
    let failures = 0;
    while (!generation.ended.signal.aborted) {
      try {
        await this.#renew(generation);
        failures = 0;
        this.#observer.onRenewed?.();
        held ||= this.current;
        this.#firstAttempt.resolve(held);
      } catch (fault) {
        failures += 1;
        this.#failed('renew', fault);
        this.#firstAttempt.resolve(false);
        if (isLoss(fault)) this.#drop(generation, (fault as Error).message);
      }
      await this.#pace.pause(failures, generation.ended.signal);
    }
    return held;
  }

  async #renew(generation: Generation): Promise<void> {
    const sent = momentOf(this.#clock);
    const appliedWhenSent = generation.appliedSeq;
    const { instance, leaseMs, version = '' } = this.#options;
    const state = await this.#source.renew({ instance, leaseMs, version });
    if (this.generation !== generation) return;
    assertSameHistory(generation, state, appliedWhenSent);
    assertSameTombstones(generation, state);
    this.#storeSeq = Math.max(this.#storeSeq, state.seq);
    if (this.#lease.renewed(sent, state.seq, state.tip) === 'elsewhere')
      throw new FeedLost(GONE_ANOTHER_WAY, { forked: true });
    this.#cover.extend();
    this.#acks.refresh();
    if (state.seq > generation.appliedSeq) await this.#announced.catchUp(generation, state.seq);
    await this.#remembered.tell();
  }

  #readFailed(generation: Generation, fault: unknown): void {
    this.#observer.onFault?.('lookup', asError(fault));
    if (fault instanceof RegistryUnavailable && fault.why === 'foreign') this.#foreign = true;
    if (isLoss(fault)) this.#drop(generation, (fault as Error).message);
  }

  #unavailable(): Lookup {
    this.counts.unavailable += 1;
    return UNAVAILABLE;
  }

  #drop(generation: Generation | null, why: string): void {
    if (generation === null || this.generation !== generation) return;
    this.generation = null;
    this.#remembered.leave(generation);
    this.#lease.clear();
    this.#acks.forget();
    this.#why = why;
    generation.ended.abort();
    if (!this.#closed.signal.aborted) this.#observer.onLost?.(why);
  }

  #failed(step: 'load' | 'renew', fault: unknown): void {
    const error = asError(fault);
    this.#why = error.message;
    if (error instanceof RegistryUnavailable) this.#foreign = error.why === 'foreign';
    this.#observer.onFault?.(step, error);
  }
}

function asError(fault: unknown): Error {
  return fault instanceof Error ? fault : new Error(String(fault));
}
