import type * as z from 'zod';
import { hasReference } from './environment.ts';
import type { ConfigPath } from './faults.ts';

/**
 * A variable is text; where its key wants a number, a yes or no, or a list, it is read as one:
 * `8443`, `true`, `10.0.0.0/8, 192.0.2.1`. Only what came from the environment is: text that the
 * file quotes is meant as text. @returns whether anything was read; `value` is changed in place
 */
export function readTypedVariables(
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
  written: (path: ConfigPath) => string,
): boolean {
  let changed = false;
  for (const issue of issues) {
    const path = issue.path as ConfigPath;
    if (issue.code !== 'invalid_type' || !hasReference(written(path))) continue;
    const [holder, key] = holderOf(value, path);
    const text = holder?.[key];
    const typed = typeof text === 'string' ? readAs(issue.expected, text) : null;
    if (holder === null || typed === null) continue;
    holder[key] = typed;
    changed = true;
  }
  return changed;
}

function readAs(kind: string, text: string): unknown {
  if (kind === 'int' || kind === 'number')
    return /^-?\d{1,15}(?:\.\d{1,6})?$/.test(text) ? Number(text) : null;
  if (kind === 'boolean') return text === 'true' ? true : text === 'false' ? false : null;
  if (kind !== 'array') return null;
  const items = text.split(',').map((item) => item.trim());
  return text.trim() === '' ? [] : items;
}

type Holder = Record<string | number, unknown>;

function holderOf(value: unknown, path: ConfigPath): readonly [Holder | null, string | number] {
  let holder = value as Holder | null;
  for (const step of path.slice(0, -1)) {
    const next = holder?.[step];
    holder = typeof next === 'object' && next !== null ? (next as Holder) : null;
  }
  return [path.length === 0 ? null : holder, path.at(-1) ?? ''];
}
