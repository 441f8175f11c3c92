import type { DatabaseSync } from 'node:sqlite';
import { placeIn } from '../../chain/head-file.ts';
import { type KnownKey, knownKeyIn } from '../../chain/ledger.ts';

/** Signed heads and the keys that signed them, in the audit file. */
export class EmbeddedHeads {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  keep(instance: string, line: string): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO heads (instance, head) VALUES (?, ?)')
      .run(instance, line);
  }

  keepKey(key: KnownKey): void {
    this.#db
      .prepare('INSERT OR IGNORE INTO chain_keys (key, about) VALUES (?, ?)')
      .run(key.key, JSON.stringify(key));
  }

  forget(beforeMs: number): void {
    for (const line of this.all()) {
      const place = placeIn(line);
      if (place !== null && Date.parse(place.time) < beforeMs)
        this.#db.prepare('DELETE FROM heads WHERE instance = ?').run(place.instance);
    }
  }

  all(): readonly string[] {
    return this.#db
      .prepare('SELECT head FROM heads ORDER BY instance')
      .all()
      .map((row) => String(row.head));
  }

  keys(): readonly KnownKey[] {
    return this.#db
      .prepare('SELECT about FROM chain_keys ORDER BY key')
      .all()
      .map((row) => knownKeyIn(String(row.about)))
      .filter((key) => key !== null);
  }
}
