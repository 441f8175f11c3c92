import type { Plan } from './arguments.ts';
import { type Load, loadOf } from './loads.ts';
import { measureLatency, measureRound, median, type Round, runUntil } from './measure.ts';
import type { LoadName, TargetName } from './names.ts';
import type { RunningPeer } from './peers/peer.ts';
import { type Result, rounded } from './result.ts';
import type { Stage } from './stage.ts';
import { peerOf, type RunningPeers } from './targets.ts';

/**
 * A peer that has no more in hand than this is not asked for its latency at the moderate rate: it
 * would measure the queue.
 */
const IN_HAND = 1.3;
/**
 * By then programs that compile as they run have compiled what matters, and they do so once: the
 * next load on the same process needs less. A handshake is hundreds of times the work of a request,
 * and mostly not JavaScript's.
 */
const WARM_REQUESTS = { first: 100_000, next: 20_000, handshakes: 500 } as const;

/**
 * Starts the target, if it does not run yet, and runs it warm. @returns whether the target runs and
 * does its job
 */
async function warmUp(
  stage: Stage,
  peers: RunningPeers,
  plan: Plan,
  load: Load,
  target: TargetName,
): Promise<boolean> {
  if (load.refusedOfTen > 0 && peerOf(target).does.verify === null) {
    console.error(`${target} is left out of ${load.name}: it refuses nobody`);
    return false;
  }
  try {
    const peer = await peers.get(target, load.secure);
    await runUntil(stage, peer, load, requestsToWarm(peer, load), plan.warmUpMs);
    warm.add(peer);
    return true;
  } catch (error) {
    console.error(
      `${target} is left out of ${load.name}: ${error instanceof Error ? error.message : error}`,
    );
    process.exitCode = 1;
    return false;
  }
}

const warm = new WeakSet<RunningPeer>();

function requestsToWarm(peer: RunningPeer, load: Load): number {
  if (load.handshake !== 'none') return WARM_REQUESTS.handshakes;
  return peer.compiles === true && !warm.has(peer) ? WARM_REQUESTS.first : WARM_REQUESTS.next;
}

/** The targets take turns, so that whatever the machine does meanwhile meets them all. */
export async function measureLoad(
  stage: Stage,
  peers: RunningPeers,
  plan: Plan,
  name: LoadName,
  targets: readonly TargetName[],
): Promise<Result[]> {
  const load = loadOf(name);
  const rounds = new Map<TargetName, Round[]>();
  for (const target of targets) {
    if (await warmUp(stage, peers, plan, load, target)) rounds.set(target, []);
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const [target, taken] of rounds) {
      taken.push(
        await measureRound(stage, await peers.get(target, load.secure), load, plan.windowMs),
      );
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
      ? await measureLatency(
          stage,
          await peers.get(target, load.secure),
          load,
          load.moderateRate,
          plan.latencyMs,
        )
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
