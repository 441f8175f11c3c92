import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface FolderLock {
  release(): void;
}

/** The file by which a folder is locked. */
const LOCK_FILE = 'lock';
const SQLITE_BUSY = 5;

/**
 * Locks a folder for this process by an exclusive transaction on a file in it, which holds nothing:
 * the system ends it with the process, however that ends. Null: another one has it. Throws what
 * SQLite says where the file cannot be made or used.
 */
export function lockFolder(path: string): FolderLock | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (fault) {
    database?.close();
    if ((fault as { errcode?: unknown }).errcode === SQLITE_BUSY) return null;
    throw fault;
  }
  const held = database;
  return { release: () => held.close() };
}
