import type { StoredWaiting, WaitingEdit } from '../commit.ts';
import { Conflict } from './conflict.ts';
import type { RegistryFile } from './file.ts';
import { sumOf } from './seal.ts';

/**
 * The changes that wait for approval, in the file. Their table is made when the first comes, and by
 * no step of the schema: an earlier version, which does not know it, opens the file as before. One
 * that is lost is not made, so none is counted; one that is changed is noticed.
 */
const TABLE =
  'CREATE TABLE IF NOT EXISTS waiting (id TEXT PRIMARY KEY, text TEXT NOT NULL, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID';
const IS_THERE = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'waiting'";

/** To be called inside `read`. */
export function readWaiting(file: RegistryFile): readonly StoredWaiting[] {
  if (file.get(IS_THERE) === undefined) return [];
  return file.all('SELECT id, text, sum FROM waiting').map((row) => {
    const [id, text] = [String(row.id), String(row.text)];
    // Without its text nobody can approve it, and it holds up no other.
    return sumOf('waiting', id, text) === row.sum ? { id, text } : { id, text: '' };
  });
}

/** To be called inside a transaction. Throws `Conflict` where what is to go is not there. */
export function applyWaiting(file: RegistryFile, edit: WaitingEdit): void {
  const { put, drop, atMost, each } = edit;
  if (put.length > 0) file.run(TABLE);
  const isThere = file.get(IS_THERE) !== undefined;
  for (const id of drop) {
    const gone = isThere ? file.run('DELETE FROM waiting WHERE id = ?', id).changes : 0;
    if (gone === 0) throw conflict(`waiting:${id}`);
  }
  for (const { id, text } of put)
    file.run(
      'INSERT OR REPLACE INTO waiting VALUES (?, ?, ?)',
      id,
      text,
      sumOf('waiting', id, text),
    );
  if (put.length === 0) return;
  if (Number(file.get('SELECT count(*) AS n FROM waiting')?.n) > atMost) throw conflict('waiting');
  if (each === undefined) return;
  const holding = 'SELECT count(*) AS n FROM waiting WHERE instr(text, ?) > 0';
  if (Number(file.get(holding, each.holds)?.n) > each.atMost) throw conflict('waiting');
}

function conflict(key: string): Conflict {
  return new Conflict({ committed: false, conflict: 'version', key });
}
