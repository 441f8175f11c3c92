/**
 * The audit log's ports. Events are serialised once, in event.ts, the only place that knows their fields; from there on they
 * travel as strings of JSON without line breaks.
 */

/** One serialised event on its way to the log. */
export interface LogEntry {
  /** JSON, one line. */
  readonly event: string;
  /** Account in whose activity log it appears; null = in none. */
  readonly account: string | null;
}

export interface AuditLog {
  /**
   * Appends a batch, in order. Resolves when the log has accepted it as a whole (embedded: committed with fsync; Redis: the
   * stream's script answered). `firstSeq` is the per-instance sequence number of the first entry: the log skips entries it
   * already holds, so a batch whose answer was lost can be sent again. Throws `AuditUnavailable`.
   */
  append(batch: { readonly instance: string; readonly firstSeq: number; readonly entries: readonly LogEntry[] }): Promise<void>;
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

/** What people read. Newest first; `before` is the opaque cursor of an earlier page, `next` null at the end. */
export interface AuditReader {
  /** Calls of one account. Administrative changes come from the registry (`RegistryStore.changes`). */
  activity(query: { readonly account: string; readonly before: string | null; readonly limit: number }): Promise<EventPage>;
  /** The whole log. */
  tail(query: { readonly before: string | null; readonly limit: number }): Promise<EventPage>;
  close(): Promise<void>;
}

export class AuditUnavailable extends Error {
  override readonly name = 'AuditUnavailable';
}

/** Whoever must know when its event is safe. Exactly one of the two is called, once. Must not throw. */
export interface AcceptanceWaiter {
  accepted(): void;
  /** Not accepted within the deadline, or no room to keep it. Never called before `record` has returned. */
  notAccepted(): void;
}

/** The recorder's end of the outbox: what the doors see. */
export interface Outbox {
  /**
   * Takes one event. `make` builds the serialised event from the sequence number that it is given (unique and consecutive per
   * instance). `waiter` null: nobody waits (buffered, outcomes). When the bounded queue is full the event is counted as lost and
   * the waiter told at once.
   */
  record(make: (seq: number) => string, account: string | null, waiter: AcceptanceWaiter | null): void;
  /** Whether events are being accepted: false after a failed append until one succeeds. For readiness. */
  readonly healthy: boolean;
  /** Writes out what is queued, within `deadlineMs`; then nothing more is taken. Answers how many events were left over. */
  close(deadlineMs: number): Promise<number>;
}
