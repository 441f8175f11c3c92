import type { DatabaseSync } from 'node:sqlite';
import { CLOSED_AT_ONCE, type LeftOpen, type WrittenOutcomes } from '../../permits/ledger.ts';
import { ended, openIn, type PermitNotes } from '../../permits/notes.ts';
import { inOrder, unvouchedFrom, unvouchedJson } from '../../permits/unvouched.ts';

/**
 * Permits without an outcome, in the audit file. Whoever has the file open is the only instance
 * that lives: all others that have noted something are gone. Writes stand in their caller's
 * transaction.
 */
export class EmbeddedPermits {
  readonly #db: DatabaseSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  note(instance: string, { anew, text }: PermitNotes): void {
    if (anew) this.forget(instance);
    if (text !== '')
      this.#db
        .prepare('INSERT INTO permit_notes (instance, notes) VALUES (?, ?)')
        .run(instance, text);
  }

  silent(): readonly string[] {
    return this.#db
      .prepare('SELECT instance FROM permit_notes UNION SELECT voucher FROM unvouched')
      .all()
      .map((row) => String(row.instance));
  }

  /** Null: somebody has closed it all. */
  left(instance: string): LeftOpen | null {
    const rows = this.#db
      .prepare('SELECT n, notes FROM permit_notes WHERE instance = ? ORDER BY n')
      .all(instance);
    if (rows.length === 0) return null;
    const found = openIn(rows.map((row) => String(row.notes)).join(''));
    const permits = found.slice(0, CLOSED_AT_ONCE);
    return { permits, all: permits.length === found.length, asOf: String(rows.at(-1)?.n) };
  }

  /** Answers whether it still is as it was read. */
  closed(instance: string, { permits, all, asOf }: LeftOpen): boolean {
    const newest = 'SELECT max(n) AS n FROM permit_notes WHERE instance = ?';
    if (String(this.#db.prepare(newest).get(instance)?.n) !== asOf) return false;
    const text = all ? '' : ended(permits.map(({ id }) => id));
    this.note(instance, { anew: all, text });
    return true;
  }

  unvouched(voucher: string): readonly WrittenOutcomes[] {
    const rows = this.#db.prepare('SELECT about FROM unvouched WHERE voucher = ?').all(voucher);
    return inOrder(rows.flatMap((row) => unvouchedFrom(String(row.about)) ?? []));
  }

  /** Somebody has to vouch for them. */
  owe(written: WrittenOutcomes, voucher: string): void {
    this.#db
      .prepare('INSERT OR REPLACE INTO unvouched (digest, voucher, about) VALUES (?, ?, ?)')
      .run(written.digest, voucher, unvouchedJson(written, voucher));
  }

  vouched(digest: string): void {
    this.#db.prepare('DELETE FROM unvouched WHERE digest = ?').run(digest);
  }

  forget(instance: string): void {
    this.#db.prepare('DELETE FROM permit_notes WHERE instance = ?').run(instance);
  }
}
