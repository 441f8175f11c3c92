import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AUDIT_PARTITIONS, createRedisAuditLog } from '../../../src/audit/redis.ts';
import { createRedisAuditReader } from '../../../src/audit/redis-reader.ts';
import { systemClock } from '../../../src/clock.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { entries } from '../../contract/audit.ts';
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
    for (let n = 0; n < AUDIT_PARTITIONS; n++) await connection.call('SET', `wrong:audit:{${n}}`, 'x');
    const log = createLogWith('wrong', []);
    await expect(log.append({ instance: 'i', firstSeq: 1, entries: entries('i', 1, 2, 'accountWrong') })).rejects.toThrow(
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
    await log.append({ instance: 'i', firstSeq: 1, entries: batch });
    await log.close();
    expect(lost).toEqual([2]);
    const good = await createRedisAuditReader(connection, 'beside').activity({ account: 'accountGood1', before: null, limit: 5 });
    expect(good.events).toHaveLength(1);
  });

  it('lose no event between the record and the activity log that is not counted', async () => {
    const lost: number[] = [];
    const log = createLogWith('flood', lost);
    const batches = Array.from({ length: 24 }, (_, i) => i * 1000 + 1);
    await Promise.all(
      batches.map((firstSeq) =>
        log.append({ instance: `f${firstSeq}`, firstSeq: 1, entries: entries('f', firstSeq, 1000, 'accountFlood') }),
      ),
    );
    await log.close();
    const kept = Number(await connection.call('XLEN', 'flood:activity:accountFlood'));
    expect(kept).toBeGreaterThan(0);
    expect(kept + lost.reduce((sum, count) => sum + count, 0)).toBe(24_000);
  });

  function createLogWith(prefix: string, lost: number[]) {
    return createRedisAuditLog({
      connection,
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
