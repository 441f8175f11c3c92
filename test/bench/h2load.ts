import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Plan } from './arguments.ts';
import { median } from './measure.ts';
import type { ExtraLoadName, TargetName } from './names.ts';
import type { RunningPeer } from './peers/peer.ts';
import { type ProcessorTime, processorTimeOf } from './processes.ts';
import { type Result, rounded } from './result.ts';
import type { Stage } from './stage.ts';

export const HTTP2_TARGETS: readonly TargetName[] = ['sallyport-buffered', 'nginx-plain'];
const CONNECTIONS = 16;
const STREAMS = 8;

/** Requests of HTTP/2 over TLS, on 16 connections with 8 streams each, by h2load. */
export interface Http2Load {
  readonly load: ExtraLoadName;
  readonly path: string;
  /** What h2load is told besides. */
  readonly words: readonly string[];
  start(target: TargetName): Promise<RunningPeer>;
  /** Throws where the peer does not do what is measured. */
  prove(peer: RunningPeer): Promise<void>;
}

export interface Seen {
  readonly cpu: ProcessorTime;
  readonly requests: number;
  readonly perSecond: number;
  readonly errors: number;
}

/** What a request takes of Sallyport, and of an nginx that asks nobody anything. */
export async function measureHttp2(stage: Stage, plan: Plan, what: Http2Load): Promise<Result[]> {
  const peers = new Map<TargetName, RunningPeer>();
  try {
    for (const target of HTTP2_TARGETS) peers.set(target, await what.start(target));
    for (const peer of peers.values()) {
      await what.prove(peer);
      await run(stage, peer, what, plan.warmUpMs / 2);
    }
    const rounds = new Map(HTTP2_TARGETS.map((target) => [target, [] as Seen[]]));
    for (let round = 0; round < plan.rounds; round += 1)
      for (const [target, peer] of peers)
        rounds.get(target)!.push(await run(stage, peer, what, plan.windowMs));
    return [...rounds].map(([target, seen]) => resultOf(what.load, target, seen));
  } finally {
    for (const peer of peers.values()) await peer.stop();
  }
}

export function resultOf(load: ExtraLoadName, target: TargetName, seen: readonly Seen[]): Result {
  const user = median(seen.map(({ cpu, requests }) => cpu.userUs / requests));
  const system = median(seen.map(({ cpu, requests }) => cpu.systemUs / requests));
  return {
    load,
    target,
    cpuUsPerRequest: rounded(user + system, 1),
    userUsPerRequest: rounded(user, 1),
    systemUsPerRequest: rounded(system, 1),
    requestsPerSecond: Math.round(median(seen.map(({ perSecond }) => perSecond))),
    p50Ms: null,
    p99Ms: null,
    errors: seen.reduce((sum, { errors }) => sum + errors, 0),
  };
}

/** As many requests as it takes in this time. */
async function run(stage: Stage, peer: RunningPeer, what: Http2Load, forMs: number): Promise<Seen> {
  const words = [
    ...['-c', String(CONNECTIONS), '-m', String(STREAMS), '-t', '1'],
    ...['-D', String(Math.max(1, Math.round(forMs / 1000)))],
    ...what.words,
    ...['-H', `authorization: Bearer ${stage.callers[0]!.token}`],
    `https://localhost:${peer.port}${what.path}`,
  ];
  const before = processorTimeOf(peer.pids);
  const { stdout } = await promisify(execFile)('taskset', [
    '-c',
    stage.cpus.load,
    'h2load',
    ...words,
  ]);
  const after = processorTimeOf(peer.pids);
  const well = Number(/status codes: (\d+) 2xx/.exec(stdout)?.[1] ?? Number.NaN);
  const failed = Number(/(\d+) failed, (\d+) errored/.exec(stdout)?.[1] ?? Number.NaN);
  const refused = Number(/(\d+) 4xx/.exec(stdout)?.[1]) + Number(/(\d+) 5xx/.exec(stdout)?.[1]);
  return {
    cpu: {
      userUs: after.userUs - before.userUs,
      systemUs: after.systemUs - before.systemUs,
    },
    requests: well,
    perSecond: Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(stdout)?.[1] ?? Number.NaN),
    errors: failed + refused,
  };
}
