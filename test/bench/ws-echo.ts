import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket, WebSocketServer } from 'ws';
import type { Plan } from './arguments.ts';
import { HTTP2_TARGETS, resultOf, type Seen } from './h2load.ts';
import type { TargetName } from './names.ts';
import { listenText, nginxText, startNginx } from './peers/nginx.ts';
import type { RunningPeer } from './peers/peer.ts';
import { startGate } from './peers/sallyport.ts';
import { processorTimeOf } from './processes.ts';
import type { Result } from './result.ts';
import type { Stage } from './stage.ts';

/**
 * Messages of 128 bytes to a server that sends them back, over TLS on 32 WebSockets with one
 * message under way on each: what a message takes, there and back, of Sallyport, and of an nginx
 * that asks nobody anything. Client and server are `ws`, and share a processor of the others.
 */
const PATH = '/ws/echo';
const CONNECTIONS = 32;
const MESSAGE = Buffer.alloc(128, 'x');

export async function websocketEcho(stage: Stage, plan: Plan): Promise<Result[]> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('message', (message, binary) => socket.send(message, { binary }));
  });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const peers = new Map<TargetName, RunningPeer>();
  try {
    for (const target of HTTP2_TARGETS) peers.set(target, await startTarget(stage, target, port));
    for (const peer of peers.values()) await run(stage, peer, plan.warmUpMs / 2);
    const rounds = new Map(HTTP2_TARGETS.map((target) => [target, [] as Seen[]]));
    for (let round = 0; round < plan.rounds; round += 1)
      for (const [target, peer] of peers)
        rounds.get(target)!.push(await run(stage, peer, plan.windowMs));
    return [...rounds].map(([target, seen]) => resultOf('ws-echo', target, seen));
  } finally {
    for (const peer of peers.values()) await peer.stop();
    server.close();
  }
}

function startTarget(stage: Stage, target: TargetName, wsPort: number): Promise<RunningPeer> {
  if (target !== 'nginx-plain')
    return startGate(stage, 'ws', { audit: { guarantee: 'buffered' }, secure: true, wsPort });
  return startNginx(stage, 'ws-nginx', (port) =>
    nginxText({
      server: `
    ${listenText(stage, port, true)}
    location / { proxy_pass http://127.0.0.1:${wsPort}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }`,
    }),
  );
}

/** As many messages as come back in this time. */
async function run(stage: Stage, peer: RunningPeer, forMs: number): Promise<Seen> {
  let messages = 0;
  let errors = 0;
  const clients: WebSocket[] = [];
  for (let number = 0; number < CONNECTIONS; number += 1) {
    const client = new WebSocket(`wss://localhost:${peer.port}${PATH}`, {
      rejectUnauthorized: false,
      perMessageDeflate: false,
      headers: { authorization: `Bearer ${stage.callers[0]!.token}` },
    });
    await once(client, 'open');
    client.on('error', () => {
      errors += 1;
    });
    client.on('message', (message: Buffer) => {
      if (message.length === MESSAGE.length) messages += 1;
      else errors += 1;
      client.send(MESSAGE);
    });
    clients.push(client);
  }
  const before = processorTimeOf(peer.pids);
  const beganMs = performance.now();
  for (const client of clients) client.send(MESSAGE);
  await sleep(forMs);
  const requests = messages;
  const after = processorTimeOf(peer.pids);
  const perSecond = (requests * 1000) / (performance.now() - beganMs);
  for (const client of clients) client.terminate();
  const cpu = {
    userUs: after.userUs - before.userUs,
    systemUs: after.systemUs - before.systemUs,
  };
  return { cpu, requests, perSecond, errors };
}
