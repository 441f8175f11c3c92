import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Plan } from './arguments.ts';
import { authorizeFor } from './clients.ts';
import { measureLoad } from './compare.ts';
import { grpcUnary } from './grpc.ts';
import { http2Get } from './h2-get.ts';
import { loadOf } from './loads.ts';
import { measureLatency, median, runUntil } from './measure.ts';
import type { ExtraLoadName, TargetName } from './names.ts';
import type { RunningPeer } from './peers/peer.ts';
import { cpuUsOf, memoryBytesOf } from './processes.ts';
import { proveAnswer } from './proof.ts';
import { type Result, rounded } from './result.ts';
import type { Stage } from './stage.ts';
import { peerOf, type RunningPeers } from './targets.ts';
import { websocketEcho } from './ws-echo.ts';

const LOAD = loadOf('get-128-tls');
const RATE = 1600;
const IDLE_CONNECTIONS = 10_000;
/**
 * Memory is compared between these two numbers of connections: what a process needs once is not
 * counted.
 */
const FEW_CONNECTIONS = 1000;
const MANY_CONNECTIONS = 4000;
/** What was only needed to make the connections is given back, as far as it ever is. */
const REST_MS = 3000;

const NOTHING = {
  cpuUsPerRequest: null,
  requestsPerSecond: null,
  p50Ms: null,
  p99Ms: null,
  errors: 0,
} as const;

/** By then code that is compiled as it runs is compiled. */
const WARM_REQUESTS = 100_000;

export async function measureExtra(
  stage: Stage,
  peers: RunningPeers,
  plan: Plan,
  load: ExtraLoadName,
): Promise<Result[]> {
  if (load === 'start-up') return startUp(stage, plan);
  if (load === 'h2-get-128') return http2Get(stage, plan);
  if (load === 'grpc-unary') return grpcUnary(stage, plan);
  if (load === 'ws-echo') return websocketEcho(stage, plan);
  if (load === 'decision') return decision(stage, peers, plan);
  for (const target of plan.extraTargets) {
    const peer = await peers.get(target, true);
    if (peer.compiles === true) await runUntil(stage, peer, LOAD, WARM_REQUESTS, plan.warmUpMs);
  }
  if (load === 'latency-1600') return latency(stage, peers, plan);
  const results: Result[] = [];
  for (const target of plan.extraTargets) {
    const peer = await peers.get(target, true);
    results.push(
      load === 'idle-memory'
        ? await idleMemory(stage, target, peer)
        : await besideLoad(stage, plan, target, peer),
    );
  }
  return results;
}

/**
 * At 1,600 requests a second over TLS, in turn: what each target adds to what nginx as a plain
 * proxy takes.
 */
async function latency(stage: Stage, peers: RunningPeers, plan: Plan): Promise<Result[]> {
  const rounds = new Map(
    plan.extraTargets.map((target) => [
      target,
      [] as { p50Ms: number; p99Ms: number; errors: number }[],
    ]),
  );
  for (let round = 0; round < plan.rounds; round += 1) {
    for (const [target, seen] of rounds) {
      seen.push(
        await measureLatency(stage, await peers.get(target, true), LOAD, RATE, plan.latencyMs),
      );
    }
  }
  const p99Of = (target: TargetName) =>
    median((rounds.get(target) ?? []).map((seen) => seen.p99Ms));
  return [...rounds].map(([target, seen]) => ({
    ...NOTHING,
    load: 'latency-1600',
    target,
    p50Ms: rounded(median(seen.map((one) => one.p50Ms)), 3),
    p99Ms: rounded(p99Of(target), 3),
    errors: seen.reduce((sum, one) => sum + one.errors, 0),
    ...(rounds.has('nginx-plain')
      ? { addedP99Ms: rounded(p99Of(target) - p99Of('nginx-plain'), 3) }
      : {}),
  }));
}

/** GET of 128 bytes in the clear: what a decision costs, beside a call through the gate. */
async function decision(stage: Stage, peers: RunningPeers, plan: Plan): Promise<Result[]> {
  const targets = plan.decisionTargets;
  const results = await measureLoad(stage, peers, plan, 'get-128-plain', targets);
  return results.map((result) => ({ ...result, load: 'decision' }));
}

async function idleMemory(stage: Stage, target: TargetName, peer: RunningPeer): Promise<Result> {
  const few = await openIdle(stage, peer, FEW_CONNECTIONS);
  await sleep(REST_MS);
  const beforeBytes = memoryBytesOf(peer.pids);
  const many = await openIdle(stage, peer, MANY_CONNECTIONS - FEW_CONNECTIONS);
  await sleep(REST_MS);
  const afterBytes = memoryBytesOf(peer.pids);
  const lost = (await many.close()) + (await few.close());
  const bytesPerConnection = Math.round(
    (afterBytes - beforeBytes) / (MANY_CONNECTIONS - FEW_CONNECTIONS),
  );
  return { ...NOTHING, load: 'idle-memory', target, errors: lost, bytesPerConnection };
}

async function besideLoad(
  stage: Stage,
  plan: Plan,
  target: TargetName,
  peer: RunningPeer,
): Promise<Result> {
  const alone = await measureLatency(stage, peer, LOAD, RATE, plan.latencyMs);
  const idle = await openIdle(stage, peer, IDLE_CONNECTIONS);
  await sleep(REST_MS);
  const beside = await measureLatency(stage, peer, LOAD, RATE, plan.latencyMs);
  const lost = await idle.close();
  return {
    ...NOTHING,
    load: 'idle-beside-load',
    target,
    p50Ms: rounded(beside.p50Ms, 3),
    p99Ms: rounded(beside.p99Ms, 3),
    p99AloneMs: rounded(alone.p99Ms, 3),
    errors: alone.errors + beside.errors + lost,
  };
}

/**
 * A process that has never run here before starts, round by round, until it has answered a
 * permitted request; its code may be cached on disk since the first.
 */
async function startUp(stage: Stage, plan: Plan): Promise<Result[]> {
  const results: Result[] = [];
  for (const target of plan.extraTargets) {
    const taken: { ms: number; cpuMs: number }[] = [];
    for (let round = 0; round < plan.rounds; round += 1) {
      const beganMs = performance.now();
      const peer = await peerOf(target).start(stage, true);
      await proveAnswer(stage, peer, true);
      taken.push({ ms: performance.now() - beganMs, cpuMs: cpuUsOf(peer.pids) / 1000 });
      await peer.stop();
    }
    results.push({
      ...NOTHING,
      load: 'start-up',
      target,
      startMs: Math.round(median(taken.map(({ ms }) => ms))),
      startCpuMs: Math.round(median(taken.map(({ cpuMs }) => cpuMs))),
    });
  }
  return results;
}

interface IdleConnections {
  /** @returns how many could not be opened or did not stay */
  close(): Promise<number>;
}

/** Connections that have made one request each and now say nothing. Resolves when they stand. */
async function openIdle(stage: Stage, peer: RunningPeer, count: number): Promise<IdleConnections> {
  const authorization = authorizeFor(peer)(stage.callers[0]!);
  const words = [String(peer.port), String(count), LOAD.path, authorization];
  const program = join(import.meta.dirname, 'idle-connections.ts');
  const child = spawn('taskset', ['-c', stage.cpus.load, process.execPath, program, ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      if (output.includes('open\n')) resolve();
    });
    closed.then(() => reject(new Error(`idle connections could not be made: ${output}`)), reject);
  });
  return {
    async close() {
      child.kill('SIGINT');
      await closed;
      return count - Number(/^left (\d+)$/m.exec(output)?.[1] ?? 0);
    },
  };
}
