import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRedisAuditLog } from '../../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../../src/audit/log/redis/reader.ts';
import { AUDIT_PARTITIONS } from '../../../src/audit/partitions.ts';
import { systemClock } from '../../../src/clock.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { entries } from '../../contract/audit.ts';
import { batchOf } from '../../support/audit-batch.ts';
import { findRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';

describe.runIf(findRedisServer() !== null)('audit streams', () => {
  let server: RedisServer;
  let connection: RedisConnection;
  beforeAll(async () => {
    server = await startRedis();
    connection = connectRedis({
      url: server.url,
      username: null,
      password: null,
      tls: null,
      name: 'audit',
      commandTimeoutMs: 900,
    });
  });
  afterAll(async () => {
    connection.close();
    await server.stop();
  });

  it('are read as one, newest first, each event once, also where partitions gave out the same id', async () => {
    const written: string[] = [];
    for (const id of ['5-0', '5-1', '7-0', '9-3']) {
      for (let n = 0; n < AUDIT_PARTITIONS; n++) {
        await connection.call('XADD', `ties:audit:{${n}}`, id, 'e', `${id}/${n}`);
        written.push(`${id}/${n}`);
      }
    }
    const reader = createRedisAuditReader(connection, 'ties');
    for (const limit of [1, 3, 4, 100]) {
      const shown: string[] = [];
      let before: string | null = null;
      do {
        const page = await reader.tail({ before, limit });
        shown.push(...page.events);
        before = page.next;
      } while (before !== null);
      expect(shown, `pages of ${limit}`).toEqual([...written].reverse());
    }
  });

  it('that hold something else are an unavailable log, and nothing is written', async () => {
    for (let n = 0; n < AUDIT_PARTITIONS; n++)
      await connection.call('SET', `wrong:audit:{${n}}`, 'x');
    const log = createLogWith('wrong', []);
    await expect(log.append(batchOf('i', 1, entries('i', 1, 2, 'accountWrong')))).rejects.toThrow(
      /WRONGTYPE/,
    );
    await log.close();
    expect(await connection.call('EXISTS', 'wrong:activity:accountWrong')).toBe(0);
  });

  it('have an activity log beside them whose failure is counted and fails no batch', async () => {
    const lost: number[] = [];
    const log = createLogWith('beside', lost);
    await connection.call('SET', 'beside:activity:accountBad01', 'no stream');
    const batch = [...entries('i', 1, 2, 'accountBad01'), ...entries('i', 3, 1, 'accountGood1')];
    await log.append(batchOf('i', 1, batch));
    await log.close();
    expect(lost).toEqual([2]);
    const good = await createRedisAuditReader(connection, 'beside').activity({
      account: 'accountGood1',
      before: null,
      limit: 5,
    });
    expect(good.events).toHaveLength(1);
  });

  it('have activity logs of as many accounts as one batch may have, each event once, however often it is sent', async () => {
    const lost: number[] = [];
    const log = createLogWith('many', lost);
    const batch = batchOf(
      'i',
      1,
      Array.from({ length: 1000 }, (_, i) => ({
        event: JSON.stringify({ seq: i }),
        account: `account${i % 500}`,
      })),
    );
    await log.append(batch);
    await log.append(batch);
    await log.append(batchOf('i', 1000, entries('i', 1000, 2, 'account499')));
    await log.close();
    const lengths = await Promise.all(
      [0, 1, 254, 255, 256, 498, 499].map((i) => lengthOf(`many:activity:account${i}`)),
    );
    expect(lengths).toEqual([2, 2, 2, 2, 2, 2, 3]);
    expect(Number(await connection.call('PTTL', 'many:activity:account7'))).toBeGreaterThan(
      89 * 24 * 3600 * 1000,
    );
    expect(lost).toEqual([]);
  });

  it('are written also where Redis does not let one command have the keys of the activity logs', async () => {
    const lost: number[] = [];
    await connection.call('ACL', 'SETUSER', 'narrow', 'on', '>pw', '~narrow:audit:*', '+@all');
    const narrow = connectRedis({
      url: server.url,
      username: 'narrow',
      password: 'pw',
      tls: null,
      name: 'audit',
    });
    try {
      const log = createLogWith('narrow', lost, narrow);
      await log.append(batchOf('i', 1, entries('i', 1, 3, 'accountNo01')));
      await log.close();
      expect(
        (await createRedisAuditReader(connection, 'narrow').tail({ before: null, limit: 9 }))
          .events,
      ).toHaveLength(3);
      expect(lost).toEqual([3]);
    } finally {
      narrow.close();
    }
  });

  it('lose no event between the record and the activity log that is not counted', async () => {
    const lost: number[] = [];
    const log = createLogWith('flood', lost);
    const batches = Array.from({ length: 24 }, (_, i) => i * 1000 + 1);
    await Promise.all(
      batches.map((firstSeq) =>
        log.append(batchOf(`f${firstSeq}`, 1, entries('f', firstSeq, 1000, 'accountFlood'))),
      ),
    );
    await log.close();
    const kept = Number(await connection.call('XLEN', 'flood:activity:accountFlood'));
    expect(kept).toBeGreaterThan(0);
    expect(kept + lost.reduce((sum, count) => sum + count, 0)).toBe(24_000);
  });

  async function lengthOf(stream: string): Promise<number> {
    return Number(await connection.call('XLEN', stream));
  }

  function createLogWith(prefix: string, lost: number[], over = connection) {
    return createRedisAuditLog({
      connection: over,
      prefix,
      clock: systemClock,
      retention: { days: 90, maxBytes: 0 },
      activityPerAccount: 1_000_000,
      projection: { activityLost: (count) => void lost.push(count) },
    });
  }
});

it('runs against Redis where there is one', (ctx) => {
  if (findRedisServer() === null) ctx.skip('redis-server is not installed');
});
