import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { join } from 'node:path';
import type { Plan } from './arguments.ts';
import { freePort, startChild } from './children.ts';
import { measureHttp2 } from './h2load.ts';
import type { TargetName } from './names.ts';
import { accepts, listenText, nginxText, nginxWords, startNginx } from './peers/nginx.ts';
import type { RunningPeer } from './peers/peer.ts';
import { startGate } from './peers/sallyport.ts';
import type { Result } from './result.ts';
import type { Stage } from './stage.ts';

/**
 * Unary calls of gRPC over TLS, 16 connections with 8 calls each, to a service that is nginx: what
 * a call takes of Sallyport, and of nginx with `grpc_pass`, which asks nobody anything.
 */
const PATH = '/bench.Echo/Say';
/** A message of 32 bytes behind its prefix. */
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 32]), Buffer.alloc(32, 'x')]);

export async function grpcUnary(stage: Stage, plan: Plan): Promise<Result[]> {
  const service = await startService(stage);
  const message = join(stage.folder('grpc'), 'message');
  writeFileSync(message, MESSAGE);
  try {
    return await measureHttp2(stage, plan, {
      load: 'grpc-unary',
      path: PATH,
      words: ['-d', message, '-H', 'content-type: application/grpc', '-H', 'te: trailers'],
      start: (target) => startTarget(stage, target, service.port),
      prove: (peer) => proveCall(stage, peer),
    });
  } finally {
    await service.stop();
  }
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
