import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RedisRegistryStore } from '../../src/registry/redis/registry.ts';
import { registryKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { until } from '../contract/registry.ts';
import { account, creation, idOf, role } from '../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';

const PREFIX = 'sallyport';

const missing = redisMissing();

describe('faults of Redis', () => {
  let server: RedisServer;
  let root: RedisConnection;
  let store: RedisRegistryStore;

  const connect = (name: string, commandTimeoutMs = 15_000) =>
    connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name,
      commandTimeoutMs,
    });

  beforeAll(async () => {
    if (missing !== null) return;
    server = await startRedis({ config: ['--lua-time-limit', '50'] });
    root = connect('root');
    store = new RedisRegistryStore(connect('store'), { keyPrefix: PREFIX, name: 'store' });
  });

  afterAll(async () => {
    if (missing !== null) return;
    await store.close();
    root.close();
    await server.stop();
  });

  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    await root.call('FLUSHALL');
    await store.initialise([role('viewer')]);
    await store.commit(creation(account(1)));
  });

  async function dump(): Promise<Record<string, unknown>> {
    const keys = ((await root.call('KEYS', '*')) as string[]).sort();
    return Object.fromEntries(
      await Promise.all(keys.map(async (key) => [key, await root.call('DUMP', key)])),
    );
  }

  const keys = registryKeys(PREFIX);

  it.each([
    ['feed', keys.feed],
    ['changes', keys.changes],
    ['list of accounts', keys.accounts],
    ['names', keys.claims],
    ['account', keys.account(idOf(2))],
    ['users of a role', keys.references('role:viewer')],
    ['changes of an account', keys.changesOf(idOf(2))],
  ])(
    'a key of the wrong type (%s) refuses the commit before anything is written',
    async (_, key) => {
      await root.call('DEL', key);
      await root.call('LPUSH', key, 'x');
      const before = await dump();
      await expect(store.commit(creation(account(2)))).rejects.toMatchObject({
        name: 'RegistryUnavailable',
        why: 'damaged',
      });
      expect(await dump()).toEqual(before);
    },
  );

  it.each([
    ['accounts', keys.accounts],
    ['roles', keys.roles],
    ['names', keys.claims],
  ])(
    'a list of %s that was evicted refuses the commit, instead of beginning a new one',
    async (_, key) => {
      await root.call('DEL', key);
      const before = await dump();
      await expect(store.commit(creation(account(2)))).rejects.toMatchObject({ why: 'damaged' });
      expect(await dump()).toEqual(before);
    },
  );

  it('roles that were evicted are not taken for roles that nobody made', async () => {
    await root.call('DEL', keys.roles);
    await expect(store.snapshot()).rejects.toMatchObject({
      name: 'RegistryUnavailable',
      why: 'damaged',
    });
  });

  it('a feed that is ahead of the position refuses the commit before anything is written', async () => {
    await root.call('XADD', keys.feed, '9-0', 'epoch', 'x');
    const before = await dump();
    await expect(store.commit(creation(account(2)))).rejects.toMatchObject({ why: 'damaged' });
    expect(await dump()).toEqual(before);
  });

  it('records without a position are not taken for an empty store', async () => {
    await root.call('DEL', keys.meta);
    await expect(store.initialise([role('viewer')])).rejects.toMatchObject({ why: 'damaged' });
    await expect(store.account(idOf(1))).rejects.toMatchObject({ why: 'empty' });
  });

  it.each([
    ['a schema of the future', ['HSET', keys.meta, 'schema', '2'], 'damaged'],
    ['a position that is no number', ['HSET', keys.meta, 'seq', 'x'], 'damaged'],
    ['a position without a history', ['HDEL', keys.meta, 'epoch'], 'damaged'],
    ['an account that was evicted', ['DEL', keys.account(idOf(1))], 'damaged'],
    [
      'an account whose list was evicted too',
      ['DEL', keys.account(idOf(1)), keys.accounts],
      'damaged',
    ],
    ['an account of the wrong type', ['RENAME', keys.roles, keys.account(idOf(1))], 'damaged'],
  ] as const)('%s is named as damage, never as absence', async (_, [command, ...words], why) => {
    await root.call(command, ...words);
    await expect(store.account(idOf(1))).rejects.toMatchObject({
      name: 'RegistryUnavailable',
      why,
    });
  });

  it('a server that is busy with a script is told as refusing, and works again afterwards', async () => {
    const busy = root
      .call('EVAL', 'while true do end', 0)
      .catch((error: { code: unknown }) => error.code);
    const observer = connect('observer');
    await until(() =>
      observer.call('GET', 'x').then(
        () => false,
        (fault: unknown) => isBusy(fault),
      ),
    );
    observer.close();
    await expect(store.account(idOf(1))).rejects.toMatchObject({
      why: 'refused',
      message: expect.stringContaining('Redis answered BUSY'),
    });
    const killer = connect('killer');
    await killer.call('SCRIPT', 'KILL');
    killer.close();
    expect(await busy).toBe('ERR');
    expect((await store.account(idOf(1))).account?.name).toBe('account-1');
  });

  it('a server that has forgotten the scripts is sent them again', async () => {
    await root.call('SCRIPT', 'FLUSH');
    expect(await store.commit(creation(account(2)))).toMatchObject({ committed: true });
  });

  it('a connection that breaks under a command fails it at once, and the next ones go over a new one', async () => {
    const blocked = connect('blocked', 30_000);
    const waiting = blocked.call('BLPOP', 'nothing', 0).catch((error: unknown) => error);
    let victim: string | undefined;
    await until(async () => {
      const clients = String(await root.call('CLIENT', 'LIST')).split('\n');
      victim = clients.find((line) => line.includes('name=blocked') && line.includes('cmd=blpop'));
      return victim !== undefined;
    });
    await root.call('CLIENT', 'KILL', 'ID', /\bid=(\d+)/.exec(victim ?? '')?.[1] ?? '');
    expect(await waiting).toMatchObject({ name: 'StoreUnavailable', why: 'unreachable' });
    await blocked.ready(30_000);
    expect(await blocked.call('PING')).toBe('PONG');
    blocked.close();
  });

  it('a port where nobody listens is told with its code', async () => {
    const nobody = connectRedis({
      url: 'redis://127.0.0.1:1',
      username: null,
      password: null,
      tls: null,
      name: 'x',
      commandTimeoutMs: 1_000,
    });
    await expect(nobody.call('PING')).rejects.toMatchObject({
      why: 'unreachable',
      code: 'ECONNREFUSED',
    });
    nobody.close();
    await expect(nobody.call('PING')).rejects.toMatchObject({ why: 'unreachable' });
  });
});

function isBusy(fault: unknown): boolean {
  return fault instanceof Error && fault.message.includes('BUSY');
}
