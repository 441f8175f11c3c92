import type { EventBatch } from './batch.ts';
import type { HeadLedger, KnownKey } from './chain/ledger.ts';
import type { CutWitness } from './chain/witness.ts';
import type { WriteEvent } from './event/bytes.ts';
import type { PermitLedger } from './permits/ledger.ts';
import type { OpenPermits } from './permits/open-permits.ts';

/**
 * The audit log's ports. Events are serialised once, in event.ts, the only place that knows their
 * fields; from there on they travel as lines of JSON, many in one piece of memory (lines.ts).
 */

export interface AuditLog {
  /**
   * Appends a batch, in order. Resolves when the log has accepted it as a whole (embedded:
   * committed with fsync; Redis: the stream's script answered). The log skips events whose numbers
   * it already holds, so a batch whose answer was lost can be sent again. Throws
   * `AuditUnavailable`.
   *
   * When it resolves, nobody reads the batch's bytes any more (but see `holds`): the caller may
   * write others in their place. When it throws, something may still read them (a command that lies
   * in a socket), so they must stay as they are.
   */
  append(batch: EventBatch): Promise<void>;
  /** What is known of permits without an outcome; absent where notes are not kept. */
  readonly permits?: PermitLedger | undefined;
  /** Signed heads, beside the record; absent where none are kept. */
  readonly heads?: HeadLedger | undefined;
  /** From now on what retention cuts is signed before, and told after; until then neither. */
  witnessCuts?(witness: CutWitness): void;
  /**
   * The number of the last event that is held of an instance; 0 = none. Absent where nobody else
   * could have written it. Throws `AuditUnavailable`.
   */
  held?(instance: string): Promise<number>;
  /**
   * How long that number is kept at least of an instance that is gone, in ms: no shorter than its
   * events are. Absent: without end.
   */
  readonly remembersMs?: number;
  /** Gives up what is under way: it fails at once, and the store may or may not have it. */
  cut?(): void;
  /** Something may still read the bytes of a batch although `append` has resolved. */
  holds?(batch: EventBatch): boolean;
  /**
   * For how long the oldest accepted event has been waiting that its account's activity log lacks,
   * in ms; 0 = none does. Absent where one step writes both.
   */
  readonly activityLagMs?: number;
  /** There is no room for events without an account, while there may be for others. */
  readonly strangersFull?: boolean;
  close(): Promise<void>;
}

/** One page of what was recorded, newest first. */
export interface EventPage {
  readonly events: readonly string[];
  /** For each event the cursor of the page that begins right after it (with the next older one). */
  readonly cursors: readonly string[];
  /** Cursor of the next page; null at the end. */
  readonly next: string | null;
}

/** What a look for a text found in the piece of the log that it has read. */
export interface SearchPage {
  /** Newest first for each instance; those of different instances in no order. */
  readonly events: readonly string[];
  /** How many events were looked at. */
  readonly examined: number;
  /** Where to look on; null at the end. */
  readonly next: string | null;
  /**
   * All that the log has accepted since was looked at by now, in ms since 1970 by its clock; at the
   * end: all that is held and of interest.
   */
  readonly backToMs: number;
}

/**
 * What people read. Newest first; `before` is the opaque cursor of an earlier page, `next` null at
 * the end.
 */
export interface AuditReader {
  /**
   * Calls of one account. Administrative changes come from the registry (`RegistryStore.changes`).
   */
  activity(query: {
    readonly account: string;
    readonly before: string | null;
    readonly limit: number;
  }): Promise<EventPage>;
  /**
   * The whole log.
   *
   * @param query.sinceMs what the log has accepted before that is left out: time of the store, in
   * milliseconds since 1970; absent or null: nothing is
   */
  tail(query: {
    readonly before: string | null;
    readonly limit: number;
    readonly sinceMs?: number | null;
  }): Promise<EventPage>;
  /**
   * Events whose lines hold a text, looked for in the next piece of the log from its newest end.
   * Costs little for each piece, so that neither the store nor this process is held up.
   */
  search(query: {
    readonly text: string;
    /** As in `tail`. */
    readonly sinceMs: number | null;
    readonly before: string | null;
  }): Promise<SearchPage>;
  /**
   * The next notices behind a place of their log, oldest first, at most `limit`; null: none, but
   * where they end. A place beyond the end counts as the end.
   */
  noticesAfter(
    after: string | null,
    limit: number,
  ): Promise<{
    /** `at`: the place behind it. */
    readonly items: readonly { readonly at: string; readonly event: string }[];
    /** The place behind all that there is, as far as none was left out. */
    readonly end: string;
  }>;
  /** When the oldest event that is held was accepted, in ms since 1970; null: none is held. */
  oldestMs(): Promise<number | null>;
  /** The whole log, oldest first. */
  readonly record: AuditScan;
  /**
   * Makes activity logs anew from the record, while both are written. Absent where the record
   * itself is read instead. Throws `AuditUnavailable`.
   */
  reindex?(query: ReindexQuery): Promise<Reindexed>;
  close(): Promise<void>;
}

export interface ReindexQuery {
  /** Id of the account whose log is made anew; null = of every account. */
  readonly account: string | null;
  /** Told how many events were read, and about how many there are. */
  readonly progress: (done: number, of: number) => void;
}

/** What was made anew. */
export interface Reindexed {
  /** Whose log. */
  readonly accounts: number;
  /** Events of theirs that the record holds. Each log has the newest of them, as many as it may. */
  readonly events: number;
}

/** Everything that is recorded, in the order in which it is stored, and what lies beside it. */
export interface AuditScan {
  /**
   * The events after a place, `limit` at most; of one instance all in their order. Throws
   * `AuditUnavailable`, and `RangeError` for a place that this log did not give out.
   */
  scan(query: { readonly after: string | null; readonly limit: number }): Promise<ScanPage>;
  /** How many events there are, about. */
  size(): Promise<number>;
  /** Signed heads, each as its event, and the keys that are registered. */
  heads(): Promise<readonly string[]>;
  keys(): Promise<readonly KnownKey[]>;
  /** What instances have signed of what retention cuts (`Anchor` as JSON): of each the newest. */
  anchors(): Promise<readonly string[]>;
}

export interface ScanPage {
  readonly events: readonly string[];
  readonly next: string;
  /** That was all for now: `next` is where it goes on. */
  readonly isEnd: boolean;
}

export class AuditUnavailable extends Error {
  override readonly name: string = 'AuditUnavailable';
  /** To be expected of a store: a log says what it is, and not where in the program. */
  readonly isOutage = true;
}

/**
 * Nothing was appended: the log lacks events before the batch that it had accepted. Sent with
 * `afterLoss`, the batch is appended nevertheless.
 */
export class AuditGap extends AuditUnavailable {
  override readonly name = 'AuditGap';
  /** The number of the last event that it holds; 0 = none. */
  readonly last: number;

  constructor(last: number) {
    super(`the audit log has lost what followed event ${last}`);
    this.last = last;
  }
}

/**
 * Whoever must know when its event is safe. Exactly one of the two is called, once. Must not throw.
 */
export interface AcceptanceWaiter {
  accepted(): void;
  /**
   * Not accepted within the deadline, or no room to keep it. Never called before `record` has
   * returned.
   */
  notAccepted(): void;
}

/**
 * What became of an event. `late`: it is kept, but the log has been away for so long that its
 * waiter is told at once that it waits in vain. `no-room`: it will never be recorded.
 */
export type Taken = 'kept' | 'late' | 'no-room';

/** The recorder's end of the outbox: what the doors see. */
export interface Outbox {
  /**
   * Takes one event, and has it written where it lies until it is sent. `waiter` null: nobody waits
   * (buffered). When the bounded queue is full nothing is taken, and the waiter is told.
   *
   * @param account in whose activity log the event appears; null = in none
   */
  write<Facts>(
    write: WriteEvent<Facts>,
    facts: Facts,
    account: string | null,
    waiter: AcceptanceWaiter | null,
  ): Taken;
  /**
   * Takes an event that says how something ended whose beginning `write` or `record` has taken.
   * There is room for it however full the queue is: at most one follows each event that was taken.
   */
  writeEnd<Facts>(write: WriteEvent<Facts>, facts: Facts, account: string | null): void;
  /** `write` for events that are rare: `make` answers the whole event, made from its number. */
  record(
    make: (seq: number) => string,
    account: string | null,
    waiter: AcceptanceWaiter | null,
  ): Taken;
  /** Likewise, for `writeEnd`. */
  recordEnd(make: (seq: number) => string, account: string | null): void;
  /** Those whose decision was taken and whose end was not; kept by whoever records the two. */
  readonly permits: OpenPermits;
  /** Nothing is taken but ends. */
  readonly full: boolean;
  /**
   * Whether events are being accepted: false after a failed append until one succeeds. For
   * readiness.
   */
  readonly healthy: boolean;
  /**
   * Writes out what is queued, within `deadlineMs`; then nothing more is taken. Answers how many
   * events were left over.
   */
  close(deadlineMs: number): Promise<number>;
}
