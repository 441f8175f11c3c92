import type { PermitNotes } from './permits/notes.ts';

/** Events on their way to the log. */
export interface EventBatch {
  readonly instance: string;
  /** The first event's number; the others follow on, one by one. */
  readonly firstSeq: number;
  readonly count: number;
  /** The events in UTF-8, each ended by a line feed. */
  readonly lines: Buffer;
  /** Those in whose activity logs events of this batch appear, each once. */
  readonly accounts: readonly string[];
  /**
   * Two bytes for each event, the higher one first: n = it appears in the log of `accounts[n - 1]`,
   * 0 = in none.
   */
  readonly marks: Buffer;
  /** Of permits without an outcome, as of the last event: kept in the same step as the events. */
  readonly notes?: PermitNotes;
  /** Events before the first one are known to be lost: the log is to go on without them. */
  readonly afterLoss?: true;
}
