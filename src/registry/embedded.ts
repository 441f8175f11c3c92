import { randomUUID } from 'node:crypto';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { Account, Role } from '../account/model.ts';
import { StoreUnavailable } from '../store/fault.ts';
import { guarded, openDatabase, transact } from '../store/sqlite.ts';
import { decodeAccount, decodeEvent, decodePage, encodeRecord, policyFrom, withVersion } from './codec.ts';
import { REGISTRY_MIGRATIONS } from './embedded-schema.ts';
import {
  type AccountPage,
  type Assurance,
  type ChangePage,
  type Commit,
  type CommitResult,
  type FeedEvent,
  type FeedListener,
  FeedLost,
  type InstanceProgress,
  type InstanceStatus,
  type LeaseRequest,
  type PolicySnapshot,
  type Position,
  type RegistryStore,
  RegistryUnavailable,
  type Subscription,
  type TokenUse,
  type Tombstone,
} from './port.ts';

/** How much history the feed keeps, in entries. The reader sits in the same process, so this is far more than it can miss. */
const FEED_ENTRIES = 10_000;
/** Events read at once. */
const FEED_BATCH = 256;

const DAMAGED_VERSION = -1;

/** A reader of the feed and where it stands. */
interface Follower {
  position: Position;
  readonly listener: FeedListener;
}

/** A commit that does not fit what is stored: thrown inside the transaction to undo it, answered outside. */
class Conflict extends Error {
  readonly result: CommitResult;
  constructor(result: CommitResult) {
    super('conflict');
    this.result = result;
  }
}

/** Throws `StoreInUse` when another process owns the file, `RegistryUnavailable` when it cannot be used. */
export function openEmbeddedRegistry(path: string): RegistryStore {
  try {
    return new EmbeddedRegistry(path, openDatabase(path, REGISTRY_MIGRATIONS));
  } catch (fault) {
    throw unavailable(fault);
  }
}

/**
 * The registry in one SQLite file that this process owns. All work is synchronous (a read takes microseconds, a commit one fsync), so nothing can
 * come between a commit and its notification: followers have applied a change before `commit` resolves.
 */
class EmbeddedRegistry implements RegistryStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #followers = new Set<Follower>();
  readonly #members = new Map<string, LeaseRequest>();
  readonly #applied = new Map<string, Position>();

  constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
  }

  async snapshot(): Promise<PolicySnapshot> {
    return this.#read(() => policyFrom(this.#position(), this.#recordsOf('role'), this.#recordsOf('team')));
  }

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#read(() => {
      const text = this.#record('account', id);
      return { ...this.#position(), account: text === null ? null : decodeAccount(id, text) };
    });
  }

  /** The process that asks is the one that owns the store: holding the lock is the proof, and being here is the membership. */
  async renew(request: LeaseRequest): Promise<Position> {
    const position = this.#read(() => this.#position());
    this.#members.set(request.instance, request);
    return position;
  }

  async release(instance: string): Promise<void> {
    this.#members.delete(instance);
    this.#applied.delete(instance);
  }

  async acknowledge(instance: string, applied: Position): Promise<void> {
    this.#applied.set(instance, applied);
  }

  /** One file has one history: what was committed is in it. */
  async assert(_tombstones: readonly Tombstone[]): Promise<void> {}

  async recordUses(uses: readonly TokenUse[]): Promise<void> {
    this.#write(() => {
      for (const { account, token, timeMs, address } of uses)
        this.#run('INSERT OR REPLACE INTO last_use VALUES (?, ?, ?, ?)', account, token, Math.trunc(timeMs), address);
    });
  }

  async uses(account: string): Promise<readonly TokenUse[]> {
    const rows = this.#read(() => this.#all('SELECT token, time_ms, address FROM last_use WHERE account = ?', account));
    return rows.map((row) => ({ account, token: String(row.token), timeMs: Number(row.time_ms), address: String(row.address) }));
  }

  async progress(instances: readonly string[]): Promise<readonly InstanceProgress[]> {
    return instances.map((instance) => ({
      instance,
      registered: this.#members.has(instance),
      applied: this.#applied.get(instance) ?? null,
    }));
  }

  /** One file has one history. */
  async holds(change: Position): Promise<boolean> {
    const now = this.#read(() => this.#position());
    return now.epoch === change.epoch && now.seq >= change.seq;
  }

  async instances(): Promise<{ readonly position: Position; readonly items: readonly InstanceStatus[] }> {
    const position = this.#read(() => this.#position());
    const items = [...this.#members.values()].map(({ instance, leaseMs, version = '' }) => ({
      instance,
      leaseMs,
      version,
      leaseRemainingMs: leaseMs,
      registered: true,
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
    return this.#read(() => this.#eventsAfter(from));
  }

  async initialise(roles: readonly Role[]): Promise<boolean> {
    return this.#write(() => {
      if (this.#get('SELECT 1 FROM position') !== undefined) return false;
      const entry = roles.map((role) => [`role:${role.name}`, withVersion(encodeRecord(role), 1)] as const);
      for (const [label, text] of entry)
        this.#run('INSERT INTO record VALUES (?, ?, ?)', 'role', label.slice('role:'.length), text);
      this.#run('INSERT INTO position VALUES (1, ?, 1)', randomUUID());
      this.#run('INSERT INTO feed VALUES (1, ?)', JSON.stringify(entry));
      return true;
    });
  }

  async commit(commit: Commit): Promise<CommitResult> {
    try {
      const { epoch, seq } = this.#write(() => this.#apply(commit));
      const members = [...this.#members.values()].map(({ instance, leaseMs }) => ({ instance, leaseMs }));
      for (const follower of [...this.#followers]) this.#tell(follower);
      return { committed: true, epoch, seq, members, replicated: true };
    } catch (fault) {
      if (fault instanceof Conflict) return fault.result;
      throw fault;
    }
  }

  async accountByName(name: string): Promise<Account | null> {
    return this.#read(() => {
      this.#position();
      const owner = this.#get('SELECT owner FROM claim WHERE claim = ?', `name:${name}`)?.owner;
      if (owner === undefined) return null;
      const id = String(owner).replace(/^account:/, '');
      const text = this.#record('account', id);
      if (text === null)
        throw new RegistryUnavailable('damaged', `the account name ${JSON.stringify(name)} belongs to no account`);
      return decodeAccount(id, text);
    });
  }

  async accounts({ cursor, limit }: { readonly cursor: string | null; readonly limit: number }): Promise<AccountPage> {
    return this.#read(() => {
      this.#position();
      const rows = this.#all(
        "SELECT key, text FROM record WHERE kind = 'account' AND key > ? ORDER BY key LIMIT ?",
        cursor ?? '',
        limit,
      );
      const page = decodePage(
        rows.map((row) => [String(row.key), String(row.text)] as const),
        decodeAccount,
      );
      return { ...page, next: rows.length < limit ? null : String(rows.at(-1)?.key) };
    });
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    const sql = 'SELECT user FROM reference WHERE target = ? ORDER BY user LIMIT ?';
    return this.#read(() => this.#all(sql, target, limit).map((row) => String(row.user)));
  }

  async changes(query: {
    readonly account: string | null;
    readonly before: string | null;
    readonly limit: number;
  }): Promise<ChangePage> {
    const before = query.before === null ? Number.MAX_SAFE_INTEGER : Number(query.before);
    return this.#read(() => {
      const rows =
        query.account === null
          ? this.#all('SELECT id, event FROM change WHERE id < ? ORDER BY id DESC LIMIT ?', before, query.limit)
          : this.#all(
              'SELECT id, event FROM account_change JOIN change ON id = change WHERE account = ? AND change < ? ORDER BY change DESC LIMIT ?',
              query.account,
              before,
              query.limit,
            );
      const items = rows.map((row) => String(row.event));
      const cursors = rows.map((row) => String(row.id));
      return { items, cursors, next: rows.length < query.limit ? null : (cursors.at(-1) ?? null) };
    });
  }

  async close(): Promise<void> {
    this.#followers.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  /** Inside a transaction: everything or, by a thrown `Conflict`, nothing. */
  #apply(commit: Commit): Position {
    const { epoch, seq: before } = this.#position();
    const seq = before + 1;
    for (const { kind, key, version } of commit.expects) {
      const stored = this.#versionOf(kind, key);
      if (stored === DAMAGED_VERSION) throw new RegistryUnavailable('damaged', `${kind} ${key} cannot be read`);
      if (stored !== version) throw new Conflict({ committed: false, conflict: 'version', key: `${kind}:${key}` });
    }
    this.#applyClaims(commit);
    this.#applyReferences(commit);
    const entry = commit.changes.map(({ kind, key, record }) => {
      const text = record === null ? '' : withVersion(encodeRecord(record), seq);
      if (record === null) this.#run('DELETE FROM record WHERE kind = ? AND key = ?', kind, key);
      else this.#run('INSERT OR REPLACE INTO record VALUES (?, ?, ?)', kind, key, text);
      return [`${kind}:${key}`, text] as const;
    });
    this.#run('INSERT INTO feed VALUES (?, ?)', seq, JSON.stringify(entry));
    this.#run('DELETE FROM feed WHERE seq <= ?', seq - FEED_ENTRIES);
    this.#run('UPDATE position SET seq = ? WHERE epoch = ?', seq, epoch);
    this.#applyAudit(commit.audit);
    for (const { kind, key, record } of commit.changes)
      if (kind === 'account' && record === null) this.#run('DELETE FROM last_use WHERE account = ?', key);
    return { epoch, seq };
  }

  #applyClaims({ claims }: Commit): void {
    for (const claim of claims.drop) this.#run('DELETE FROM claim WHERE claim = ?', claim);
    for (const { claim, owner } of claims.take) {
      const held = this.#get('SELECT owner FROM claim WHERE claim = ?', claim)?.owner;
      if (held !== undefined && held !== owner) throw new Conflict({ committed: false, conflict: 'claim', key: claim });
      this.#run('INSERT OR REPLACE INTO claim VALUES (?, ?)', claim, owner);
    }
  }

  #applyReferences({ references, unreferenced }: Commit): void {
    for (const { target, user } of references.remove)
      this.#run('DELETE FROM reference WHERE target = ? AND user = ?', target, user);
    for (const { target, user } of references.add) this.#run('INSERT OR IGNORE INTO reference VALUES (?, ?)', target, user);
    for (const target of unreferenced) {
      const count = Number(this.#get('SELECT count(*) AS n FROM reference WHERE target = ?', target)?.n);
      if (count > 0) throw new Conflict({ committed: false, conflict: 'referenced', key: target, count });
    }
  }

  #applyAudit(audit: Commit['audit']): void {
    const { lastInsertRowid } = this.#run('INSERT INTO change (event) VALUES (?)', audit.event);
    for (const account of audit.accounts)
      this.#run('INSERT OR IGNORE INTO account_change VALUES (?, ?)', account, lastInsertRowid);
  }

  /** Brings one follower up to date, or tells it that this cannot be. Its own faults must not undo what is committed. */
  #tell(follower: Follower): void {
    try {
      for (let events = this.#pending(follower); events.length > 0; events = this.#pending(follower)) {
        follower.position = { epoch: follower.position.epoch, seq: events.at(-1)?.seq ?? follower.position.seq };
        follower.listener.onEvents(events);
      }
    } catch (fault) {
      if (this.#followers.delete(follower)) follower.listener.onLost((fault as Error).message);
    }
  }

  #pending(follower: Follower): readonly FeedEvent[] {
    return this.#followers.has(follower) ? this.#read(() => this.#eventsAfter(follower.position)) : [];
  }

  #eventsAfter(from: Position): readonly FeedEvent[] {
    const now = this.#position();
    if (now.epoch !== from.epoch) throw new FeedLost('the registry has another history (epoch)');
    if (now.seq < from.seq) throw new FeedLost('the registry has gone back to an earlier state');
    const rows = this.#all('SELECT seq, changes FROM feed WHERE seq > ? ORDER BY seq LIMIT ?', from.seq, FEED_BATCH);
    if (now.seq > from.seq && Number(rows[0]?.seq) !== from.seq + 1)
      throw new FeedLost('the feed no longer reaches back far enough');
    return rows.map((row) => decodeEvent(Number(row.seq), JSON.parse(String(row.changes))));
  }

  #position(): Position {
    const row = this.#get('SELECT epoch, seq FROM position');
    if (row === undefined) throw new RegistryUnavailable('empty', 'there is no registry in this store');
    return { epoch: String(row.epoch), seq: Number(row.seq) };
  }

  #record(kind: string, key: string): string | null {
    const text = this.#get('SELECT text FROM record WHERE kind = ? AND key = ?', kind, key)?.text;
    return text === undefined ? null : String(text);
  }

  #recordsOf(kind: string): [string, string][] {
    return this.#all('SELECT key, text FROM record WHERE kind = ?', kind).map((row) => [String(row.key), String(row.text)]);
  }

  #versionOf(kind: string, key: string): number {
    const text = this.#record(kind, key);
    return text === null ? 0 : Number(/^\{"version":(\d+),/.exec(text)?.[1] ?? DAMAGED_VERSION);
  }

  #get(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).get(...values);
  }

  #all(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).all(...values);
  }

  #run(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #read<T>(work: () => T): T {
    return this.#translated(() => guarded(this.#path, work));
  }

  #write<T>(work: () => T): T {
    return this.#translated(() => transact(this.#database, this.#path, work));
  }

  #translated<T>(work: () => T): T {
    if (!this.#database.isOpen) throw new RegistryUnavailable('unreachable', 'the registry is closed');
    try {
      return work();
    } catch (fault) {
      throw unavailable(fault);
    }
  }
}

function unavailable(fault: unknown): unknown {
  return fault instanceof StoreUnavailable ? new RegistryUnavailable(fault.why, fault.message, { cause: fault }) : fault;
}
