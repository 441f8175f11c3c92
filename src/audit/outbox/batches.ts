import type { Clock } from '../../clock.ts';
import type { EventBatch } from '../batch.ts';
import { ChainHash, NO_CHAIN } from '../chain/hash.ts';
import type { EventBytes, WriteEvent } from '../event/bytes.ts';
import type { PermitNotes } from '../permits/notes.ts';
import type { OpenPermits } from '../permits/open-permits.ts';
import { type EventLines, SpareLines } from './lines.ts';
import type { OutboxLimits, Pending } from './options.ts';

const NO_NOTES: PermitNotes = { anew: false, text: '' };

export interface Batch {
  readonly firstSeq: number;
  readonly openedMs: number;
  readonly lines: EventLines;
  /** What is noted with it; null as long as events are added. */
  notes: PermitNotes | null;
  /** Those who wait for events of this batch. */
  readonly waiting: Pending[];
  /**
   * As it was sent. From then on nothing is added: a resend must carry the same bytes under the
   * same numbers.
   */
  sent: EventBatch | null;
  /** The log has thrown: it may still read the bytes when a later try has been accepted. */
  failed: boolean;
}

/** The events of an outbox, numbered and put into batches in the order in which they were taken. */
export class Batches {
  readonly #instance: string;
  readonly #clock: Clock;
  readonly #limits: Pick<OutboxLimits, 'batchEvents' | 'batchBytes'>;
  readonly #permits: OpenPermits;
  readonly #chain: ChainHash | null;
  readonly #spare = new SpareLines();
  /** Oldest first; the first may be in flight. */
  readonly #batches: Batch[] = [];
  /** The last of them while it is being filled; null once it was sent. */
  #tail: Batch | null = null;
  #nextSeq = 1;
  /** Events, and bytes of events, that are in batches. */
  events = 0;
  bytes = 0;
  /** Events since the last one that carries the chain whenever it is recorded. */
  unsigned = 0;
  #unsignedAtMost = Number.POSITIVE_INFINITY;
  #onUnsigned: () => void = () => {};

  /** @param chain what the first event carries of the chain; absent: none carries any */
  constructor(
    instance: string,
    clock: Clock,
    limits: Pick<OutboxLimits, 'batchEvents' | 'batchBytes'>,
    permits: OpenPermits,
    chain: string | undefined,
  ) {
    this.#instance = instance;
    this.#clock = clock;
    this.#limits = limits;
    this.#permits = permits;
    this.#chain = chain === undefined ? null : new ChainHash(chain);
  }

  get first(): Batch | undefined {
    return this.#batches[0];
  }

  get count(): number {
    return this.#batches.length;
  }

  /** Calls soon after so many events were taken since the last link. */
  onUnsigned(events: number, call: () => void): void {
    this.#unsignedAtMost = events;
    this.#onUnsigned = call;
  }

  /** @returns the batch that the event is in */
  append<Facts>(write: WriteEvent<Facts>, facts: Facts, account: string | null): Batch {
    const batch = this.#filling();
    const chain = batch.lines.count === 0 ? this.#chainDue() : null;
    this.#add(batch, write, facts, account, chain);
    if (chain !== null) this.#chain?.linked();
    return batch;
  }

  /** What it carries stands for all events before it, so these are in batches that take no more. */
  appendLink(make: (seq: number, chain: string) => string): Batch {
    if (this.#tail !== null && this.#tail.lines.count > 0) this.begin();
    const chain = this.#chain?.value() ?? NO_CHAIN;
    const batch = this.#filling();
    this.#add(batch, writeMade, (seq: number) => make(seq, chain), null, null);
    this.#chain?.linked();
    this.unsigned = 0;
    return batch;
  }

  /** The next events are in a batch of their own. */
  begin(): Batch {
    if (this.#tail !== null) this.#seal(this.#tail);
    const batch: Batch = {
      firstSeq: this.#nextSeq,
      openedMs: this.#clock.monotonicMs(),
      lines: this.#spare.take(),
      waiting: [],
      notes: null,
      sent: null,
      failed: false,
    };
    this.#batches.push(batch);
    this.#tail = batch;
    return batch;
  }

  /** As the log gets it, however often. Nothing is added to it any more. */
  toSend(batch: Batch): EventBatch {
    batch.sent ??= {
      ...batch.lines.batch(this.#instance, batch.firstSeq),
      notes: this.#seal(batch),
    };
    return batch.sent;
  }

  /**
   * The log has the first one.
   *
   * @param isRead somebody may still read its bytes
   * @returns how many events were in it
   */
  accepted(batch: Batch, isRead: boolean): number {
    this.#batches.shift();
    const { count, size } = batch.lines;
    this.events -= count;
    this.bytes -= size;
    if (!isRead) this.#spare.giveBack(batch.lines);
    return count;
  }

  /** What is left is no longer ours. @returns how many events that is */
  abandon(): number {
    const left = this.events;
    this.#batches.length = 0;
    this.#tail = null;
    this.events = 0;
    this.bytes = 0;
    return left;
  }

  /** The batch that is being filled. */
  #filling(): Batch {
    const tail = this.#tail;
    return tail === null || this.#isFull(tail) ? this.begin() : tail;
  }

  #isFull({ lines }: Batch): boolean {
    return lines.count >= this.#limits.batchEvents || lines.size >= this.#limits.batchBytes;
  }

  /** What the first event of a batch is to carry. */
  #chainDue(): string | null {
    if (this.unsigned >= this.#unsignedAtMost) setImmediate(this.#onUnsigned);
    return this.#chain?.due() ?? null;
  }

  #add<Facts>(
    batch: Batch,
    write: WriteEvent<Facts>,
    facts: Facts,
    account: string | null,
    chain: string | null,
  ): void {
    const seq = this.#nextSeq;
    const before = batch.lines.size;
    batch.lines.add(write, seq, facts, account, chain);
    // The number is taken only once the event exists: a fault in `write` leaves no hole.
    this.#nextSeq = seq + 1;
    this.bytes += batch.lines.size - before;
    this.events += 1;
    this.unsigned += 1;
  }

  /** Nothing is added to it any more: what is noted of permits is as of its last event. */
  #seal(batch: Batch): PermitNotes {
    if (batch.notes === null) {
      // The store keeps notes with events alone: those of an empty batch go with the next one.
      batch.notes = batch.lines.count === 0 ? NO_NOTES : this.#permits.seal();
      this.#chain?.add(batch.lines.written(), batch.lines.count);
    }
    if (this.#tail === batch) this.#tail = null;
    return batch.notes;
  }
}

/** An event that its caller makes as a whole. */
export function writeMade(to: EventBytes, seq: number, make: (seq: number) => string): void {
  to.json(make(seq));
}
