/**
 * `npm run prove -- prometheus [SECONDS]`: two workers under load, one of which is killed, scraped
 * by a real Prometheus that has the rules; every question of the dashboards and of the rules is
 * asked, those about workers too. Fails when one has no data, and prints what fires.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse } from 'yaml';
import { startFleet } from '../support/fleet.ts';
import { expressionsOf, startPrometheus } from '../support/prometheus.ts';

/** Of administration, which this fleet has no listener for. */
const NOT_HERE = /revocation/;

const seconds = Number(process.argv[2] ?? 20);
const config = join(import.meta.dirname, '../../config');
const ruleFiles = ['recording', 'alerts'].map((name) => join(config, 'prometheus', `${name}.yml`));
const dashboards = ['sallyport', 'instance'].map((name) => join(config, 'grafana', `${name}.json`));
const rules = ruleFiles.flatMap((file) =>
  (
    parse(readFileSync(file, 'utf8')) as {
      groups: { rules: { record?: string; expr: string }[] }[];
    }
  ).groups.flatMap((group) => group.rules),
);
const asked = [
  ...dashboards.flatMap(expressionsOf),
  ...rules.flatMap(({ record, expr }) => (record === undefined ? [] : [record, expr])),
].filter((expression) => !NOT_HERE.test(expression));

const fleet = await startFleet(2, null, {}, { telemetry: { topAccounts: 5 } });
const prometheus = await startPrometheus(`127.0.0.1:${fleet.opsPort}`, ruleFiles);
try {
  let calls = 0;
  const endMs = performance.now() + seconds * 1000;
  for (let killed = false; performance.now() < endMs; calls += 1) {
    await fleet.call({ path: calls % 5 === 0 ? '/none' : '/all/x' }).catch(() => null);
    if (!killed && performance.now() > endMs - seconds * 500) {
      process.kill(fleet.workerPids()[0]!, 'SIGKILL');
      killed = true;
    }
    await sleep(10);
  }
  const empty: string[] = [];
  for (const expression of asked)
    if ((await prometheus.query(expression)).length === 0) empty.push(expression);
  const firing = await prometheus.query('count by (alertname) (ALERTS)');
  console.log(`${calls} calls in ${seconds} s, two workers, one of them killed`);
  console.log(`${asked.length} questions, ${asked.length - empty.length} with data`);
  for (const expression of empty) console.log(`no data: ${expression}`);
  console.log(`${firing.length} alerts are pending or fire`);
  const died = await prometheus.query('ALERTS{alertname="SallyportWorkerDied"}');
  console.log(`SallyportWorkerDied ${died.length > 0 ? 'fires' : 'does not fire'}`);
  if (empty.length > 0 || died.length === 0) process.exitCode = 1;
} finally {
  await prometheus.stop();
  await fleet.stop();
}
