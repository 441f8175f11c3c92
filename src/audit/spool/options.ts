import type { Clock } from '../../clock.ts';
import type { AuditLog } from '../port.ts';
import type { SpoolFolder } from './folder.ts';

/** What an answer waits for: the store (the spool while it is away), the spool, or both. */
export type Durability = 'store' | 'local' | 'both';

/** Numbers of one instance that no store will ever hold. */
export interface LostEvents {
  readonly instance: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** `failover`: the store has lost what it had accepted. `spool-damaged`: this machine's disk. */
  readonly reason: 'failover' | 'spool-damaged';
}

/** What happened; for metrics and the log. Must not throw. */
export interface SpoolObserver {
  /** The store takes nothing: from now on events go to the spool. Called on the change only. */
  away(why: string): void;
  /** Everything that was in the spool is in the store. */
  back(): void;
  /** Events that were written to the spool. */
  spooled(count: number): void;
  /** Events that the store has got from the spool. */
  replayed(count: number): void;
  lost(lost: LostEvents): void;
  /** The spool cannot be opened; tried again when it is needed, and told once until it can be. */
  unopened(fault: unknown): void;
}

export interface SpoolingOptions {
  readonly store: AuditLog;
  readonly instance: string;
  readonly clock: Clock;
  readonly durability: Durability;
  /** Throws when it is not possible. */
  readonly openFolder: () => SpoolFolder;
  readonly observer: SpoolObserver;
  readonly limits?: Partial<typeof SPOOL_LIMITS>;
}

/** In milliseconds and bytes. */
export const SPOOL_LIMITS = {
  /** What one append to the store may take before its connection is cut. */
  deadlineMs: 300,
  /** What one write to the spool may take: below the second that a call waits for its record. */
  writeMs: 600,
  /** Between two tries of a store that is away: the first, and the longest. */
  minPauseMs: 25,
  maxPauseMs: 500,
  /** The longest rest of the replay after one batch. */
  maxRestMs: 50,
  /** With less than this to replay, an append waits for the end of it instead of adding to it. */
  nearBytes: 1024 * 1024,
  /** The store is asked what it holds when nothing was appended for so long; twice at most. */
  compareMs: 2500,
};
