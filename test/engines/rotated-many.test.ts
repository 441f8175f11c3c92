import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import {
  changeAccess,
  connectRedis,
  openAccess,
  type RedisSettings,
} from '../../src/store/redis.ts';
import { startCluster } from '../support/redis-cluster.ts';
import { asAdmin, until } from '../support/redis-replication.ts';
import { PRIMARY_NAME, startSentinels } from '../support/redis-sentinel.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';

// Several servers, on a crowded machine.
vi.setConfig({ testTimeout: 120_000 });

const COMMON = { tls: null, name: 'rotated', commandTimeoutMs: 15_000 } as const;
const takes = (password: string) => [
  'ACL',
  ...['SETUSER', 'rotated', 'on', 'resetpass', `>${password}`, '~*', '&*', '+@all'],
];
const cut = ['CLIENT', 'KILL', 'USER', 'rotated'];

it('shows each node of a cluster the password that it takes, while they change one by one', async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  const cluster = await startCluster();
  onTestFinished(() => cluster.stop());
  const all = (nodes: readonly RedisServer[], words: readonly string[]) =>
    Promise.all(
      nodes.map((node) =>
        asAdmin(node, null, (root) => root.call(...(words as [string, ...string[]]))),
      ),
    );
  await all(cluster.nodes, takes('old'));
  const settings = (password: string): RedisSettings => ({
    ...COMMON,
    cluster: cluster.addresses,
    username: 'rotated',
    password,
  });
  const access = openAccess(settings('old'));
  const connection = connectRedis(settings('old'), access);
  onTestFinished(() => connection.close());
  const written = async () =>
    Promise.all(['{a}', '{b}', '{c}', '{d}', '{e}'].map((key) => connection.call('SET', key, '1')));
  await written();
  changeAccess(access, settings('new'));
  await until('the new one is refused', async () => access.servers.why !== null);
  expect(access.servers.why).toMatch(/WRONGPASS/);
  await written();
  const [first, ...others] = cluster.nodes;
  await all([first!], takes('new'));
  await all(cluster.nodes, cut);
  await until('all are reached again', async () => (await written()).length === 5);
  expect(access.servers.unsettled).toEqual(['password']);
  await all(others, takes('new'));
  await until('all take the new one', async () => access.servers.unsettled.length === 0);
  await written();
});

it('shows sentinels their own password, which changes apart from that of the servers', async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  const sentinels = await startSentinels({ sentinelPassword: 'old' });
  onTestFinished(() => sentinels.stop());
  const settings = (password: string): RedisSettings => ({
    ...COMMON,
    sentinels: {
      primary: PRIMARY_NAME,
      addresses: sentinels.addresses,
      username: null,
      password,
      tls: false,
    },
    username: null,
    password: null,
  });
  const access = openAccess(settings('old'));
  const connection = connectRedis(settings('old'), access);
  onTestFinished(() => connection.close());
  await connection.ready(15_000);
  changeAccess(access, settings('new'));
  const watched = access.sentinels!;
  await until('the new one is refused', async () => watched.why !== null);
  expect(watched.why).toMatch(/WRONGPASS/);
  expect(access.servers.unsettled).toEqual([]);
  for (const { port } of sentinels.addresses) {
    const url = `redis://127.0.0.1:${port}`;
    const root = connectRedis({ ...COMMON, url, username: null, password: 'old' });
    await root.call('ACL', 'SETUSER', 'default', 'resetpass', '>new');
    root.close();
  }
  await until('all take the new one', async () => watched.unsettled.length === 0);
  expect(watched.why).toBe(null);
  // Another set of connections, which knows the new one alone.
  const later = connectRedis(settings('new'));
  onTestFinished(() => later.close());
  await later.ready(15_000);
  expect(await connection.call('GET', 'nothing')).toBe(null);
});

it('is not locked out by a password that the server did not ask for before', async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  const redis = await startRedis();
  onTestFinished(() => redis.stop());
  const settings = (password: string | null): RedisSettings => ({
    ...COMMON,
    url: redis.url,
    username: null,
    password,
  });
  const access = openAccess(settings('asked'));
  const connection = connectRedis(settings('asked'), access);
  onTestFinished(() => connection.close());
  await connection.ready(15_000);
  await asAdmin(redis, null, (root) => root.call('CONFIG', 'SET', 'requirepass', 'asked'));
  // The file loses it before the server does.
  changeAccess(access, settings(null));
  await until('it is refused', async () => /NOAUTH/.test(access.servers.why ?? ''));
  const root = connectRedis(settings('asked'));
  onTestFinished(() => root.close());
  await root.call('CLIENT', 'KILL', 'TYPE', 'normal');
  await until(
    'the former one is shown',
    async () => (await connection.call('SET', 'k', 1)) === 'OK',
  );
  await root.call('CONFIG', 'SET', 'requirepass', '');
  await until('none is asked for', async () => access.servers.unsettled.length === 0);
  expect(await connection.call('GET', 'k')).toBe('1');
});

it('shows a server that was away the newest password first, though it takes the former too', async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-users-'));
  const aclFile = join(folder, 'users.acl');
  const users = ['user default on nopass ~* &* +@all', 'user rotated on >old >new ~* &* +@all'];
  writeFileSync(aclFile, `${users.join('\n')}\n`);
  const redis = await startRedis({ aclFile });
  onTestFinished(async () => {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const settings = (password: string): RedisSettings => ({
    ...COMMON,
    url: redis.url,
    username: 'rotated',
    password,
  });
  const access = openAccess(settings('old'));
  const connection = connectRedis(settings('old'), access);
  onTestFinished(() => connection.close());
  await connection.ready(15_000);
  changeAccess(access, settings('new'));
  await until('the new one is taken', async () => access.servers.unsettled.length === 0);
  const shown: string[] = [];
  access.servers.onNews = () => shown.push(...access.servers.unsettled);
  for (const awayMs of [100, 200, 300, 500, 700]) {
    await redis.kill();
    await sleep(awayMs);
    await redis.restart();
    await until('it is reached again', async () => (await connection.call('SET', 'k', 1)) === 'OK');
  }
  expect(shown).toEqual([]);
});
