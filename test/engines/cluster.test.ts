import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { RedisQuotaStore } from '../../src/limits/redis.ts';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { slotOf } from '../../src/store/redis-slot.ts';
import { account, creation, idOf, role } from '../contract/registry-records.ts';
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts';
import { asAdmin, until } from '../support/redis-replication.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';

// Servers that fail over, on a crowded machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = redisMissing();
const PREFIX = 'engines';
const keys = registryKeys(PREFIX);
const SLOT = slotOf(keys.meta);

describe('a cluster', () => {
  let cluster: RedisCluster;
  let connection: RedisConnection;
  let store: RedisRegistryStore;

  beforeAll(async () => {
    if (missing !== null) return;
    cluster = await startCluster();
    connection = connect(cluster.addresses.slice(5));
    store = new RedisRegistryStore(connect(cluster.addresses), {
      keyPrefix: PREFIX,
      name: 'store',
    });
    await store.initialise([role('viewer')]);
    for (let n = 1; n <= 3; n += 1) await store.commit(creation(account(n)));
  });
  afterAll(async () => {
    connection?.close();
    await store?.close();
    await cluster?.stop();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  function connect(addresses: RedisCluster['addresses']): RedisConnection {
    return connectRedis({
      cluster: addresses,
      username: null,
      password: null,
      tls: null,
      name: 'test',
      commandTimeoutMs: 15_000,
    });
  }

  it('agrees with us on the slot of every shape of key', async () => {
    const shapes = [
      'foo',
      '{user1000}.following',
      'a{}b{c}',
      '{',
      '}{',
      '{a',
      'a{b}c{d}',
      'ä{ö}',
      '',
      keys.account(idOf(1)),
      keys.feed,
    ];
    await asAdmin(cluster.nodes[0]!, null, async (root) => {
      for (const key of shapes)
        expect([key, slotOf(key)]).toEqual([key, await root.call('CLUSTER', 'KEYSLOT', key)]);
    });
  });

  it('is asked at the right node for every key, and in one pipeline at several', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `key-${n}`);
    expect(await connection.pipeline(names.map((name) => ['SET', name, name]))).toEqual(
      names.map(() => 'OK'),
    );
    expect(await connection.pipeline(names.map((name) => ['GET', name]))).toEqual(names);
    await expect(connection.call('DBSIZE')).rejects.toThrow('names no key');
    await expect(connection.call('MGET', 'key-1', 'key-2')).rejects.toMatchObject({
      why: 'refused',
      code: 'CROSSSLOT',
    });
  });

  it('takes buckets of limits and last uses of tokens, whose keys are spread over the nodes', async () => {
    const quotas = new RedisQuotaStore(connection, PREFIX);
    const asks = Array.from({ length: 20 }, (_, n) => ({
      name: `bucket-${n}`,
      windowMs: 60_000,
      requests: 10,
      debt: 0,
      want: 3,
    }));
    expect((await quotas.lease(asks)).map((grant) => grant?.granted)).toEqual(asks.map(() => 3));
    const uses = [1, 2, 3].map((n) => ({
      account: idOf(n),
      token: `token-${n}`,
      timeMs: 1_000 + n,
      address: '192.0.2.1',
    }));
    await store.recordUses(uses);
    for (const use of uses) expect(await store.uses(use.account)).toEqual([use]);
  });

  it('is told from a server that is none', async () => {
    const server = await startRedis();
    const other = connect([{ host: '127.0.0.1', port: server.port }]);
    await expect(other.call('GET', 'x')).rejects.toMatchObject({
      message: expect.stringContaining('not part of a Cluster'),
    });
    other.close();
    await server.stop();
  });

  it('answers every read, renews leases and brings every change while the slot of the registry is on its way', async () => {
    const former = await cluster.ownerOf(SLOT);
    const at = await store.snapshot();
    const seen: number[] = [];
    const subscription = store.follow(at, {
      onEvents: (events) => void seen.push(...events.map(({ seq }) => seq)),
      onLost: () => {},
    });
    let changed = 0;
    let split = 0;
    const target = await cluster.migrate(SLOT, async (moved, left) => {
      if (moved > 0 && left > 0) split += 1;
      expect((await store.snapshot()).roles.map(({ name }) => name)).toEqual(['viewer']);
      expect((await store.account(idOf(1))).account?.name).toBe('account-1');
      expect((await store.account(idOf(99))).account).toBe(null);
      expect((await store.renew({ instance: 'edge-1', leaseMs: 60_000 })).epoch).toBe(at.epoch);
      // What needs keys of both nodes is refused as a whole.
      const commit = await store
        .commit(creation(account(10 + moved)))
        .catch((fault: unknown) => fault);
      if (!(commit instanceof Error)) changed += 1;
      else
        expect(commit).toMatchObject({
          why: 'refused',
          message: expect.stringContaining('TRYAGAIN'),
        });
    });
    expect(split).toBeGreaterThan(3);
    expect(target).not.toBe(former);
    await until('changes are taken again', () => store.commit(creation(account(50))).then(Boolean));
    await until('the feed has brought all', async () => seen.length === changed + 1);
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => at.seq + 1 + index));
    await subscription.close();
  });

  it('goes on when a replica takes over, and the feed with it', async () => {
    const at = await store.snapshot();
    const brought = Promise.withResolvers<number>();
    const subscription = store.follow(at, {
      onEvents: ([event]) => brought.resolve(event?.seq ?? 0),
      onLost: brought.reject,
    });
    await cluster.failover(await cluster.ownerOf(SLOT));
    await until('changes are taken', () => store.commit(creation(account(60))).then(Boolean));
    expect(await brought.promise).toBe(at.seq + 1);
    await subscription.close();
  });

  it('fails at once while a part of it has no primary, and comes back by itself', async () => {
    const primary = await cluster.ownerOf(SLOT);
    await until('the replica is in step', () =>
      asAdmin(primary, null, async (root) => (await root.call('WAIT', 1, 1_000)) === 1),
    );
    await primary.kill();
    await expect(store.account(idOf(1))).rejects.toMatchObject({
      name: 'RegistryUnavailable',
      why: 'unreachable',
    });
    await cluster.ownerOtherThan(SLOT, primary);
    await until(
      'it is read again',
      async () => (await store.account(idOf(1))).account?.name === 'account-1',
    );
    expect(await store.commit(creation(account(70)))).toMatchObject({ committed: true });
    await primary.restart();
  });
});
