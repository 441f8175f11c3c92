import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, get as httpGet } from 'node:http';
import { Agent, request } from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { storeOwner } from '../../src/admin/actor.ts';
import { createAdministration } from '../../src/admin/administration.ts';
import { systemClock } from '../../src/clock.ts';
import { parseConfig } from '../../src/config/load.ts';
import { ensureLocalCertificate } from '../../src/tls/local-ca.ts';
import { freePort } from './free-port.ts';
import { startRedis } from './redis-server.ts';
import { openWithRegistry } from './registry.ts';
import { findProgram } from './system.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
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
const READY_MS = 60_000;
const ASK_MS = 10_000;

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

interface Gate {
  readonly port: number;
  readonly opsPort: number;
  readonly file: string;
  child: ChildProcess;
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
  const token = await createAccount(written[0]!);
  const gates = places.map(([port, opsPort], n) => {
    const file = written[n]!;
    return { port, opsPort, file, child: startGate(file) };
  });
  ends.push(() => Promise.all(gates.map(({ child }) => ended(child))));
  await Promise.all(gates.map((gate) => readyAgain(gate)));
  const balancer = await startHaproxy(folder, gates, files.caFile);
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

async function createAccount(file: string): Promise<string> {
  const { config } = parseConfig(readFileSync(file, 'utf8'), file);
  const stores = await openWithRegistry(config);
  try {
    const administration = createAdministration({ ...stores, clock: systemClock, instance: null });
    const owner = storeOwner('test', 'command-line');
    const role = { name: 'tester', description: '', permissions: ['test:*'] };
    await administration.createRole(owner, role);
    const fields = { name: 'caller', description: '', role: 'tester' };
    return (await administration.createServiceAccount(owner, fields)).token;
  } finally {
    await stores.close();
  }
}

// ── gates ──

function startGate(file: string): ChildProcess {
  return spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: 'ignore' });
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
  return child.exitCode;
}

async function readyAgain({ opsPort }: Gate): Promise<void> {
  await waitUntil('a gate is ready', () => isReady(opsPort));
}

async function isReady(opsPort: number): Promise<boolean> {
  return (await ask(opsPort, '/readyz')).status === 200;
}

/** On a connection of its own, as balancers ask; status 0 when there is no answer in time. */
function ask(port: number, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    const none = () => resolve({ status: 0, body: '' });
    const asked = httpGet({ host: '127.0.0.1', port, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', none);
    });
    asked.setTimeout(ASK_MS, () => asked.destroy());
    asked.once('error', none).once('close', none);
  });
}

async function waitUntil(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const endMs = performance.now() + READY_MS; !(await holds()); await sleep(50))
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`);
}

// ── balancers ──

/** Its checks are what it sends by default (`OPTIONS / HTTP/1.0`), and what people configure. */
async function startHaproxy(folder: string, gates: readonly Gate[], caFile: string) {
  const [tcp, http, stats] = [await freePort(), await freePort(), await freePort()];
  const servers = (words: string) =>
    gates
      .map(
        ({ port, opsPort }, n) =>
          `  server gate-${n} 127.0.0.1:${port} check port ${opsPort} ${words}`,
      )
      .join('\n');
  const pem = join(folder, 'haproxy.pem');
  const certificate = ['tls.crt', 'tls.key'].map((name) => readFileSync(join(folder, name)));
  writeFileSync(pem, Buffer.concat(certificate), { mode: 0o600 });
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  timeout connect 10s
  timeout check 10s
  timeout client 60s
  timeout server 60s
  default-server inter ${CHECK_MS}ms fall 2 rise 2
listen tcp
  bind 127.0.0.1:${tcp}
  mode tcp
  balance roundrobin
  option httpchk
${servers('')}
listen http
  bind 127.0.0.1:${http} ssl crt ${pem} alpn http/1.1
  mode http
  balance roundrobin
  option httpchk GET /readyz
${servers(`ssl verify required ca-file ${caFile} sni str(localhost) no-check-ssl`)}
listen stats
  bind 127.0.0.1:${stats}
  mode http
  stats enable
  stats uri /
`,
  );
  const child = spawn(findProgram('haproxy')!, ['-db', '-f', file], { stdio: 'ignore' });
  const up = async () => {
    const { body } = await ask(stats, '/;csv');
    const rows = body.split('\n').filter((row) => /^(tcp|http),gate-/.test(row));
    return rows.length === 2 * GATES && rows.every((row) => row.includes(',UP,'));
  };
  await waitUntil('HAProxy has found the gates', up);
  return { tcp, http, up, stop: () => ended(child) };
}

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
        const outcome = await call(stage, port, method, agent);
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

/** One connection at a time for each caller, kept as long as the gate keeps it. */
function call(stage: Stage, port: number, method: string, agent: Agent): Promise<string> {
  const body = method === 'POST' ? 'content' : '';
  const headers = {
    authorization: `Bearer ${stage.token}`,
    ...(body === '' ? {} : { 'content-length': body.length }),
  };
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', servername: 'localhost', port, path: '/x', method, headers, agent },
      (response) => {
        let said = '';
        response.setEncoding('utf8').on('data', (text: string) => (said += text));
        response
          .once('error', (fault) => resolve(fault.message))
          .once('end', () => resolve(`${response.statusCode} ${said}`));
      },
    );
    asked.once('error', (fault) => resolve(fault.message));
    asked.end(body);
  });
}
