import {
  closeSync,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { UsageError } from './exit.ts';

/** A file that can be read from either end. */
export interface PlainFile {
  readonly path: string;
  /** Removes what was made for it. */
  remove(): void;
}

/**
 * What is compressed is unpacked into a folder that nobody else can read: an export is newest
 * first, and is read from its end. Throws `UsageError` for what cannot be read or is cut off.
 */
export async function plainFile(path: string): Promise<PlainFile> {
  if (!isGzip(path)) return { path, remove: () => {} };
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-verify-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const plain = join(folder, 'export');
  try {
    const target = createWriteStream(plain, { flags: 'wx', mode: 0o600 });
    await pipeline(createReadStream(path), createGunzip(), target);
  } catch (error) {
    remove();
    throw new UsageError(`the export ${path} cannot be unpacked: ${(error as Error).message}`);
  }
  return { path: plain, remove };
}

/** By its first bytes: a name says nothing. */
function isGzip(path: string): boolean {
  try {
    const file = openSync(path, 'r');
    try {
      const start = Buffer.alloc(2);
      return readSync(file, start, 0, 2, 0) === 2 && start.readUInt16BE(0) === GZIP_MAGIC;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw new UsageError(`the export ${path} cannot be read: ${(error as Error).message}`);
  }
}

const GZIP_MAGIC = 0x1f8b;
