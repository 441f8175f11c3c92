import { randomUUID } from 'node:crypto';
import type { Account, Role, TokenUse } from '../../account/model.ts';
import { turn } from '../../turns.ts';
import {
  decodeAccount,
  decodeEvent,
  decodePage,
  encodeRecord,
  NEWEST_RECORD_SCHEMA,
  withVersion,
} from '../codec.ts';
import type { ChangeRecord, Commit, CommitResult, StoredWaiting } from '../commit.ts';
import { EmbeddedListing } from '../listing/embedded/data.ts';
import { EmbeddedLists } from '../listing/embedded/lists.ts';
import { listAccounts } from '../listing/list.ts';
import type { ListPage, ListQuery } from '../listing/query.ts';
import type { Assurance, InstanceProgress, InstanceStatus } from '../members.ts';
import { PolicyReader } from '../policy-reader.ts';
import {
  type AccountPage,
  type ChangePage,
  type FeedEvent,
  type FeedListener,
  FeedLost,
  type LeaseRequest,
  type NextEvents,
  type PolicySnapshot,
  type RegistryStore,
  type Stored,
  type Subscription,
} from '../port.ts';
import type { Position, StoreState } from '../position.ts';
import { snapshotUnder } from '../revoked/policy-tombstone.ts';
import type { ServedRegistry } from '../served.ts';
import type { Tombstone } from '../tombstone.ts';
import { applyAudit, applyCommit } from './commit.ts';
import { Conflict } from './conflict.ts';
import { RegistryFile } from './file.ts';
import { inspectFile } from './inspect.ts';
import { SealedRows } from './rows.ts';
import { EmbeddedTombstones, noRoomForTombstones } from './tombstones.ts';
import { readWaiting } from './waiting.ts';

/** Events read at once. */
const FEED_BATCH = 256;
/** Counts read in one turn of the loop. */
const COUNTS_AT_ONCE = 200;

/** A reader of the feed and where it stands. */
interface Follower {
  position: Position;
  readonly listener: FeedListener;
}

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

/** The highest id that was ever given out. */
const NEWEST_CHANGE = "SELECT seq FROM sqlite_sequence WHERE name = 'change'";

/**
 * The registry in one SQLite file that this process owns. All work is synchronous (a read takes
 * microseconds, a commit one fsync), so nothing can come between a commit and its notification:
 * followers have applied a change before `commit` resolves.
 */
class EmbeddedRegistry implements RegistryStore {
  readonly #file: RegistryFile;
  readonly #tombstones: EmbeddedTombstones;
  readonly #lists: EmbeddedLists;
  readonly #listing: EmbeddedListing;
  readonly #policy = new PolicyReader();
  /** The last that was read. */
  #snapshot: PolicySnapshot | null = null;
  readonly #followers = new Set<Follower>();
  readonly #members = new Map<string, LeaseRequest>();
  readonly #applied = new Map<string, Position>();
  /** Counts renewals, so that each can be told from the one before. */
  readonly #renewals = new Map<string, number>();

  constructor(file: RegistryFile) {
    this.#file = file;
    this.#tombstones = new EmbeddedTombstones(file);
    this.#lists = new EmbeddedLists(file);
    this.#listing = new EmbeddedListing(file, this.#lists, {
      against: (account) => this.#tombstones.against(account),
      uses: (account) => this.uses(account),
    });
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

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#file.read(() => {
      const text = this.#file.record('account', id);
      const account = text === null ? null : this.#read(id, text);
      return { ...this.#file.position(), account };
    });
  }

  /**
   * The process that asks is the one that owns the store: holding the lock is the proof, and being
   * here is the membership.
   */
  async renew(request: LeaseRequest): Promise<StoreState> {
    const state = this.#file.read(() => this.#state());
    this.#members.set(request.instance, request);
    this.#renewals.set(request.instance, (this.#renewals.get(request.instance) ?? 0) + 1);
    return state;
  }

  async release(instance: string): Promise<void> {
    this.#members.delete(instance);
    this.#applied.delete(instance);
    this.#renewals.delete(instance);
  }

  async forget(instance: string, renewal: string | null): Promise<boolean> {
    if (this.#renewalOf(instance) !== renewal) return false;
    await this.release(instance);
    return true;
  }

  async acknowledge(instance: string, applied: Position): Promise<void> {
    this.#applied.set(instance, applied);
  }

  /** One file has one history, but it may be the copy of an earlier day, or a new one. */
  async assert(tombstones: readonly Tombstone[]): Promise<void> {
    if (!this.#file.write(() => this.#tombstones.tell(tombstones))) throw noRoomForTombstones();
  }

  async tombstones(of: readonly string[]): Promise<readonly Tombstone[]> {
    return this.#file.read(() => of.flatMap((label) => this.#tombstones.of(label) ?? []));
  }

  async recordUses(uses: readonly TokenUse[]): Promise<void> {
    this.#file.write(() => {
      for (const { account, token, timeMs, address } of uses)
        this.#file.run(
          'INSERT INTO last_use VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET time_ms = excluded.time_ms, address = excluded.address WHERE excluded.time_ms >= time_ms',
          account,
          token,
          Math.trunc(timeMs),
          address,
        );
      this.#lists.together(() => {
        for (const { account, token, timeMs } of uses)
          this.#lists.use(account, token, Math.trunc(timeMs));
      });
    });
  }

  async uses(account: string): Promise<readonly TokenUse[]> {
    const rows = this.#file.read(() =>
      this.#file.all('SELECT token, time_ms, address FROM last_use WHERE account = ?', account),
    );
    return rows.map((row) => ({
      account,
      token: String(row.token),
      timeMs: Number(row.time_ms),
      address: String(row.address),
    }));
  }

  async progress(instances: readonly string[]): Promise<readonly InstanceProgress[]> {
    return instances.map((instance) => ({
      instance,
      registered: this.#members.has(instance),
      renewal: this.#renewalOf(instance),
      applied: this.#applied.get(instance) ?? null,
    }));
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
    const position = this.#file.read(() => this.#file.position());
    const items = [...this.#members.values()].map(({ instance, leaseMs, version = '' }) => ({
      instance,
      leaseMs,
      version,
      schema: NEWEST_RECORD_SCHEMA,
      leaseRemainingMs: leaseMs,
      registered: true,
      renewal: this.#renewalOf(instance),
      applied: this.#applied.get(instance) ?? null,
    }));
    return { position, items };
  }

  async assurance(): Promise<Assurance> {
    return { assurance: 'proven', marginMs: 0 };
  }

  follow(from: Position, listener: FeedListener): Subscription {
    const follower: Follower = { position: from, listener };
    this.#followers.add(follower);
    // What happened since `from` is told soon, but never before the caller holds its subscription.
    queueMicrotask(() => this.#tell(follower));
    return { close: async () => void this.#followers.delete(follower) };
  }

  async eventsAfter(from: Position): Promise<readonly FeedEvent[]> {
    return this.#file.read(() => this.#eventsAfter(from));
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
      const members = [...this.#members.values()].map(({ instance, leaseMs }) => ({
        instance,
        leaseMs,
      }));
      for (const follower of [...this.#followers]) this.#tell(follower);
      return { committed: true, epoch, seq, members, replicated: true };
    } catch (fault) {
      if (fault instanceof Conflict) return fault.result;
      throw fault;
    }
  }

  async accountByName(name: string): Promise<Account | null> {
    return this.#file.read(() => {
      this.#file.position();
      const owner = this.#file.ownerOf(`name:${name}`);
      if (owner === null) return null;
      const id = owner.replace(/^account:/, '');
      const text = this.#file.record('account', id);
      if (text === null)
        throw this.#file.damaged(`the account name ${JSON.stringify(name)} belongs to no account`);
      return this.#read(id, text);
    });
  }

  async accountsById(
    ids: readonly string[],
  ): Promise<{ readonly seq: number; readonly accounts: readonly (Account | null)[] }> {
    return this.#file.read(() => {
      const { seq } = this.#file.position();
      const texts = ids.map((id) => [id, this.#file.record('account', id)] as const);
      const accounts = texts.map(([id, text]) => (text === null ? null : this.#read(id, text)));
      return { seq, accounts };
    });
  }

  async withHistory(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#file.read(() => {
      this.#file.position();
      const sql = 'SELECT 1 FROM account_change WHERE account = ? LIMIT 1';
      return new Set(ids.filter((id) => this.#file.get(sql, id) !== undefined));
    });
  }

  inspect(): AsyncIterable<Stored> {
    return inspectFile(this.#file);
  }

  async accounts({
    cursor,
    limit,
  }: {
    readonly cursor: string | null;
    readonly limit: number;
  }): Promise<AccountPage> {
    return this.#file.read(() => {
      this.#file.position();
      const rows = this.#file.accountsAfter(cursor ?? '', limit);
      const page = decodePage(rows, (id, text) => this.#read(id, text));
      return { ...page, next: rows.length < limit ? null : (rows.at(-1)?.[0] ?? null) };
    });
  }

  list(query: ListQuery): Promise<ListPage> {
    return listAccounts(this.#listing, query);
  }

  tendLists(goesOn: () => boolean): Promise<void> {
    return this.#listing.tend(goesOn);
  }

  async waiting(): Promise<readonly StoredWaiting[]> {
    return this.#file.read(() => {
      this.#file.position();
      return readWaiting(this.#file);
    });
  }

  async useCounts(targets: readonly string[]): Promise<readonly number[]> {
    // Kept with the lists: counting the references of a role that everybody has would hold up
    // calls.
    await this.#listing.current();
    const counts: number[] = [];
    for (const [index, target] of targets.entries()) {
      if (index > 0 && index % COUNTS_AT_ONCE === 0) await turn();
      const mark = target.replace(/^(role|team):/, (kind) => `${kind[0]}:`);
      const [services, users] = [`s ${mark}`, `u ${mark}`];
      counts.push((await this.#listing.count(services)) + (await this.#listing.count(users)));
    }
    return counts;
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    const sql = 'SELECT user FROM reference WHERE target = ? ORDER BY user LIMIT ?';
    return this.#file.read(() => {
      this.#file.position();
      return this.#file.all(sql, target, limit).map((row) => String(row.user));
    });
  }

  async changesAfter(after: string | null, limit: number): Promise<NextEvents> {
    return this.#file.read(() => {
      this.#file.position();
      const end = Number(this.#file.get(NEWEST_CHANGE)?.seq ?? 0);
      const from = Math.min(Number(after ?? end), end);
      const sql = 'SELECT id, event FROM change WHERE id > ? ORDER BY id LIMIT ?';
      const rows = after === null ? [] : this.#file.all(sql, from, limit);
      const items = rows.map(({ id, event }) => ({ at: String(id), event: String(event) }));
      return { items, end: items.at(-1)?.at ?? String(from) };
    });
  }

  async changes(query: {
    readonly account: string | null;
    readonly before: string | null;
    readonly limit: number;
  }): Promise<ChangePage> {
    const before = query.before === null ? Number.MAX_SAFE_INTEGER : Number(query.before);
    return this.#file.read(() => {
      this.#file.position();
      const rows =
        query.account === null
          ? this.#file.all(
              'SELECT id, event FROM change WHERE id < ? ORDER BY id DESC LIMIT ?',
              before,
              query.limit,
            )
          : this.#file.all(
              'SELECT id, event FROM account_change JOIN change ON id = change WHERE account = ? AND change < ? ORDER BY change DESC LIMIT ?',
              query.account,
              before,
              query.limit,
            );
      const items = rows.map((row) => String(row.event));
      const cursors = rows.map((row) => String(row.id));
      // No row is ever taken away, so their ids follow on each other.
      const places = rows.map(({ id }) => ({ number: Number(id), part: 1, of: 1 }));
      const newest = Number(this.#file.get(NEWEST_CHANGE)?.seq ?? 0);
      return {
        items,
        places,
        newest,
        cursors,
        next: rows.length < query.limit ? null : (cursors.at(-1) ?? null),
      };
    });
  }

  async close(): Promise<void> {
    this.#followers.clear();
    this.#file.close();
  }

  /** As it counts: its record, and what was told of it. Null: it is known to be deleted. */
  #read(id: string, text: string): Account | null {
    return this.#tombstones.against(decodeAccount(id, text));
  }

  /**
   * Brings one follower up to date, or tells it that this cannot be. Its own faults must not undo
   * what is committed.
   */
  #tell(follower: Follower): void {
    try {
      for (
        let events = this.#pending(follower);
        events.length > 0;
        events = this.#pending(follower)
      ) {
        follower.position = {
          epoch: follower.position.epoch,
          seq: events.at(-1)?.seq ?? follower.position.seq,
        };
        follower.listener.onEvents(events);
      }
    } catch (fault) {
      if (this.#followers.delete(follower)) follower.listener.onLost((fault as Error).message);
    }
  }

  /** A change of accounts leaves roles and teams as they were read. */
  #keepSnapshot({ changes }: Commit, now: Position): void {
    const isOfAccounts = changes.every(({ kind }) => kind === 'account');
    if (!isOfAccounts || this.#snapshot?.epoch !== now.epoch) return;
    if (this.#snapshot.seq === now.seq - 1) this.#snapshot = { ...this.#snapshot, ...now };
  }

  #renewalOf(instance: string): string | null {
    return this.#renewals.get(instance)?.toString() ?? null;
  }

  #pending(follower: Follower): readonly FeedEvent[] {
    return this.#followers.has(follower)
      ? this.#file.read(() => this.#eventsAfter(follower.position))
      : [];
  }

  #eventsAfter(from: Position): readonly FeedEvent[] {
    const now = this.#file.position();
    if (now.epoch !== from.epoch) throw new FeedLost('the registry has another history (epoch)');
    if (now.seq < from.seq) throw new FeedLost('the registry has gone back to an earlier state');
    const rows = this.#file.all(
      'SELECT seq, changes FROM feed WHERE seq > ? ORDER BY seq LIMIT ?',
      from.seq,
      FEED_BATCH,
    );
    if (now.seq > from.seq && Number(rows[0]?.seq) !== from.seq + 1)
      throw new FeedLost('the feed no longer reaches back far enough');
    return rows.map((row) => decodeEvent(Number(row.seq), JSON.parse(String(row.changes))));
  }
}

function isSameState(one: StoreState, other: StoreState): boolean {
  return one.epoch === other.epoch && one.seq === other.seq && one.tombstones === other.tombstones;
}
