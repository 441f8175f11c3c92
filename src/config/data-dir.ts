import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** The data folder cannot be used. The message names the folder and says what to do. */
export class DataDirFault extends Error {
  override readonly name = 'DataDirFault';
}

const OTHERS = 0o077;
/**
 * More than the gate ever keeps there; past it somebody has pointed it at a folder of their own.
 */
const MAX_ENTRIES = 10_000;

/**
 * Makes the data folder (mode 0700) or checks the one that is there: a folder, ours, writable,
 * closed to others; files in it closed to others as well. What is open it closes, and says so in
 * the answer (one line each). Throws `DataDirFault`.
 *
 * Done at start, never by loading a configuration: `check` must leave no trace.
 */
export function prepareDataDir(folder: string): readonly string[] {
  try {
    makeFolders(folder);
  } catch (error) {
    throw new DataDirFault(`${folder}: the data folder cannot be made (${codeOf(error)})`, {
      cause: error,
    });
  }
  const notes = [...checkFolder(folder), ...closeFiles(folder)];
  checkWritable(folder);
  return notes;
}

/**
 * Step by step: the system's own recursion goes round for ever where a folder cannot hold another
 * (/proc). Folders above keep the usual mode.
 */
function makeFolders(folder: string): void {
  const missing: string[] = [];
  for (
    let path = resolve(folder);
    !existsSync(path) && path !== dirname(path);
    path = dirname(path)
  )
    missing.unshift(path);
  for (const path of missing) mkdirSync(path, { mode: path === resolve(folder) ? 0o700 : 0o755 });
}

function checkFolder(folder: string): readonly string[] {
  // Whoever made a link can point it elsewhere at any time, and a root that follows it writes
  // there.
  mustBeOurs(folder, lstatSync(folder).uid, 'the link');
  const stat = statSync(folder);
  if (!stat.isDirectory()) throw new DataDirFault(`${folder}: the data folder must be a folder`);
  const user = process.getuid?.();
  if (user !== undefined && stat.uid !== user) {
    throw new DataDirFault(
      `${folder}: the data folder belongs to user ${stat.uid}, this process runs as user ${user}; run it as that user, or name a folder inside, which is made then`,
    );
  }
  return (stat.mode & OTHERS) === 0 ? [] : [close(folder, 0o700)];
}

/** Ours, or root's, who may do everything anyway. */
function mustBeOurs(path: string, owner: number, what: string): void {
  const user = process.getuid?.();
  if (user === undefined || owner === user || owner === 0) return;
  throw new DataDirFault(
    `${path}: ${what} belongs to user ${owner}, who could lead what is written here elsewhere; this process runs as user ${user}: remove it, or run as that user`,
  );
}

/** After the folder was closed: from now on nobody else puts anything in. */
function closeFiles(folder: string): readonly string[] {
  const entries = readdirSync(folder);
  if (entries.length > MAX_ENTRIES)
    throw new DataDirFault(
      `${folder}: holds more than ${MAX_ENTRIES} entries; is it a folder of its own?`,
    );
  const notes: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    mustBeOurs(path, stat.uid, stat.isSymbolicLink() ? 'the link' : 'the file');
    if (stat.isFile() && (stat.mode & OTHERS) !== 0) notes.push(close(path, 0o600));
  }
  return notes;
}

function close(path: string, mode: number): string {
  try {
    chmodSync(path, mode);
  } catch (error) {
    throw new DataDirFault(
      `${path}: is open to other users and cannot be closed (${codeOf(error)})`,
      { cause: error },
    );
  }
  return `${path} was open to other users; its mode is now 0${mode.toString(8)}`;
}

/** By writing: a mode says nothing on a read-only file system, or on a full one. */
function checkWritable(folder: string): void {
  const probe = join(folder, `.probe-${randomBytes(6).toString('hex')}`);
  try {
    writeFileSync(probe, 'x', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new DataDirFault(`${folder}: the data folder is not writable (${codeOf(error)})`, {
      cause: error,
    });
  } finally {
    rmSync(probe, { force: true });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown error';
}
