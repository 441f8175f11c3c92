import type { TokenUse } from '../../../src/account/model.ts';
import type { Clock } from '../../../src/clock.ts';
import type {
  FeedEvent,
  FeedListener,
  LeaseRequest,
  PolicySnapshot,
  RegistrySource,
  Subscription,
} from '../../../src/registry/port.ts';
import type { Position, StoreState } from '../../../src/registry/position.ts';
import type { Tombstone } from '../../../src/registry/tombstone.ts';

export class ManualClock implements Clock {
  nowMs = 1_000;
  /** What the wall clock is ahead of the monotonic one. */
  wallAheadMs = 0;
  wallMs(): number {
    return this.nowMs + this.wallAheadMs;
  }
  monotonicMs(): number {
    return this.nowMs;
  }
}

/**
 * A real source whose answers and events can be held back, counted and made to fail: what a network
 * does, at a chosen moment.
 */
export class HeldSource implements RegistrySource {
  readonly #source: RegistrySource;
  readonly asked: string[] = [];
  /** When set, answers of `account` are made at once and handed out only when it resolves. */
  accountGate: Promise<void> | null = null;
  renewGate: Promise<void> | null = null;
  /** When set, thrown instead of an answer, by step. */
  faults: Partial<
    Record<'snapshot' | 'account' | 'renew' | 'eventsAfter' | 'acknowledge' | 'assert', Error>
  > = {};
  readonly acknowledged: number[] = [];
  readonly asserted: Tombstone[] = [];
  /** Replaces the answer of `renew`. */
  renewAnswer: ((real: StoreState) => StoreState) | null = null;
  #listener: FeedListener | null = null;
  #held: FeedEvent[] | null = null;

  constructor(source: RegistrySource) {
    this.#source = source;
  }

  identify(): Promise<string | null> {
    return this.#source.identify();
  }

  async snapshot(): Promise<PolicySnapshot> {
    return this.#answer('snapshot', () => this.#source.snapshot());
  }

  async account(id: string) {
    const answer = await this.#answer('account', () => this.#source.account(id));
    await this.accountGate;
    return answer;
  }

  async renew(request: LeaseRequest): Promise<StoreState> {
    const answer = await this.#answer('renew', () => this.#source.renew(request));
    await this.renewGate;
    return this.renewAnswer?.(answer) ?? answer;
  }

  async release(instance: string): Promise<void> {
    this.asked.push('release');
    await this.#source.release(instance);
  }

  async acknowledge(instance: string, applied: Position, keepMs: number): Promise<void> {
    await this.#answer('acknowledge', () => this.#source.acknowledge(instance, applied, keepMs));
    this.acknowledged.push(applied.seq);
  }

  async assert(tombstones: readonly Tombstone[]): Promise<void> {
    await this.#answer('assert', () => this.#source.assert(tombstones));
    this.asserted.push(...tombstones);
  }

  async recordUses(uses: readonly TokenUse[]): Promise<void> {
    await this.#source.recordUses(uses);
  }

  follow(from: Position, listener: FeedListener): Subscription {
    this.#listener = listener;
    return this.#source.follow(from, {
      onEvents: (events) => {
        if (this.#held === null) listener.onEvents(events);
        else this.#held.push(...events);
      },
      onLost: (why) => listener.onLost(why),
    });
  }

  async eventsAfter(from: Position): Promise<readonly FeedEvent[]> {
    return this.#answer('eventsAfter', () => this.#source.eventsAfter(from));
  }

  async close(): Promise<void> {}

  count(step: string): number {
    return this.asked.filter((asked) => asked === step).length;
  }

  /** From now on the feed is silent. */
  holdFeed(): void {
    this.#held ??= [];
  }

  /** Delivers what was held, all but what `keep` says no to. */
  releaseFeed(keep: (event: FeedEvent) => boolean = () => true): void {
    const events = (this.#held ?? []).filter(keep);
    this.#held = null;
    if (events.length > 0) this.#listener?.onEvents(events);
  }

  async #answer<T>(step: keyof HeldSource['faults'], ask: () => Promise<T>): Promise<T> {
    this.asked.push(step);
    const fault = this.faults[step];
    if (fault !== undefined) throw fault;
    return ask();
  }
}
