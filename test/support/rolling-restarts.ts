import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { Agent } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { createCaller } from './balanced/caller.ts';
import { ended, type Gate, isReady, readyAgain, startGate, waitUntil } from './balanced/gate.ts';
import { startHaproxy } from './balanced/haproxy.ts';
import { keptCall } from './balanced/kept-call.ts';
import { freePort } from './free-port.ts';
import { startRedis } from './redis-server.ts';

const GATES = 2;
/** How clients come to a gate. */
const WAYS = ['HAProxy, TCP', 'HAProxy, HTTP', 'endpoints', 'kept connections'] as const;
type Way = (typeof WAYS)[number];
/**
 * How often balancers ask; two answers in a row change their mind. A slow answer does not: it would
 * only say how busy this machine is.
 */
const CHECK_MS = 300;
/** Far above what a balancer takes to notice, on a machine that stands still for a moment, too. */
const LAME_DUCK_MS = 4000;

export interface RollingOptions {
  readonly calls: number;
  readonly restarts: number;
  /** For each way. */
  readonly callers: number;
}

export interface RollingResult {
  readonly calls: Readonly<Record<Way, number>>;
  /** `WAY: METHOD what happened`. */
  readonly failed: readonly string[];
  readonly restarts: number;
  /** Exit codes of the gates that were stopped. */
  readonly codes: readonly (number | null)[];
  readonly seconds: number;
}

/**
 * Two gates on one Redis, restarted in turn by SIGTERM while callers of every kind call: no caller
 * repeats anything, so that each failed call is seen.
 */
export async function rollingRestarts(options: RollingOptions): Promise<RollingResult> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-rolling-'));
  const ends: (() => Promise<unknown> | unknown)[] = [
    () => rmSync(folder, { recursive: true, force: true }),
  ];
  try {
    const stage = await setStage(folder, ends);
    return await restartUnderLoad(stage, options);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

interface Stage {
  readonly gates: readonly Gate[];
  readonly token: string;
  readonly ca: Buffer;
  /** Where each way's connections go; asked for each connection. */
  readonly ports: Readonly<Record<Way, () => number>>;
  /** Whether the balancers know that all gates are ready. */
  balanced(): Promise<boolean>;
}

async function setStage(folder: string, ends: (() => unknown)[]): Promise<Stage> {
  const redis = await startRedis();
  ends.push(() => redis.stop());
  const upstream = createHttpServer((incoming, outgoing) => {
    incoming.resume().once('end', () => outgoing.end('done'));
  }).listen(0, '127.0.0.1');
  await once(upstream, 'listening');
  ends.push(() => upstream.closeAllConnections() ?? upstream.close());
  const files = await ensureLocalCertificate(folder, Date.now());
  const upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  const places = await Promise.all(
    Array.from({ length: GATES }, async () => [await freePort(), await freePort()] as const),
  );
  const configs = places.map(([port, opsPort], n) => ({
    instance: {
      name: `gate-${n}`,
      dataDir: join(folder, `gate-${n}`),
      lameDuckMs: LAME_DUCK_MS,
    },
    listen: {
      proxy: { address: `127.0.0.1:${port}`, tls: { certificates: [files] } },
      ops: { address: `127.0.0.1:${opsPort}` },
    },
    store: { kind: 'redis', url: redis.url },
    upstreams: { up: { addresses: [upstreamUrl] } },
    routes: [
      {
        name: 'all',
        path: '/**',
        methods: ['GET', 'POST'],
        application: 'any',
        permission: 'test:all',
        upstream: 'up',
      },
    ],
  }));
  const written = configs.map((config, n) => {
    const { certificateFile, keyFile } = files;
    const file = join(folder, `gate-${n}.yaml`);
    const tls = { certificates: [{ certificateFile, keyFile }] };
    const proxy = { ...config.listen.proxy, tls };
    const text = JSON.stringify({ ...config, listen: { ...config.listen, proxy } });
    writeFileSync(file, text);
    return file;
  });
  const token = await createCaller(written[0]!);
  const gates = places.map(([port, opsPort], n) => {
    const file = written[n]!;
    return { port, opsPort, file, child: startGate(file) };
  });
  ends.push(() => Promise.all(gates.map(({ child }) => ended(child))));
  await Promise.all(gates.map((gate) => readyAgain(gate)));
  const balancer = await startHaproxy(folder, gates, files, CHECK_MS);
  ends.push(balancer.stop);
  const endpoints = watchEndpoints(gates);
  ends.push(endpoints.stop);
  const service = await startService(endpoints.next);
  ends.push(service.stop);
  return {
    gates,
    token,
    ca: readFileSync(files.caFile),
    ports: {
      'HAProxy, TCP': () => balancer.tcp,
      'HAProxy, HTTP': () => balancer.http,
      endpoints: () => service.port,
      'kept connections': endpoints.next,
    },
    balanced: async () => endpoints.ready() === GATES && (await balancer.up()),
  };
}

// ── ways to a gate ──

/** The ready gates, as an endpoints controller publishes them: asked now and then, told later. */
function watchEndpoints(gates: readonly Gate[]) {
  let ready: readonly number[] = gates.map(({ port }) => port);
  let turn = 0;
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      const states = await Promise.all(gates.map(({ opsPort }) => isReady(opsPort)));
      await sleep(CHECK_MS);
      ready = gates.filter((_gate, n) => states[n]).map(({ port }) => port);
    }
  })();
  return {
    ready: () => ready.length,
    next: () => ready[turn++ % ready.length]!,
    stop: () => {
      stopped = true;
      return watching;
    },
  };
}

/** A service address, as kube-proxy gives it: the endpoint is chosen for each new connection. */
async function startService(next: () => number) {
  const server = createServer((client) => {
    const gate = connect({ port: next(), host: '127.0.0.1', noDelay: true });
    client.setNoDelay(true).pipe(gate).pipe(client);
    client.once('error', () => gate.destroy()).once('close', () => gate.destroy());
    gate.once('error', () => client.resetAndDestroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => void server.close(),
  };
}

// ── load ──

async function restartUnderLoad(stage: Stage, options: RollingOptions): Promise<RollingResult> {
  const calls = Object.fromEntries(WAYS.map((way) => [way, 0])) as Record<Way, number>;
  const failed: string[] = [];
  let done = false;
  const startedMs = performance.now();
  const loops = WAYS.flatMap((way) =>
    Array.from({ length: options.callers }, async (_, n) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: stage.ca });
      let port = stage.ports[way]();
      for (let count = n; !done; count += 1) {
        const method = count % 4 === 0 ? 'POST' : 'GET';
        const outcome = await keptCall(stage, port, method, agent);
        calls[way] += 1;
        if (outcome !== '200 done') failed.push(`${way}: ${method} ${outcome}`);
        await sleep(1 + (count % 5));
        // Another gate is only looked for when this one has closed the connection.
        if (Object.keys(agent.freeSockets).length === 0) port = stage.ports[way]();
      }
      agent.destroy();
    }),
  );
  const codes: (number | null)[] = [];
  const sum = () => Object.values(calls).reduce((total, count) => total + count, 0);
  try {
    for (let n = 0; n < options.restarts || sum() < options.calls; n += 1) {
      const gate = stage.gates[n % GATES]!;
      codes.push(await ended(gate.child));
      gate.child = startGate(gate.file);
      await readyAgain(gate);
      await waitUntil('the balancers have found the gate', stage.balanced);
    }
  } finally {
    done = true;
    await Promise.all(loops);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  return { calls, failed, restarts: codes.length, codes, seconds };
}
