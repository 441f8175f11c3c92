import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type FolderLock, lockFolder } from '../../store/folder-lock.ts';
import { AuditUnavailable } from '../port.ts';

/** Throws what the file system says, and `AuditUnavailable` for a folder that another one has. */
export function madeAndLocked(path: string): FolderLock {
  const root = dirname(path);
  mkdirSync(root, { mode: 0o700, recursive: true });
  const beside = join(root, `.${basename(path)}`);
  mkdirSync(beside, { mode: 0o700 });
  let lock: FolderLock | null = null;
  try {
    lock = lockFolder(beside);
    if (lock === null) throw new AuditUnavailable(`${beside} cannot be locked`);
    renameSync(beside, path);
    return lock;
  } catch (fault) {
    lock?.release();
    rmSync(beside, { recursive: true, force: true });
    throw fault;
  }
}
