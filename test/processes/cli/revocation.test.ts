import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createAdministration } from '../../../src/admin/administration.ts';
import { systemClock } from '../../../src/clock.ts';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { connectRedis } from '../../../src/store/redis.ts';
import { until } from '../../contract/registry.ts';
import { freePort } from '../../support/free-port.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { owner, Shell } from '../../support/shell.ts';

const missing = redisMissing();
/** Long enough that a change made here finds the lease of a gate that was stopped just before. */
const LEASE_MS = 8_000;
/** The gate that runs has answered by then, and the lease of the other one not yet run out. */
const ANSWERED_MS = 4_000;

interface Rotated {
  readonly token: string;
  readonly revocation: Record<string, unknown>;
}

describe('revocations on the command line, with running gates', () => {
  const shell = new Shell();
  const store = ['--config', 'gate-1.yaml'];
  const upstream = createServer((_, answer) => answer.end('ok'));
  const gates: ReturnType<Shell['start']>[] = [];
  const ports: number[] = [];
  let redis: RedisServer;
  let registry: RedisRegistryStore;
  let token: string;

  beforeAll(async () => {
    if (missing !== null) return;
    redis = await startRedis();
    const connection = connectRedis({
      url: redis.url,
      username: null,
      password: null,
      tls: null,
      name: 'test',
    });
    registry = new RedisRegistryStore(connection, { keyPrefix: 'sallyport', name: 'test' });
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    for (const name of ['gate-1', 'gate-2']) {
      const port = await freePort();
      ports.push(port);
      shell.write(`${name}.yaml`, configOf(name, port));
    }
    await shell.json('registry', 'init', ...store);
    await shell.json('role', 'create', 'caller', '--permission', 'test:all', ...store);
    token = ((await shell.json('account', 'create', 'ci', '--role', 'caller', ...store)) as Rotated)
      .token;
    for (const name of ['gate-1', 'gate-2'])
      gates.push(shell.start('serve', '--config', `${name}.yaml`));
    await until(
      async () =>
        (await Promise.all(ports.map((port) => call(port)))).every((status) => status === 200),
      55_000,
    );
  });

  afterAll(async () => {
    if (missing !== null) return;
    for (const gate of gates) gate.process.kill('SIGKILL');
    shell.close();
    upstream.close();
    await registry.close();
    await redis.stop();
  });

  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  function configOf(name: string, port: number): string {
    return JSON.stringify({
      instance: { name, dataDir: `./${name}` },
      listen: { proxy: { address: `127.0.0.1:${port}`, plaintext: true } },
      store: { kind: 'redis', url: redis.url },
      registry: { leaseMs: LEASE_MS },
      upstreams: {
        up: { addresses: [`http://127.0.0.1:${(upstream.address() as AddressInfo).port}`] },
      },
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
    });
  }

  const administration = () =>
    createAdministration({ store: registry, clock: systemClock, instance: null });

  async function call(port: number, bearer = token): Promise<number> {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/x`, {
        headers: { authorization: `Bearer ${bearer}` },
      });
      await answer.arrayBuffer();
      return answer.status;
    } catch {
      return 0;
    }
  }

  it('list the running gates', async () => {
    const listed = await shell.run('instances', ...store);
    expect(listed.out.split('\n')[0]).toMatch(
      /^INSTANCE +VERSION +LEASE +ENDS IN +APPLIED +BEHIND +AUDIT KEY$/,
    );
    expect(listed.out).toMatch(
      /^gate-1-[0-9a-f]{8} +\S+ +8\.0 s +\d\.\d s +\d+ +0 +(?:-|[0-9a-f]{16})$/m,
    );
    const { items } = (await shell.json('instances', ...store)) as {
      items: { instance: string }[];
    };
    expect(items.map(({ instance }) => instance.slice(0, 6))).toEqual(['gate-1', 'gate-2']);
  });

  it('say for people and for scripts that a rotation is in force, and it is', async () => {
    const old = token;
    const rotated = await shell.run('account', 'rotate', 'ci', '--yes', ...store);
    token = rotated.out.trim();
    expect(rotated.code).toBe(0);
    expect(rotated.err).toMatch(/In force on all 2 running gates after [\d.]+ ms\./);
    for (const port of ports) expect([await call(port, old), await call(port)]).toEqual([401, 200]);
  });

  it('let both tokens in during an overlap, until it is closed', async () => {
    const old = token;
    const rotated = (await shell.json(
      'account',
      'rotate',
      'ci',
      '--yes',
      '--overlap',
      '10m',
      ...store,
    )) as Rotated;
    token = rotated.token;
    for (const port of ports) expect([await call(port, old), await call(port)]).toEqual([200, 200]);
    expect((await shell.run('account', 'show', 'ci', ...store)).out).toMatch(
      /^Old token +let in until 2/m,
    );
    const closed = await shell.run('account', 'rotate', 'ci', '--close', '--yes', ...store);
    expect(closed.out).toBe('Only the new token of ci is let in.\n');
    expect(closed.err).toMatch(/In force on all 2 running gates/);
    for (const port of ports) expect([await call(port, old), await call(port)]).toEqual([401, 200]);
    const both = await shell.run(
      'account',
      'rotate',
      'ci',
      '--close',
      '--overlap',
      '10m',
      ...store,
    );
    expect([both.code, both.err]).toEqual([2, expect.stringContaining('say one of them')]);
  });

  it('do not wait for ever for a stopped gate, which refuses as soon as it goes on', async () => {
    const [, stopped] = gates;
    stopped!.process.kill('SIGSTOP');
    const goOn = () => stopped!.process.kill('SIGCONT');
    // The next tests need it, whatever becomes of this one.
    onTestFinished(() => void goOn());
    const old = token;
    // Here and not on the command line, whose start can take longer than the lease.
    const soon = await administration().rotateToken(owner, { name: 'ci', waitMs: ANSWERED_MS });
    token = soon.token;
    expect(soon.revocation).toMatchObject({
      effective: false,
      instances: 2,
      acknowledged: 1,
      lapsed: 0,
      certainAt: expect.any(String),
    });
    // Sent while it is stopped: it is the first thing that the process finds when it goes on.
    const waiting = call(ports[1]!, old);
    await sleep(Math.max(0, Date.parse(String(soon.revocation?.certainAt)) - Date.now()));
    goOn();
    expect([401, 503]).toContain(await waiting);
    await until(async () => (await call(ports[1]!)) === 200);
    expect(await call(ports[1]!, old)).toBe(401);
  });

  it('count a gate no longer that was asked to stop', async () => {
    const [, leaving] = gates;
    leaving!.process.kill('SIGTERM');
    await leaving!.ended;
    const rotated = await shell.run('account', 'deactivate', 'ci', '--yes', ...store);
    expect(rotated.err).toMatch(/In force on the one running gate after/);
    expect(await call(ports[0]!)).toBe(401);
  });
});
