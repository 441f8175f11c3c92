import { isDeepStrictEqual } from 'node:util';
import type { Config } from './schema.ts';
import { Secret } from './secret.ts';

export interface ConfigChange {
  /**
   * Keys whose value changed: `limits.headBytes`; lists (`routes`, `upstreams`) as a whole. Empty:
   * only a file that is named changed.
   */
  readonly changed: readonly string[];
  /** Those among them that a running instance keeps until it is restarted. */
  readonly needRestart: readonly string[];
}

/**
 * What a running instance cannot change: its ports, its store, and what its rooms were built on.
 * With all below, or exactly this key.
 */
const RESTART: readonly { readonly key: string; readonly withBelow: boolean }[] = [
  { key: 'instance', withBelow: true },
  { key: 'listen.proxy', withBelow: false },
  { key: 'listen.proxy.address', withBelow: true },
  { key: 'listen.proxy.plaintext', withBelow: false },
  { key: 'listen.proxy.tls', withBelow: false },
  { key: 'listen.admin', withBelow: false },
  { key: 'listen.admin.address', withBelow: true },
  { key: 'listen.admin.tls', withBelow: false },
  { key: 'listen.admin.foundTokens', withBelow: false },
  { key: 'listen.ops', withBelow: true },
  { key: 'console', withBelow: true },
  { key: 'identity', withBelow: true },
  { key: 'store', withBelow: true },
  { key: 'registry', withBelow: true },
  { key: 'audit', withBelow: true },
  { key: 'limits.connections', withBelow: false },
  { key: 'limits.localSharePercent', withBelow: false },
];

export function compareConfigs(before: Config, after: Config): ConfigChange {
  const changed = differences(before, after, '');
  const needRestart = changed.filter((path) =>
    RESTART.some(({ key, withBelow }) => path === key || (withBelow && path.startsWith(`${key}.`))),
  );
  return { changed, needRestart };
}

/** The nesting is the schema's, so the depth is bounded. */
function differences(before: unknown, after: unknown, path: string): readonly string[] {
  if (!isGroup(before) || !isGroup(after)) return isSame(before, after) ? [] : [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(before[key], after[key], path === '' ? key : `${path}.${key}`),
  );
}

function isGroup(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Secret)
  );
}

/**
 * Secrets are compared by what they hold; a deep comparison would find all of them equal. Lists
 * hold none.
 */
function isSame(before: unknown, after: unknown): boolean {
  return before instanceof Secret && after instanceof Secret
    ? before.equals(after)
    : isDeepStrictEqual(before, after);
}
