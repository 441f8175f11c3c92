import type { Account, Role, Team, TokenUse } from '../account/model.ts';
import type { ChangeRecord, Commit, CommitResult, RecordChange, StoredWaiting } from './commit.ts';
import type { ListPage, ListQuery } from './listing/query.ts';
import type { Assurance, InstanceProgress, InstanceStatus } from './members.ts';
import type { Position, StoreState } from './position.ts';
import type { Tombstone } from './tombstone.ts';

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

/** One entry of the change feed. */
export interface FeedEvent {
  readonly seq: number;
  readonly changes: readonly RecordChange[];
  /**
   * Ids of accounts that it changes to what cannot be read, and that are not among `changes`.
   * Nothing is known of them any more but what a look-up says. Absent: there are none.
   */
  readonly unreadable?: readonly string[];
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
  /**
   * When the store recorded each event by its own clock, in milliseconds since 1970; null: it has
   * no other clock than whoever writes.
   */
  readonly recordedMs: readonly (number | null)[];
  /** For each event the cursor of the page that begins right after it (with the next older one). */
  readonly cursors: readonly string[];
}

export interface AccountPage extends Page<Account> {
  /** Ids of accounts on this page whose record cannot be read. */
  readonly damaged: readonly string[];
}

export interface AccountsQuery {
  readonly cursor: string | null;
  readonly limit: number;
}

export interface ChangesQuery {
  readonly account: string | null;
  readonly before: string | null;
  readonly limit: number;
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
  /**
   * Many by their ids, in order, in as few readings as can be; 256 at most. `seq`: not after any.
   */
  accountsById(
    ids: readonly string[],
  ): Promise<{ readonly seq: number; readonly accounts: readonly (Account | null)[] }>;
  /** Those of these ids of which a change is recorded, whether or not the account is there. */
  withHistory(ids: readonly string[]): Promise<ReadonlySet<string>>;
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
  accounts(query: AccountsQuery): Promise<AccountPage>;
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
  /** The changes that wait for approval, in no particular order: as many as a commit lets wait. */
  waiting(): Promise<readonly StoredWaiting[]>;
  /** How many accounts use each of these roles and teams (`role:deployer`). */
  useCounts(targets: readonly string[]): Promise<readonly number[]>;
  /** The users of a target (`role:deployer`), at most `limit`. */
  referencesTo(target: string, limit: number): Promise<readonly string[]>;
  /**
   * `change` audit events, newest first (`account: null` = of the whole registry). `before` is the
   * cursor of an earlier page.
   */
  changes(query: ChangesQuery): Promise<ChangePage>;
  /**
   * The next of them behind a place, oldest first, at most `limit`; null: none, but where they end.
   * A place beyond the end counts as the end.
   */
  changesAfter(after: string | null, limit: number): Promise<NextEvents>;
}

/** Recorded events behind a place of a log, oldest first. */
export interface NextEvents {
  /** `at`: the place behind it. */
  readonly items: readonly { readonly at: string; readonly event: string }[];
  /** The place behind all that there is, as far as none was left out. */
  readonly end: string;
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
