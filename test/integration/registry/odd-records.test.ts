import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storeOwner } from '../../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../../src/admin/administration.ts';
import { listInstances } from '../../../src/admin/instances.ts';
import type { OpenStores } from '../../../src/admin/stores.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { RedisRegistrySource } from '../../../src/registry/redis/source.ts';
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

  const context = () => ({ ...stores, clock: systemClock, instance: null });

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
    const listed = await listInstances(context(), owner, {});
    expect(listed.items.map(({ version }) => version)).toEqual(Array(3).fill('unreadable'));
    await root.call('DEL', keys.members);
  });

  it.for([
    'garbage',
    'null',
    '{"digests":null,"deleted":false,"inactive":false}',
    '{"digests":{},"deleted":false,"inactive":false,"seq":"x"}',
  ])('of a tombstone (%s) keep nobody from being shut out', async (text, ctx) => {
    if (missing !== null) ctx.skip(missing);
    for (const end of ['rotateToken', 'deactivateAccount', 'deleteAccount'] as const) {
      const name = `held-${end.toLowerCase()}`;
      const { account } = await administration.createServiceAccount(owner, { name, role: 'user' });
      const { seq } = await stores.store.snapshot();
      await root.call('HSET', keys.tombstones, account.id, text);
      const { revocation } = await administration[end](owner, { id: account.id });
      expect(revocation, end).toMatchObject({ effective: true });
      expect((await stores.store.snapshot()).seq).toBe(seq + 1);
      if (end === 'deleteAccount') continue;
      // What is written takes its place.
      expect(await root.call('HGET', keys.tombstones, account.id)).toBeNull();
      const activated = await administration.activateAccount(owner, { id: account.id });
      expect(activated.account.status).toBe('active');
      await administration.deleteAccount(owner, { id: account.id });
    }
  });

  it('of the tombstones of roles and teams neither', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const made = await administration.createServiceAccount(owner, { name: 'last', role: 'user' });
    await root.call('HSET', keys.tombstones, '@policy', 'garbage');
    const rotated = await administration.rotateToken(owner, { id: made.account.id });
    expect(rotated.revocation).toMatchObject({ effective: true });
    const edge = new RedisRegistrySource(root, { keyPrefix: PREFIX, name: 'edge' });
    await expect(edge.snapshot()).rejects.toThrow('tombstones of roles and teams');
    const { roles } = await stores.store.snapshot();
    expect(roles.flatMap(({ permissions }) => permissions)).toEqual([]);
    await root.call('HDEL', keys.tombstones, '@policy');
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
