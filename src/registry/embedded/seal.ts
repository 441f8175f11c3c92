import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { RecordKind } from '../commit.ts';

/**
 * Checksums of an embedded registry. Each row has one, and `position` has how many rows there are
 * and the sum of their checksums, so that a row that is changed, gone, or an earlier one, is
 * noticed. They are there for damage and not for malice: whoever can write the file can compute
 * them.
 */
export type Sealed = 'record' | 'claim' | 'reference';

export interface Totals {
  readonly roles: number;
  readonly teams: number;
  readonly accounts: number;
  readonly claims: number;
  readonly uses: number;
  /** Of all rows' checksums, modulo 2^48. */
  readonly digest: number;
}

export type Counted = Exclude<keyof Totals, 'digest'>;

const EMPTY: Totals = { roles: 0, teams: 0, accounts: 0, claims: 0, uses: 0, digest: 0 };

const DIGEST_MODULUS = 2 ** 48;

const COUNTED: Readonly<Record<RecordKind, Counted>> = {
  account: 'accounts',
  role: 'roles',
  team: 'teams',
};

/** What a row of a table counts among. */
export function countedAs(table: Sealed, kind: string): Counted {
  if (table === 'record') return COUNTED[kind as RecordKind] ?? 'accounts';
  return table === 'claim' ? 'claims' : 'uses';
}

/** The checksum of a row, by its columns in order. */
export function sumOf(
  table: Sealed | 'tombstone' | 'waiting',
  first: string,
  second: string,
  third = '',
): number {
  return crc32(`${table}\0${first}\0${second}\0${third}`);
}

export function digestWith(digest: number, sum: number): number {
  return (digest + sum) % DIGEST_MODULUS;
}

export function digestWithout(digest: number, sum: number): number {
  return (digest - sum + DIGEST_MODULUS) % DIGEST_MODULUS;
}

export function encodeTotals({ roles, teams, accounts, claims, uses, digest }: Totals): string {
  return `${roles} ${teams} ${accounts} ${claims} ${uses} ${digest}`;
}

export function decodeTotals(text: string): Totals {
  const [roles = 0, teams = 0, accounts = 0, claims = 0, uses = 0, digest = 0] = text
    .split(' ')
    .map(Number);
  return { roles, teams, accounts, claims, uses, digest };
}

/** Over all that `position` says. */
export function positionSum(epoch: string, seq: number, totals: string): number {
  return crc32(`${epoch}\0${seq}\0${totals}`);
}

/** Over all that is said of the tombstones together. */
export function tombstoneStateSum(revision: number, rows: number, digest: number): number {
  return crc32(`tombstones\0${revision}\0${rows}\0${digest}`);
}

/** How the rows of each table are read: three texts and the checksum. */
const ROWS: Readonly<Record<Sealed, string>> = {
  record: 'SELECT kind, key, text, sum FROM record',
  claim: "SELECT claim, owner, '', sum FROM claim",
  reference: "SELECT target, user, '', sum FROM reference",
};

/** The first thing in which a registry's rows are not what was written; null = they are. */
export function findDamage(database: DatabaseSync): string | null {
  const { position } = one(database, 'SELECT count(*) AS position FROM position');
  if (position === 0) {
    const sql = 'SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM claim) AS rows';
    return one(database, sql).rows === 0 ? null : 'its position is gone';
  }
  const { epoch, seq, totals, sum } = one(database, 'SELECT epoch, seq, totals, sum FROM position');
  if (positionSum(String(epoch), Number(seq), String(totals)) !== sum)
    return 'its position does not fit its checksum';
  const found = { ...EMPTY };
  for (const table of Object.keys(ROWS) as Sealed[]) {
    for (const [first, second, third, stored] of rowsOf(database, table)) {
      const is = sumOf(table, first, second, third);
      if (is !== stored) return `${table} ${first} ${second} does not fit its checksum`;
      found[countedAs(table, first)] += 1;
      found.digest = digestWith(found.digest, is);
    }
  }
  if (encodeTotals(found) !== totals)
    return `it holds other rows (${encodeTotals(found)}) than it should (${totals})`;
  const { known } = one(database, 'SELECT count(*) AS known FROM known');
  if (known !== found.accounts + found.claims)
    return `${known} of ${found.accounts + found.claims} entries are in the table of what is known`;
  return findDamagedTombstones(database);
}

function findDamagedTombstones(database: DatabaseSync): string | null {
  const found = { rows: 0, digest: 0 };
  for (const row of database.prepare('SELECT label, text, sum FROM tombstone').iterate()) {
    const sum = sumOf('tombstone', String(row.label), String(row.text));
    if (sum !== row.sum) return `the tombstone of ${row.label} does not fit its checksum`;
    found.rows += 1;
    found.digest = digestWith(found.digest, sum);
  }
  const state = one(database, 'SELECT revision, rows, digest, sum FROM tombstone_state');
  const { revision = 0, rows = 0, digest = 0, sum = null } = state;
  if (sum !== null && tombstoneStateSum(Number(revision), Number(rows), Number(digest)) !== sum)
    return 'the state of its tombstones does not fit its checksum';
  return rows === found.rows && digest === found.digest
    ? null
    : `it holds other tombstones (${found.rows}) than it should (${rows})`;
}

/**
 * Takes all rows for what they should be. For a file that was written before there were checksums;
 * called inside a transaction.
 */
export function sealAll(database: DatabaseSync): void {
  const totals = { ...EMPTY };
  const updates = {
    record: database.prepare('UPDATE record SET sum = ? WHERE kind = ? AND key = ?'),
    claim: database.prepare('UPDATE claim SET sum = ? WHERE claim = ?'),
    reference: database.prepare('UPDATE reference SET sum = ? WHERE target = ? AND user = ?'),
  };
  // Read whole: rows are changed meanwhile.
  for (const table of Object.keys(ROWS) as Sealed[])
    for (const [first, second, third] of [...rowsOf(database, table)]) {
      const sum = sumOf(table, first, second, third);
      updates[table].run(sum, first, ...(table === 'claim' ? [] : [second]));
      totals[countedAs(table, first)] += 1;
      totals.digest = digestWith(totals.digest, sum);
    }
  database.exec(
    "DELETE FROM known; INSERT INTO known SELECT 'account:' || key FROM record WHERE kind = 'account'; INSERT INTO known SELECT claim FROM claim",
  );
  const text = encodeTotals(totals);
  const move = database.prepare('UPDATE position SET totals = ?, sum = ? WHERE epoch = ?');
  for (const { epoch, seq } of database.prepare('SELECT epoch, seq FROM position').all())
    move.run(text, positionSum(String(epoch), Number(seq), text), epoch ?? '');
}

function rowsOf(database: DatabaseSync, table: Sealed) {
  const statement = database.prepare(ROWS[table]);
  statement.setReturnArrays(true);
  return statement.iterate() as unknown as Iterable<[string, string, string, number]>;
}

function one(database: DatabaseSync, sql: string): Record<string, SQLOutputValue> {
  return database.prepare(sql).get() ?? {};
}
