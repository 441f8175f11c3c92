import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Migration, openDatabase, transact } from '../../../store/sqlite.ts';
import { NOTICE_LOG } from '../../event/notice-event.ts';
import type { LeftOpen, WrittenOutcomes } from '../../permits/ledger.ts';
import type { PermitNotes } from '../../permits/notes.ts';
import { EmbeddedHeads } from './heads.ts';
import { EmbeddedPermits } from './permits.ts';
import type { ReadAnswer, WorkerSettings } from './protocol.ts';
import { EmbeddedSearch } from './search.ts';

/**
 * `n` numbers the events of the file in the order of their acceptance; it is the cursor of readers
 * and the age by which pruning goes. `instances` holds the last number of each instance: a batch
 * that is sent again is recognised by it. `permit_notes` holds, for each batch since they were
 * written anew, what an instance noted of its open permits; `unvouched` outcomes for which one has
 * still to vouch. `heads` and `chain_keys` hold what instances have signed, and with
 * which keys, `anchors` what was signed of cuts.
 */
const MIGRATIONS: readonly Migration[] = [
  `
  CREATE TABLE events (
    n INTEGER PRIMARY KEY AUTOINCREMENT, accepted_ms INTEGER NOT NULL, account TEXT, event TEXT NOT NULL
  ) STRICT;
  CREATE INDEX events_by_account ON events (account, n) WHERE account IS NOT NULL;
  CREATE TABLE instances (instance TEXT PRIMARY KEY, last_seq INTEGER NOT NULL, seen_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE permit_notes (n INTEGER PRIMARY KEY, instance TEXT NOT NULL, notes TEXT NOT NULL) STRICT;
  `,
  `
  CREATE TABLE heads (instance TEXT PRIMARY KEY, head TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE chain_keys (key TEXT PRIMARY KEY, about TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE unvouched (digest TEXT PRIMARY KEY, voucher TEXT NOT NULL, about TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE anchors (before_ms INTEGER PRIMARY KEY, anchor TEXT NOT NULL) STRICT;
  `,
];

/** Events deleted at a time, so that pruning never holds up a batch for long. */
const PRUNE_LUMP = 500;
const LUMP = 'n < (SELECT MIN(n) FROM events) + ?';
/**
 * What is too old or too much is looked for after so long, or so many new events, whichever comes
 * first.
 */
const PRUNE_EVERY_MS = 10_000;
const PRUNE_EVERY_EVENTS = 1000;
const DAY_MS = 24 * 3600 * 1000;
/** An instance's last number is of use only while its batch may still be sent again. */
const INSTANCE_LIFE_MS = 7 * DAY_MS;

/**
 * The audit file (SQLite). Lives in a worker thread: a commit with fsync takes 13 ms per thousand
 * events, and the event loop has better things to do.
 */
export class AuditFile {
  readonly #db: DatabaseSync;
  readonly #settings: WorkerSettings;
  readonly #insert: StatementSync;
  readonly #lastSeq: StatementSync;
  readonly #setLastSeq: StatementSync;
  readonly #all: StatementSync;
  readonly #ofAccount: StatementSync;
  readonly #oldestShown: StatementSync;
  readonly permits: EmbeddedPermits;
  readonly heads: EmbeddedHeads;
  readonly searching: EmbeddedSearch;
  #nextPruneMs = 0;
  #newEvents = 0;

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
    this.#db = openDatabase(settings.path, MIGRATIONS);
    this.permits = new EmbeddedPermits(this.#db);
    this.heads = new EmbeddedHeads(this.#db);
    this.searching = new EmbeddedSearch(this.#db);
    this.#insert = this.#db.prepare(
      'INSERT INTO events (accepted_ms, account, event) VALUES (?, ?, ?)',
    );
    this.#lastSeq = this.#db.prepare('SELECT last_seq AS seq FROM instances WHERE instance = ?');
    this.#setLastSeq = this.#db.prepare(
      'INSERT OR REPLACE INTO instances (instance, last_seq, seen_ms) VALUES (?, ?, ?)',
    );
    this.#all = this.#db.prepare(
      'SELECT n, accepted_ms, event FROM events WHERE n < ? ORDER BY n DESC LIMIT ?',
    );
    this.#ofAccount = this.#db.prepare(
      'SELECT n, event FROM events WHERE account = ? AND n < ? AND n >= ? ORDER BY n DESC LIMIT ?',
    );
    this.#oldestShown = this.#db.prepare(
      'SELECT n FROM events WHERE account = ? ORDER BY n DESC LIMIT 1 OFFSET ?',
    );
  }

  /** Durable when it returns. Skips what the file already holds of this instance. */
  append(
    instance: string,
    firstSeq: number,
    events: readonly string[],
    accounts: readonly (string | null)[],
    nowMs: number,
    notes?: PermitNotes,
  ): void {
    const last = Number(this.#lastSeq.get(instance)?.seq ?? 0);
    const skip = Math.max(0, last + 1 - firstSeq);
    if (skip >= events.length) return;
    transact(this.#db, this.#settings.path, () => {
      for (let i = skip; i < events.length; i++)
        this.#insert.run(nowMs, accounts[i] ?? null, events[i] as string);
      this.#setLastSeq.run(instance, firstSeq + events.length - 1, nowMs);
      if (notes !== undefined) this.permits.note(instance, notes);
    });
    this.#newEvents += events.length - skip;
  }

  /** Records outcomes of what an instance left open: these and that they are closed, or neither. */
  closePermits(
    instance: string,
    left: LeftOpen,
    written: WrittenOutcomes | null,
    events: readonly string[],
    accounts: readonly (string | null)[],
    nowMs: number,
  ): boolean {
    return transact(this.#db, this.#settings.path, () => {
      if (!this.permits.closed(instance, left)) return false;
      if (written !== null) this.permits.owe(written, written.by);
      events.forEach((event, i) => void this.#insert.run(nowMs, accounts[i] ?? null, event));
      this.#newEvents += events.length;
      return true;
    });
  }

  /** @param sinceMs what was accepted before that is left out, of the whole log */
  read(
    account: string | null,
    before: number | null,
    limit: number,
    sinceMs: number | null = null,
  ): ReadAnswer {
    const below = before ?? Number.MAX_SAFE_INTEGER;
    const rows =
      account === null
        ? this.#readAll(below, limit + 1, sinceMs)
        : this.#readAccount(account, below, limit + 1);
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const numbers = shown.map((row) => Number(row.n));
    return {
      events: shown.map((row) => String(row.event)),
      numbers,
      next: rows.length > limit && last ? Number(last.n) : null,
    };
  }

  /** Oldest first; `next` is the number of the last one. */
  scan(after: number, limit: number): ReadAnswer {
    const rows = this.#db
      .prepare('SELECT n, event FROM events WHERE n > ? ORDER BY n LIMIT ?')
      .all(after, limit);
    const numbers = rows.map((row) => Number(row.n));
    return { events: rows.map((row) => String(row.event)), numbers, next: numbers.at(-1) ?? null };
  }

  /**
   * Notices behind a number, oldest first; `next` is where to go on. Null: none, but the number of
   * the last one.
   */
  notices(after: number | null, limit: number): ReadAnswer {
    const newest = this.#db
      .prepare('SELECT n FROM events WHERE account = ? ORDER BY n DESC LIMIT 1')
      .get(NOTICE_LOG);
    const end = Number(newest?.n ?? 0);
    const rows =
      after === null
        ? []
        : this.#db
            .prepare('SELECT n, event FROM events WHERE account = ? AND n > ? ORDER BY n LIMIT ?')
            .all(NOTICE_LOG, after, limit);
    const numbers = rows.map((row) => Number(row.n));
    const next = numbers.at(-1) ?? Math.min(after ?? end, end);
    return { events: rows.map((row) => String(row.event)), numbers, next };
  }

  /** When the oldest was accepted, in ms since 1970; null: there is none. */
  oldestMs(): number | null {
    const oldestMs = this.#oldestMs();
    return Number.isFinite(oldestMs) ? oldestMs : null;
  }

  /** About how many events there are. */
  size(): number {
    const row = this.#db.prepare('SELECT max(n) - min(n) + 1 AS size FROM events').get();
    return Number(row?.size ?? 0);
  }

  #readAll(below: number, limit: number, sinceMs: number | null) {
    const rows = this.#all.all(below, limit);
    return sinceMs === null ? rows : rows.filter((row) => Number(row.accepted_ms) >= sinceMs);
  }

  /**
   * The activity log of an account is its newest events; older ones stay in the record until they
   * are old enough to go.
   */
  #readAccount(account: string, below: number, limit: number) {
    const oldest = Number(
      this.#oldestShown.get(account, this.#settings.activityPerAccount - 1)?.n ?? 0,
    );
    return this.#ofAccount.all(account, below, oldest, limit);
  }

  /**
   * Looks, now and then, for what is too old or too much. Answers the time of acceptance before
   * which the next lump of it was, in ms since 1970; null: nothing has to go, or it is not time to
   * look again.
   */
  due(nowMs: number): number | null {
    if (nowMs < this.#nextPruneMs && this.#newEvents < PRUNE_EVERY_EVENTS) return null;
    const newestMs = this.#newestOfLump();
    const oldestMs = nowMs - this.#settings.retentionDays * DAY_MS;
    if (newestMs !== null) {
      if (this.#oldestMs() < oldestMs) return Math.min(oldestMs, newestMs + 1);
      if (this.#tooLarge()) return newestMs + 1;
    }
    this.#db.prepare('DELETE FROM instances WHERE seen_ms < ?').run(nowMs - INSTANCE_LIFE_MS);
    this.#nextPruneMs = nowMs + PRUNE_EVERY_MS;
    this.#newEvents = 0;
    return null;
  }

  /**
   * Deletes of the oldest lump what was accepted before that, and keeps in the same step what is
   * signed of it. Answers how many events went.
   *
   * @param anchor null: nobody signs it
   */
  cut(beforeMs: number, anchor: string | null): number {
    return transact(this.#db, this.#settings.path, () => {
      if (anchor !== null) this.heads.keepAnchor(beforeMs, anchor);
      // Freed pages are used again by new events: the file stops growing, it does not shrink.
      const sql = `DELETE FROM events WHERE ${LUMP} AND accepted_ms < ?`;
      return Number(this.#db.prepare(sql).run(PRUNE_LUMP, beforeMs).changes);
    });
  }

  close(): void {
    this.#db.close();
  }

  #oldestMs(): number {
    const row = this.#db.prepare('SELECT accepted_ms AS ms FROM events ORDER BY n LIMIT 1').get();
    return Number(row?.ms ?? Number.POSITIVE_INFINITY);
  }

  /** When the newest of the oldest lump was accepted; null: there are no events. */
  #newestOfLump(): number | null {
    const sql = `SELECT MAX(accepted_ms) AS ms FROM events WHERE ${LUMP}`;
    const ms = this.#db.prepare(sql).get(PRUNE_LUMP)?.ms ?? null;
    return ms === null ? null : Number(ms);
  }

  /** Pages in use, without the write-ahead log, which SQLite keeps near 4 MiB. */
  #tooLarge(): boolean {
    const { maxBytes } = this.#settings;
    return (
      maxBytes > 0 &&
      (this.#pragma('page_count') - this.#pragma('freelist_count')) * this.#pragma('page_size') >
        maxBytes
    );
  }

  #pragma(name: string): number {
    return Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0);
  }
}
