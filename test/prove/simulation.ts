/**
 * The simulation over many seeds, on all processors: `npm run prove -- simulation [COUNT [FROM]]`,
 * 100,000 by default.
 */
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const count = Number(process.argv[2] ?? 100_000);
const from = Number(process.argv[3] ?? 0);
const workers = availableParallelism();
const main = join(import.meta.dirname, '..', 'simulation', 'main.ts');
/** Small enough that progress is seen, large enough that starting a process does not count. */
const CHUNK = 1_000;

const startedMs = performance.now();
const total: Record<string, number> = {};
const violations: unknown[] = [];
let next = from;
let done = 0;

async function work(): Promise<void> {
  while (next < from + count && violations.length === 0) {
    const first = next;
    const size = Math.min(CHUNK, from + count - first);
    next += size;
    const { violation, ...sums } = await chunk(first, size);
    for (const [key, value] of Object.entries(sums)) total[key] = (total[key] ?? 0) + Number(value);
    if (violation !== null) violations.push(violation);
    done += size;
    if (done % (10 * CHUNK) === 0)
      console.log(`${done} seeds after ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  }
}

async function chunk(first: number, size: number): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [main, '--from', String(first), '--count', String(size)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  await new Promise((resolve) => child.once('close', resolve));
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
}

await Promise.all(Array.from({ length: workers }, work));
console.log(total);
for (const violation of violations)
  console.log(violation, '(again: SEED=N node test/simulation/main.ts)');
console.log(
  `${violations.length === 0 ? 'every promise was kept' : 'A PROMISE WAS BROKEN'} in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`,
);
process.exitCode = violations.length === 0 ? 0 : 1;
