import type { Config } from './schema.ts';
import { Secret } from './secret.ts';

/** Where a secret of a configuration stands, and what it says. */
export type HandedSecret = readonly [path: readonly string[], text: string];

/**
 * The secrets of a configuration, which a message to another process or thread of ours would leave
 * behind: a copy of one holds nothing.
 */
export function secretsIn(value: unknown, path: readonly string[] = []): readonly HandedSecret[] {
  if (value instanceof Secret) return [[path, value.reveal()]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => secretsIn(below, [...path, key]));
}

/** A configuration as it was before it was sent. Changes the copy that came. */
export function withSecrets(copy: Config, secrets: readonly HandedSecret[]): Config {
  for (const [path, text] of secrets) {
    let at = copy as unknown as Record<string, unknown>;
    for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
    at[path.at(-1)!] = new Secret(text);
  }
  return copy;
}
