/**
 * Runs rings of tests: `node test/run.ts unit contract`. Brings the system's parts that they need, then hands over to vitest,
 * whose last line is `N passed, N failed, N skipped`.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { prepare } from './support/system.ts';

const NOT_RINGS = ['support', 'prove', 'bench'];

const here = import.meta.dirname;
const root = dirname(here);
const rings = process.argv.slice(2);
const known = readdirSync(here, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !NOT_RINGS.includes(entry.name))
  .map((entry) => entry.name);

if (rings.length === 0 || rings.some((ring) => !known.includes(ring))) {
  console.error(`usage: node test/run.ts RING...   (there are: ${known.join(', ')})`);
  process.exit(2);
}

prepare(rings);
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const folders = rings.map((ring) => `test/${ring}/`);
const child = spawn(process.execPath, [...process.execArgv, vitest, 'run', ...folders], {
  cwd: root,
  stdio: ['ignore', 'inherit', 'inherit'],
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
child.once('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
