import type { DatabaseSync } from 'node:sqlite';
import type { Clock } from '../clock.ts';
import { guarded, type Migration, openDatabase, transact } from '../store/sqlite.ts';
import { KNOWN_BROWSERS } from './known-browser.ts';
import { decodeSession, encodeSession } from './session-text.ts';
import type { SessionStore, StoredSession } from './sessions.ts';

const MIGRATIONS: readonly Migration[] = [
  'CREATE TABLE kept (key TEXT PRIMARY KEY, text TEXT NOT NULL, until_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID; CREATE INDEX kept_until ON kept (until_ms);',
];

/**
 * Sessions in a file of their own beside the registry. One process owns it, as it owns the
 * registry.
 */
export class EmbeddedSessions implements SessionStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #database: DatabaseSync;

  /** Throws `StoreInUse`, or `StoreUnavailable`. */
  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
    this.#database = openDatabase(path, MIGRATIONS);
  }

  async get(digest: string): Promise<StoredSession | null> {
    const row = this.#guarded(() =>
      this.#database
        .prepare('SELECT text FROM kept WHERE key = ? AND until_ms > ?')
        .get(digest, this.#clock.wallMs()),
    );
    return typeof row?.text === 'string' ? decodeSession(row.text) : null;
  }

  async put(digest: string, session: StoredSession, keepMs: number): Promise<void> {
    const nowMs = this.#clock.wallMs();
    this.#guarded(() => {
      this.#database.prepare('DELETE FROM kept WHERE until_ms <= ?').run(nowMs);
      this.#database
        .prepare('INSERT OR REPLACE INTO kept (key, text, until_ms) VALUES (?, ?, ?)')
        .run(digest, encodeSession(session), Math.ceil(nowMs + keepMs));
    });
  }

  async touch(digest: string, session: StoredSession, keepMs: number): Promise<void> {
    this.#guarded(() =>
      this.#database
        .prepare('UPDATE kept SET text = ?, until_ms = ? WHERE key = ?')
        .run(encodeSession(session), Math.ceil(this.#clock.wallMs() + keepMs), digest),
    );
  }

  async end(digest: string): Promise<void> {
    this.#guarded(() => this.#database.prepare('DELETE FROM kept WHERE key = ?').run(digest));
  }

  async spend(what: string, keepMs: number): Promise<boolean> {
    const nowMs = this.#clock.wallMs();
    const { changes } = this.#guarded(() =>
      this.#database
        .prepare('INSERT OR IGNORE INTO kept (key, text, until_ms) VALUES (?, ?, ?)')
        .run(`spent ${what}`, '', Math.ceil(nowMs + keepMs)),
    );
    return Number(changes) === 1;
  }

  async isBrowserOf(who: string, digest: string): Promise<boolean> {
    const key = browserKey(who, digest);
    const row = this.#guarded(() =>
      this.#database
        .prepare('SELECT 1 FROM kept WHERE key = ? AND until_ms > ?')
        .get(key, this.#clock.wallMs()),
    );
    return row !== undefined;
  }

  async noteBrowser(who: string, digest: string, before: string | null): Promise<void> {
    transact(this.#database, this.#path, () => {
      const remove = this.#database.prepare('DELETE FROM kept WHERE key = ?');
      if (before !== null) remove.run(browserKey(who, before));
      this.#database
        .prepare('INSERT OR REPLACE INTO kept (key, text, until_ms) VALUES (?, ?, ?)')
        .run(browserKey(who, digest), '', Math.ceil(this.#clock.wallMs() + KNOWN_BROWSERS.keepMs));
      // All of one name stand side by side, because a digest has no character outside 0 to f.
      this.#database
        .prepare(
          'DELETE FROM kept WHERE key IN (SELECT key FROM kept WHERE key BETWEEN ? AND ? ORDER BY until_ms DESC LIMIT -1 OFFSET ?)',
        )
        .run(browserKey(who, '0'), browserKey(who, 'g'), KNOWN_BROWSERS.perName);
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #guarded<T>(work: () => T): T {
    return guarded(this.#path, work);
  }
}

function browserKey(who: string, digest: string): string {
  return `browser ${who} ${digest}`;
}
