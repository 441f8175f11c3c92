/**
 * `npm run prove -- trail [EVENTS]`: how long it takes to hold a change against a record of 400,000
 * events (half of them decisions, of 2,000 accounts that each call in ten ways), in how much
 * memory, and how many turns of the loop it takes longer than 20 ms. Also against a quarter of
 * them, to show that memory does not grow with the record.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { bossOf, openTrailBench, TRAIL_STORES } from '../support/trail-bench.ts';
import { route } from '../unit/decision/samples.ts';

const ACCOUNTS = 2_000;
const WAYS = 10;
const INSTANCES = 4;
const AT_ONCE = 5_000;
const MIB = 2 ** 20;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const heapMiB = () => {
  gc();
  return process.memoryUsage().heapUsed / MIB;
};

const most = Number(process.argv[2] ?? 400_000);
console.log(
  '| store | events | seconds | of them processor | events a second | kept | longest turn |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const kind of TRAIL_STORES)
  for (const events of [most / 4, most]) await prove(kind, Math.round(events));

async function prove(kind: (typeof TRAIL_STORES)[number], events: number): Promise<void> {
  const bench = await openTrailBench(kind, null);
  if (bench === null) throw new Error('redis-server is not installed');
  const { admin } = bench;
  await admin.createRole(bossOf, { name: 'caller', permissions: ['apps:*'] });
  const ids: string[] = [];
  for (let n = 0; n < ACCOUNTS; n += 1) {
    const made = { name: `caller-${n}`, role: 'caller' };
    ids.push((await admin.createServiceAccount(bossOf, made)).account.id);
  }
  const routes = Array.from({ length: WAYS }, (_, n) =>
    route({ name: `route-${n}`, permission: `apps:way-${n}` }),
  );
  for (let at = 0; at < events / 2; at += AT_ONCE) {
    const calls = Array.from({ length: AT_ONCE }, (_, index) => {
      const n = at + index;
      const account = { id: ids[n % ACCOUNTS]!, name: `caller-${n % ACCOUNTS}`, kind: 'service' };
      const to = routes[Math.floor(n / ACCOUNTS) % WAYS]!;
      return { account, route: to, application: 'crm', role: 'caller', method: 'GET' } as never;
    });
    await bench.record(`edge-${(at / AT_ONCE) % INSTANCES}.k2J9x`, calls);
  }
  const beganMiB = heapMiB();
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const [began, processor] = [performance.now(), process.cpuUsage()];
  const input = { name: 'caller', permissions: ['apps:way-0'] };
  let answer = await admin.replayChange(bossOf, { operation: 'editRole', input });
  while (answer.next !== null)
    answer = await admin.replayChange(bossOf, {
      operation: 'editRole',
      input,
      cursor: answer.next,
    });
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(processor);
  delay.disable();
  const keptMiB = heapMiB() - beganMiB;
  const { examined } = answer.window;
  const cells = [
    kind,
    examined.toLocaleString('en'),
    seconds.toFixed(1),
    ((user + system) / 1e6).toFixed(1),
    Math.round(examined / seconds).toLocaleString('en'),
    `${keptMiB.toFixed(0)} MiB`,
    `${(delay.max / 1e6).toFixed(0)} ms`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
  const refused = Math.round((events / 2) * ((WAYS - 1) / WAYS));
  if (answer.window.calls !== events / 2 || Math.abs(answer.refuses.calls - refused) > AT_ONCE) {
    console.log(`not so: ${answer.window.calls} calls, ${answer.refuses.calls} refused`);
    process.exitCode = 1;
  }
  await bench.close();
}
