import type { ChangePage, ChangesQuery, NextEvents } from '../port.ts';
import type { RegistryFile } from './file.ts';

/** The history of administrative changes, in the file. All to be called inside `read`. */

/** The highest id that was ever given out. */
const NEWEST_CHANGE = "SELECT seq FROM sqlite_sequence WHERE name = 'change'";

export function changesAfter(file: RegistryFile, after: string | null, limit: number): NextEvents {
  const end = newest(file);
  const from = Math.min(Number(after ?? end), end);
  const sql = 'SELECT id, event FROM change WHERE id > ? ORDER BY id LIMIT ?';
  const rows = after === null ? [] : file.all(sql, from, limit);
  const items = rows.map(({ id, event }) => ({ at: String(id), event: String(event) }));
  return { items, end: items.at(-1)?.at ?? String(from) };
}

export function changesBefore(file: RegistryFile, query: ChangesQuery): ChangePage {
  const before = query.before === null ? Number.MAX_SAFE_INTEGER : Number(query.before);
  const rows =
    query.account === null
      ? file.all(
          'SELECT id, event FROM change WHERE id < ? ORDER BY id DESC LIMIT ?',
          before,
          query.limit,
        )
      : file.all(
          'SELECT id, event FROM account_change JOIN change ON id = change WHERE account = ? AND change < ? ORDER BY change DESC LIMIT ?',
          query.account,
          before,
          query.limit,
        );
  const cursors = rows.map((row) => String(row.id));
  return {
    items: rows.map((row) => String(row.event)),
    // No row is ever taken away, so their ids follow on each other.
    places: rows.map(({ id }) => ({ number: Number(id), part: 1, of: 1 })),
    newest: newest(file),
    recordedMs: rows.map(() => null),
    cursors,
    next: rows.length < query.limit ? null : (cursors.at(-1) ?? null),
  };
}

function newest(file: RegistryFile): number {
  return Number(file.get(NEWEST_CHANGE)?.seq ?? 0);
}
