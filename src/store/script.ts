import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script and the SHA-1 by which Redis knows it. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
  /**
   * Run by EVALSHA_RO, which refuses writes, asks for read rights only, and is served by a Redis
   * that has no memory left.
   */
  readonly readOnly: boolean;
  /** Its answer holds bytes that are no text, and comes as buffers. */
  readonly answersBytes: boolean;
}

/** The first line of a script that begins with the functions of other files. */
const WITH = /^-- with (.+)\n/;

/** Lets a script write although `maxmemory` is used up. */
const WHEN_FULL = '#!lua flags=allow-oom\n';

/**
 * Reads `scripts/NAME.lua` beside this file, and what it says it begins with. `whenFull`: Redis
 * runs it with no memory left; for small writes only that must not fail then. Throws when one is
 * missing: a part of the program, not an input.
 */
export function loadScript(
  name: string,
  { readOnly = false, answersBytes = false, whenFull = false } = {},
): Script {
  const own = read(`${name}.lua`);
  const libraries = WITH.exec(own)?.[1]?.split(' ') ?? [];
  const text = (whenFull ? WHEN_FULL : '') + libraries.map(read).join('') + own;
  return { text, sha1: hash('sha1', text, 'hex'), readOnly, answersBytes };
}

function read(file: string): string {
  return readFileSync(new URL(`./scripts/${file}`, import.meta.url), 'utf8');
}
