import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { connectRedis } from '../../../src/store/redis.ts';
import { until } from '../../contract/registry.ts';
import { account, creation, role } from '../../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';

const missing = redisMissing();

describe('a primary whose replicas must confirm', () => {
  let primary: RedisServer;
  let copy: RedisServer;
  let store: RedisRegistryStore;

  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    primary = await startRedis({ config: ['--repl-diskless-sync-delay', '0'] });
    copy = await startRedis({ config: ['--replicaof', '127.0.0.1', String(primary.port)] });
    store = storeWith(1);
    await store.initialise([role('viewer')]);
    await until(() => renewed(store));
  });

  afterEach(async () => {
    if (missing !== null) return;
    await store.close();
    await copy.stop();
    await primary.stop();
  });

  function storeWith(minReplicaAcks: number): RedisRegistryStore {
    const connection = connectRedis({
      url: primary.url,
      username: null,
      password: null,
      tls: null,
      name: 'store',
    });
    return new RedisRegistryStore(connection, {
      keyPrefix: 'sallyport',
      name: 'store',
      minReplicaAcks,
    });
  }

  async function renewed(by: RedisRegistryStore): Promise<boolean> {
    return by.renew({ instance: 'edge-1', leaseMs: 60_000 }).then(Boolean, () => false);
  }

  it('gives no lease, and calls no change safe, that a replica has not confirmed', async () => {
    expect(await store.commit(creation(account(1)))).toMatchObject({
      committed: true,
      replicated: true,
    });
    await copy.kill();
    await expect(store.renew({ instance: 'edge-1', leaseMs: 60_000 })).rejects.toMatchObject({
      why: 'refused',
      message: '0 replicas confirmed the lease, and 1 must',
    });
    expect(await store.commit(creation(account(2)))).toMatchObject({
      committed: true,
      replicated: false,
    });
  });

  it('answers look-ups while a renewal waits for its replicas', async () => {
    await copy.kill();
    const order: string[] = [];
    const renewal = renewed(store).then(() => order.push('renewal'));
    await store.account('A00000000001');
    order.push('look-up');
    await renewal;
    expect(order).toEqual(['look-up', 'renewal']);
  });

  it('is not called proven to be the only one, and one that never had a replica is', async () => {
    expect(await store.assurance()).toEqual({ assurance: 'topology-dependent', marginMs: 10_000 });
    const alone = await startRedis();
    const connection = connectRedis({
      url: alone.url,
      username: null,
      password: null,
      tls: null,
      name: 'alone',
    });
    const other = new RedisRegistryStore(connection, { keyPrefix: 'sallyport', name: 'alone' });
    expect(await other.assurance()).toEqual({ assurance: 'proven', marginMs: 0 });
    await other.close();
    await alone.stop();
    await copy.kill();
    expect(await store.assurance()).toMatchObject({ assurance: 'topology-dependent' });
  });
});
