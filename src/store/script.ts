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
}

/**
 * Reads `scripts/NAME.lua` beside this file. Throws when it is missing: a part of the program, not
 * an input.
 */
export function loadScript(name: string, { readOnly = false } = {}): Script {
  const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  return { text, sha1: hash('sha1', text, 'hex'), readOnly };
}
