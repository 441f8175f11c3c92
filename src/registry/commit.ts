import type { Account, Role, Team } from '../account/model.ts';
import type { Member } from './members.ts';

export type RecordKind = 'account' | 'role' | 'team';

/**
 * One record after a change; `record: null` = deleted. Records carry `version` = the change's seq.
 */
export type RecordChange =
  | { readonly kind: 'account'; readonly key: string; readonly record: Account | null }
  | { readonly kind: 'role'; readonly key: string; readonly record: Role | null }
  | { readonly kind: 'team'; readonly key: string; readonly record: Team | null };

/** One atomic administrative change: applied as a whole when every expectation holds. */
export interface Commit {
  /**
   * Records that the change was computed from, with the version that was read; 0 = must not exist.
   */
  readonly expects: readonly {
    readonly kind: RecordKind;
    readonly key: string;
    readonly version: number;
  }[];
  /**
   * What is written (`record.version` is set to the new seq by the store) or deleted. None: the
   * event alone, as a change of its own.
   */
  readonly changes: readonly RecordChange[];
  /**
   * Unique names: `name:billing` -> owner key, `application:CRM` -> team. Taking a claim that
   * another owner holds is a conflict.
   */
  readonly claims: {
    readonly take: readonly { readonly claim: string; readonly owner: string }[];
    readonly drop: readonly string[];
  };
  /** Who uses what: `role:deployer` used by `account:ID`. */
  readonly references: {
    readonly add: readonly { readonly target: string; readonly user: string }[];
    readonly remove: readonly { readonly target: string; readonly user: string }[];
  };
  /** How many used a target when it was read; another number is a conflict of versions. */
  readonly users?: readonly { readonly target: string; readonly count: number }[];
  /** Targets that nobody may be using after the change (deletion). */
  readonly unreferenced: readonly string[];
  /**
   * Accounts that are activated by somebody who saw that they were not active: takes back a
   * tombstone's `inactive`.
   */
  readonly activates?: readonly string[];
  /** Accounts that are revived by somebody who was told what is known against them. */
  readonly revives?: readonly string[];
  /**
   * The state of the tombstones (`StoreState.tombstones`) under which the roles and teams were read
   * that this was computed from: another one by now is a conflict of versions. A change of a role
   * or team that has a tombstone must say it, and takes the tombstone away.
   */
  readonly underTombstones?: number;
  /**
   * The `change` audit event, serialised (audit/event/call-event.ts), and the accounts in whose
   * activity log it appears.
   */
  readonly audit: ChangeRecord;
  /** Where several changes are made in one step: the events of the others. */
  readonly moreAudit?: readonly ChangeRecord[];
  /** Of the changes that wait for approval: which come, and which go, in the same step. */
  readonly waiting?: WaitingEdit;
}

/** A change that waits for approval, as it is stored. */
export interface StoredWaiting {
  readonly id: string;
  readonly text: string;
}

export interface WaitingEdit {
  readonly put: readonly StoredWaiting[];
  /** Ids. One that is not there is a conflict of versions: somebody else has settled it. */
  readonly drop: readonly string[];
  /** As many may wait after it; more is a conflict of versions. */
  readonly atMost: number;
  /** Of those whose text holds this, as many; absent: they are not told apart. */
  readonly each?: { readonly holds: string; readonly atMost: number };
}

/** A serialised `change` event, and the accounts in whose activity log it appears. */
export interface ChangeRecord {
  readonly event: string;
  readonly accounts: readonly string[];
}

export type CommitResult =
  | Committed
  /** A record changed since it was read: read again and retry. */
  | { readonly committed: false; readonly conflict: 'version'; readonly key: string }
  /** The claim is held by another owner. */
  | { readonly committed: false; readonly conflict: 'claim'; readonly key: string }
  /** The target is still in use; `count` users. */
  | {
      readonly committed: false;
      readonly conflict: 'referenced';
      readonly key: string;
      readonly count: number;
    };

/**
 * A change that was made, and who was there to take notice when it was: both read in the same step.
 */
export interface Committed {
  readonly committed: true;
  readonly seq: number;
  readonly epoch: string;
  /** See `Position`. */
  readonly tip?: string;
  readonly members: readonly Member[];
  /** As many replicas have the change as `registry.minReplicaAcks` asks for. */
  readonly replicated: boolean;
}
