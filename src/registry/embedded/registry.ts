import { randomUUID } from 'node:crypto';
import type { Account, Role, TokenUse } from '../../account/model.ts';
import { encodeRecord, withVersion } from '../codec.ts';
import type { ChangeRecord, Commit, CommitResult, StoredWaiting } from '../commit.ts';
import { EmbeddedLists } from '../listing/embedded/lists.ts';
import type { ListPage, ListQuery } from '../listing/query.ts';
import type { Assurance, InstanceProgress, InstanceStatus } from '../members.ts';
import { PolicyReader } from '../policy-reader.ts';
import type {
  AccountPage,
  AccountsQuery,
  ChangePage,
  ChangesQuery,
  FeedEvent,
  FeedListener,
  LeaseRequest,
  NextEvents,
  PolicySnapshot,
  RegistryStore,
  Stored,
  Subscription,
} from '../port.ts';
import type { Position, StoreState } from '../position.ts';
import { snapshotUnder } from '../revoked/policy-tombstone.ts';
import type { ServedRegistry } from '../served.ts';
import type { Tombstone } from '../tombstone.ts';
import { EmbeddedAccounts } from './accounts.ts';
import { applyAudit, applyCommit } from './commit.ts';
import { Conflict } from './conflict.ts';
import { EmbeddedFeed } from './feed.ts';
import { RegistryFile } from './file.ts';
import { changesAfter, changesBefore } from './history.ts';
import { inspectFile } from './inspect.ts';
import { EmbeddedMembers } from './members.ts';
import { SealedRows } from './rows.ts';
import { EmbeddedTombstones, noRoomForTombstones } from './tombstones.ts';
import { readWaiting } from './waiting.ts';

/**
 * `served`: what the data folder has served; null: any registry is taken. Throws `StoreInUse` when
 * another process owns the file, `RegistryUnavailable` when it cannot be used.
 */
export function openEmbeddedRegistry(
  path: string,
  served: ServedRegistry | null = null,
): RegistryStore {
  return new EmbeddedRegistry(new RegistryFile(path, served));
}

/**
 * The registry in one SQLite file that this process owns. All work is synchronous (a read takes
 * microseconds, a commit one fsync), so nothing can come between a commit and its notification:
 * followers have applied a change before `commit` resolves.
 */
class EmbeddedRegistry implements RegistryStore {
  readonly #file: RegistryFile;
  readonly #tombstones: EmbeddedTombstones;
  readonly #lists: EmbeddedLists;
  readonly #accounts: EmbeddedAccounts;
  readonly #feed: EmbeddedFeed;
  readonly #members = new EmbeddedMembers();
  readonly #policy = new PolicyReader();
  /** The last that was read. */
  #snapshot: PolicySnapshot | null = null;

  constructor(file: RegistryFile) {
    this.#file = file;
    this.#tombstones = new EmbeddedTombstones(file);
    this.#lists = new EmbeddedLists(file);
    this.#accounts = new EmbeddedAccounts(file, this.#tombstones, this.#lists);
    this.#feed = new EmbeddedFeed(file);
  }

  async identify(): Promise<string | null> {
    return this.#file.read(() => this.#file.epoch());
  }

  /** Whoever owns the file may write it; a disk that takes nothing says so at the next change. */
  async assertWritable(): Promise<void> {}

  async snapshot(): Promise<PolicySnapshot> {
    const state = this.#file.read(() => this.#state());
    // Whoever else had touched the file would have been noticed by now.
    if (this.#snapshot !== null && isSameState(this.#snapshot, state)) return this.#snapshot;
    const { rows, told } = this.#file.read(() => {
      const rows = [this.#file.recordsOf('role'), this.#file.recordsOf('team')] as const;
      return { rows, told: this.#tombstones.ofPolicies() };
    });
    const read = await this.#policy.read(state, ...rows);
    this.#snapshot = snapshotUnder({ ...read, ...state }, (label) => told.get(label));
    return this.#snapshot;
  }

  #state(): StoreState & { readonly tombstones: number } {
    return { ...this.#file.position(), tombstones: this.#tombstones.revision };
  }

  account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#accounts.account(id);
  }

  async renew(request: LeaseRequest): Promise<StoreState> {
    const state = this.#file.read(() => this.#state());
    this.#members.renew(request);
    return state;
  }

  async release(instance: string): Promise<void> {
    this.#members.release(instance);
  }

  async forget(instance: string, renewal: string | null): Promise<boolean> {
    return this.#members.forget(instance, renewal);
  }

  async acknowledge(instance: string, applied: Position): Promise<void> {
    this.#members.acknowledge(instance, applied);
  }

  /** One file has one history, but it may be the copy of an earlier day, or a new one. */
  async assert(tombstones: readonly Tombstone[]): Promise<void> {
    if (!this.#file.write(() => this.#tombstones.tell(tombstones))) throw noRoomForTombstones();
  }

  async tombstones(of: readonly string[]): Promise<readonly Tombstone[]> {
    return this.#file.read(() => of.flatMap((label) => this.#tombstones.of(label) ?? []));
  }

  async recordUses(uses: readonly TokenUse[]): Promise<void> {
    return this.#accounts.recordUses(uses);
  }

  async uses(account: string): Promise<readonly TokenUse[]> {
    return this.#accounts.uses(account);
  }

  async progress(instances: readonly string[]): Promise<readonly InstanceProgress[]> {
    return this.#members.progress(instances);
  }

  /** One file has one history. */
  async holds(change: Position): Promise<boolean> {
    const now = this.#file.read(() => this.#file.position());
    return now.epoch === change.epoch && now.seq >= change.seq;
  }

  async instances(): Promise<{
    readonly position: Position;
    readonly items: readonly InstanceStatus[];
  }> {
    return { position: this.#file.read(() => this.#file.position()), items: this.#members.items };
  }

  async assurance(): Promise<Assurance> {
    return { assurance: 'proven', marginMs: 0 };
  }

  follow(from: Position, listener: FeedListener): Subscription {
    return this.#feed.follow(from, listener);
  }

  async eventsAfter(from: Position): Promise<readonly FeedEvent[]> {
    return this.#file.read(() => this.#feed.eventsAfter(from));
  }

  async initialise(
    roles: readonly Role[],
    recorded: ((id: string) => ChangeRecord) | null = null,
  ): Promise<boolean> {
    return this.#file.write(() => {
      if (this.#file.get('SELECT 1 FROM position') !== undefined) return false;
      const entry = roles.map(
        (role) => [`role:${role.name}`, withVersion(encodeRecord(role), 1)] as const,
      );
      this.#tombstones.clear();
      const rows = new SealedRows(this.#file, '');
      for (const [label, text] of entry) rows.put('role', label.slice('role:'.length), text);
      const id = randomUUID();
      rows.moveTo(id, 1);
      if (recorded !== null) applyAudit(this.#file, recorded(id));
      this.#file.run('INSERT INTO feed VALUES (1, ?)', JSON.stringify(entry));
      return true;
    });
  }

  async commit(commit: Commit): Promise<CommitResult> {
    try {
      const beside = { lists: this.#lists, tombstones: this.#tombstones };
      const { epoch, seq } = this.#file.write(() => applyCommit(this.#file, beside, commit));
      this.#file.reached();
      this.#keepSnapshot(commit, { epoch, seq });
      const members = this.#members.waitedFor;
      this.#feed.tellAll();
      return { committed: true, epoch, seq, members, replicated: true };
    } catch (fault) {
      if (fault instanceof Conflict) return fault.result;
      throw fault;
    }
  }

  accountByName(name: string): Promise<Account | null> {
    return this.#accounts.accountByName(name);
  }

  async accountsById(
    ids: readonly string[],
  ): Promise<{ readonly seq: number; readonly accounts: readonly (Account | null)[] }> {
    return this.#accounts.accountsById(ids);
  }

  async withHistory(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#accounts.withHistory(ids);
  }

  async accounts(query: AccountsQuery): Promise<AccountPage> {
    return this.#accounts.accounts(query);
  }

  list(query: ListQuery): Promise<ListPage> {
    return this.#accounts.list(query);
  }

  tendLists(goesOn: () => boolean): Promise<void> {
    return this.#accounts.tendLists(goesOn);
  }

  async useCounts(targets: readonly string[]): Promise<readonly number[]> {
    return this.#accounts.useCounts(targets);
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    return this.#accounts.referencesTo(target, limit);
  }

  inspect(): AsyncIterable<Stored> {
    return inspectFile(this.#file);
  }

  async waiting(): Promise<readonly StoredWaiting[]> {
    return this.#file.read(() => {
      this.#file.position();
      return readWaiting(this.#file);
    });
  }

  async changesAfter(after: string | null, limit: number): Promise<NextEvents> {
    return this.#file.read(() => {
      this.#file.position();
      return changesAfter(this.#file, after, limit);
    });
  }

  async changes(query: ChangesQuery): Promise<ChangePage> {
    return this.#file.read(() => {
      this.#file.position();
      return changesBefore(this.#file, query);
    });
  }

  async close(): Promise<void> {
    this.#feed.close();
    this.#file.close();
  }

  /** A change of accounts leaves roles and teams as they were read. */
  #keepSnapshot({ changes }: Commit, now: Position): void {
    const isOfAccounts = changes.every(({ kind }) => kind === 'account');
    if (!isOfAccounts || this.#snapshot?.epoch !== now.epoch) return;
    if (this.#snapshot.seq === now.seq - 1) this.#snapshot = { ...this.#snapshot, ...now };
  }
}

function isSameState(one: StoreState, other: StoreState): boolean {
  return one.epoch === other.epoch && one.seq === other.seq && one.tombstones === other.tombstones;
}
