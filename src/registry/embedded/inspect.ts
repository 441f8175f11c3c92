import { turn } from '../../turns.ts';
import type { Stored } from '../port.ts';
import type { RegistryFile } from './file.ts';
import { decodeTotals, sumOf } from './seal.ts';

/** Rows read at once, by which a running gate is held up for about a millisecond. */
const SLICE = 250;

/** What the file keeps beside the records. Rows that were damaged meanwhile are `damaged`. */
export async function* inspectFile(file: RegistryFile): AsyncGenerator<Stored> {
  const known = "SELECT key AS first, '' AS second FROM known WHERE key > ? AND key < 'account;'";
  for await (const [key] of pages(file, `${known} ORDER BY key LIMIT ${SLICE}`, 'account:'))
    yield { kind: 'account', key: key.slice('account:'.length) };
  const claims = 'SELECT claim AS first, owner AS second, sum FROM claim WHERE claim > ?';
  for await (const [key, value] of pages(
    file,
    `${claims} ORDER BY claim LIMIT ${SLICE}`,
    '',
    'claim',
  ))
    yield { kind: 'claim', key, value };
  yield* references(file);
  const { accounts, roles, teams, claims: held } = file.read(() => decodeTotals(file.totals()));
  yield { kind: 'count', key: 'accounts', value: accounts };
  yield { kind: 'count', key: 'roles', value: roles };
  yield { kind: 'count', key: 'teams', value: teams };
  yield { kind: 'count', key: 'claims', value: held };
}

async function* references(file: RegistryFile): AsyncGenerator<Stored> {
  const sql = `SELECT target AS first, user AS second, sum FROM reference
    WHERE (target, user) > (?, ?) ORDER BY target, user LIMIT ${SLICE}`;
  let last: readonly [string, string] = ['', ''];
  for (let full = true; full; ) {
    const rows = read(file, sql, last, 'reference');
    for (const [key, value] of rows) yield { kind: 'reference', key, value };
    last = rows.at(-1) ?? last;
    full = rows.length === SLICE;
    await turn();
  }
}

/** Rows by their first column, each slice in a turn of its own. */
async function* pages(
  file: RegistryFile,
  sql: string,
  from: string,
  table: 'claim' | null = null,
): AsyncGenerator<readonly [string, string]> {
  for (let [last, full] = [from, true]; full; ) {
    const rows = read(file, sql, [last], table);
    yield* rows;
    last = rows.at(-1)?.[0] ?? last;
    full = rows.length === SLICE;
    await turn();
  }
}

function read(
  file: RegistryFile,
  sql: string,
  after: readonly string[],
  table: 'claim' | 'reference' | null,
): (readonly [string, string])[] {
  return file.read(() =>
    file.all(sql, ...after).map(({ first, second, sum }) => {
      const row = [String(first), String(second)] as const;
      if (table !== null && sumOf(table, ...row) !== sum)
        throw file.damaged(`${table} ${row[0]} does not fit its checksum`);
      return row;
    }),
  );
}
