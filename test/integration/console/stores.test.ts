import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EmbeddedSessions } from '../../../src/console/embedded-sessions.ts';
import { KNOWN_BROWSERS } from '../../../src/console/known-browser.ts';
import { RedisSessions } from '../../../src/console/redis-sessions.ts';
import { newSessionId, type SessionStore, sessionDigest } from '../../../src/console/sessions.ts';
import { EmbeddedTries } from '../../../src/limits/embedded-tries.ts';
import { RedisTries } from '../../../src/limits/redis-tries.ts';
import type { TryStore } from '../../../src/limits/tries-port.ts';
import { EmbeddedStats } from '../../../src/stats/embedded.ts';
import type { StatsStore } from '../../../src/stats/port.ts';
import { RedisStats } from '../../../src/stats/redis.ts';
import { KEPT_MINUTES } from '../../../src/stats/times.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../../support/redis-users.ts';

/** Sessions, tries and counts over both stores; on Redis as the users that ship. */
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
    connectRedis({
      url: server.url,
      username,
      password: `${username}-password`,
      tls: null,
      name: username,
    });
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
  const session = {
    account: 'A'.repeat(12),
    signOuts: 0,
    startedMs: 1,
    seenMs: 2,
    address: '10.0.0.1',
  };

  beforeEach((ctx) => {
    if (kind === 'redis' && missing !== null) ctx.skip(missing);
    sessions ??=
      kind === 'redis'
        ? new RedisSessions(manager, 'sallyport', { wallMs: () => nowMs, monotonicMs: () => 0 })
        : new EmbeddedSessions(join(folder, 'sessions.db'), {
            wallMs: () => nowMs,
            monotonicMs: () => 0,
          });
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
    await expect.poll(() => sessions.get(digest)).toBeNull();
  });

  it('spend each thing once, however many try at once', async () => {
    const tries = await Promise.all(
      Array.from({ length: 8 }, () => sessions.spend('form', 60_000)),
    );
    expect(tries.filter(Boolean)).toHaveLength(1);
    expect(await sessions.spend('another form', 60_000)).toBe(true);
  });

  it('know a browser by whose it is, up to so many of one person, the newest', async () => {
    const [who, other] = ['a'.repeat(32), 'b'.repeat(32)];
    const digests = Array.from({ length: KNOWN_BROWSERS.perName + 1 }, () =>
      sessionDigest(newSessionId()),
    );
    const known = async (of: string) =>
      (await Promise.all(digests.map((digest) => sessions.isBrowserOf(of, digest)))).map(Number);
    for (const digest of digests) {
      nowMs += 1;
      await sessions.noteBrowser(who, digest, null);
    }
    expect(await known(who)).toEqual([
      0,
      ...Array.from({ length: KNOWN_BROWSERS.perName }, () => 1),
    ]);
    expect((await known(other)).filter(Boolean)).toEqual([]);
    await sessions.noteBrowser(who, digests[0]!, digests[5]!);
    expect((await known(who)).flatMap((is, at) => (is ? [] : at))).toEqual([5]);
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

describe.each(KINDS)('counts of tries in the %s store', (kind) => {
  let tries: TryStore;
  const file = () => join(folder, 'tries.db');
  const open = () =>
    kind === 'redis'
      ? new RedisTries(manager, 'sallyport')
      : new EmbeddedTries(file(), { wallMs: () => nowMs, monotonicMs: () => 0 });
  const count = (key: string, most: number, windowMs = 600_000) => ({
    key,
    costMs: windowMs / most,
    mostMs: windowMs,
  });
  /** Waits where time is Redis's, and sets the clock where it is ours. */
  const pass = (ms: number) => {
    nowMs += ms;
    return kind === 'redis' ? sleep(ms) : undefined;
  };

  beforeEach((ctx) => {
    if (kind === 'redis' && missing !== null) ctx.skip(missing);
    tries ??= open();
  });
  afterAll(() => tries?.close());

  it('let so many through, however many come at once, and then ask for patience', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => tries.charge([count('a', 8), count('a in all', 100)])),
    );
    expect(answers.filter(({ waitMs }) => waitMs === 0)).toHaveLength(8);
    expect(answers.filter(({ waitMs, nextWaitMs }) => waitMs === 0 && nextWaitMs > 0)).toHaveLength(
      1,
    );
    const { waitMs } = await tries.charge([count('a', 8)]);
    expect(waitMs).toBeGreaterThan(60_000);
    expect(waitMs).toBeLessThanOrEqual(75_000);
  });

  it('count in all places or in none', async () => {
    for (let time = 0; time < 3; time += 1) await tries.charge([count('full', 3)]);
    for (let time = 0; time < 5; time += 1)
      await tries.charge([count('beside', 2), count('full', 3)]);
    expect((await tries.charge([count('beside', 2)])).waitMs).toBe(0);
  });

  it('take a try back', async () => {
    const both = [count('back', 2), count('back too', 2)];
    await tries.charge(both);
    await tries.charge(both);
    await tries.giveBack(both);
    expect((await tries.charge(both)).waitMs).toBe(0);
    expect((await tries.charge(both)).waitMs).toBeGreaterThan(0);
    await tries.giveBack([{ ...both[0]!, costMs: both[0]!.mostMs }, both[1]!]);
    for (const each of both) expect((await tries.charge([each])).waitMs).toBe(0);
  });

  it('go down with time, by themselves', async () => {
    const fast = [count('fast', 2, 1000)];
    // The third of a second; a few more where time itself has taken some down.
    let waitMs = 0;
    await expect
      .poll(async () => (waitMs = (await tries.charge(fast)).waitMs), { interval: 1 })
      .toBeGreaterThan(0);
    await pass(waitMs + 20);
    expect((await tries.charge(fast)).waitMs).toBe(0);
  });

  it('are still there after a restart', async () => {
    for (let time = 0; time < 2; time += 1) await tries.charge([count('kept', 2)]);
    await tries.close();
    tries = open();
    expect((await tries.charge([count('kept', 2)])).waitMs).toBeGreaterThan(0);
  });

  it('leave nothing behind, and are no business of a gate without administration', async () => {
    await tries.charge([count('gone', 1, 30)]);
    await pass(50);
    await tries.charge([count('other', 1)]);
    if (kind === 'embedded') {
      await tries.close();
      const database = new DatabaseSync(file());
      expect(
        database.prepare("SELECT count(*) AS rows FROM level WHERE key = 'gone'").get()?.rows,
      ).toBe(0);
      database.close();
      tries = open();
      return;
    }
    expect(await root.call('EXISTS', 'sallyport:{tries}:gone')).toBe(0);
    expect(Number(await root.call('PTTL', 'sallyport:{tries}:other'))).toBeGreaterThan(0);
    await expect(new RedisTries(gate, 'sallyport').charge([count('other', 1)])).rejects.toThrow();
  });

  it('hold nobody up for longer than one try by a clock that was set back', async () => {
    if (kind === 'redis') return;
    await tries.charge([count('clock', 1)]);
    nowMs -= 3_600_000;
    expect((await tries.charge([count('clock', 1)])).waitMs).toBe(600_000);
    nowMs += 3_600_000;
  });
});

describe.each(KINDS)('counts in the %s store', (kind) => {
  let stats: StatsStore;
  const counts = (permitted: number) => ({
    reasons: { permitted },
    durations: [permitted, 0],
    overheads: [0, permitted],
  });
  const last = Math.floor(Date.now() / 60_000);

  beforeEach((ctx) => {
    if (kind === 'redis' && missing !== null) ctx.skip(missing);
    stats ??=
      kind === 'redis'
        ? new RedisStats(gate, 'sallyport')
        : new EmbeddedStats(join(folder, 'stats.db'));
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
    expect(
      read
        .map(({ minute, instance, counts: { reasons } }) => [
          minute - last,
          instance,
          reasons.permitted,
        ])
        .sort(),
    ).toEqual(
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
    expect((await stats.read(last, last + KEPT_MINUTES)).map(({ instance }) => instance)).toContain(
      'new',
    );
  });
});
