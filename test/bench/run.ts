/** `npm run bench`: Sallyport beside what people would use instead, doing the same job. See docs/PERFORMANCE.md for the method. */
import { prepare } from '../support/system.ts';
import { type Plan, planOf, USAGE } from './arguments.ts';
import { writeDocument } from './document.ts';
import { measureExtra } from './extras.ts';
import { type Load, loadOf } from './loads.ts';
import { machine } from './machine.ts';
import { measureLatency, measureRound, median, type Round, runUntil } from './measure.ts';
import type { LoadName, TargetName } from './names.ts';
import { tableText } from './report.ts';
import { type Result, rounded } from './result.ts';
import { openStage, type Stage } from './stage.ts';
import { peerOf, RunningPeers } from './targets.ts';

/** A peer that has no more in hand than this is not asked for its latency at the moderate rate: it would measure the queue. */
const IN_HAND = 1.3;
/** By then programs that compile as they run have compiled what matters. */
const WARM_REQUESTS = 20_000;
const WARM_HANDSHAKES = 500;

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
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  prepare(['bench']);
  const results = await measureAll(plan);
  const about = machine();
  process.stdout.write(plan.json ? `${JSON.stringify(results, null, 1)}\n` : `${tableText(results, about)}\n`);
  if (plan.write) writeDocument(results, about);
  return 0;
}

async function measureAll(plan: Plan): Promise<Result[]> {
  const tokens = Math.max(1, ...plan.loads.map((name) => loadOf(name).tokens));
  const stage = await openStage({ callers: tokens, accounts: tokens * 100 });
  const peers = new RunningPeers(stage);
  try {
    const results: Result[] = [];
    const targets = plan.targets.filter(isThere);
    for (const load of plan.loads) results.push(...(await measureLoad(stage, peers, plan, load, targets)));
    for (const load of plan.extraLoads) results.push(...(await measureExtra(stage, peers, plan, load)));
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

/** Starts the target, if it does not run yet, and runs it warm. @returns whether the target runs and does its job */
async function warmUp(stage: Stage, peers: RunningPeers, load: Load, target: TargetName): Promise<boolean> {
  try {
    await runUntil(
      stage,
      await peers.get(target, load.secure),
      load,
      load.handshake === 'none' ? WARM_REQUESTS : WARM_HANDSHAKES,
    );
    return true;
  } catch (error) {
    console.error(`${target} is left out of ${load.name}: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
    return false;
  }
}

/** The targets take turns, so that whatever the machine does meanwhile meets them all. */
async function measureLoad(
  stage: Stage,
  peers: RunningPeers,
  plan: Plan,
  name: LoadName,
  targets: readonly TargetName[],
): Promise<Result[]> {
  const load = loadOf(name);
  const rounds = new Map<TargetName, Round[]>();
  for (const target of targets) {
    if (await warmUp(stage, peers, load, target)) rounds.set(target, []);
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const [target, taken] of rounds) {
      taken.push(await measureRound(stage, await peers.get(target, load.secure), load, plan.windowMs));
      const { cpuUsPerRequest, requestsPerSecond, errors } = taken.at(-1)!;
      console.error(
        `${name} ${target} ${round + 1}: ${cpuUsPerRequest.toFixed(1)} us, ${requestsPerSecond.toFixed(0)}/s, ${errors} errors`,
      );
    }
  }
  const results: Result[] = [];
  for (const [target, taken] of rounds) {
    const requestsPerSecond = median(taken.map((round) => round.requestsPerSecond));
    const canKeepUp = requestsPerSecond > load.moderateRate * IN_HAND;
    const latency = canKeepUp
      ? await measureLatency(stage, await peers.get(target, load.secure), load, load.moderateRate, plan.latencyMs)
      : null;
    results.push({
      load: name,
      target,
      cpuUsPerRequest: rounded(median(taken.map((round) => round.cpuUsPerRequest)), 1),
      requestsPerSecond: Math.round(requestsPerSecond),
      p50Ms: latency === null ? null : rounded(latency.p50Ms, 3),
      p99Ms: latency === null ? null : rounded(latency.p99Ms, 3),
      errors: taken.reduce((sum, round) => sum + round.errors, latency?.errors ?? 0),
    });
  }
  return results;
}
