/**
 * A thousand rotations against three real gates on a real Redis, under load: `npm run prove --
 * revocation [ROTATIONS]`.
 *
 * After each rotation has answered "effective", the old token is sent to every gate over
 * connections that are already open, while other accounts keep the gates busy and the old token is
 * also tried all the time. Any of it that begins after the answer and is let in is counted; the
 * count must be 0.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRoles } from '../../src/account/role.ts';
import { storeOwner } from '../../src/admin/actor.ts';
import { createAdministration } from '../../src/admin/administration.ts';
import { systemClock } from '../../src/clock.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { connectRedis } from '../../src/store/redis.ts';
import { startRedis } from '../support/redis-server.ts';

const rotations = Number(process.argv[2] ?? 1_000);
const GATES = 3;
/** Callers per gate with a token that stays, and with the one that is being rotated. */
const CALLERS = { steady: 4, rotated: 2 } as const;
const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const owner = storeOwner('proof', 'command-line');

const folder = mkdtempSync(join(tmpdir(), 'sallyport-revocation-'));
const children: ChildProcess[] = [];
const redis = await startRedis({ appendOnly: true });
const connection = connectRedis({
  url: redis.url,
  username: null,
  password: null,
  tls: null,
  name: 'proof',
});
const store = new RedisRegistryStore(connection, { keyPrefix: 'sallyport', name: 'proof' });

async function prove(): Promise<void> {
  await store.initialise(seededRoles(new Date().toISOString()));
  const administration = createAdministration({ store, clock: systemClock, instance: null });
  await administration.createRole(owner, { name: 'caller', permissions: ['test:all'] });
  const steady = (
    await administration.createServiceAccount(owner, { name: 'steady', role: 'caller' })
  ).token;
  let current = (
    await administration.createServiceAccount(owner, { name: 'rotated', role: 'caller' })
  ).token;
  const upstream = await startUpstream();
  const ports = await Promise.all(Array.from({ length: GATES }, (_, n) => startGate(n, upstream)));
  await until(async () =>
    (await Promise.all(ports.map((port) => call(port, steady, new Agent())))).every(
      (status) => status === 200,
    ),
  );
  await until(async () => (await store.instances()).items.length === GATES);

  const load = new Load(ports);
  load.start(CALLERS.steady, () => steady);
  load.start(CALLERS.rotated, () => current);
  const probes = ports.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  const [certainMs, propagationMs]: [number[], number[]] = [[], []];
  let uncertain = 0;
  let acceptedAfter = 0;
  const startedMs = performance.now();
  for (let n = 0; n < rotations; n += 1) {
    const old = current;
    const calledMs = performance.now();
    const { token, revocation } = await administration.rotateToken(owner, { name: 'rotated' });
    certainMs.push(performance.now() - calledMs);
    if (revocation?.effective !== true || revocation.acknowledged !== GATES) uncertain += 1;
    else propagationMs.push(revocation.slowestMs ?? 0);
    load.revoked(old);
    current = token;
    const statuses = await Promise.all(ports.map((port, index) => call(port, old, probes[index]!)));
    acceptedAfter += statuses.filter((status) => status !== 401).length;
    const fresh = await Promise.all(ports.map((port, index) => call(port, token, probes[index]!)));
    if (fresh.some((status) => status !== 200))
      throw new Error(`a new token was refused: ${fresh.join()}`);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  await load.stop();
  acceptedAfter += load.acceptedAfter;
  console.log(
    `${rotations} rotations in ${seconds.toFixed(1)} s beside ${Math.round(load.calls / seconds)} calls a second`,
  );
  console.log(`from the call to certainty: ${figures(certainMs)}`);
  console.log(
    `from the sending of the change to the last gate's acknowledgement, as seen: ${figures(propagationMs)}`,
  );
  console.log(
    `not effective within the wait: ${uncertain}; old token let in after the answer: ${acceptedAfter}; other answers to the load: ${JSON.stringify(load.others)}`,
  );
  process.exitCode = acceptedAfter === 0 && uncertain === 0 ? 0 : 1;
}

/** Callers that never rest. */
class Load {
  readonly #ports: readonly number[];
  readonly #loops: Promise<void>[] = [];
  /** Token -> when its revocation was certain. */
  readonly #revokedMs = new Map<string, number>();
  #stopped = false;
  calls = 0;
  acceptedAfter = 0;
  readonly others: Record<number, number> = {};

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  start(callers: number, token: () => string): void {
    for (const port of this.#ports)
      for (let n = 0; n < callers; n += 1) this.#loops.push(this.#loop(port, token));
  }

  revoked(token: string): void {
    this.#revokedMs.set(token, performance.now());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops);
  }

  async #loop(port: number, tokenNow: () => string): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!this.#stopped) {
      const token = tokenNow();
      const begunMs = performance.now();
      const status = await call(port, token, agent);
      this.calls += 1;
      if (status === 200 && begunMs > (this.#revokedMs.get(token) ?? Number.POSITIVE_INFINITY))
        this.acceptedAfter += 1;
      // A refusal is right when the token was rotated while the call was under way.
      if (status !== 200) this.others[status] = (this.others[status] ?? 0) + 1;
      // Leaves the processor to the gates, which share it with us.
      await sleep(2);
    }
    agent.destroy();
  }
}

/** The status, or 0 when the connection broke. */
function call(port: number, token: string, agent: Agent): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(
      { port, host: '127.0.0.1', path: '/x', agent, headers: { authorization: `Bearer ${token}` } },
      (answer) => {
        answer.resume();
        answer.once('close', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 0));
      },
    );
    sent.once('error', () => resolve(0));
    sent.end();
  });
}

async function startUpstream(): Promise<number> {
  const port = await freePort();
  const text = `require('node:http').createServer((q, a) => a.end('ok')).listen(${port}, '127.0.0.1')`;
  children.push(spawn(process.execPath, ['-e', text], { stdio: 'inherit' }));
  return port;
}

async function startGate(n: number, upstream: number): Promise<number> {
  const port = await freePort();
  const file = join(folder, `gate-${n}.yaml`);
  const config = {
    instance: { name: `gate-${n}`, dataDir: join(folder, `data-${n}`) },
    listen: { proxy: { address: `127.0.0.1:${port}`, plaintext: true } },
    store: { kind: 'redis', url: redis.url },
    upstreams: { up: { addresses: [`http://127.0.0.1:${upstream}`] } },
    routes: [
      {
        name: 'all',
        path: '/**',
        methods: ['GET'],
        application: 'any',
        permission: 'test:all',
        upstream: 'up',
      },
    ],
  };
  writeFileSync(file, JSON.stringify(config));
  children.push(spawn(process.execPath, [MAIN, 'serve', '--config', file], { stdio: 'ignore' }));
  return port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 30_000;
  while (!(await holds())) {
    if (performance.now() > endMs) throw new Error('the gates did not come up within 30 s');
    await sleep(100);
  }
}

function figures(ms: number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) =>
    (sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0).toFixed(1);
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms`;
}

try {
  await prove();
} finally {
  for (const child of children) {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  }
  await store.close();
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
}
