import type { DatabaseSync } from 'node:sqlite';
import { guarded, type Migration, openDatabase, transact } from '../store/sqlite.ts';
import type { InstanceMinute, StatsStore } from './port.ts';
import { decodeCounts, encodeCounts } from './text.ts';
import { KEPT_MINUTES } from './times.ts';

const MIGRATIONS: readonly Migration[] = [
  'CREATE TABLE minute (minute INTEGER NOT NULL, instance TEXT NOT NULL, counts TEXT NOT NULL, PRIMARY KEY (minute, instance)) STRICT, WITHOUT ROWID;',
];

/**
 * Counts in a file of their own, so that they can be thrown away, and so that writing them never
 * waits for the disk.
 */
export class EmbeddedStats implements StatsStore {
  readonly #path: string;
  readonly #database: DatabaseSync;

  /** Throws `StoreInUse`, or `StoreUnavailable`. */
  constructor(path: string) {
    this.#path = path;
    this.#database = openDatabase(path, MIGRATIONS);
    // A power cut may cost the last minutes; the calls beside which this is written must not wait
    // for it.
    this.#database.exec('PRAGMA synchronous=OFF');
  }

  async write({ minute, instance, counts }: InstanceMinute): Promise<void> {
    transact(this.#database, this.#path, () => {
      this.#database.prepare('DELETE FROM minute WHERE minute < ?').run(minute - KEPT_MINUTES);
      this.#database
        .prepare('INSERT OR REPLACE INTO minute (minute, instance, counts) VALUES (?, ?, ?)')
        .run(minute, instance, encodeCounts(counts));
    });
  }

  async read(first: number, last: number): Promise<readonly InstanceMinute[]> {
    const rows = guarded(this.#path, () =>
      this.#database
        .prepare('SELECT minute, instance, counts FROM minute WHERE minute BETWEEN ? AND ?')
        .all(first, last),
    );
    return rows.flatMap((row) => {
      const counts = decodeCounts(String(row.counts));
      return counts === null
        ? []
        : [{ minute: Number(row.minute), instance: String(row.instance), counts }];
    });
  }

  async close(): Promise<void> {
    this.#database.close();
  }
}
