import type { EventBatch } from '../batch.ts';
import type { PermitLedger } from '../permits/ledger.ts';
import { type AuditLog, AuditUnavailable } from '../port.ts';
import { BoundedStore } from './bounded-store.ts';
import type { SpoolFolder } from './folder.ts';
import { lastSeqOf } from './merge.ts';
import { SPOOL_LIMITS, type SpoolingOptions } from './options.ts';
import { Replay } from './replay.ts';
import { Rewound, StoreLink } from './store-link.ts';
import { SegmentUnreadable } from './unreadable.ts';

/**
 * The audit log of an instance whose store may be away: what the store does not accept in time goes
 * to a folder of this machine, and from there to the store once it is back, in order.
 *
 * ```
 *   store   store ──fails──▶ spool, until the replay has caught up
 *   local   spool; replayed all the time
 *   both    spool and store together; the spool alone as above
 * ```
 *
 * The store skips numbers that it holds, so an append whose answer was lost can be made again. It
 * says when it lacks numbers that came before (`AuditGap`): it has lost what it had accepted. That
 * is sent again as far as the spool still has it; the rest is told as lost.
 *
 * Appends are made one at a time, as the outbox makes them.
 */
export class SpoolingLog implements AuditLog {
  readonly #options: SpoolingOptions;
  readonly #limits: typeof SPOOL_LIMITS;
  readonly #store: BoundedStore;
  readonly #link: StoreLink;
  readonly #replay: Replay;
  readonly #tick: NodeJS.Timeout;
  #folder: SpoolFolder | null = null;
  #isUnopened = false;
  /** Why the store takes nothing; null while it does. */
  #problem: string | null = null;
  #isAppending = false;
  #appends = 0;
  #appendsSeen = 0;
  #comparing: Promise<void> | null = null;

  constructor(options: SpoolingOptions) {
    this.#options = options;
    const { store, instance, clock, observer } = options;
    this.#limits = { ...SPOOL_LIMITS, ...options.limits };
    this.#store = new BoundedStore(store, this.#limits.deadlineMs);
    const folder = () => this.#folder;
    this.#link = new StoreLink({ store: this.#store, instance, clock, folder, observer });
    this.#replay = new Replay({
      link: this.#link,
      folder,
      observer,
      limits: this.#limits,
      failed: (fault) => this.#goAway(fault),
      done: () => this.#comeBack(),
    });
    this.#tick = setInterval(() => this.#onTick(), this.#limits.compareMs).unref();
    this.#open();
  }

  get permits(): PermitLedger | undefined {
    return this.#options.store.permits;
  }

  /** Why the store takes nothing; null while it does. */
  get problem(): string | null {
    return this.#problem;
  }

  /** On disk, of this instance. */
  get bytes(): number {
    return this.#folder?.bytes ?? 0;
  }

  /** Nothing is here that the store does not have. */
  get isEmpty(): boolean {
    return this.#folder?.isCaughtUp ?? true;
  }

  get strangersFull(): boolean {
    return this.#folder?.strangersFull ?? false;
  }

  holds(batch: EventBatch): boolean {
    return this.#store.holds(batch);
  }

  async append(batch: EventBatch): Promise<void> {
    if (this.#comparing !== null) await this.#comparing;
    this.#isAppending = true;
    this.#appends += 1;
    try {
      await this.#append(batch);
    } finally {
      this.#isAppending = false;
    }
  }

  /** The replay goes on for so long at most. @returns whether all is in the store */
  async drain(ms: number): Promise<boolean> {
    if (!this.isEmpty) this.#replay.start();
    await this.#replay.ended(ms);
    return this.isEmpty;
  }

  async close(): Promise<void> {
    clearInterval(this.#tick);
    await this.#replay.close();
    await this.#comparing;
    await this.#folder?.close();
    this.#folder = null;
  }

  async #append(batch: EventBatch): Promise<void> {
    const { durability } = this.#options;
    if (durability !== 'local' && this.#replay.isRunning && this.#replay.isNear)
      await this.#replay.ended(this.#limits.deadlineMs);
    if (this.#replay.isRunning || durability === 'local') {
      await this.#toSpool(batch);
      this.#replay.start();
    } else if (durability === 'both') await this.#toBoth(batch);
    else await this.#toStore(batch);
  }

  async #toStore(batch: EventBatch): Promise<void> {
    try {
      await this.#link.send(batch);
    } catch (fault) {
      this.#goAway(fault);
      await this.#toSpool(batch);
    }
  }

  async #toBoth(batch: EventBatch): Promise<void> {
    const [spooled, stored] = await Promise.allSettled([
      this.#toSpool(batch),
      this.#link.send(batch),
    ]);
    if (stored.status === 'rejected') this.#goAway(stored.reason);
    else if (spooled.status === 'fulfilled') this.#folder?.accepted(lastSeqOf(batch));
    if (spooled.status === 'rejected') throw spooled.reason;
  }

  /** A disk that hangs is not waited for: the outbox brings the same batch again. */
  async #toSpool(batch: EventBatch): Promise<void> {
    const folder = this.#folder ?? this.#open();
    if (folder === null) throw new AuditUnavailable('the spool cannot be opened');
    const { writeMs } = this.#limits;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new AuditUnavailable(`the spool was not written within ${writeMs} ms`)),
      writeMs,
    );
    const write = batch.count === 0 ? folder.probe() : folder.write(batch);
    try {
      await Promise.race([write, late.promise]);
    } finally {
      clearTimeout(timer);
    }
    this.#options.observer.spooled(batch.count);
  }

  /** Opened at the start; here again if that was not possible then. */
  #open(): SpoolFolder | null {
    try {
      this.#folder = this.#options.openFolder();
      this.#isUnopened = false;
    } catch (fault) {
      if (!this.#isUnopened) this.#options.observer.unopened(fault);
      this.#isUnopened = true;
    }
    return this.#folder;
  }

  #goAway(fault: unknown): void {
    const why = fault instanceof Error ? fault.message : String(fault);
    // What the store has lost is sent again at once, and a file is no store: it is not away.
    const isAway = !(fault instanceof Rewound || fault instanceof SegmentUnreadable);
    if (isAway && this.#problem === null) this.#options.observer.away(why);
    if (isAway || this.#problem !== null) this.#problem = why;
    this.#replay.start();
  }

  #comeBack(): void {
    if (this.#problem !== null) this.#options.observer.back();
    this.#problem = null;
    this.#folder?.accepted(0);
  }

  /** Where nothing was appended, nothing has told what the store still holds. */
  #onTick(): void {
    this.#folder?.trim();
    const isIdle = this.#appends === this.#appendsSeen && !this.#isAppending;
    this.#appendsSeen = this.#appends;
    if (!isIdle || this.#replay.isRunning || this.#comparing !== null) return;
    this.#comparing = this.#link
      .compare()
      .catch((fault: unknown) => this.#goAway(fault))
      .finally(() => {
        this.#comparing = null;
      });
  }
}
