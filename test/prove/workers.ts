/**
 * `npm run prove -- workers [CONNECTIONS...]`: what a second worker brings and costs: requests per
 * second, processor time per request of the gate's processes, and how the system deals connections
 * out. Needs wrk, nginx and Redis. With two cores, load, upstream and Redis take what they need
 * from the same two.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cpuUsOf } from '../bench/processes.ts';
import { startUpstream } from '../bench/upstream.ts';
import { type Fleet, startFleet } from '../support/fleet.ts';

const run = promisify(execFile);
const SECONDS = 6;
const ROUNDS = 3;
const ALL_CPUS = `0-${navigator.hardwareConcurrency - 1}`;

const connections = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(tmpdir(), 'sallyport-prove-workers-'));
const upstream = await startUpstream(folder, ALL_CPUS);
console.log(
  '| workers | connections | requests/s | us of the gate per request | of the supervisor | shares of the workers |\n|---|---|---|---|---|---|',
);
try {
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const workers of [1, 2]) {
      const fleet = await startFleet(workers, `http://127.0.0.1:${upstream.port}`);
      try {
        for (const count of connections.length > 0 ? connections : [16, 64])
          await measure(fleet, workers, count);
      } finally {
        await fleet.stop();
      }
    }
  }
} finally {
  await upstream.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function measure(fleet: Fleet, workers: number, count: number): Promise<void> {
  // One worker is the process itself: there is no supervisor then.
  const pids = workers === 1 ? [fleet.process.pid!] : fleet.workerPids();
  const cpu = () => pids.map((pid) => cpuUsOf([pid]));
  await load(fleet, count, 2);
  const [before, supervisorBefore] = [cpu(), cpuUsOf([fleet.process.pid!])];
  const { requests, perSecond } = await load(fleet, count, SECONDS);
  const used = cpu().map((us, index) => us - before[index]!);
  const whole = used.reduce((sum, us) => sum + us, 0);
  const supervisor = workers === 1 ? 0 : cpuUsOf([fleet.process.pid!]) - supervisorBefore - whole;
  const shares = used.map((us) => `${Math.round((100 * us) / whole)} %`).join(' ');
  const perRequest = (us: number) => (us / requests).toFixed(1);
  console.log(
    `| ${workers} | ${count} | ${perSecond} | ${perRequest(whole)} | ${perRequest(supervisor)} | ${shares} |`,
  );
}

async function load(
  fleet: Fleet,
  count: number,
  seconds: number,
): Promise<{ requests: number; perSecond: number }> {
  const words = [
    '-t',
    '1',
    '-c',
    String(count),
    '-d',
    `${seconds}s`,
    '-H',
    `Authorization: Bearer ${fleet.token}`,
  ];
  const { stdout } = await run('wrk', [...words, `https://localhost:${fleet.port}/all/x`]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1]);
  return { requests, perSecond: Math.round(requests / seconds) };
}
