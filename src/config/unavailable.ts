import type { Report } from './faults.ts';

/**
 * What the schema knows and this version does not run yet. Whoever says it is told so: a key that
 * is silently ignored reads like a promise. When a part arrives, its row goes. `*` stands for any
 * list index or name; `only` is the one value that asks for nothing.
 */
export const UNAVAILABLE: readonly { readonly path: string; readonly only?: number | boolean }[] = [
  { path: 'tls' },
];

export function checkAvailability(value: unknown, report: Report): void {
  for (const { path, only } of UNAVAILABLE) {
    for (const found of find(value, path.split('.'), [])) {
      if (only === undefined) report.fault(found.path, 'not available in this version');
      else if (found.value !== only)
        report.fault(found.path, `not available in this version: only ${only} is`);
    }
  }
}

type Found = { readonly path: readonly (string | number)[]; readonly value: unknown };

/** Every place that a pattern names and that is there. */
function find(value: unknown, pattern: readonly string[], path: Found['path']): readonly Found[] {
  const [key, ...rest] = pattern;
  if (key === undefined) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  const isList = Array.isArray(value);
  return Object.entries(value)
    .filter(([name]) => key === '*' || name === key)
    .flatMap(([name, child]) => find(child, rest, [...path, isList ? Number(name) : name]));
}
