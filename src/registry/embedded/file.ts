import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import { StoreUnavailable } from '../../store/fault.ts';
import { assertStructure, guarded, openDatabase, transact } from '../../store/sqlite.ts';
import type { RecordKind } from '../commit.ts';
import { RegistryUnavailable } from '../port.ts';
import type { Position } from '../position.ts';
import { noRegistry, type ServedRegistry } from '../served.ts';
import { FilePresence } from './presence.ts';
import { REGISTRY_MIGRATIONS } from './schema.ts';
import { countedAs, decodeTotals, findDamage, positionSum, sumOf } from './seal.ts';

/**
 * The registry's SQLite file: statements prepared once, faults told in the registry's words, and
 * what all questions begin with. After the first sign of damage it answers nothing any more: what
 * it would not find may be what is damaged.
 */
export class RegistryFile {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #served: ServedRegistry | null;
  readonly #presence: FilePresence;
  readonly #statements = new Map<string, StatementSync>();
  #damage: RegistryUnavailable | null = null;
  /** How often somebody else has touched the file: what was read from it before is not kept. */
  looks = 0;

  /**
   * Throws `StoreInUse` when another process owns the file, `RegistryUnavailable` when it cannot be
   * used.
   */
  constructor(path: string, served: ServedRegistry | null) {
    this.#path = path;
    this.#served = served;
    try {
      this.#database = openDatabase(path, REGISTRY_MIGRATIONS);
    } catch (fault) {
      throw this.#latched(fault);
    }
    this.#presence = new FilePresence(path);
    try {
      this.#translated(() => this.#assertWhole());
    } catch (fault) {
      this.#database.close();
      throw fault;
    }
  }

  /**
   * A page that was overwritten can look like one that holds fewer rows, and a row like another
   * one: then accounts would be absent that are not. So all of it is looked at before anything is
   * answered.
   */
  #assertWhole(): void {
    guarded(this.#path, () => {
      assertStructure(this.#database, this.#path);
      const found = findDamage(this.#database);
      if (found !== null) throw this.damaged(found);
    });
  }

  /**
   * Nothing comes between the reads of one `work`: they are synchronous, and nobody else may write.
   */
  read<T>(work: () => T): T {
    return this.#translated(() => guarded(this.#path, work));
  }

  /** One transaction: what throws inside undoes it. */
  write<T>(work: () => T): T {
    return this.#translated(() => {
      if (!this.#presence.untouched) this.#lookAgain();
      try {
        return transact(this.#database, this.#path, work);
      } finally {
        this.#presence.note();
      }
    });
  }

  get(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).all(...values);
  }

  run(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).run(...values);
  }

  /**
   * Throws `RegistryUnavailable` where there is no registry, or another one than the folder has
   * served, and where the file is not the one any more that was opened.
   */
  position(): Position {
    if (!this.#presence.untouched) this.#lookAgain();
    const row = this.#positionRow();
    this.#served?.assert(row === undefined ? null : String(row.epoch));
    if (row === undefined) throw noRegistry();
    const seq = Number(row.seq);
    this.#served?.assertReached(seq, Number(row.sum));
    return { epoch: String(row.epoch), seq };
  }

  /** Somebody else has touched the files: they may be another's, damaged, or an earlier state. */
  #lookAgain(): void {
    this.looks += 1;
    const lost = this.#presence.lost();
    if (lost !== null) throw this.damaged(lost);
    // What is in memory would hide what is in the file.
    this.#database.exec('PRAGMA shrink_memory');
    this.#assertWhole();
    this.#presence.note();
  }

  /** How many rows there are, and their digest (`decodeTotals`). */
  totals(): string {
    return String(this.#positionRow()?.totals ?? '');
  }

  #positionRow() {
    const row = this.get('SELECT epoch, seq, totals, sum FROM position');
    if (row === undefined) return undefined;
    const { epoch, seq, totals, sum } = row;
    if (positionSum(String(epoch), Number(seq), String(totals)) !== sum)
      throw this.damaged('its position does not fit its checksum');
    return row;
  }

  /** To be called after a change, outside its transaction. */
  reached(): void {
    const row = this.read(() => this.#positionRow());
    if (row !== undefined) this.#served?.reached(Number(row.seq), Number(row.sum));
  }

  /** The id of the registry that is there, whichever it is; null = none. */
  epoch(): string | null {
    const epoch = this.#positionRow()?.epoch;
    return epoch === undefined ? null : String(epoch);
  }

  /** Null: there is none, and none is known. */
  record(kind: RecordKind, key: string): string | null {
    const row = this.get('SELECT text, sum FROM record WHERE kind = ? AND key = ?', kind, key);
    if (row !== undefined) return this.#sealed(kind, key, String(row.text), Number(row.sum));
    if (kind === 'account') this.#mustNotKnow(`account:${key}`);
    return null;
  }

  /** Who holds a claim (`account:ID`, `team:NAME`); null: nobody. */
  ownerOf(claim: string): string | null {
    const row = this.get('SELECT owner, sum FROM claim WHERE claim = ?', claim);
    if (row === undefined) {
      this.#mustNotKnow(claim);
      return null;
    }
    const owner = String(row.owner);
    if (sumOf('claim', claim, owner) !== row.sum)
      throw this.damaged(`claim ${claim} does not fit its checksum`);
    return owner;
  }

  recordsOf(kind: 'role' | 'team'): [string, string][] {
    const rows = this.all('SELECT key, text, sum FROM record WHERE kind = ?', kind);
    const should = decodeTotals(this.totals())[countedAs('record', kind)];
    if (rows.length !== should)
      throw this.damaged(`${rows.length} of ${should} records of the kind ${kind} are there`);
    return this.#sealedRows(kind, rows);
  }

  /** Accounts after an id, in the order of ids, at most `limit`: id and text. */
  accountsAfter(id: string, limit: number): [string, string][] {
    const sql =
      "SELECT key, text, sum FROM record WHERE kind = 'account' AND key > ? ORDER BY key LIMIT ?";
    const rows = this.#sealedRows('account', this.all(sql, id, limit));
    const last = rows.length < limit ? 'account;' : `account:${rows.at(-1)?.[0]}`;
    const known = this.get(
      'SELECT count(*) AS n FROM known WHERE key > ? AND key <= ?',
      `account:${id}`,
      last,
    );
    if (known?.n !== rows.length)
      throw this.damaged(`${rows.length} of ${known?.n} accounts after "${id}" are there`);
    return rows;
  }

  #sealedRows(
    kind: RecordKind,
    rows: readonly Record<string, SQLOutputValue>[],
  ): [string, string][] {
    return rows.map(({ key, text, sum }) => [
      String(key),
      this.#sealed(kind, String(key), String(text), Number(sum)),
    ]);
  }

  #sealed(kind: RecordKind, key: string, text: string, sum: number): string {
    if (sumOf('record', kind, key, text) !== sum)
      throw this.damaged(`${kind} ${key} does not fit its checksum`);
    return text;
  }

  #mustNotKnow(key: string): void {
    if (this.get('SELECT 1 FROM known WHERE key = ?', key) !== undefined)
      throw this.damaged(`${key} is known and its row is gone`);
  }

  /** From now on nothing is answered but this. */
  damaged(what: string): RegistryUnavailable {
    this.#damage ??= damageOf(`${this.#path} is damaged: ${what}`);
    return this.#damage;
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const made = this.#database.prepare(sql);
    this.#statements.set(sql, made);
    return made;
  }

  #translated<T>(work: () => T): T {
    if (!this.#database.isOpen)
      throw new RegistryUnavailable('unreachable', 'the registry is closed');
    if (this.#damage !== null) throw this.#damage;
    try {
      return work();
    } catch (fault) {
      throw this.#latched(fault);
    }
  }

  #latched(fault: unknown): unknown {
    if (!(fault instanceof StoreUnavailable)) return fault;
    // Without a code it is whole, and written by a later version.
    if (fault.why !== 'damaged' || fault.code === null)
      return new RegistryUnavailable(fault.why, fault.message, { cause: fault });
    this.#damage ??= damageOf(fault.message, fault);
    return this.#damage;
  }
}

/** What happened, and what to do. */
function damageOf(what: string, cause?: unknown): RegistryUnavailable {
  return new RegistryUnavailable(
    'damaged',
    `${what}; stop what uses it and bring it back from a backup, together with its -wal ` +
      '("sallyport registry verify --config FILE" tells whether it is whole)',
    cause === undefined ? {} : { cause },
  );
}
