import type { Clock } from '../../clock.ts';
import type { WriteEvent } from '../event/bytes.ts';
import { OpenPermits } from '../permits/open-permits.ts';
import type { AcceptanceWaiter, AuditLog, Outbox, Taken } from '../port.ts';
import { type Batch, Batches, writeMade } from './batches.ts';
import {
  OUTBOX_LIMITS,
  type OutboxLimits,
  type OutboxObserver,
  type OutboxOptions,
  type Pending,
} from './options.ts';
import { Outage } from './outage.ts';
import { Pace } from './pace.ts';
import { SendTimer } from './send-timer.ts';
import { createWaits, type Waits } from './waits.ts';

export interface BatchingOutbox extends Outbox {
  /** Events taken and not yet accepted. */
  readonly pending: number;
  /**
   * Takes an event that carries the chain whenever it is recorded. There is always room for it.
   *
   * @param make answers the whole event, made from its number and what it carries
   */
  recordLink(make: (seq: number, chain: string) => string, waiter: AcceptanceWaiter | null): void;
  /** Events taken since the last one by `recordLink`. */
  readonly unsigned: number;
  /** Calls soon after so many events were taken since the last one by `recordLink`. */
  onUnsigned(events: number, call: () => void): void;
}

/**
 * The bounded queue in front of the audit log, with group commit.
 *
 * One append is in flight at a time; what arrives meanwhile forms the next batch. An event with a
 * waiter starts an append at the end of the loop turn, so that requests which arrived together
 * travel together; one without (buffered guarantee, outcomes) lingers up to 20 ms. While requests
 * come fast enough to share appends, these begin a millisecond apart.
 *
 * When an append fails, the batch is kept and sent again under the same sequence numbers until it
 * is accepted. In the first second of an outage (from the moment the failed append was sent)
 * waiters keep their whole deadline: clients of this gate rarely retry, so a short outage should
 * cost them time and not an answer. Later, new waiters are told at once: holding requests that will
 * fail anyway only piles them up. Resends go on at least every 250 ms, so calls are refused for no
 * longer than that after the log can be reached again (a lost connection to Redis may need up to
 * two seconds more until it is tried again).
 */
export function createOutbox(options: OutboxOptions): BatchingOutbox {
  return new GroupCommitOutbox(options);
}

function tell(
  waiter: AcceptanceWaiter,
  what: 'accepted' | 'notAccepted',
  observer: OutboxObserver,
): void {
  try {
    waiter[what]();
  } catch (error) {
    observer.fault(error);
  }
}

class GroupCommitOutbox implements BatchingOutbox {
  readonly #log: AuditLog;
  readonly #clock: Clock;
  readonly #observer: OutboxObserver;
  readonly #limits: OutboxLimits;
  readonly #waits: Waits;
  readonly #pace: Pace;
  readonly permits = new OpenPermits();
  readonly #batches: Batches;
  #inFlight = false;
  readonly #timer = new SendTimer(() => this.#send());
  readonly #outage: Outage;
  /** Closed: no more events. Over: no more ends either. */
  #state: 'open' | 'closed' | 'over' = 'open';
  #drained: (() => void) | null = null;

  constructor(options: OutboxOptions) {
    this.#log = options.log;
    this.#clock = options.clock;
    this.#observer = options.observer;
    this.#limits = { ...OUTBOX_LIMITS, ...options.limits };
    this.#waits = createWaits(options.clock, (waiter) =>
      tell(waiter, 'notAccepted', options.observer),
    );
    this.#pace = new Pace(options.clock, this.#limits);
    this.#outage = new Outage(this.#limits);
    const { instance, clock, chain } = options;
    this.#batches = new Batches(instance, clock, this.#limits, this.permits, chain);
    if (options.probe ?? true) this.#probe();
  }

  get healthy(): boolean {
    return !this.#outage.isOn;
  }

  get pending(): number {
    return this.#batches.events;
  }

  record(
    make: (seq: number) => string,
    account: string | null,
    waiter: AcceptanceWaiter | null,
  ): Taken {
    return this.write(writeMade, make, account, waiter);
  }

  recordEnd(make: (seq: number) => string, account: string | null): void {
    this.writeEnd(writeMade, make, account);
  }

  write<Facts>(
    write: WriteEvent<Facts>,
    facts: Facts,
    account: string | null,
    waiter: AcceptanceWaiter | null,
  ): Taken {
    if (this.full || (account === null && this.#log.strangersFull === true)) {
      if (waiter === null) {
        this.#observer.lost(1);
      } else {
        this.#observer.unrecorded();
        this.#refuse(waiter);
      }
      return 'no-room';
    }
    const batch = this.#batches.append(write, facts, account);
    const awaited = waiter !== null && this.#await(batch, waiter);
    this.#schedule(awaited);
    return waiter === null || awaited ? 'kept' : 'late';
  }

  writeEnd<Facts>(write: WriteEvent<Facts>, facts: Facts, account: string | null): void {
    if (this.#state === 'over') {
      this.#observer.lost(1);
      return;
    }
    this.#batches.append(write, facts, account);
    this.#schedule(false);
  }

  recordLink(make: (seq: number, chain: string) => string, waiter: AcceptanceWaiter | null): void {
    if (this.#state === 'over') {
      this.#observer.lost(1);
      return;
    }
    const batch = this.#batches.appendLink(make);
    this.#schedule(waiter !== null && this.#await(batch, waiter));
  }

  onUnsigned(events: number, call: () => void): void {
    this.#batches.onUnsigned(events, call);
  }

  get unsigned(): number {
    return this.#batches.unsigned;
  }

  get full(): boolean {
    return (
      this.#state !== 'open' ||
      this.#batches.events >= this.#limits.maxEvents ||
      this.#batches.bytes >= this.#limits.maxBytes
    );
  }

  /** Answers whether there is something to wait for: not in an outage that lasts. */
  #await(batch: Batch, waiter: AcceptanceWaiter): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (this.#outage.lasts(nowMs)) {
      this.#refuse(waiter);
      return false;
    }
    const one: Pending = { waiter, deadlineMs: nowMs + this.#limits.deadlineMs };
    batch.waiting.push(one);
    this.#waits.add(one);
    this.#pace.waits(nowMs);
    return true;
  }

  /** Never before `record` returns, so that the caller sees one order of events. */
  #refuse(waiter: AcceptanceWaiter): void {
    queueMicrotask(() => tell(waiter, 'notAccepted', this.#observer));
  }

  async close(deadlineMs: number): Promise<number> {
    this.#state = 'closed';
    if (this.pending > 0) await this.#drain(deadlineMs);
    this.#waits.close();
    this.#state = 'over';
    this.#timer.cancel();
    // An answer that still comes finds nothing to tell.
    const left = this.#batches.abandon();
    if (left > 0) this.#observer.lost(left);
    return left;
  }

  /**
   * An empty batch is resent like any other until it is accepted, and says that the log is there,
   * writable and ours.
   */
  #probe(): void {
    this.#batches.begin();
    this.#send();
  }

  #drain(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#drained = () => {
        clearTimeout(timer);
        resolve();
      };
      if (!this.#inFlight) {
        this.#timer.cancel();
        this.#send();
      }
    });
  }

  #schedule(awaited: boolean): void {
    // In flight: its end sends the next batch. In an outage: the resend timer is running.
    if (this.#inFlight || this.#outage.isOn || this.#timer.isSoon) return;
    if (awaited || this.#batches.count > 1) {
      const { restMs } = this.#pace;
      if (restMs > 0 && this.#batches.count === 1) this.#timer.apart(restMs);
      else this.#timer.soon();
    } else if (!this.#timer.isLater) this.#timer.later(this.#limits.lingerMs);
  }

  #send(): void {
    const batch = this.#batches.first;
    if (batch === undefined || this.#inFlight) return;
    this.#inFlight = true;
    const sentMs = this.#clock.monotonicMs();
    this.#pace.sent(sentMs);
    this.#log.append(this.#batches.toSend(batch)).then(
      () => this.#onAccepted(batch, sentMs),
      (error: unknown) => this.#onFailed(batch, sentMs, error),
    );
  }

  #onAccepted(batch: Batch, sentMs: number): void {
    this.#inFlight = false;
    if (this.#batches.first !== batch) return; // closed meanwhile
    const isRead = batch.failed || this.#log.holds?.(batch.sent!) === true;
    const count = this.#batches.accepted(batch, isRead);
    if (this.#outage.end()) this.#observer.health(null);
    this.#observer.accepted(count, this.#clock.monotonicMs() - sentMs);
    for (const one of batch.waiting) {
      const { waiter } = one;
      one.waiter = null;
      if (waiter !== null) tell(waiter, 'accepted', this.#observer);
    }
    this.#sendNext();
  }

  #sendNext(): void {
    if (this.#inFlight || this.#timer.isSoon) return;
    const next = this.#batches.first;
    if (next === undefined) {
      this.#drained?.();
      return;
    }
    const dueMs = next.openedMs + this.#limits.lingerMs - this.#clock.monotonicMs();
    if (dueMs <= 0 || this.#state !== 'open' || this.#batches.count > 1) this.#send();
    else if (next.waiting.some(({ waiter }) => waiter !== null)) {
      const { restMs } = this.#pace;
      if (restMs > 0) this.#timer.apart(restMs);
      else this.#send();
    } else if (!this.#timer.isLater) this.#timer.later(dueMs);
  }

  #onFailed(batch: Batch, sentMs: number, error: unknown): void {
    this.#inFlight = false;
    if (this.#batches.first !== batch) return; // closed meanwhile
    batch.failed = true;
    this.permits.noteAnew(); // a store that comes back may have lost what was noted
    this.#timer.cancel();
    if (this.#outage.begin(sentMs))
      this.#observer.health(error instanceof Error ? error : new Error(String(error)));
    this.#observer.resent(batch.lines.count);
    this.#timer.later(this.#outage.nextTryMs());
  }
}
