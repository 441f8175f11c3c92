import { closeSync, constants, fchmodSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { StoreInUse, StoreUnavailable } from './fault.ts';

/**
 * One step of a database's schema; its place in the list is the version that it leads to. Steps
 * that shipped are never edited.
 */
export type Migration = string | ((database: DatabaseSync, path: string) => void);

const PRIMARY_CODE_MASK = 0xff;
const SQLITE = {
  error: 1,
  busy: 5,
  readonly: 8,
  ioerr: 10,
  corrupt: 11,
  full: 13,
  cantopen: 14,
  constraint: 19,
  notadb: 26,
} as const;

/**
 * Opens a database that this process alone owns, creating it (0600) when it is missing, and brings
 * its schema up to date.
 *
 * WAL with synchronous=FULL: what was committed survives a power cut. locking_mode=EXCLUSIVE is the
 * owner's lock; the kernel drops it with the process, however that ends. Throws `StoreInUse`, or
 * `StoreUnavailable` when the file is not what it should be.
 */
export function openDatabase(path: string, migrations: readonly Migration[]): DatabaseSync {
  createPrivately(path);
  const database = guarded(
    path,
    () => new DatabaseSync(path, { timeout: 0, enableForeignKeyConstraints: false }),
  );
  try {
    guarded(path, () => {
      database.exec(
        'PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF',
      );
      migrate(database, path, migrations);
    });
    return database;
  } catch (fault) {
    database.close();
    throw fault;
  }
}

/**
 * Runs `work` in one transaction: all of it or nothing. Faults of SQLite become `StoreUnavailable`;
 * others pass through, after the undo.
 */
export function transact<T>(database: DatabaseSync, path: string, work: () => T): T {
  return guarded(path, () => {
    database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (fault) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw fault;
    }
  });
}

/** Runs a read and tells SQLite's faults apart by their result code (sqlite.org/rescode.html). */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (fault) {
    throw classify(path, fault);
  }
}

/** SQLite would create it by the umask; the write-ahead log takes over the mode of the file. */
function createPrivately(path: string): void {
  try {
    const file = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    fchmodSync(file, 0o600);
    closeSync(file);
  } catch (fault) {
    const code = (fault as NodeJS.ErrnoException).code ?? null;
    throw new StoreUnavailable(
      'unreachable',
      code,
      `${path} cannot be opened (${code ?? 'unknown'})`,
    );
  }
}

function migrate(database: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  // Taking the write lock is what finds another owner.
  database.exec('BEGIN IMMEDIATE');
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
  if (version > migrations.length) {
    throw new StoreUnavailable(
      'damaged',
      null,
      `${path} is written in schema ${version}, which this version does not know: start the version that wrote it, or put back the copy from before the upgrade`,
    );
  }
  for (const step of migrations.slice(version)) advance(database, path, step);
  database.exec(`PRAGMA user_version=${migrations.length}`);
  database.exec('COMMIT');
}

/** A step that does not fit was made before: the number of the schema is not what was written. */
function advance(database: DatabaseSync, path: string, step: Migration): void {
  try {
    if (typeof step === 'string') database.exec(step);
    else step(database, path);
  } catch (fault) {
    if ((fault as { errcode?: unknown }).errcode !== SQLITE.error) throw fault;
    const what = (fault as Error).message;
    throw new StoreUnavailable('damaged', 'SQLITE_1', `${path} is damaged (${what})`);
  }
}

/**
 * Looks at the structure of every page (sqlite.org/pragma.html#pragma_integrity_check). What it
 * cannot see: text that was changed in place, and changes that are gone as a whole. Throws
 * `StoreUnavailable` (`damaged`).
 */
export function assertStructure(database: DatabaseSync, path: string): void {
  const found = guarded(path, () => database.prepare('PRAGMA integrity_check(1)').get());
  if (found?.integrity_check !== 'ok')
    throw new StoreUnavailable(
      'damaged',
      'SQLITE_11',
      `${path} is damaged (${String(found?.integrity_check)})`,
    );
}

function classify(path: string, fault: unknown): unknown {
  const result = (fault as { errcode?: unknown }).errcode;
  if (typeof result !== 'number') return fault;
  const code = `SQLITE_${result}`;
  switch (result & PRIMARY_CODE_MASK) {
    case SQLITE.busy:
      return new StoreInUse(path);
    case SQLITE.notadb:
      return new StoreUnavailable('damaged', code, `${path} is not a database of Sallyport`);
    case SQLITE.corrupt:
    // Nothing here is written against a constraint: the rows that it meets are not what they were.
    case SQLITE.constraint:
      return new StoreUnavailable('damaged', code, `${path} is damaged`);
    case SQLITE.full:
      return new StoreUnavailable('refused', code, `${path} cannot grow: the disk is full`);
    case SQLITE.readonly:
      return new StoreUnavailable('refused', code, `${path} cannot be written`);
    case SQLITE.ioerr:
    case SQLITE.cantopen:
      return new StoreUnavailable('unreachable', code, `${path} cannot be read or written`);
    default:
      return fault;
  }
}
