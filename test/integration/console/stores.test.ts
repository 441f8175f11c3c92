import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedSessions } from '../../../src/console/embedded-sessions.ts';
import { RedisSessions } from '../../../src/console/redis-sessions.ts';
import { newSessionId, type SessionStore, sessionDigest } from '../../../src/console/sessions.ts';
import { EmbeddedStats } from '../../../src/stats/embedded.ts';
import { KEPT_MINUTES, type StatsStore } from '../../../src/stats/port.ts';
import { RedisStats } from '../../../src/stats/redis.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../../support/redis-users.ts';

/** Sessions and counts over both stores; on Redis as the users that ship. */
let server: RedisServer;
let users: RedisUsers;
let root: RedisConnection;
let gate: RedisConnection;
let manager: RedisConnection;
let folder: string;
let nowMs = Date.now();
const missing = redisMissing();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-console-stores-'));
  if (missing !== null) return;
  users = await makeRedisUsers();
  server = await startRedis({ aclFile: users.aclFile });
  const as = (username: string) =>
    connectRedis({ url: server.url, username, password: `${username}-password`, tls: null, name: username });
  [root, gate, manager] = [as('root'), as('gate'), as('manager')];
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  if (missing !== null) return;
  for (const connection of [root, gate, manager]) connection.close();
  await server.stop();
  await users.remove();
});

const KINDS = ['embedded', 'redis'] as const;

describe.each(KINDS)('sessions in the %s store', (kind) => {
  let sessions: SessionStore;
  const session = { account: 'A'.repeat(12), signOuts: 0, startedMs: 1, seenMs: 2, address: '10.0.0.1' };

  beforeEach((ctx) => {
    if (kind === 'redis' && missing !== null) ctx.skip(missing);
    sessions ??=
      kind === 'redis'
        ? new RedisSessions(manager, 'sallyport')
        : new EmbeddedSessions(join(folder, 'sessions.db'), { wallMs: () => nowMs, monotonicMs: () => 0 });
  });
  afterAll(() => sessions?.close());

  it('are kept under a digest, and end', async () => {
    const digest = sessionDigest(newSessionId());
    expect(await sessions.get(digest)).toBeNull();
    await sessions.put(digest, session, 60_000);
    expect(await sessions.get(digest)).toEqual(session);
    await sessions.touch(digest, { ...session, seenMs: 9 }, 60_000);
    expect((await sessions.get(digest))?.seenMs).toBe(9);
    await sessions.end(digest);
    expect(await sessions.get(digest)).toBeNull();
  });

  it('do not come back by a request that was under way when they ended', async () => {
    const digest = sessionDigest(newSessionId());
    await sessions.put(digest, session, 60_000);
    await sessions.end(digest);
    await sessions.touch(digest, session, 60_000);
    expect(await sessions.get(digest)).toBeNull();
  });

  it('are gone when their time is over', async () => {
    const digest = sessionDigest(newSessionId());
    await sessions.put(digest, session, kind === 'redis' ? 20 : 60_000);
    nowMs += 61_000;
    await expect.poll(() => sessions.get(digest), { timeout: 3000 }).toBeNull();
  });

  it('spend each thing once, however many try at once', async () => {
    const tries = await Promise.all(Array.from({ length: 8 }, () => sessions.spend('form', 60_000)));
    expect(tries.filter(Boolean)).toHaveLength(1);
    expect(await sessions.spend('another form', 60_000)).toBe(true);
  });

  it('are of nobody where the record cannot be read', async () => {
    if (kind === 'embedded') return;
    const digest = sessionDigest(newSessionId());
    for (const text of ['', 'x', '{}', '{"account":"x"}']) {
      await root.call('SET', `sallyport:sessions:${digest}`, text);
      expect(await sessions.get(digest)).toBeNull();
    }
  });
});

describe.each(KINDS)('counts in the %s store', (kind) => {
  let stats: StatsStore;
  const counts = (permitted: number) => ({ reasons: { permitted }, durations: [permitted, 0], overheads: [0, permitted] });
  const last = Math.floor(Date.now() / 60_000);

  beforeEach((ctx) => {
    if (kind === 'redis' && missing !== null) ctx.skip(missing);
    stats ??= kind === 'redis' ? new RedisStats(gate, 'sallyport') : new EmbeddedStats(join(folder, 'stats.db'));
  });
  afterAll(() => stats?.close());

  it('are replaced by the instance that wrote them, kept apart by instance, and read by time', async () => {
    for (const [minute, instance, permitted] of [
      [last, 'a', 1],
      [last, 'a', 3],
      [last, 'b', 5],
      [last - 61, 'a', 7],
      [last - 300, 'a', 9],
    ] as const) {
      await stats.write({ minute, instance, counts: counts(permitted) });
    }
    // The gate's user writes counts and cannot read them; whoever manages can.
    const reader = kind === 'redis' ? new RedisStats(manager, 'sallyport') : stats;
    const read = await reader.read(last - 100, last);
    expect(read.map(({ minute, instance, counts: { reasons } }) => [minute - last, instance, reasons.permitted]).sort()).toEqual(
      [
        [-61, 'a', 7],
        [0, 'a', 3],
        [0, 'b', 5],
      ].sort(),
    );
    if (kind === 'redis') await expect(stats.read(last, last)).rejects.toThrow();
  });

  it('are kept for a day', async () => {
    if (kind === 'redis') {
      const ttl = Number(await root.call('PTTL', `sallyport:stats:${Math.floor(last / 60)}`));
      expect(ttl).toBeGreaterThan(KEPT_MINUTES * 60_000);
      expect(ttl).toBeLessThanOrEqual((KEPT_MINUTES + 60) * 60_000);
      return;
    }
    await stats.write({ minute: last - 1, instance: 'old', counts: counts(1) });
    await stats.write({ minute: last + KEPT_MINUTES, instance: 'new', counts: counts(1) });
    expect((await stats.read(0, last - 1)).length).toBe(0);
    expect((await stats.read(last, last + KEPT_MINUTES)).map(({ instance }) => instance)).toContain('new');
  });
});
