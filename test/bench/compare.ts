import type { Plan } from './arguments.ts';
import { type Load, loadOf } from './loads.ts';
import {
  cpuUsPerRequest,
  type Latency,
  measureLatency,
  measureRound,
  median,
  type Round,
  runUntil,
} from './measure.ts';
import { type LoadName, type TargetName, YARDSTICK } from './names.ts';
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
  const taken = new Map<TargetName, Taken>();
  for (const target of targets) {
    if (await warmUp(stage, peers, plan, load, target))
      taken.set(target, { full: [], steady: [], latency: null });
  }
  for (let round = 0; round < plan.rounds; round += 1)
    for (const [target, { full }] of taken) {
      const peer = await peers.get(target, load.secure);
      full.push(await measureRound(stage, peer, load, 0, plan.windowMs));
      say(name, target, round, full.at(-1)!);
    }
  const { steadyRate, moderateRate } = load;
  for (let round = 0; steadyRate !== null && round < plan.rounds; round += 1)
    for (const [target, { full, steady }] of taken) {
      if (!keepsUp(full, steadyRate)) continue;
      const peer = await peers.get(target, load.secure);
      steady.push(await measureRound(stage, peer, load, steadyRate, plan.steadyMs));
      say(name, `${target} at ${steadyRate}/s`, round, steady.at(-1)!);
    }
  for (const [target, own] of taken) {
    if (!keepsUp(own.full, moderateRate)) continue;
    const peer = await peers.get(target, load.secure);
    own.latency = await measureLatency(stage, peer, load, moderateRate, plan.latencyMs);
  }
  const yardstick = taken.get(YARDSTICK)?.full ?? null;
  return [...taken].map(([target, own]) => resultOf(name, target, own, yardstick));
}

interface Taken {
  /** As fast as it goes. */
  readonly full: Round[];
  readonly steady: Round[];
  latency: Latency | null;
}

function keepsUp(full: readonly Round[], rate: number): boolean {
  return median(full.map((round) => round.requestsPerSecond)) > rate * IN_HAND;
}

function say(load: string, target: string, round: number, taken: Round): void {
  const { requestsPerSecond, errors } = taken;
  console.error(
    `${load} ${target} ${round + 1}: ${cpuUsPerRequest(taken).toFixed(1)} us, ${requestsPerSecond.toFixed(0)}/s, ${errors} errors`,
  );
}

function resultOf(
  load: LoadName,
  target: TargetName,
  { full, steady, latency }: Taken,
  yardstick: readonly Round[] | null,
): Result {
  const middle = (rounds: readonly Round[], figure: (round: Round) => number) =>
    rounds.length === 0 ? null : rounded(median(rounds.map(figure)), 1);
  const errors = [...full, ...steady].reduce((sum, round) => sum + round.errors, 0);
  return {
    load,
    target,
    cpuUsPerRequest: middle(full, cpuUsPerRequest),
    userUsPerRequest: middle(full, (round) => round.userUsPerRequest)!,
    systemUsPerRequest: middle(full, (round) => round.systemUsPerRequest)!,
    steadyCpuUsPerRequest: middle(steady, cpuUsPerRequest),
    steadyUserUsPerRequest: middle(steady, (round) => round.userUsPerRequest),
    pairedRatio: yardstick === null ? null : pairedRatio(full, yardstick),
    requestsPerSecond: Math.round(median(full.map((round) => round.requestsPerSecond))),
    p50Ms: latency === null ? null : rounded(latency.p50Ms, 3),
    p99Ms: latency === null ? null : rounded(latency.p99Ms, 3),
    errors: errors + (latency?.errors ?? 0),
  };
}

/** What the machine did meanwhile has met both sides of each pair. */
function pairedRatio(
  rounds: readonly Round[],
  yardstick: readonly Round[],
): readonly [number, number, number] {
  const ratios = rounds
    .map((round, index) => cpuUsPerRequest(round) / cpuUsPerRequest(yardstick[index]!))
    .sort((one, other) => one - other);
  const at = (share: number) => rounded(ratios[Math.round(share * (ratios.length - 1))]!, 2);
  return [at(0.25), rounded(median(ratios), 2), at(0.75)];
}
