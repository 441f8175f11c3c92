/**
 * `npm run bench`: Sallyport beside what people would use instead, doing the same job. See
 * docs/PERFORMANCE.md for the method.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { prepare } from '../support/system.ts';
import { type Plan, planOf, USAGE } from './arguments.ts';
import { measureLoad } from './compare.ts';
import { writeDocument } from './document.ts';
import { measureExtra } from './extras.ts';
import { loadOf } from './loads.ts';
import { machine } from './machine.ts';
import type { TargetName } from './names.ts';
import { tableText } from './report.ts';
import type { Result } from './result.ts';
import { openStage } from './stage.ts';
import { peerOf, RunningPeers } from './targets.ts';

process.exitCode = (await main(process.argv.slice(2))) || process.exitCode;

async function main(words: readonly string[]): Promise<number> {
  let plan: Plan | null;
  try {
    plan = planOf(words);
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}\n\n${USAGE}`);
    return 2;
  }
  if (plan === null) {
    console.log(USAGE);
    return 0;
  }
  // Whatever is said on the way must not stand between the brackets of the JSON.
  console.log = console.error;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(130));
  prepare(['bench']);
  bundled(join(import.meta.dirname, '../..'));
  if (plan.beside !== null) bundled(plan.beside);
  const results = await measureAll(plan);
  const about = machine();
  process.stdout.write(
    plan.json ? `${JSON.stringify(results, null, 1)}\n` : `${tableText(results, about)}\n`,
  );
  if (plan.write) writeDocument(results, about);
  return 0;
}

/** Gates are measured as they are installed: from the bundle. */
function bundled(root: string): void {
  execFileSync(join(root, 'bin/with-node'), [join(root, 'bin/bundle.ts')], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
}

async function measureAll(plan: Plan): Promise<Result[]> {
  const tokens = Math.max(1, ...plan.loads.map((name) => loadOf(name).tokens));
  const population = { callers: tokens, accounts: tokens * 100 };
  const stage = await openStage(population, plan.beside);
  const peers = new RunningPeers(stage);
  try {
    const results: Result[] = [];
    const targets = plan.targets.filter(isThere);
    for (const load of plan.loads)
      results.push(...(await measureLoad(stage, peers, plan, load, targets)));
    for (const load of plan.extraLoads)
      results.push(...(await measureExtra(stage, peers, plan, load)));
    return results;
  } finally {
    await peers.stop();
    await stage.close();
  }
}

function isThere(target: TargetName): boolean {
  const missing = peerOf(target).missing();
  if (missing !== null) console.error(`${target} is left out: ${missing}`);
  return missing === null;
}
