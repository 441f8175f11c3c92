import type { Clock } from '../../clock.ts';
import type { FeedEvent, RegistrySource } from '../port.ts';
import type { Remembered } from '../revoked/file.ts';
import type { Timing } from '../timing.ts';
import type { WarmSnapshot } from '../warm/snapshot.ts';

/** Told about what happens, for logs and to act on it. Must not throw. */
export interface ReplicaObserver {
  /** The event is applied: from now on every answer reflects it. */
  onApplied?(event: FeedEvent): void;
  /** Everything was loaded anew: any account may be another than before. */
  onLoaded?(): void;
  /** The start was a warm one with so many accounts, or the snapshot could not be used, and why. */
  onWarm?(accounts: number, why: string | null): void;
  /**
   * Whether nothing is going on any more that what is applied forbids. Asked before that is
   * acknowledged; asked again when the answer is no.
   */
  settled?(): boolean | Promise<boolean>;
  /**
   * Whether everything that is open was judged by what is applied, as far as is known now. Only
   * then does a renewed lease cover it.
   */
  judged?(): boolean;
  /**
   * The lease has ended under which what is open was permitted: whatever needs an account ends now.
   * It comes later than `onLost`, or without it.
   */
  onLapsed?(): void;
  /** Everything learned was dropped; it is being loaded again. */
  onLost?(why: string): void;
  /**
   * The store has lost changes: so many accounts are now known to be revoked although it did not
   * say so.
   */
  onRevived?(accounts: number): void;
  /** The store has renewed the lease: what failed before is well again. */
  onRenewed?(): void;
  /** A step failed and will be repeated. */
  onFault?(step: 'load' | 'renew' | 'lookup' | 'acknowledge' | 'assert', fault: Error): void;
}

export interface ReplicaOptions {
  readonly source: RegistrySource;
  readonly clock: Clock;
  /** Name + random incarnation: the lease is registered under it. */
  readonly instance: string;
  readonly leaseMs: number;
  /** Accounts kept in memory at most. */
  readonly maxAccounts: number;
  /** Ids without an account that are remembered at most. Default 10,000. */
  readonly maxNegatives?: number;
  /** Look-ups that may be under way at once; beyond, the answer is `unavailable`. Default 1,000. */
  readonly maxLookups?: number;
  /** Of the program, for who looks at the list of instances. */
  readonly version?: string;
  /**
   * What was cached when the instance last ended. It is brought up to date before any of it counts,
   * and used for the first load only.
   */
  readonly warm?: WarmSnapshot | null;
  /** What the last run of the instance has seen revoked, and how far it had come. */
  readonly remembered?: Remembered | null;
  readonly observer?: ReplicaObserver;
  readonly timing?: Timing;
}

export interface ReplicaStatus {
  readonly ready: boolean;
  /** Why not; null when ready. */
  readonly why: string | null;
  /** Changes that the store has made, as far as we know, and that are not applied here. */
  readonly lagSeq: number;
  readonly leaseRemainingMs: number;
  readonly cachedAccounts: number;
  /** Roles in the store that cannot be read; they allow nothing. */
  readonly damagedRoles: readonly string[];
}

/** Answers given so far. Plain numbers, read by whoever exposes metrics. */
export interface LookupCounts {
  hit: number;
  negative: number;
  miss: number;
  unavailable: number;
}
