import type { KnownKey } from '../../chain/ledger.ts';
import type { LeftOpen, WrittenOutcomes } from '../../permits/ledger.ts';
import type { PermitNotes } from '../../permits/notes.ts';

/**
 * What the main thread and the audit worker say to each other. Batches travel packed: one piece of
 * memory costs far less than many objects.
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
      readonly count: number;
      /** These three as in the port's `EventBatch`. */
      readonly lines: Uint8Array;
      readonly accounts: readonly string[];
      readonly marks: Uint8Array;
      readonly notes?: PermitNotes | undefined;
    }
  /** `account` null = the whole log. */
  | {
      readonly op: 'read';
      readonly account: string | null;
      readonly before: number | null;
      readonly limit: number;
      readonly sinceMs: number | null;
    }
  | {
      readonly op: 'search';
      readonly text: string;
      readonly sinceMs: number | null;
      readonly before: number | null;
    }
  /** Of permits without an outcome; the words of `PermitLedger`. */
  | { readonly op: 'silent' }
  | { readonly op: 'left'; readonly instance: string }
  | {
      readonly op: 'close-permits';
      readonly instance: string;
      readonly left: LeftOpen;
      readonly written: WrittenOutcomes | null;
      /** Outcomes, as in an append. */
      readonly count: number;
      readonly lines: Uint8Array;
      readonly accounts: readonly string[];
      readonly marks: Uint8Array;
    }
  | { readonly op: 'unvouched'; readonly voucher: string }
  | { readonly op: 'take-over'; readonly written: WrittenOutcomes; readonly voucher: string }
  | { readonly op: 'vouched'; readonly digest: string }
  | { readonly op: 'forget'; readonly instance: string }
  /** The words of `HeadLedger`. */
  | { readonly op: 'keep-head'; readonly instance: string; readonly line: string }
  | { readonly op: 'keep-key'; readonly key: KnownKey }
  | { readonly op: 'forget-heads'; readonly beforeMs: number }
  | { readonly op: 'signed' }
  /** Events after a number, oldest first. */
  | { readonly op: 'scan'; readonly after: number; readonly limit: number }
  /** Notices after a number, oldest first; null: none, but the number of the last one. */
  | { readonly op: 'notices'; readonly after: number | null; readonly limit: number }
  | { readonly op: 'size' }
  | { readonly op: 'oldest' }
  /** Deletes events; `anchor`: what is signed of it, null = nothing. Asked for by `due`. */
  | { readonly op: 'cut'; readonly beforeMs: number; readonly anchor: string | null }
  | { readonly op: 'close' };

export interface ReadAnswer {
  /** Newest first. */
  readonly events: readonly string[];
  /** The number of each. */
  readonly numbers: readonly number[];
  /** Number of the last one shown; null at the end. */
  readonly next: number | null;
}

export interface SearchAnswer {
  readonly events: readonly string[];
  readonly examined: number;
  /** Number before which to look on; null at the end. */
  readonly next: number | null;
  readonly backToMs: number;
}

export type WorkerAnswer =
  /** The file is open. */
  | { readonly id: 0; readonly ok: true }
  | {
      readonly id: number;
      readonly ok: true;
      readonly read?: ReadAnswer;
      readonly search?: SearchAnswer;
      readonly silent?: readonly string[];
      readonly left?: LeftOpen | null;
      readonly closed?: boolean;
      readonly unvouched?: readonly WrittenOutcomes[];
      readonly size?: number;
      readonly oldestMs?: number | null;
      readonly signed?: {
        readonly heads: readonly string[];
        readonly keys: readonly KnownKey[];
        readonly anchors: readonly string[];
      };
      /** Events are to be cut, those that were accepted before this, in ms since 1970. */
      readonly due?: number | null;
      /** So many have gone. */
      readonly gone?: number;
    }
  | { readonly id: number; readonly ok: false; readonly message: string };
