import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { StoreUnavailable } from '../store/fault.ts';
import { guarded, openDatabase, transact } from '../store/sqlite.ts';
import { REGISTRY_MIGRATIONS } from './embedded-schema.ts';
import { type Position, RegistryUnavailable } from './port.ts';
import { noRegistry, type ServedRegistry } from './served.ts';

/**
 * The registry's SQLite file: statements prepared once, faults told in the registry's words, and
 * what all questions begin with.
 */
export class RegistryFile {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #served: ServedRegistry | null;
  readonly #statements = new Map<string, StatementSync>();

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
      throw unavailable(fault);
    }
    try {
      this.#assertWhole();
    } catch (fault) {
      this.#database.close();
      throw fault;
    }
  }

  /**
   * A page that was overwritten can look like one that holds fewer rows: then accounts would be
   * absent that are not. So the structure of every page is looked at before anything is answered
   * (sqlite.org/pragma.html#pragma_integrity_check). What it cannot see: text that was changed in
   * place, and changes that are gone as a whole.
   */
  #assertWhole(): void {
    const found = this.#translated(() =>
      guarded(this.#path, () => this.#database.prepare('PRAGMA integrity_check(1)').get()),
    );
    if (found?.integrity_check !== 'ok')
      throw new RegistryUnavailable(
        'damaged',
        `${this.#path} is damaged: stop what uses it and bring it back from a backup, ` +
          `together with its -wal (${String(found?.integrity_check)})`,
      );
  }

  /**
   * Nothing comes between the reads of one `work`: they are synchronous, and nobody else may write.
   */
  read<T>(work: () => T): T {
    return this.#translated(() => guarded(this.#path, work));
  }

  /** One transaction: what throws inside undoes it. */
  write<T>(work: () => T): T {
    return this.#translated(() => transact(this.#database, this.#path, work));
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
   * served.
   */
  position(): Position {
    const row = this.get('SELECT epoch, seq FROM position');
    this.#served?.assert(row === undefined ? null : String(row.epoch));
    if (row === undefined) throw noRegistry();
    this.#served?.assertReached(Number(row.seq));
    return { epoch: String(row.epoch), seq: Number(row.seq) };
  }

  /** To be called after a change, outside its transaction. */
  reached(seq: number): void {
    this.#served?.reached(seq);
  }

  /** The id of the registry that is there, whichever it is; null = none. */
  epoch(): string | null {
    const epoch = this.get('SELECT epoch FROM position')?.epoch;
    return epoch === undefined ? null : String(epoch);
  }

  record(kind: string, key: string): string | null {
    const text = this.get('SELECT text FROM record WHERE kind = ? AND key = ?', kind, key)?.text;
    return text === undefined ? null : String(text);
  }

  recordsOf(kind: string): [string, string][] {
    return this.all('SELECT key, text FROM record WHERE kind = ?', kind).map((row) => [
      String(row.key),
      String(row.text),
    ]);
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
    try {
      return work();
    } catch (fault) {
      throw unavailable(fault);
    }
  }
}

function unavailable(fault: unknown): unknown {
  return fault instanceof StoreUnavailable
    ? new RegistryUnavailable(fault.why, fault.message, { cause: fault })
    : fault;
}
