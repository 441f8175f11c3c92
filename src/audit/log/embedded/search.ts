import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { SearchAnswer } from './protocol.ts';

/** Events that one request looks at: some milliseconds of the thread, in which batches wait. */
const PIECE = 2_000;

/** Looks for a text in the audit file, newest events first, piece by piece. */
export class EmbeddedSearch {
  readonly #find: StatementSync;
  readonly #ends: StatementSync;
  readonly #accepted: StatementSync;

  constructor(db: DatabaseSync) {
    this.#find = db.prepare(
      // SQLite's own `instr` takes ten times as long as JavaScript's.
      'SELECT event FROM events WHERE n < ? AND n >= ? ORDER BY n DESC',
    );
    this.#ends = db.prepare('SELECT min(n) AS first, max(n) AS last FROM events');
    this.#accepted = db.prepare(
      'SELECT accepted_ms AS ms FROM events WHERE n < ? ORDER BY n DESC LIMIT 1',
    );
  }

  /** @param sinceMs what was accepted before that is not looked at; null = everything is */
  search(text: string, sinceMs: number | null, before: number | null): SearchAnswer {
    const { first, last } = this.#ends.get() ?? {};
    const end = Math.min(before ?? Number.MAX_SAFE_INTEGER, Number(last ?? 0) + 1);
    const start = Math.max(end - PIECE, Number(first ?? end));
    const events = this.#find
      .all(end, start)
      .map((row) => String(row.event))
      .filter((event) => event.includes(text));
    const beforeMs = Number(this.#accepted.get(start)?.ms ?? 0);
    const over = start <= Number(first ?? 0) || (sinceMs !== null && beforeMs < sinceMs);
    const backToMs = over ? (sinceMs ?? 0) : beforeMs + 1;
    return { events, examined: end - start, next: over ? null : start, backToMs };
  }
}
