import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { UsageError } from '../exit.ts';

/** Links that are followed, as many as Linux follows. */
const LINKS_MOST = 40;

/** What decides which file a path is. */
export interface WayToFile {
  /** Real paths: where the file is, where each link is, and what links lead through. */
  readonly folders: ReadonlySet<string>;
  readonly links: ReadonlySet<string>;
}

/**
 * Name by name, as the system goes: `..` leaves the folder that was reached, also by a link, and
 * not the one that is written before it. From the first link on, every folder that a name is looked
 * up in counts: also those of plain names that follow the link.
 *
 * Throws the system's error, or `UsageError`; the path must be absolute, and there.
 */
export function wayTo(file: string): WayToFile {
  const [folders, links] = [new Set<string>(), new Set<string>()];
  const names = namesIn(file);
  let [at, followed] = ['/', 0];
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const found = join(at, name);
    const isLink = lstatSync(found).isSymbolicLink();
    if (isLink || (followed > 0 && name !== '..')) folders.add(at);
    if (isLink) {
      links.add(found);
      followed += 1;
      if (followed > LINKS_MOST) throw new UsageError(`${file} is behind too many links`);
      const target = readlinkSync(found);
      names.unshift(...namesIn(target));
      if (isAbsolute(target)) at = '/';
    } else at = found;
  }
  return { folders: folders.add(dirname(at)), links };
}

function namesIn(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}
