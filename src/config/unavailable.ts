import type { Report } from './faults.ts';

/**
 * What the schema knows and this version does not run yet. Whoever says it is told so: a key that is silently ignored reads like a promise.
 * When a part arrives, its row goes. `*` stands for any list index or name; `when` narrows a row to some values.
 */
export const UNAVAILABLE: readonly { readonly path: string; readonly when?: (value: unknown) => boolean }[] = [
  { path: 'instance.workers', when: (value) => typeof value === 'number' && value > 1 },
  { path: 'listen.admin' },
  { path: 'listen.decision' },
  { path: 'listen.proxy.tls.clientCaFile' },
  { path: 'store.sentinels' },
  { path: 'store.cluster' },
  { path: 'registry.minReplicaAcks', when: (value) => typeof value === 'number' && value > 0 },
  { path: 'audit.spool' },
  { path: 'upstreams.*.assertion', when: (value) => value !== false },
  { path: 'routes.*.rateLimit' },
  { path: 'accounts' },
  { path: 'tls' },
  { path: 'telemetry' },
  { path: 'console' },
  { path: 'identity' },
];

export function checkAvailability(value: unknown, report: Report): void {
  for (const { path, when } of UNAVAILABLE) {
    for (const found of find(value, path.split('.'), [])) {
      if (when === undefined || when(found.value)) report.fault(found.path, 'not available in this version');
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
