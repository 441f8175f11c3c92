import type { Account, Role, Team, TokenUse } from '../account/model.ts';
import type { ListPage, ListQuery } from './listing/query.ts';

/**
 * The registry's two ports. `RegistrySource` is all that an instance needs to answer calls (an
 * instance without an admin listener holds no more rights than these); `RegistryStore` adds what
 * administration needs.
 *
 * Rules that every implementation keeps (the contract suite in test/contract/registry.ts runs them
 * on each):
 * - The sequence number `seq` grows by exactly one per committed change. The change, its feed entry
 *   and its audit record are written in one
 *   atomic step: all or nothing.
 * - A read that cannot be made throws `RegistryUnavailable`. It never answers "absent" for "don't
 *   know".
 * - `epoch` names one history of the registry: another epoch means that nothing learned before
 *   counts.
 */

/** Where a reader stands in the registry's history. */
export interface Position {
  readonly epoch: string;
  readonly seq: number;
  /**
   * Names the change at `seq` itself: a random word, chained through the feed. Two stores that went
   * on separately after a failover agree on epoch and number and differ here. Absent where there is
   * nothing to tell apart (a store that lives in one file).
   */
  readonly tip?: string;
}

/**
 * What else a store says about itself where changes can be lost: the number of the present state of
 * its tombstones.
 */
export interface StoreState extends Position {
  readonly tombstones?: number;
}

export type RecordKind = 'account' | 'role' | 'team';

/**
 * One record after a change; `record: null` = deleted. Records carry `version` = the change's seq.
 */
export type RecordChange =
  | { readonly kind: 'account'; readonly key: string; readonly record: Account | null }
  | { readonly kind: 'role'; readonly key: string; readonly record: Role | null }
  | { readonly kind: 'team'; readonly key: string; readonly record: Team | null };

/** One entry of the change feed. */
export interface FeedEvent {
  readonly seq: number;
  readonly changes: readonly RecordChange[];
  /** Tip of the position that this change was made on, and its own. */
  readonly prev?: string;
  readonly tip?: string;
}

/**
 * Roles and teams: few, and all of them are held by every instance. Read in one atomic step with
 * the position.
 */
export interface PolicySnapshot extends StoreState {
  readonly roles: readonly Role[];
  readonly teams: readonly Team[];
  /**
   * Roles that are there and cannot be read. They are not in `roles`, so they allow nothing;
   * whoever operates must know.
   */
  readonly damagedRoles: readonly string[];
}

export interface FeedListener {
  /** In order, without gaps, beginning with `from.seq + 1`. */
  onEvents(events: readonly FeedEvent[]): void;
  /**
   * The feed cannot go on from where the reader stands (gap, trimmed, lower seq, other epoch,
   * unreadable event): drop everything and reload.
   */
  onLost(why: string): void;
}

export interface Subscription {
  close(): Promise<void>;
}

export interface LeaseRequest {
  /** The instance's id: name + random incarnation. */
  readonly instance: string;
  readonly leaseMs: number;
  /** Version of the program, for `sallyport instances`. */
  readonly version?: string;
}

/**
 * What an instance knows of a record that it has seen change. A store that has lost the change
 * (failover) is told, and everyone who reads the record from it is told with it.
 */
export type Tombstone = AccountTombstone | PolicyTombstone;

/**
 * What was revoked of an account: `deleted` and `digests` for good, `inactive` and `rights` until
 * somebody who saw it activates the account; all of it until an import is told to revive the
 * account.
 */
export interface AccountTombstone {
  readonly account: string;
  /**
   * Digest -> the moment (ms since the epoch, wall clock) from which it counts for nothing; 0 =
   * since ever.
   */
  readonly digests: Readonly<Record<string, number>>;
  readonly deleted: boolean;
  readonly inactive: boolean;
  /**
   * What the account was last seen to be allowed (`rightsOf`). While its record says otherwise, a
   * lowering may be lost, and the account is inactive until somebody who saw that activates it.
   * `*`: instances have seen different things. Absent: nothing is held against it.
   */
  readonly rights?: string;
  /**
   * As of which change of this registry that was known; 0: in an earlier registry. A record that
   * was revived then or later (`Account.revived`) is not held to it. Absent: every record is.
   */
  readonly seq?: number;
}

/** `role:deployer`, `team:billing`. */
export type PolicyLabel = `${'role' | 'team'}:${string}`;

/**
 * What instances have last seen of a role or team. Until it is changed by somebody who saw that, a
 * role allows only what all of them have seen it allow, and of a team everything is in doubt in
 * which they, and its record, differ (`Role.inDoubt`, `Team.inDoubt`).
 */
export interface PolicyTombstone {
  readonly policy: PolicyLabel;
  /**
   * Permissions or applications, sorted, as each instance has last seen them; none twice. An empty
   * one: there were none, or the record was deleted.
   */
  readonly seen: readonly (readonly string[])[];
  /** As in `AccountTombstone`. */
  readonly seq?: number;
}

export interface RegistrySource {
  /**
   * The id of the registry that is there, whether or not it is the one that was served; null =
   * none.
   */
  identify(): Promise<string | null>;
  /** Throws `RegistryUnavailable` also when there is no registry yet (`why: 'empty'`). */
  snapshot(): Promise<PolicySnapshot>;
  /** The account by id, with the position at which it was read; `account: null` = there is none. */
  account(id: string): Promise<Position & { readonly account: Account | null }>;
  /**
   * The fenced write that proves that the store which answers is the one that accepts changes (a
   * replica or an isolated primary with `min-replicas-to-write` refuses it), together with the
   * position read after it. The instance is in the list of members from before that reading until
   * it is released or forgotten (`RegistryStore.forget`): a change that is not in the answer knows
   * whom to wait for.
   */
  renew(request: LeaseRequest): Promise<StoreState>;
  /** Forgets the instance's lease and membership: a clean goodbye. */
  release(instance: string): Promise<void>;
  /**
   * Tells that the instance has applied everything up to a position, and cut off whom that shut
   * out. Kept for `keepMs`.
   */
  acknowledge(instance: string, applied: Position, keepMs: number): Promise<void>;
  /**
   * Tells a store that has lost changes what was revoked by them. Merged with what it has been told
   * by others.
   */
  assert(tombstones: readonly Tombstone[]): Promise<void>;
  /** Notes last uses, in the background and best effort. */
  recordUses(uses: readonly TokenUse[]): Promise<void>;
  /**
   * Follows the change feed from a position on. Reconnects by itself; what it missed it catches up
   * or reports as lost.
   */
  follow(from: Position, listener: FeedListener): Subscription;
  /**
   * Events after a position, read once over the ordinary connection: for a reader whose feed lags
   * behind its lease. Throws `FeedLost` when they are no longer there.
   */
  eventsAfter(from: Position): Promise<readonly FeedEvent[]>;
  close(): Promise<void>;
}

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

/** An instance that may answer from its cache: it was not released and not forgotten. */
export interface Member {
  readonly instance: string;
  readonly leaseMs: number;
}

export interface InstanceProgress {
  readonly instance: string;
  /**
   * False: it has said goodbye or was forgotten, so it answers nothing until it has caught up. No
   * clock of the store decides this.
   */
  readonly registered: boolean;
  /**
   * Names its last renewal; opaque, another one with every renewal. Null: the store does not know
   * of any.
   */
  readonly renewal: string | null;
  /** What it has applied and acted on; null when it has not said. */
  readonly applied: Position | null;
}

export interface InstanceStatus extends InstanceProgress {
  readonly leaseMs: number;
  /**
   * Until its lease ends on the store's clock, if it is not renewed; 0: it has. To be shown, not to
   * be relied on.
   */
  readonly leaseRemainingMs: number;
  readonly version: string;
}

/**
 * Whether two stores could take changes and renew leases at once, and what that adds to the time
 * until a revocation is certain.
 */
export interface Assurance {
  readonly assurance: 'proven' | 'topology-dependent';
  readonly marginMs: number;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Opaque; null = that was all. */
  readonly next: string | null;
}

/** Which event of the history of changes one is. */
export interface ChangePlace {
  /** Of the change, from 1 on, each one more than the one before. */
  readonly number: number;
  /** A change may have several events: which of them, from 1 on, and how many there are. */
  readonly part: number;
  readonly of: number;
}

export interface ChangePage extends Page<string> {
  /** Of each event; null: a version that did not number them has recorded it. */
  readonly places: readonly (ChangePlace | null)[];
  /** The number of the newest change that was made, as of this page; 0: none. */
  readonly newest: number;
  /** For each event the cursor of the page that begins right after it (with the next older one). */
  readonly cursors: readonly string[];
}

export interface AccountPage extends Page<Account> {
  /** Ids of accounts on this page whose record cannot be read. */
  readonly damaged: readonly string[];
}

/**
 * What a store keeps beside the records: which accounts there are, who holds a claim, who (`value`)
 * uses a target (`key`), and how many of a kind there should be.
 */
export type Stored =
  | { readonly kind: 'account'; readonly key: string }
  | { readonly kind: 'claim'; readonly key: string; readonly value: string }
  | { readonly kind: 'reference'; readonly key: string; readonly value: string }
  | {
      readonly kind: 'count';
      readonly key: 'accounts' | 'roles' | 'teams' | 'claims';
      readonly value: number;
    };

export interface RegistryStore extends RegistrySource {
  /**
   * Writes epoch and first records into an empty store; does nothing if there is a registry.
   * Answers whether it wrote. The epoch is the registry's id. Only an explicit act may call this:
   * a store that was emptied would become an empty registry, in which nobody is known.
   *
   * @param recorded the change event, written in the same step, for the id that it gets
   */
  initialise(roles: readonly Role[], recorded?: (id: string) => ChangeRecord): Promise<boolean>;
  /** Throws `RegistryUnavailable` (`forbidden`) when the registry may not be changed from here. */
  assertWritable(): Promise<void>;
  commit(commit: Commit): Promise<CommitResult>;
  /** How far each of these instances has come, all at one moment. */
  progress(instances: readonly string[]): Promise<readonly InstanceProgress[]>;
  /** Whether the store still has a change that it has made: a failover can lose it. */
  holds(change: Position): Promise<boolean>;
  /**
   * Takes an instance off the list of members, for whoever has seen by a clock of its own that its
   * lease is over (`SilentMembers`). False, and nothing is done: it has renewed since `renewal`.
   */
  forget(instance: string, renewal: string | null): Promise<boolean>;
  /** Every member, with the position that it is compared with. */
  instances(): Promise<{ readonly position: Position; readonly items: readonly InstanceStatus[] }>;
  assurance(): Promise<Assurance>;
  /** The last use of each token of an account that is known. */
  uses(account: string): Promise<readonly TokenUse[]>;
  accountByName(name: string): Promise<Account | null>;
  /** What instances have told about these accounts (by id), roles and teams, where they have. */
  tombstones(of: readonly string[]): Promise<readonly Tombstone[]>;
  /**
   * All of it, in slices, to be compared with the records; counts last. `targets`: whose users are
   * told.
   */
  inspect(targets: readonly string[]): AsyncIterable<Stored>;
  /**
   * In a stable order; each account that exists throughout is listed exactly once, as item or as
   * damaged. `limit` 1 to 500.
   */
  accounts(query: { readonly cursor: string | null; readonly limit: number }): Promise<AccountPage>;
  /**
   * One page of a list of accounts, in order, with the number of all. Each account that is in the
   * list throughout, and whose place in the order stays, is on exactly one of its pages. Throws
   * `BadCursor`; `RegistryUnavailable` (`refused`) while the lists are being made.
   */
  list(query: ListQuery): Promise<ListPage>;
  /**
   * Brings what the lists are made from up to date, in slices, while `goesOn`. For the background:
   * `list` does the same and waits.
   */
  tendLists(goesOn: () => boolean): Promise<void>;
  /** How many accounts use each of these roles and teams (`role:deployer`). */
  useCounts(targets: readonly string[]): Promise<readonly number[]>;
  /** The users of a target (`role:deployer`), at most `limit`. */
  referencesTo(target: string, limit: number): Promise<readonly string[]>;
  /**
   * `change` audit events, newest first (`account: null` = of the whole registry). `before` is the
   * cursor of an earlier page.
   */
  changes(query: {
    readonly account: string | null;
    readonly before: string | null;
    readonly limit: number;
  }): Promise<ChangePage>;
}

/** The registry cannot be read or written now. Never to be taken for "there is no such account". */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
  /** To be expected of a store: a log says what it is, and not where in the program. */
  readonly isOutage = true;
  /**
   * `unreachable` (connection, timeout) · `refused` (the server answered that it can't now:
   * LOADING, READONLY, OOM, …) · `forbidden` (credentials or rights) · `empty` (no registry there,
   * and none was ever served) · `foreign` (another registry than the one that was served, or none)
   * · `damaged` (a record that can't be read)
   */
  readonly why: 'unreachable' | 'refused' | 'forbidden' | 'empty' | 'foreign' | 'damaged';

  constructor(why: RegistryUnavailable['why'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.why = why;
  }
}

/** The feed no longer holds what the reader would need to go on from its position. */
export class FeedLost extends Error {
  override readonly name = 'FeedLost';
  /**
   * The store's history is not the one that the reader knows: changes that the reader has applied
   * are lost.
   */
  readonly forked: boolean;

  constructor(message: string, { forked = false } = {}) {
    super(message);
    this.forked = forked;
  }
}
