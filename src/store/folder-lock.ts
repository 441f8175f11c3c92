import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

export interface FolderLock {
  release(): void;
}

/** The file by which a folder is locked. */
const LOCK_FILE = 'lock';

/**
 * Locks a folder for this process by an exclusive transaction on a file in it, which holds nothing:
 * the system ends it with the process, however that ends. Null: another one has it, or the file
 * cannot be made.
 */
export function lockFolder(path: string): FolderLock | null {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(join(path, LOCK_FILE), { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch {
    database?.close();
    return null;
  }
  const held = database;
  return { release: () => held.close() };
}
