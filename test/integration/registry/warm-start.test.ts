import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { startGateway as startFromSource } from '../../../src/gateway/gateway.ts';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../../src/registry/redis/source.ts';
import type { ReplicaObserver } from '../../../src/registry/replica/options.ts';
import { Replica } from '../../../src/registry/replica/replica.ts';
import { readWarmSnapshot, writeWarmSnapshot } from '../../../src/registry/warm/snapshot.ts';
import { registryKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { until } from '../../contract/registry.ts';
import {
  account,
  commitOf,
  creation,
  digestOf,
  idOf,
  role,
  update,
} from '../../contract/registry-records.ts';
import { owner, startGateway } from '../../support/gateway.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';
import { requireOrSkip } from '../../support/system.ts';

const PREFIX = 'sallyport';
const LEASE_MS = 3_000;
const PROGRAM = 'test';
const MOMENT = '2026-01-01T00:00:00.000Z';

const closing: (() => Promise<unknown>)[] = [];
let server: RedisServer;
let folder: string;

beforeEach(async (context) => {
  requireOrSkip(context, 'redis-server');
  server = await startRedis();
  closing.unshift(() => server.stop());
  folder = mkdtempSync(join(tmpdir(), 'sallyport-warm-'));
  closing.push(async () => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function connect(name: string): RedisConnection {
  return connectRedis({
    url: server.url,
    username: null,
    password: null,
    tls: null,
    name,
    commandTimeoutMs: 2_000,
  });
}

/**
 * The embedded registry is a file beside the gate, so there is nothing that a snapshot could save:
 * these tests are about Redis.
 */
describe('a replica that starts with what it had cached before', () => {
  let store: RedisRegistryStore;
  let root: RedisConnection;

  beforeEach(async () => {
    store = new RedisRegistryStore(connect('store'), { keyPrefix: PREFIX, name: 'store' });
    root = connect('root');
    closing.unshift(
      () => store.close(),
      async () => root.close(),
    );
    await store.initialise([role('viewer')]);
    for (const n of [1, 2, 3]) await store.commit(creation(account(n)));
    await firstRun();
  });

  /** Three accounts are asked for and written down, and the instance ends. */
  async function firstRun(): Promise<void> {
    const { replica, close } = await begin({});
    for (const n of [1, 2, 3]) await replica.lookup(idOf(n));
    expect(await writeWarmSnapshot(replica.holdings()!, options())).toBe(3);
    await close();
  }

  const options = () => ({ folder, program: PROGRAM, nowMs: Date.now() });

  async function begin(
    observer: ReplicaObserver,
  ): Promise<{ readonly replica: Replica; close(): Promise<void> }> {
    const { snapshot } = await readWarmSnapshot(options());
    const source = new RedisRegistrySource(connect('edge'), { keyPrefix: PREFIX, name: 'edge' });
    const instance = `edge-${closing.length}`;
    const replica = new Replica({
      ...{
        source,
        clock: systemClock,
        instance,
        leaseMs: LEASE_MS,
        maxAccounts: 100,
        warm: snapshot,
      },
      observer,
    });
    const close = async () => {
      await replica.close();
      await source.close();
    };
    closing.unshift(close);
    await replica.start();
    await until(() => replica.current, 10_000);
    return { replica, close };
  }

  /** The next run, what it had of accounts when it began, and why it was cold. */
  async function warmRun() {
    const told: { warm: readonly [number, string | null] | null } = { warm: null };
    const { replica } = await begin({
      onWarm: (accounts, why) => {
        told.warm = [accounts, why];
      },
    });
    return { replica, warm: told.warm };
  }

  function digestIn(replica: Replica, n: number): string | null {
    const known = replica.cached(idOf(n));
    return known?.found === 'account' ? known.account.liveDigest : null;
  }

  async function rotate(n: number, digest: string): Promise<void> {
    const { account: now } = await store.account(idOf(n));
    const result = await store.commit(
      update({ ...now!, token: { digest, createdAt: MOMENT } }, now!.version),
    );
    expect(result.committed).toBe(true);
  }

  it('answers from the first lease on without asking the store for them', async () => {
    const { replica, warm } = await warmRun();
    expect(warm).toEqual([3, null]);
    for (const n of [1, 2, 3]) expect(digestIn(replica, n)).toBe(digestOf(n));
    expect(replica.counts).toEqual({ hit: 3, negative: 0, miss: 0, unavailable: 0 });
  });

  it('never shows a token that was rotated, an account that was deleted or shut while it was down', async () => {
    await rotate(1, digestOf(901));
    const { account: second } = await store.account(idOf(2));
    await store.commit(update({ ...second!, status: 'inactive' }, second!.version));
    await store.commit(commitOf([{ kind: 'account', key: idOf(3), record: null }]));
    const seen = new Set<string | null>();
    const look = (replica: Replica) => {
      seen.add(digestIn(replica, 1));
      seen.add(digestIn(replica, 3));
    };
    const { snapshot } = await readWarmSnapshot(options());
    expect(snapshot?.accounts[0]?.token?.digest).toBe(digestOf(1));
    const source = new RedisRegistrySource(connect('edge'), { keyPrefix: PREFIX, name: 'edge' });
    const replica: Replica = new Replica({
      ...{
        source,
        clock: systemClock,
        instance: 'edge-9',
        leaseMs: LEASE_MS,
        maxAccounts: 100,
        warm: snapshot,
      },
      // At the very moment that it begins, lease or not.
      observer: { onLoaded: () => look(replica), onWarm: () => look(replica) },
    });
    closing.unshift(async () => {
      await replica.close();
      await source.close();
    });
    let over = false;
    const started = replica.start().then(() => {
      over = true;
    });
    for (; !over; await new Promise(setImmediate)) look(replica);
    await started;
    look(replica);
    expect([...seen].sort()).toEqual([digestOf(901), null].sort());
    const shut = replica.cached(idOf(2));
    expect(shut?.found === 'account' && shut.account.account.status).toBe('inactive');
    expect(replica.counts.miss).toBe(0);
    expect((await replica.lookup(idOf(3))).found).toBe('absent');
  });

  it('serves nothing while no lease can be had, and what is true then once it can', async () => {
    const { snapshot } = await readWarmSnapshot(options());
    const source = new RedisRegistrySource(connect('edge'), { keyPrefix: PREFIX, name: 'edge' });
    const refused = Promise.withResolvers<void>();
    let refusing = true;
    const renew = source.renew.bind(source);
    source.renew = async (request) => {
      if (!refusing) return renew(request);
      refused.resolve();
      throw new Error('not now');
    };
    const replica = new Replica({
      source,
      clock: systemClock,
      instance: 'edge-8',
      leaseMs: LEASE_MS,
      maxAccounts: 100,
      warm: snapshot,
    });
    closing.unshift(async () => {
      await replica.close();
      await source.close();
    });
    expect(await replica.start()).toBe(false);
    await refused.promise;
    expect([replica.current, replica.status().cachedAccounts]).toEqual([false, 3]);
    await rotate(1, digestOf(902));
    refusing = false;
    await until(() => replica.current, 10_000);
    expect(digestIn(replica, 1)).toBe(digestOf(902));
  });

  const coldStarts: Record<
    string,
    { readonly happens: () => Promise<unknown>; readonly why: RegExp }
  > = {
    'the feed was trimmed meanwhile': {
      happens: async () => {
        await rotate(1, digestOf(901));
        await root.call('XTRIM', registryKeys(PREFIX).feed, 'MAXLEN', 0);
      },
      why: /no longer reaches back/,
    },
    'a change is missing from the feed': {
      happens: async () => {
        for (const digest of [901, 902, 903]) await rotate(1, digestOf(digest));
        const { seq } = (await store.instances()).position;
        await root.call('XDEL', registryKeys(PREFIX).feed, `${seq - 1}-0`);
      },
      why: /gap/,
    },
    'the registry is another one': {
      happens: async () => {
        await root.call('FLUSHALL');
        await store.initialise([role('viewer')]);
        await store.commit(
          creation(account(1, { token: { digest: digestOf(901), createdAt: MOMENT } })),
        );
      },
      why: /another history/,
    },
    'the registry went back': {
      happens: async () => {
        const { meta, feed } = registryKeys(PREFIX);
        const { seq } = (await store.instances()).position;
        const [[, fields]] = (await root.call('XRANGE', feed, `${seq - 1}-0`, `${seq - 1}-0`)) as [
          [string, string[]],
        ];
        await root.call('HSET', meta, 'seq', seq - 1, 'tip', fields[3]!.split(' ')[1]!);
        await root.call('XDEL', feed, `${seq}-0`);
      },
      why: /gone back/,
    },
    'the change that it stood at was lost and another made in its place': {
      happens: async () => root.call('HSET', registryKeys(PREFIX).meta, 'tip', 'another'),
      why: /another way|does not lead/,
    },
    'others told of revocations that had been lost': {
      happens: async () =>
        store.assert([
          { account: idOf(1), digests: { [digestOf(1)]: 0 }, deleted: false, inactive: false },
        ]),
      why: /others have told/,
    },
  };

  for (const [title, { happens, why }] of Object.entries(coldStarts)) {
    it(`starts cold when ${title}`, async () => {
      await happens();
      const { replica, warm } = await warmRun();
      expect(warm).toEqual([0, expect.stringMatching(why)]);
      expect(replica.cached(idOf(1))).toBeNull();
      const { account: now } = await store.account(idOf(1));
      const found = await replica.lookup(idOf(1));
      expect(found.found === 'account' ? found.account.account.token : null).toEqual(
        now?.token ?? null,
      );
    });
  }
});

describe('a gate beside Redis', () => {
  it('starts warm after a clean end, refuses what was rotated meanwhile, and shrugs off a damaged snapshot', async () => {
    const upstream = await startRawUpstream();
    closing.unshift(() => upstream.stop());
    const first = await startGateway({
      upstreams: { raw: { addresses: [upstream.url] } },
      store: { url: server.url },
      plaintext: true,
    });
    closing.unshift(() => first.stop());
    await until(() => first.gateway.ready, 10_000);
    const [steady, rotated] = [
      await first.createAccount({ name: 'steady', role: 'tester' }),
      await first.createAccount({ name: 'rotated', role: 'tester' }),
    ];
    const status = async (port: number, token: string) =>
      (await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } }))
        .status;
    for (const { token } of [steady, rotated])
      expect(await status(first.port, token)).toBeLessThan(300);

    const log: string[] = [];
    const config = { ...first.config, instance: { ...first.config.instance, dataDir: folder } };
    const run = async () => {
      const gate = await startFromSource(config, {
        log: createLog({ format: 'json', write: (line) => void log.push(line) }),
      });
      await until(() => gate.ready);
      return gate;
    };
    const second = await run();
    for (const { token } of [steady, rotated])
      expect(await status(second.addresses.proxy!.port, token)).toBeLessThan(300);
    await second.close();
    const { token: fresh } = await first.administration.rotateToken(owner, { id: rotated.id });

    const third = await run();
    const port = third.addresses.proxy!.port;
    expect(
      log.some(
        (line) => line.includes('accounts of the last run') && line.includes('"accounts":2'),
      ),
    ).toBe(true);
    expect(await status(port, rotated.token)).toBe(401);
    for (const token of [steady.token, fresh]) expect(await status(port, token)).toBeLessThan(300);
    expect(await third.metrics.text()).toMatch(/sallyport_registry_cache_total\{result="miss"\} 0/);
    await third.close();
    expect(log.join('')).not.toContain(steady.token);

    writeFileSync(join(folder, 'warm.snapshot'), 'nonsense', { mode: 0o600 });
    const fourth = await run();
    closing.unshift(() => fourth.close());
    expect(log.some((line) => line.includes('is not used'))).toBe(true);
    expect(await status(fourth.addresses.proxy!.port, steady.token)).toBeLessThan(300);
  });
});
