/**
 * What the main thread and the audit worker say to each other. Batches travel packed: one string costs far less to copy than
 * many objects.
 */

export interface WorkerSettings {
  readonly path: string;
  readonly retentionDays: number;
  /** 0 = no limit. */
  readonly maxBytes: number;
  readonly activityPerAccount: number;
}

export type WorkerRequest =
  | {
      readonly op: 'append';
      readonly instance: string;
      readonly firstSeq: number;
      /** One event a line. */
      readonly events: string;
      /** The account of each event, one a line; empty = none. */
      readonly accounts: string;
    }
  /** `account` null = the whole log. */
  | { readonly op: 'read'; readonly account: string | null; readonly before: number | null; readonly limit: number }
  | { readonly op: 'close' };

export interface ReadAnswer {
  /** Newest first. */
  readonly events: readonly string[];
  /** The number of each. */
  readonly numbers: readonly number[];
  /** Number of the last one shown; null at the end. */
  readonly next: number | null;
}

export type WorkerAnswer =
  /** The file is open. */
  | { readonly id: 0; readonly ok: true }
  | { readonly id: number; readonly ok: true; readonly read?: ReadAnswer }
  | { readonly id: number; readonly ok: false; readonly message: string };
