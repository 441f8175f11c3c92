import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { ConfigCheck } from '../config/load.ts';

/**
 * Whether a gate of this user could write what the file names. Not asked by other commands: they
 * may run elsewhere, as somebody else.
 */
export const checkWritten: ConfigCheck = ({ log }, report) => {
  const path = log.access?.path ?? null;
  const why = path === null ? null : whyUnwritable(path);
  if (why !== null) report.fault(['log', 'access', 'path'], why);
};

/** Null: it can be written, or made. */
function whyUnwritable(path: string): string | null {
  const help = 'make its folder, or let this user write there';
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.isDirectory()) return `${path} is a folder: name a file`;
    if (found?.isFIFO() || found?.isSocket())
      return `${path} is a pipe or a socket: name a file, or leave the path out for standard output`;
    // The slash: a file is no folder.
    accessSync(found ? path : `${dirname(path)}/`, constants.W_OK);
    return null;
  } catch (fault) {
    const { code = String(fault) } = fault as NodeJS.ErrnoException;
    return `${path} cannot be opened for writing (${code}): ${help}`;
  }
}
