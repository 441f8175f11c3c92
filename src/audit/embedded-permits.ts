import type { DatabaseSync } from 'node:sqlite';
import { transact } from '../store/sqlite.ts';
import type { WorkerRequest } from './embedded-protocol.ts';
import { LeftOpen } from './permit-ledger.ts';

/**
 * Permits without an outcome, in the audit file. Whoever has the file open is the only instance that
 * lives: all others that have told something are gone.
 */
export class EmbeddedPermits {
  readonly #db: DatabaseSync;
  readonly #path: string;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
  }

  tell(told: Extract<WorkerRequest, { op: 'tell' }>): boolean {
    const { instance, lastSeq, changes, complete } = told;
    if (this.#lastSeq(instance) !== lastSeq) return false;
    transact(this.#db, this.#path, () => {
      const open = 'FROM open_permits WHERE instance = ?';
      if (changes.anew) this.#db.prepare(`DELETE ${open}`).run(instance);
      const remove = this.#db.prepare(`DELETE ${open} AND seq = ?`);
      for (const seq of changes.ended) remove.run(instance, seq);
      const add = this.#db.prepare('INSERT OR REPLACE INTO open_permits VALUES (?, ?, ?)');
      for (const { seq, text } of changes.opened) add.run(instance, seq, text);
      const newest = 'SELECT coalesce(max(n), 0) FROM events';
      if (complete)
        this.#db.prepare(`INSERT OR REPLACE INTO tellers VALUES (?, (${newest}))`).run(instance);
    });
    return true;
  }

  silent(): readonly string[] {
    return this.#db
      .prepare('SELECT instance FROM tellers')
      .all()
      .map((row) => String(row.instance));
  }

  left(instance: string): readonly string[] {
    const told = this.#db
      .prepare('SELECT permit FROM open_permits WHERE instance = ?')
      .all(instance)
      .map((row) => String(row.permit));
    const teller = this.#db.prepare('SELECT n FROM tellers WHERE instance = ?').get(instance);
    const found = new LeftOpen(instance, told, this.#lastSeq(instance));
    const later = this.#db.prepare('SELECT event FROM events WHERE n > ? ORDER BY n');
    for (const row of later.iterate(Number(teller?.n ?? 0)))
      if (!found.take(String(row.event))) break;
    return found.permits;
  }

  forget(instance: string): void {
    transact(this.#db, this.#path, () => {
      this.#db.prepare('DELETE FROM open_permits WHERE instance = ?').run(instance);
      this.#db.prepare('DELETE FROM tellers WHERE instance = ?').run(instance);
    });
  }

  /** Number of the instance's last event in the file; 0 = it has none. */
  #lastSeq(instance: string): number {
    const row = this.#db
      .prepare('SELECT last_seq AS seq FROM instances WHERE instance = ?')
      .get(instance);
    return Number(row?.seq ?? 0);
  }
}
