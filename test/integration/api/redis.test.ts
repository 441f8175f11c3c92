import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { registryKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../../support/redis-users.ts';

const missing = redisMissing();

describe('the admin listener on Redis', () => {
  let users: RedisUsers;
  let redis: RedisServer;
  const open: ApiBench[] = [];
  const openAs = async (user: 'gate' | 'manager') => {
    const store = { url: redis.url };
    const api = await openApi({
      name: `for-${user}`,
      foundTokens: true,
      store: { ...store, ...users[user] },
      administratorStore: { ...store, ...users.manager },
    });
    open.push(api);
    return api;
  };

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    redis = await startRedis({ aclFile: users.aclFile });
  });
  afterAll(async () => {
    for (const api of open) await api.stop();
    if (missing !== null) return;
    await redis.stop();
    await users.remove();
  });

  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  it('administers as the user manager, and shows everybody’s activity', async () => {
    const api = await openAs('manager');
    const made = await api.call('POST', '/service-accounts', {
      body: { name: 'on-redis', role: 'tester' },
    });
    expect(made.status).toBe(201);
    const { id } = (made.body as { account: { id: string } }).account;
    const rotated = await api.call('POST', `/service-accounts/${id}/token`);
    expect(rotated.body).toMatchObject({ revocation: { effective: true, instances: 1 } });
    await api.test.events();
    const { items } = (await api.call('GET', '/activity?limit=500')).body as {
      items: readonly { type: string }[];
    };
    expect(items.map(({ type }) => type)).toEqual(
      expect.arrayContaining(['admin-call', 'account-created', 'token-rotated']),
    );
    expect(warningOf(await readiness(api))).toBeUndefined();
    await api.stop();
    open.pop();
  });

  it('says so when its user may not write the registry, and changes nothing', async () => {
    const api = await openAs('gate');
    await expect
      .poll(async () => warningOf(await readiness(api)), { timeout: 30_000 })
      .toMatch(/user manager/);
    const refused = await api.call('POST', '/roles', { body: { name: 'never', permissions: [] } });
    expect(refused.body).toMatchObject({
      status: 503,
      reason: 'unavailable',
      detail: expect.stringContaining('nothing was changed'),
    });
    expect((await api.call('GET', '/roles/never')).status).toBe(404);
    // Where nobody can count, nobody may try.
    const found = await api.call('POST', '/tokens/found', {
      token: null,
      body: { token: 'nothing' },
    });
    expect(found.body).toMatchObject({ status: 503, reason: 'registry-unavailable' });
  });
});

describe('a list of accounts of which one cannot be read', () => {
  let redis: RedisServer;
  let api: ApiBench;
  let root: RedisConnection;

  beforeAll(async () => {
    if (missing !== null) return;
    redis = await startRedis();
    api = await openApi({ store: { url: redis.url } });
    const nobody = { username: null, password: null, tls: null };
    root = connectRedis({ url: redis.url, ...nobody, name: 'root' });
  });
  afterAll(async () => {
    if (missing !== null) return;
    await root.close();
    await api.stop();
    await redis.stop();
  });

  it('names it, and is no table, which would look whole', async (context) => {
    if (missing !== null) return context.skip(missing);
    const body = { name: 'broken', role: 'tester' };
    const made = await api.call('POST', '/service-accounts', { body });
    const { id } = (made.body as { account: { id: string } }).account;
    const table = () =>
      api.call('GET', '/service-accounts?lastUsed=true', { headers: { accept: 'text/csv' } });
    expect((await table()).status).toBe(200);
    await root.call('SET', registryKeys('sallyport').account(id), '{}');
    const listed = await api.call('GET', '/service-accounts');
    expect([listed.status, listed.body]).toMatchObject([200, { damaged: [id] }]);
    expect((await table()).body).toMatchObject({
      status: 503,
      reason: 'unavailable',
      detail: expect.stringContaining(`cannot be read, and a table would not say so: ${id}`),
    });
  });
});

interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly {
    readonly name: string;
    readonly state: string;
    readonly why?: string;
  }[];
}

async function readiness(api: ApiBench): Promise<Readiness> {
  return (await fetch(`${api.test.opsUrl}/readyz`)).json() as Promise<Readiness>;
}

/** What the check of the admin listener warns of. */
function warningOf({ checks }: Readiness): string | undefined {
  return checks.find(({ name }) => name === 'admin')?.why;
}
