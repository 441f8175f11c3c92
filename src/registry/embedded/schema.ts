import type { DatabaseSync } from 'node:sqlite';
import { assertStructure, type Migration } from '../../store/sqlite.ts';
import { sealAll } from './seal.ts';

/**
 * The tables of registry.db. `position` has one row or none: none means that there is no registry
 * yet.
 */
export const REGISTRY_MIGRATIONS: readonly Migration[] = [
  `
  CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
  CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
  CREATE TABLE claim (claim TEXT PRIMARY KEY, owner TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE reference (target TEXT NOT NULL, user TEXT NOT NULL, PRIMARY KEY (target, user)) STRICT, WITHOUT ROWID;
  CREATE TABLE feed (seq INTEGER PRIMARY KEY, changes TEXT NOT NULL) STRICT;
  CREATE TABLE change (id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL) STRICT;
  CREATE TABLE account_change (account TEXT NOT NULL, change INTEGER NOT NULL, PRIMARY KEY (account, change)) STRICT, WITHOUT ROWID;
  `,
  'CREATE TABLE last_use (account TEXT NOT NULL, token TEXT NOT NULL, time_ms INTEGER NOT NULL, address TEXT NOT NULL, PRIMARY KEY (account, token)) STRICT, WITHOUT ROWID;',
  // What the lists of accounts are made from (listing/embedded/lists.ts). Filled in slices later.
  `
  CREATE TABLE list_state (one INTEGER PRIMARY KEY CHECK (one = 1), version TEXT NOT NULL, seq INTEGER NOT NULL, made_from TEXT, numbers INTEGER NOT NULL, made INTEGER NOT NULL) STRICT;
  CREATE TABLE list_row (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, row TEXT NOT NULL) STRICT;
  CREATE TABLE list_free (number INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE list_name (list TEXT NOT NULL, key TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (list, key)) STRICT, WITHOUT ROWID;
  CREATE TABLE list_count (list TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE list_block (name TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
  CREATE TABLE list_text (name TEXT PRIMARY KEY, lines TEXT NOT NULL) STRICT;
  `,
  addChecksums,
  // What instances tell of lost changes, each with a checksum, and what they add up to.
  `
  CREATE TABLE tombstone (label TEXT PRIMARY KEY, text TEXT NOT NULL, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE tombstone_state (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL, rows INTEGER NOT NULL, digest INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;
  `,
];

/** What is damaged already must not be taken for what it should be. */
function addChecksums(database: DatabaseSync, path: string): void {
  assertStructure(database, path);
  database.exec(`
    ALTER TABLE record ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE claim ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE reference ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE position ADD COLUMN totals TEXT NOT NULL DEFAULT '';
    ALTER TABLE position ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE known (key TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  `);
  sealAll(database);
}
