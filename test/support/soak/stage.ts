import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCaller } from '../balanced/caller.ts';
import { ended, type Gate, readyAgain, startGate } from '../balanced/gate.ts';
import { startHaproxy } from '../balanced/haproxy.ts';
import { freePort } from '../free-port.ts';
import { type RedisServer, startRedis } from '../redis-server.ts';
import { newWorldAuthority, writePair } from '../world/certificates.ts';

const GATES = 2;
const CHECK_MS = 300;
const LAME_DUCK_MS = 3000;

/** Two gates on one Redis behind a balancer, and what can be changed under them. */
export interface SoakStage {
  readonly gates: readonly Gate[];
  readonly redis: RedisServer;
  readonly token: string;
  readonly ca: string;
  /** Ports of the balancer, by how it passes calls on. */
  readonly ways: Readonly<Record<'TCP' | 'HTTP', number>>;
  /** Calls of `/x` that have come through. */
  forwarded(): number;
  balanced(): Promise<boolean>;
  /** Writes configurations of which only this number's route is new: `/vNUMBER/x`. */
  configure(number: number): void;
  /** Writes a new certificate for the gates. */
  renew(): Promise<void>;
  /** Ends the gates; answers their exit codes. The store stays. */
  close(): Promise<readonly (number | null)[]>;
  stop(): Promise<void>;
}

export async function setSoakStage(): Promise<SoakStage> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-soak-'));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await openStage(folder, ends)), stop };
  } catch (fault) {
    await stop();
    throw fault;
  }
}

async function openStage(
  folder: string,
  ends: (() => unknown)[],
): Promise<Omit<SoakStage, 'stop'>> {
  const redis = await startRedis({ appendOnly: 'unsynced' });
  ends.push(() => redis.stop());
  const upstream = await startUpstream();
  ends.push(upstream.stop);
  const authority = await newWorldAuthority('soak', ['localhost']);
  const renew = async () => void writePair(folder, 'tls', await authority.issue(['localhost']));
  await renew();
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, authority.pem);
  const places = await Promise.all(
    Array.from({ length: GATES }, async () => [await freePort(), await freePort()] as const),
  );
  const fileOf = (n: number) => join(folder, `gate-${n}.yaml`);
  const configure = (number: number) => {
    for (const [n, ports] of places.entries())
      writeFileSync(fileOf(n), configText({ n, ports, redis, upstream: upstream.url, number }));
  };
  configure(0);
  const token = await createCaller(fileOf(0));
  const gates = places.map(([port, opsPort], n) => {
    return { port, opsPort, file: fileOf(n), child: startGate(fileOf(n)) };
  });
  const close = () => Promise.all(gates.map(({ child }) => ended(child)));
  ends.push(close);
  await Promise.all(gates.map((gate) => readyAgain(gate)));
  const files = writePair(folder, 'balancer', await authority.issue(['localhost']));
  const balancer = await startHaproxy(folder, gates, { ...files, caFile }, CHECK_MS);
  ends.push(balancer.stop);
  return {
    gates,
    redis,
    token,
    ca: authority.pem,
    ways: { TCP: balancer.tcp, HTTP: balancer.http },
    forwarded: upstream.calls,
    balanced: balancer.up,
    configure,
    renew,
    close,
  };
}

async function startUpstream() {
  let calls = 0;
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === '/x') calls += 1;
    incoming.resume().once('end', () => outgoing.end('done'));
  }).listen(0, '127.0.0.1');
  // Longer than anybody is silent: what is asked on a connection that it closes is not of interest.
  server.keepAliveTimeout = 120_000;
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    stop: () => server.closeAllConnections() ?? server.close(),
  };
}

interface Parts {
  readonly n: number;
  readonly ports: readonly [port: number, opsPort: number];
  readonly redis: RedisServer;
  readonly upstream: string;
  readonly number: number;
}

function configText({ n, ports: [port, opsPort], redis, upstream, number }: Parts): string {
  const route = {
    methods: ['GET', 'POST'],
    application: 'any',
    permission: 'test:all',
    upstream: 'up',
  };
  return JSON.stringify({
    instance: { name: `gate-${n}`, dataDir: `./gate-${n}`, lameDuckMs: LAME_DUCK_MS },
    listen: {
      proxy: {
        address: `127.0.0.1:${port}`,
        tls: { certificates: [{ certificateFile: 'tls.crt', keyFile: 'tls.key' }] },
      },
      ops: { address: `127.0.0.1:${opsPort}` },
    },
    store: { kind: 'redis', url: redis.url },
    upstreams: { up: { addresses: [upstream] } },
    routes: [
      { ...route, name: 'call', path: '/x' },
      { ...route, name: `reload-${number}`, path: `/v${number}/x` },
    ],
  });
}
