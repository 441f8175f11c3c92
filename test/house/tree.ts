import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The repository's root. */
export const ROOT = dirname(dirname(import.meta.dirname));

/**
 * Every file that is, or is about to be, part of the repository, relative to its root: what git
 * tracks and does not ignore.
 */
export function projectFiles(under = '.'): string[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', under],
    {
      cwd: ROOT,
      encoding: 'utf8',
    },
  );
  // A file that was removed and not committed yet is still listed.
  return [...new Set(listed.split('\0'))]
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))
    .sort();
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** The text of a file, or null when it is not text. */
export function readText(path: string): string | null {
  const bytes = readFileSync(join(ROOT, path));
  return bytes.subarray(0, 8000).includes(0) ? null : bytes.toString('utf8');
}
