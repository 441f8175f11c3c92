import type { DatabaseSync } from 'node:sqlite';
import { placeIn } from '../../chain/head-file.ts';
import { type KnownKey, knownKeyIn } from '../../chain/ledger.ts';

/** Signed heads, the keys that signed them, and what was signed of cuts, in the audit file. */
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

  /** It stands for those that say less. */
  keepAnchor(beforeMs: number, anchor: string): void {
    this.#db.prepare('DELETE FROM anchors WHERE before_ms <= ?').run(beforeMs);
    this.#db.prepare('INSERT INTO anchors (before_ms, anchor) VALUES (?, ?)').run(beforeMs, anchor);
  }

  anchors(): readonly string[] {
    return this.#db
      .prepare('SELECT anchor FROM anchors')
      .all()
      .map((row) => String(row.anchor));
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
