import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { type BatchingOutbox, createOutbox } from '../../src/audit/outbox/outbox.ts';
import { partitionOf } from '../../src/audit/partitions.ts';
import type { AuditLog } from '../../src/audit/port.ts';
import { type Clock, systemClock } from '../../src/clock.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { everySeq } from '../contract/audit.ts';
import { findRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';

describe.runIf(findRedisServer() !== null)('outbox in front of a real Redis', () => {
  let server: RedisServer;
  let connection: RedisConnection;
  let outbox: BatchingOutbox;
  const lost = { count: 0 };
  beforeAll(async () => {
    server = await startRedis({ appendOnly: 'unsynced' });
    connection = connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name: 'audit',
      commandTimeoutMs: 900,
    });
  });
  afterEach(() => outbox.close(20_000));
  afterAll(async () => {
    connection.close();
    await server.stop();
  });

  let log: AuditLog | null = null;
  afterAll(() => log?.close());

  function start(
    instance: string,
    clock: Clock = systemClock,
    retention = { days: 90, maxBytes: 0 },
  ): void {
    lost.count = 0;
    void log?.close();
    log = createRedisAuditLog({
      connection,
      prefix: 'box',
      clock,
      retention,
      activityPerAccount: 100,
      projection: { activityLost: () => {} },
    });
    const observer = {
      accepted() {},
      unrecorded() {},
      lost(count: number) {
        lost.count += count;
      },
      resent() {},
      health() {},
      fault() {},
    };
    outbox = createOutbox({ log, instance, clock: systemClock, observer });
  }

  function record(instance: string): Promise<'accepted' | 'not accepted'> {
    return new Promise((resolve) => {
      outbox.record((seq) => JSON.stringify({ instance, seq }), 'accountBox01', {
        accepted: () => resolve('accepted'),
        notAccepted: () => resolve('not accepted'),
      });
    });
  }

  const kept = (instance: string) => everySeq(createRedisAuditReader(connection, 'box'), instance);

  it('accepts what arrives together, in order and once', async () => {
    start('plain');
    const answers = await Promise.all(Array.from({ length: 2500 }, () => record('plain')));
    expect(new Set(answers)).toEqual(new Set(['accepted']));
    expect(await kept('plain')).toEqual(Array.from({ length: 2500 }, (_, i) => i + 1));
  });

  it('tells those who wait on a frozen Redis in time, and keeps all events once when it goes on', async () => {
    start('frozen');
    await record('frozen');
    server.pause();
    try {
      const startedMs = performance.now();
      const answers = await Promise.all([
        record('frozen'),
        sleep(300).then(() => record('frozen')),
      ]);
      expect(answers).toEqual(['not accepted', 'not accepted']);
      expect(performance.now() - startedMs).toBeLessThan(20_000);
      await expect.poll(() => outbox.healthy, { timeout: 30_000 }).toBe(false);
    } finally {
      server.resume();
    }
    await expect.poll(() => outbox.healthy, { timeout: 30_000 }).toBe(true);
    expect(await record('frozen')).toBe('accepted');
    expect(await kept('frozen')).toEqual([1, 2, 3, 4]);
    expect(lost.count).toBe(0);
  });

  it('accepts again, without a hole, after Redis was killed and came back', async () => {
    start('killed');
    await record('killed');
    await server.kill();
    const answers = Array.from({ length: 5 }, () => record('killed'));
    await sleep(100);
    await server.restart();
    await Promise.all(answers);
    await expect.poll(() => record('killed'), { timeout: 30_000 }).toBe('accepted');
    const seqs = await kept('killed');
    expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, i) => i + 1));
    expect(seqs.length).toBeGreaterThanOrEqual(7);
  });

  it('lets events go that are older than the retention', async () => {
    const stream = `box:audit:{${partitionOf('old')}}`;
    await connection.call('DEL', stream);
    // A hundred days ago, by Redis's clock.
    const then = Date.now() - 100 * 24 * 3600 * 1000;
    const adding = Array.from({ length: 1000 }, (_, n) =>
      connection.call('XADD', stream, `${then}-${n + 1}`, 'e', '{}'),
    );
    await Promise.all(adding);
    // Another instance: its first batch trims what is too old, wherever it is.
    start('new');
    await record('new');
    await expect.poll(() => lengthOf('old'), { timeout: 30_000 }).toBeLessThan(200);
  });

  it('lets the oldest go when the streams are larger than they may be', async () => {
    start('size', systemClock, { days: 90, maxBytes: 150_000 });
    for (let i = 0; i < 3; i++)
      await Promise.all(Array.from({ length: 2000 }, () => record('size')));
    await outbox.close(2000);
    await expect.poll(bytesOfAll, { timeout: 30_000 }).toBeLessThanOrEqual(150_000);
    expect(await lengthOf('size')).toBeLessThan(6000);
    // The newest are there.
    expect((await kept('size')).slice(-1000)).toEqual(
      Array.from({ length: 1000 }, (_, i) => 5001 + i),
    );
  });

  async function bytesOfAll(): Promise<number> {
    const keys = [0, 1, 2, 3].map((n) => `box:audit:{${n}}`);
    const sizes = await Promise.all(keys.map((key) => connection.call('MEMORY', 'USAGE', key)));
    return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
  }

  function lengthOf(instance: string): Promise<unknown> {
    return connection.call('XLEN', `box:audit:{${partitionOf(instance)}}`);
  }
});

it('runs against Redis where there is one', (ctx) => {
  if (findRedisServer() === null) ctx.skip('redis-server is not installed');
});
