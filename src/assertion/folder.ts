import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyStore } from './port.ts';

const FILES = { keys: 'assertion.keys', sealing: 'assertion.key' } as const;
const SECRET_BYTES = 32;

/**
 * The keys in a file of the data folder, which has one owner (0600). Each write takes the place of
 * the one before, whole. Throws the file system's errors.
 */
export function folderKeyStore(folder: string): KeyStore {
  const path = join(folder, FILES.keys);
  return {
    read: async () => textIn(path),
    async create(sealed) {
      return put(path, sealed, linkSync) ? sealed : textIn(path)!;
    },
    async replace(sealed) {
      put(path, sealed, renameSync);
    },
  };
}

/** What the keys of this folder are sealed with, so that a copy of their file tells nothing. */
export function sealingSecretIn(folder: string): string {
  const path = join(folder, FILES.sealing);
  put(path, randomBytes(SECRET_BYTES).toString('base64url'), linkSync);
  return textIn(path)!;
}

function textIn(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** @param place puts the finished file there. @returns false: one is there that stays */
function put(path: string, text: string, place: (from: string, to: string) => void): boolean {
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(unfinished, `${text}\n`, { flag: 'wx', mode: 0o600, flush: true });
    place(unfinished, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(unfinished, { force: true });
  }
}
