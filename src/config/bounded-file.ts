import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** A configuration, a certificate, a password: none of them is larger than this. */
const MAX_FILE_BYTES = 1_048_576;

export interface FileText {
  readonly text: string;
  /** Permission bits. */
  readonly mode: number;
}

/**
 * Reads a regular file of UTF-8 text, at most 1 MiB. Opened without blocking, so that a pipe or a
 * device in its place is an error and not a hang. Throws what the system throws, and `Error` with a
 * message for people otherwise; see `whyUnreadable`.
 */
export function readBounded(file: string): FileText {
  const handle = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(handle);
    if (stat.isDirectory()) throw new UnfitFile('is a folder');
    if (!stat.isFile()) throw new UnfitFile('is not a regular file');
    return { text: decode(readAtMost(handle, MAX_FILE_BYTES)), mode: stat.mode & 0o777 };
  } finally {
    closeSync(handle);
  }
}

class UnfitFile extends Error {}

/**
 * One byte more than allowed is asked for: the size in `stat` may be stale or, on special file
 * systems, 0.
 */
function readAtMost(handle: number, limit: number): Buffer {
  const buffer = Buffer.alloc(limit + 1);
  let length = 0;
  while (length <= limit) {
    const count = readSync(handle, buffer, length, buffer.length - length, null);
    if (count === 0) return buffer.subarray(0, length);
    length += count;
  }
  throw new UnfitFile(`is larger than ${limit} bytes`);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UnfitFile('is not UTF-8 text');
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ENOTDIR: 'a part of the path is not a folder',
  ELOOP: 'the symbolic links go in a circle',
  ENXIO: 'is not a regular file',
};

/** In words for people; without the path, which the caller says. */
export function whyUnreadable(error: unknown): string {
  if (error instanceof UnfitFile) return error.message;
  const code = (error as NodeJS.ErrnoException | null)?.code ?? 'unknown error';
  return REASONS[code] ?? `cannot be read (${code})`;
}
