import { isDeepStrictEqual } from 'node:util';
import type { LoadedConfig } from './load.ts';
import { countsOf, keysOf } from './reloading.ts';
import { type Config, configSchema } from './schema.ts';
import { Secret } from './secret.ts';

export interface ConfigChange {
  /**
   * Keys whose value changed: `limits.headBytes`; lists (`routes`, `upstreams`) as a whole; a key
   * that names a file, when the file holds something else.
   */
  readonly changed: readonly string[];
  /**
   * Keys that differ from what the instance was started with, and that it keeps until it is again.
   */
  readonly needRestart: readonly string[];
  /** Those among `changed` that no gate reads: `sallyport apply` makes them so. */
  readonly needApply: readonly string[];
}

type Compared = Pick<LoadedConfig, 'config' | 'contents'>;

/** @param started what the running instance began with */
export function compareConfigs(started: Compared, before: Compared, after: Compared): ConfigChange {
  const changed = changesOf(before, after);
  const declaredAs = (counts: string) => (path: string) =>
    countsOf(configSchema, path.split('.')) === counts;
  return {
    changed,
    needRestart: changesOf(started, after).filter(declaredAs('restart')),
    needApply: changed.filter(declaredAs('apply')),
  };
}

function changesOf(before: Compared, after: Compared): readonly string[] {
  const keys = differences(before.config, after.config, '');
  return [...keys, ...otherContents(before, after).filter((path) => !isBelow(path, keys))];
}

/** Keys that name the same file as before, which holds something else now. */
function otherContents(before: Compared, after: Compared): readonly string[] {
  return [...after.contents].flatMap(([path, { file, digest }]) => {
    const old = before.contents.get(path);
    return old !== undefined && old.file === file && old.digest !== digest ? [path] : [];
  });
}

function isBelow(path: string, keys: readonly string[]): boolean {
  return keys.some((key) => path === key || path.startsWith(`${key}.`));
}

/**
 * A configuration as a running instance takes it over: what needs a restart stays as it is, so that
 * nothing of it counts by half.
 */
export function takeOver(running: Config, next: Config): Config {
  return merge(running, next, []) as Config;
}

function merge(running: unknown, next: unknown, path: readonly string[]): unknown {
  if (needsRestart(path)) return running;
  if (isGroup(running) && isGroup(next)) {
    // A group of another kind is another thing: nothing of it fits into the one that runs.
    if (running.kind !== next.kind && needsRestart([...path, 'kind'])) return running;
    const entries = Object.keys(next).map((key) => [
      key,
      merge(running[key], next[key], [...path, key]),
    ]);
    return Object.fromEntries(entries);
  }
  return countsOf(configSchema, path) === 'restart' ? running : next;
}

const LIVE = keysOf(configSchema).filter(
  (key) => countsOf(configSchema, key.split('.')) === 'live',
);

function needsRestart(path: readonly string[]): boolean {
  const below = `${path.join('.')}.`;
  return (
    path.length > 0 &&
    countsOf(configSchema, path) === 'restart' &&
    !LIVE.some((key) => key.startsWith(below))
  );
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
 * Whether two parts of configurations say the same. Secrets are compared by what they hold; a deep
 * comparison would find all of them equal.
 */
export function isSame(before: unknown, after: unknown): boolean {
  if (before instanceof Secret && after instanceof Secret) return before.equals(after);
  if (Array.isArray(before) && Array.isArray(after))
    return before.length === after.length && before.every((one, at) => isSame(one, after[at]));
  if (!isGroup(before) || !isGroup(after)) return isDeepStrictEqual(before, after);
  const keys = Object.keys(before);
  return (
    keys.length === Object.keys(after).length &&
    keys.every((key) => Object.hasOwn(after, key) && isSame(before[key], after[key]))
  );
}
