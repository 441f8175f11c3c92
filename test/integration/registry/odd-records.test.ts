import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeOwner } from '../../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../../src/admin/administration.ts';
import { listInstances } from '../../../src/admin/instances.ts';
import type { OpenStores } from '../../../src/admin/stores.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { lastUsedKey, registryKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { openWithRegistry } from '../../support/registry.ts';

const PREFIX = 'sallyport';
const keys = registryKeys(PREFIX);
const owner = storeOwner('odd-records', 'command-line');
const missing = redisMissing();

/**
 * Whoever has the password of a gate can write into some keys of the registry. Nothing that stands
 * there may keep an administrator from shutting somebody out, or make a change look like none.
 */
describe('records that cannot be read', () => {
  let server: RedisServer;
  let root: RedisConnection;
  let stores: OpenStores;
  let administration: Administration;

  const context = () => ({ store: stores.store, clock: systemClock, instance: null });

  beforeAll(async () => {
    if (missing !== null) return;
    server = await startRedis();
    const store = { kind: 'redis', url: server.url, keyPrefix: PREFIX };
    const { config } = parseConfig(JSON.stringify({ store }), 'gate.yaml');
    stores = await openWithRegistry(config);
    administration = createAdministration(context());
    const tls = null;
    const at = { url: server.url, username: null, password: null, tls };
    root = connectRedis({ ...at, name: 'root', commandTimeoutMs: 15_000 });
    await administration.createRole(owner, { name: 'user', permissions: ['api:use'] });
  });
  afterAll(async () => {
    root?.close();
    await stores?.close();
    await server?.stop();
  });

  it('of a member make it one that is waited for as long as any lease lasts', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const { account, token } = await administration.createServiceAccount(owner, {
      name: 'ci',
      role: 'user',
    });
    for (const [instance, text] of [
      ['evil-1', 'garbage'],
      ['evil-2', 'null'],
      ['evil-3', '{"leaseMs":1e15}'],
    ] as const)
      await root.call('HSET', keys.members, instance, text);
    const rotated = await administration.rotateToken(owner, { id: account.id, waitMs: 500 });
    expect(rotated.token).not.toBe(token);
    const { effective, instances, certainAt } = rotated.revocation ?? {};
    expect({ effective, instances }).toEqual({ effective: false, instances: 3 });
    expect(Date.parse(certainAt ?? '') - Date.now()).toBeGreaterThan(3_500_000);
    const listed = await listInstances(context(), owner);
    expect(listed.items.map(({ version }) => version)).toEqual(Array(3).fill('unreadable'));
    await root.call('DEL', keys.members);
  });

  it('of a last use are none', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const { account } = await administration.createServiceAccount(owner, {
      name: 'lister',
      role: 'user',
    });
    const id = account.token?.id ?? '';
    await root.call('HSET', lastUsedKey(PREFIX, account.id), id, '99999999999999999 1.2.3.4');
    const read = await administration.showAccount(owner, { id: account.id });
    expect(read.token?.lastUsed).toBeNull();
  });
});
