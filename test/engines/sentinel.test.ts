import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { loadScript } from '../../src/store/script.ts';
import { adminOf, asAdmin, infoOf, REPLICA_USER, until } from '../support/redis-replication.ts';
import { PRIMARY_NAME, type RedisSentinels, startSentinels } from '../support/redis-sentinel.ts';
import { redisMissing } from '../support/redis-server.ts';

// Servers that fail over, on a crowded machine.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = redisMissing();
const PASSWORD = 'sentinel-password';

describe('the primary that sentinels name', () => {
  let sentinels: RedisSentinels;
  const open: RedisConnection[] = [];

  beforeAll(async () => {
    if (missing !== null) return;
    sentinels = await startSentinels({ sentinelPassword: PASSWORD });
  });
  afterAll(async () => {
    for (const connection of open) connection.close();
    await sentinels?.stop();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  function connect(
    change: {
      primary?: string;
      password?: string | null;
      addresses?: RedisSentinels['addresses'];
    } = {},
    commandTimeoutMs = 1_000,
  ) {
    const place = {
      primary: PRIMARY_NAME,
      username: null,
      password: PASSWORD,
      addresses: sentinels.addresses,
      tls: false,
      ...change,
    };
    const connection = connectRedis({
      sentinels: place,
      username: null,
      password: null,
      tls: null,
      name: 'test',
      commandTimeoutMs,
    });
    open.push(connection);
    return connection;
  }

  const dead = { host: '127.0.0.1', port: 1 };

  it('is found though most of the sentinels are away', async () => {
    const connection = connect({
      addresses: [dead, sentinels.addresses[2]!, { host: '127.0.0.1', port: 2 }],
    });
    await connection.ready(30_000);
    expect(await connection.call('GET', 'nothing')).toBe(null);
  });

  it.each([
    [
      'nobody answers',
      { addresses: [dead] },
      { why: 'unreachable', message: 'no sentinel can be reached (ECONNREFUSED)' },
    ],
    [
      'they know no such name',
      { primary: 'other' },
      { why: 'refused', message: expect.stringContaining('no primary named other') },
    ],
    [
      'they ask for a password',
      { password: null },
      { why: 'forbidden', message: expect.stringContaining('of the sentinels: ') },
    ],
    ['the password is wrong', { password: 'no' }, { why: 'forbidden', code: 'WRONGPASS' }],
  ])('is not found, and it is said why: %s', async (_, change, told) => {
    const connection = connect(change);
    await expect(connection.ready(3_000)).rejects.toMatchObject({
      name: 'StoreUnavailable',
      ...told,
    });
    await expect(connection.call('GET', 'x')).rejects.toMatchObject({
      name: 'StoreUnavailable',
      ...told,
    });
  });

  it('says how many replicas have what a script wrote', async () => {
    const connection = connect({}, 30_000);
    const script = loadScript('limits-lease');
    const write = (waitMs: number) =>
      connection.runConfirmed(script, ['bucket'], [60_000, 10, 1, 1], { replicas: 1, waitMs });
    expect(await write(20_000)).toMatchObject({ reply: [1, expect.any(String)], replicas: 1 });
    const { primary, replica } = await sentinels.loseTail();
    expect(await write(500)).toMatchObject({ replicas: 0 });
    connection.close();
    await asAdmin(primary, null, (root) =>
      root.call('ACL', 'SETUSER', REPLICA_USER.username, 'on'),
    );
    await asAdmin(replica, null, (root) =>
      until('the replica follows again', async () =>
        /master_link_status:up/.test(await infoOf(root)),
      ),
    );
  });

  it('is followed when it changes, by connections that wait too, and the old one is left', async () => {
    const connection = connect();
    const former = await sentinels.primary();
    await until('it is written', async () => (await connection.call('SET', 'before', 1)) === 'OK');
    const waiting = connection.forBlocking('test-waiting', 60_000);
    open.push(waiting);
    const cut = waiting.call('BLPOP', 'nothing', 60).catch((fault: unknown) => fault);
    await sentinels.failover();
    expect(await cut).toMatchObject({ name: 'StoreUnavailable' });
    await until(
      'writes are taken',
      async () => (await connection.call('SET', 'after', 2)) === 'OK',
    );
    await asAdmin(sentinels.other(former), null, async (root) =>
      expect(await root.call('GET', 'after')).toBe('2'),
    );
    await waiting.ready(30_000);
    expect(await waiting.call('GET', 'before')).toBe('1');
    await asAdmin(former, null, async (root) => {
      await until(
        'nobody talks to the former primary',
        async () => !/name=test/.test(String(await root.call('CLIENT', 'LIST'))),
      );
    });
  });

  it('is left when the sentinels name another, though it answers on and takes writes', async () => {
    const connection = connect();
    const former = await sentinels.primary();
    const next = sentinels.other(former);
    await until('it is written', async () => (await connection.call('SET', 'at-home', 1)) === 'OK');
    // Hung for the sentinels until they have chosen; then it comes back and believes for a moment
    // that nothing has happened.
    former.pause();
    await sentinels.promoted(next);
    former.resume();
    await until('writes go to the new one', async () => {
      await connection.call('SET', 'moved', 1);
      return asAdmin(next, null, async (root) => (await root.call('GET', 'moved')) === '1');
    });
  });

  it('fails at once while there is none, and comes back by itself', async () => {
    const connection = connect();
    const former = await sentinels.primary();
    await until('it is written', async () => (await connection.call('SET', 'x', 1)) === 'OK');
    await former.kill();
    await expect(connection.call('GET', 'x')).rejects.toMatchObject({
      name: 'StoreUnavailable',
      why: 'unreachable',
    });
    await until(
      'the replica has taken over',
      async () => (await connection.call('SET', 'x', 2)) === 'OK',
    );
    const root = adminOf(sentinels.other(former));
    expect(await root.call('GET', 'x')).toBe('2');
    root.close();
    await former.restart();
  });
});
