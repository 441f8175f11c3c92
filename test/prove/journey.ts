/**
 * `npm run prove -- journey [ACCOUNTS] [embedded|redis]`: an administrator's journey through a very
 * large registry, by the API and by commands beside a gate that runs: create, find, filter, sort,
 * many at a time with a preview, rotate, what became of whom, who can, all of it as a table. Every
 * total is held against the same computed from the accounts themselves; what it took is told and
 * not judged. With 200,000 accounts or more it writes the table into docs/SCALE.md.
 */
import { cpuUsOf } from '../bench/processes.ts';
import { openAdminScene } from '../support/admin-scene.ts';
import { doorsTo } from '../support/journey/doors.ts';
import { JOURNEY, journeyAccount, totalsOf } from '../support/journey/model.ts';
import type { Step } from '../support/journey/step.ts';
import { apiSteps, cliSteps, LISTS } from '../support/journey/steps.ts';
import { startRedis } from '../support/redis-server.ts';
import { conditions, writeSection } from '../support/scale-document.ts';

const DOCUMENTED = 200_000;
const size = Number(process.argv[2] ?? 1_000_000);
const onRedis = process.argv[3] === 'redis';
const rows: string[] = [];
let failed = 0;

const beganMs = performance.now();
const redis = onRedis ? await startRedis() : null;
const scene = await openAdminScene({
  ...JOURNEY,
  accounts: size,
  events: 5_000,
  redisUrl: redis?.url ?? null,
  accountOf: journeyAccount,
  // As the n-th role has it.
  permissionOf: (n) => `test:part-${n}`,
});
const readyS = (performance.now() - beganMs) / 1e3;
console.log(`${size} accounts and a gate are there after ${readyS.toFixed(0)} s`);
try {
  const store = redis === null ? { kind: 'embedded' } : { kind: 'redis', url: redis.url };
  const doors = doorsTo(scene, store);
  const totals = totalsOf(size, LISTS);
  for (const step of apiSteps(doors, totals)) await take('API', step);
  for (const step of cliSteps(doors, totals)) await take('command', step);
} finally {
  await scene.stop();
  await redis?.stop();
}
const table = [
  conditions(
    `npm run prove -- journey ${process.argv.slice(2).join(' ')}`,
    `${size} accounts, ${onRedis ? 'Redis' : 'embedded'}; a command's time holds its start`,
  ),
  '',
  '| step | by | found | took | processor of the gate |',
  '| --- | --- | --- | --- | --- |',
  ...rows,
].join('\n');
console.log(table);
if (failed > 0) process.exitCode = 1;
else if (size >= DOCUMENTED && !onRedis) writeSection('journey', table);

/** A step that finds something else is told, and the journey goes on. */
async function take(door: string, { what, run }: Step): Promise<void> {
  const cpuUs = cpuUsOf(scene.pids);
  const stepMs = performance.now();
  let found: string;
  try {
    found = await run();
  } catch (error) {
    failed += 1;
    found = `FAILED: ${(error as Error).message}`;
  }
  const tookMs = performance.now() - stepMs;
  const usedMs = (cpuUsOf(scene.pids) - cpuUs) / 1e3;
  const cells = [what, door, found, wordsOf(tookMs), wordsOf(usedMs)];
  rows.push(`| ${cells.join(' | ')} |`);
  console.log(rows.at(-1));
}

function wordsOf(ms: number): string {
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1e3).toFixed(1)} s`;
}
