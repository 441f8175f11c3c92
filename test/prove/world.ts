/**
 * `npm run prove -- world [ROUNDS] [CALLS_PER_SECOND]`: rolling restarts of upstreams and of gates
 * behind HAProxy (HTTP and TCP), while clients call at a bounded rate and repeat nothing. By
 * default 10 rounds, in each of which two upstreams and two gates are restarted, and 1,000 calls a
 * second. In a network namespace of its own, as the ring `world`.
 */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { outsideWhy, wayIn } from '../support/world/namespace.ts';
import { type RestartsResult, restartAll } from '../support/world/restarts.ts';

const [rounds = 10, callsPerSecond = 1_000] = process.argv.slice(2).map(Number);
/** Connections at each of the two fronts. */
const CALLERS = 24;

if (outsideWhy() === null) report(await restartAll({ rounds, callers: CALLERS, callsPerSecond }));
else goIn();

function goIn(): void {
  const { words, env } = wayIn();
  if (words.length === 0) {
    console.error(`no network namespace can be made here: ${Object.values(env).join()}`);
    process.exitCode = 1;
    return;
  }
  const own = [...process.execArgv, join(import.meta.dirname, '..', 'run-prove.ts'), 'world'];
  const args = [...words.slice(1), process.execPath, ...own, ...process.argv.slice(2)];
  const { status } = spawnSync(words[0]!, args, {
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  process.exitCode = status ?? 1;
}

function report({ made, restarts, codes }: RestartsResult): void {
  const { calls, posts, seconds, failed, failedPosts } = made;
  for (const line of [...failed, ...failedPosts].slice(0, 100)) console.log(line);
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(
    [
      `restarts: ${restarts.services} of upstreams, ${restarts.gates} of gates`,
      `calls: ${calls} in ${Math.round(seconds)} s, ${Math.round(calls / seconds)} a second`,
      `failed of ${calls - posts} that could have been repeated safely: ${failed.length}`,
      `failed of ${posts} POST, which nobody may repeat: ${failedPosts.length}`,
      `gates that did not end with 0: ${codes.filter((code) => code !== 0).length}`,
      `machine: ${cpus().length} cores, load ${load.join(', ')}`,
    ].join('\n'),
  );
  if (failed.length > 0 || codes.some((code) => code !== 0)) process.exitCode = 1;
}
