import { constants, openSync } from 'node:fs';

/**
 * Opens a file of ours in the data folder for reading; null where there is none. A link is not
 * followed, and nothing is waited for. Throws what `refused` makes of any other fault.
 */
export function openOwnFile(
  path: string,
  refused: (why: string, fault: unknown) => Error,
): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw refused(`cannot be opened (${code})`, fault);
  }
}
