/**
 * Runs rings of tests: `node test/run.ts unit contract`. Brings the system's parts that they need,
 * then hands over to vitest, whose last line is `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { prepare } from './support/system.ts';
import { wayIn } from './support/world/namespace.ts';

/** Folders of test/. The first four are `npm test`, the others come with `.ci/run`. */
const RINGS = [
  'unit',
  'contract',
  'integration',
  'house',
  'clients',
  'engines',
  'reload',
  'limits',
  'upstreams',
  'processes',
  'corpus',
  'fuzz',
  'simulation',
  'abuse',
  'fault',
  'security',
  'browser',
  'world',
];

/** They wait for leases, time-outs and servers most of the time: three files at once. */
const WAITING = ['engines', 'reload', 'limits', 'upstreams', 'fault'];

const root = dirname(import.meta.dirname);
const rings = process.argv.slice(2);

if (rings.length === 0 || rings.some((ring) => !RINGS.includes(ring))) {
  console.error(`usage: node test/run.ts RING...   (there are: ${RINGS.join(', ')})`);
  process.exit(2);
}

prepare(rings);
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
/** What V8 has compiled, and Node has stripped of types, is there for the next process too. */
const compiled = join(root, 'node_modules', '.cache', 'compiled');
const folders = rings.map((ring) => `test/${ring}/`);
// Its files share one loopback, where everybody has the place that is known.
const world = rings.includes('world') ? { ...wayIn(), options: ['--no-file-parallelism'] } : null;
const waits = rings.every((ring) => WAITING.includes(ring)) ? ['--maxWorkers=3'] : [];
const [command, ...words] = [
  ...(world?.words ?? []),
  process.execPath,
  ...[...process.execArgv, vitest, 'run', ...(world?.options ?? waits), ...folders],
] as [string, ...string[]];
const child = spawn(command, words, {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...world?.env },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
