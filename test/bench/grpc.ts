import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Plan } from './arguments.ts';
import { freePort, startChild } from './children.ts';
import { median } from './measure.ts';
import type { TargetName } from './names.ts';
import { accepts, listenText, nginxText, nginxWords, startNginx } from './peers/nginx.ts';
import type { RunningPeer } from './peers/peer.ts';
import { startGate } from './peers/sallyport.ts';
import { type ProcessorTime, processorTimeOf } from './processes.ts';
import { type Result, rounded } from './result.ts';
import type { Stage } from './stage.ts';

/**
 * Unary calls of gRPC over TLS, 16 connections with 8 calls each, to a service that is nginx: what
 * a call takes of Sallyport, and of nginx with `grpc_pass`, which asks nobody anything.
 */
const TARGETS: readonly TargetName[] = ['sallyport-buffered', 'nginx-plain'];
const PATH = '/bench.Echo/Say';
const CONNECTIONS = 16;
const CALLS = 8;
/** A message of 32 bytes behind its prefix. */
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 32]), Buffer.alloc(32, 'x')]);

interface Seen {
  readonly cpu: ProcessorTime;
  readonly requests: number;
  readonly perSecond: number;
  readonly errors: number;
}

export async function grpcUnary(stage: Stage, plan: Plan): Promise<Result[]> {
  const service = await startService(stage);
  const peers = new Map<TargetName, RunningPeer>();
  try {
    for (const target of TARGETS) peers.set(target, await startTarget(stage, target, service.port));
    for (const peer of peers.values()) {
      await proveCall(stage, peer);
      await run(stage, peer, plan.warmUpMs / 2);
    }
    const rounds = new Map(TARGETS.map((target) => [target, [] as Seen[]]));
    for (let round = 0; round < plan.rounds; round += 1)
      for (const [target, peer] of peers)
        rounds.get(target)!.push(await run(stage, peer, plan.windowMs));
    return [...rounds].map(([target, seen]) => resultOf(target, seen));
  } finally {
    for (const peer of peers.values()) await peer.stop();
    await service.stop();
  }
}

function resultOf(target: TargetName, seen: readonly Seen[]): Result {
  const user = median(seen.map(({ cpu, requests }) => cpu.userUs / requests));
  const system = median(seen.map(({ cpu, requests }) => cpu.systemUs / requests));
  return {
    load: 'grpc-unary',
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

/** Answers every call with the same message, and its status in a trailer. */
async function startService(stage: Stage): Promise<RunningPeer> {
  const folder = stage.folder('grpc-service');
  const port = await freePort();
  const text = nginxText({
    server: `
    listen 127.0.0.1:${port} http2 backlog=4096;
    http2_max_requests 100000000;
    add_trailer grpc-status 0;
    location / { default_type application/grpc; return 200 "12345"; }`,
  });
  stage.file(folder, 'nginx.conf', text);
  const child = await startChild({
    cpus: stage.cpus.load,
    command: 'nginx',
    words: nginxWords(folder),
    ready: () => accepts(port),
  });
  return { port, pids: [child.pid], stop: () => child.stop() };
}

function startTarget(stage: Stage, target: TargetName, grpcPort: number): Promise<RunningPeer> {
  if (target !== 'nginx-plain')
    return startGate(stage, 'grpc', { audit: { guarantee: 'buffered' }, secure: true, grpcPort });
  return startNginx(stage, 'grpc-nginx', (port) =>
    nginxText({
      http: `upstream echo { server 127.0.0.1:${grpcPort}; keepalive 128; keepalive_requests 100000000; keepalive_timeout 1h; }`,
      server: `
    ${listenText(stage, port, true).replace(' ssl ', ' ssl http2 ')}
    http2_max_requests 100000000;
    location / { grpc_pass grpc://echo; grpc_set_header Authorization ""; }`,
    }),
  );
}

/** A refusal over gRPC has the status 200, too. */
async function proveCall(stage: Stage, peer: RunningPeer): Promise<void> {
  const session = connect(`https://localhost:${peer.port}`, { rejectUnauthorized: false });
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${stage.callers[0]!.token}`,
    });
    let status = '';
    stream.on('trailers', (trailers) => {
      status = String(trailers['grpc-status']);
    });
    let content = '';
    stream.on('data', (piece: Buffer) => {
      content += piece.toString();
    });
    stream.end(MESSAGE);
    await once(stream, 'end');
    if (status !== '0' || content !== '12345')
      throw new Error(`a call of gRPC got the status ${status} and ${JSON.stringify(content)}`);
  } finally {
    session.close();
  }
}

/** As many calls as it takes in this time. */
async function run(stage: Stage, peer: RunningPeer, forMs: number): Promise<Seen> {
  const body = join(stage.folder('grpc'), 'message');
  writeFileSync(body, MESSAGE);
  const header = (text: string) => ['-H', text];
  const words = [
    ...['-c', String(CONNECTIONS), '-m', String(CALLS), '-t', '1'],
    ...['-D', String(Math.max(1, Math.round(forMs / 1000))), '-d', body],
    ...header('content-type: application/grpc'),
    ...header('te: trailers'),
    ...header(`authorization: Bearer ${stage.callers[0]!.token}`),
    `https://localhost:${peer.port}${PATH}`,
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
