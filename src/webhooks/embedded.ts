import type { DatabaseSync } from 'node:sqlite';
import { guarded, type Migration, openDatabase, transact } from '../store/sqlite.ts';
import type { WebhookStore } from './port.ts';

const MIGRATIONS: readonly Migration[] = [
  'CREATE TABLE word (name TEXT PRIMARY KEY, word TEXT NOT NULL) STRICT, WITHOUT ROWID;',
];

/** In a file of its own, whose only owner this process is: nobody else could deliver. */
export class EmbeddedWebhooks implements WebhookStore {
  readonly #path: string;
  readonly #database: DatabaseSync;

  /** Throws `StoreInUse`, or `StoreUnavailable`. */
  constructor(path: string) {
    this.#path = path;
    this.#database = openDatabase(path, MIGRATIONS);
    // A power cut may cost the last steps: what is told again has the id that it had.
    this.#database.exec('PRAGMA synchronous=NORMAL');
  }

  async lead(): Promise<boolean> {
    return true;
  }

  async yield(): Promise<void> {}

  async word(name: string): Promise<string | null> {
    const row = guarded(this.#path, () =>
      this.#database.prepare('SELECT word FROM word WHERE name = ?').get(name),
    );
    return row === undefined ? null : String(row.word);
  }

  async keep(name: string, word: string): Promise<void> {
    transact(this.#database, this.#path, () => {
      this.#database
        .prepare('INSERT OR REPLACE INTO word (name, word) VALUES (?, ?)')
        .run(name, word);
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
