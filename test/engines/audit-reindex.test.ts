import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { NOTICE_LOG } from '../../src/audit/event/notice-event.ts';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { reindexActivity } from '../../src/audit/log/redis/reindex.ts';
import { partitionOf } from '../../src/audit/partitions.ts';
import { systemClock } from '../../src/clock.ts';
import { auditKeys } from '../../src/store/keys.ts';
import type { RedisConnection } from '../../src/store/redis.ts';
import { batchOf } from '../support/audit-batch.ts';
import { REDIS_PLACES, type RedisPlace } from '../support/redis-places.ts';
import { redisMissing } from '../support/redis-server.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const missing = redisMissing();
const PREFIX = 'reindex';
const keys = auditKeys(PREFIX);
const ACCOUNTS = Array.from({ length: 20 }, (_, n) => `account${String(n).padStart(5, '0')}`);
const [DELETED, DOUBLED, SHORT, EARLIER] = ACCOUNTS as [string, string, string, string];
const OPTIONS = { prefix: PREFIX, perAccount: 100_000, maxBytes: null, days: 1 };

describe.each(['one server', 'a cluster'] as const)('activity logs on %s', (name) => {
  let place: RedisPlace;
  let connection: RedisConnection;

  beforeAll(async () => {
    if (missing !== null) return;
    place = await REDIS_PLACES[name]();
    connection = place.connect('test', 15_000);
  });
  beforeEach(async (context) => {
    if (missing !== null) return context.skip(missing);
    await place.wipe();
  });
  afterAll(async () => {
    connection?.close();
    await place?.stop();
  });

  /** What an instance writes, and what each account's log should hold of it. */
  function instance(of: string) {
    const log = createRedisAuditLog({
      connection,
      prefix: PREFIX,
      clock: systemClock,
      retention: { days: 1, maxBytes: 0 },
      activityPerAccount: OPTIONS.perAccount,
      projection: { activityLost: (count) => expect(count).toBe(0) },
    });
    let seq = 0;
    const written = new Map<string, string[]>(ACCOUNTS.map((account) => [account, []]));
    return {
      log,
      written,
      close: () => log.close(),
      async write(count: number): Promise<void> {
        const first = seq + 1;
        const events = Array.from({ length: count }, () => {
          seq += 1;
          const account = ACCOUNTS[(seq * 7) % ACCOUNTS.length]!;
          const event = JSON.stringify({ seq, instance: of, account: { id: account } });
          written.get(account)!.push(event);
          return { account, event };
        });
        await log.append(batchOf(of, first, events));
      },
    };
  }

  /** Oldest first. */
  async function activityOf(account: string): Promise<readonly string[]> {
    const reader = createRedisAuditReader(connection, PREFIX);
    const events: string[] = [];
    let before: string | null = null;
    do {
      const page = await reader.activity({ account, before, limit: 500 });
      events.push(...page.events);
      before = page.next;
    } while (before !== null);
    return events.reverse();
  }

  /** A log that keeps few events of each account, and what it has left out. */
  function shortLog() {
    const lost = { count: 0 };
    const log = createRedisAuditLog({
      ...{ connection, prefix: PREFIX, clock: systemClock },
      ...{ retention: { days: 1, maxBytes: 0 }, activityPerAccount: 100 },
      projection: {
        activityLost(count) {
          lost.count += count;
        },
      },
    });
    let seq = 0;
    const append = (count: number, account: string) => {
      const first = seq + 1;
      const about = account === NOTICE_LOG ? { phase: 'notice' } : { account: { id: account } };
      const events = Array.from({ length: count }, () => {
        seq += 1;
        return { account, event: JSON.stringify({ seq, ...about }) };
      });
      return log.append(batchOf('short', first, events));
    };
    return { log, lost, append };
  }

  const add = (account: string, id: string, event: string) =>
    connection.call('XADD', keys.activity(account), id, 'e', event);

  it('are made anew from the record while instances write, each event once and in order', async () => {
    const instances = ['edge-a', 'edge-b', 'edge-c'].map(instance);
    for (let n = 0; n < 10; n += 1) for (const one of instances) await one.write(100);
    await vi.waitFor(
      async () =>
        expect(await activityOf(ACCOUNTS.at(-1)!)).toHaveLength(
          instances.reduce((sum, one) => sum + one.written.get(ACCOUNTS.at(-1)!)!.length, 0),
        ),
      { timeout: 10_000 },
    );
    await connection.call('DEL', keys.activity(DELETED));
    await add(DOUBLED, '*', (await activityOf(DOUBLED)).at(-1)!);
    await connection.call('XTRIM', keys.activity(SHORT), 'MAXLEN', '=', 1);
    const earlier = JSON.stringify({ seq: 1, instance: 'gone', account: { id: EARLIER } });
    const kept = await activityOf(EARLIER);
    await connection.call('DEL', keys.activity(EARLIER));
    await add(EARLIER, '1000-0', earlier);
    for (const event of kept.slice(5)) await add(EARLIER, '*', event);
    let over = false;
    const writing = instances.map(async (one) => {
      while (!over) {
        await one.write(20);
        await sleep(5);
      }
    });
    const told: number[] = [];
    const made = await reindexActivity({
      connection,
      ...OPTIONS,
      account: null,
      progress: (done) => void told.push(done),
    });
    over = true;
    await Promise.all(writing);
    for (const one of instances) await one.close();
    for (const account of ACCOUNTS) {
      const events = await activityOf(account);
      const expected = instances.flatMap((one) => one.written.get(account)!);
      const own = account === EARLIER ? [earlier, ...expected] : expected;
      expect([...events].sort(), account).toEqual(own.sort());
      for (const one of ['edge-a', 'edge-b', 'edge-c']) {
        const numbers = events
          .map((event) => JSON.parse(event) as { seq: number; instance: string })
          .filter(({ instance: of }) => of === one)
          .map(({ seq }) => seq);
        expect(numbers, `${account} ${one}`).toEqual(numbers.toSorted((a, b) => a - b));
      }
    }
    expect((await activityOf(EARLIER))[0]).toBe(earlier);
    expect(made.accounts).toBe(ACCOUNTS.length);
    expect(made.events).toBeGreaterThanOrEqual(3_000);
    expect(told.at(0)).toBe(2_000);
    expect(await connection.call('ZCARD', keys.touched)).toBe(ACCOUNTS.length);
  });

  if (name === 'a cluster') {
    it('say how far they are behind the record while their server does not answer', async () => {
      const one = instance('edge-a');
      const stream = place.holderOf(keys.stream(partitionOf('edge-a')));
      const account = ACCOUNTS.find((id) => place.holderOf(keys.activity(id)) !== stream)!;
      const away = place.holderOf(keys.activity(account));
      expect(one.log.activityLagMs).toBe(0);
      away.pause();
      await one.write(ACCOUNTS.length);
      await vi.waitFor(() => expect(one.log.activityLagMs).toBeGreaterThan(200));
      away.resume();
      await vi.waitFor(() => expect(one.log.activityLagMs).toBe(0), { timeout: 20_000 });
      expect(await activityOf(account)).toEqual(one.written.get(account));
      await one.close();
    });

    it('keep the notices, also those that come among more calls than can be copied', async () => {
      const { log, lost, append } = shortLog();
      for (let n = 0; n < 3; n += 1) await append(300, NOTICE_LOG);
      await append(900, SHORT);
      await vi.waitFor(() => expect(log.activityLagMs).toBe(0), { timeout: 20_000 });
      const stream = place.holderOf(keys.stream(partitionOf('short')));
      const account = ACCOUNTS.find((id) => place.holderOf(keys.activity(id)) !== stream)!;
      const away = place.holderOf(keys.activity(account));
      away.pause();
      await append(1, account);
      // One piece is on its way; what comes now has to wait.
      await vi.waitFor(() => expect(log.activityLagMs).toBeGreaterThan(100));
      for (let n = 0; n < 11; n += 1) await append(1_000, account);
      await append(50, NOTICE_LOG);
      away.resume();
      await vi.waitFor(() => expect(log.activityLagMs).toBe(0), { timeout: 20_000 });
      await log.close();
      expect(lost.count).toBeGreaterThan(0);
      expect(await activityOf(NOTICE_LOG)).toHaveLength(950);
      expect((await activityOf(SHORT)).length).toBeLessThan(250);
    });
    return;
  }

  it('are made anew of one account alone, as long as they may be', async () => {
    const one = instance('edge-a');
    for (let n = 0; n < 5; n += 1) await one.write(1_000);
    await one.close();
    for (const account of ACCOUNTS) await connection.call('DEL', keys.activity(account));
    const made = await reindexActivity({
      connection,
      ...OPTIONS,
      perAccount: 100,
      account: SHORT,
      progress: () => {},
    });
    expect(made).toEqual({ accounts: 1, events: 250 });
    const events = await activityOf(SHORT);
    expect(events.length).toBeGreaterThanOrEqual(100);
    // Whole nodes go.
    expect(events.length).toBeLessThan(200);
    expect(events).toEqual(one.written.get(SHORT)!.slice(-events.length));
    expect(await connection.call('EXISTS', keys.activity(DELETED))).toBe(0);
  });

  it('stay as they are when one that is being made anew goes before it is whole', async () => {
    const one = instance('edge-a');
    for (let n = 0; n < 5; n += 1) await one.write(1_000);
    await one.close();
    const lose = `for _, key in ipairs(redis.call('KEYS', '${PREFIX}:activity-new:*')) do
      redis.call('DEL', key) end`;
    const run = reindexActivity({
      connection,
      ...OPTIONS,
      account: null,
      progress: () => void connection.call('EVAL', lose, 0),
    });
    await expect(run).rejects.toThrow('an activity log that was being rebuilt has gone');
    for (const account of ACCOUNTS)
      expect(await activityOf(account)).toEqual(one.written.get(account));
    expect(await connection.call('KEYS', `${PREFIX}:activity-new:*`)).toEqual([]);
  });

  it('keep the notices when logs are made anew for which there is little room', async () => {
    const { log, append } = shortLog();
    await append(900, NOTICE_LOG);
    await append(900, SHORT);
    await log.close();
    const short = { perAccount: 100, maxBytes: 60_000 };
    await reindexActivity({ connection, ...OPTIONS, ...short, account: null, progress: () => {} });
    expect(await activityOf(NOTICE_LOG)).toHaveLength(900);
    expect((await activityOf(SHORT)).length).toBeLessThan(250);
  });

  it('stay within the bytes that all may take while they are made anew', async () => {
    const one = instance('edge-a');
    for (let n = 0; n < 12; n += 1) await one.write(1_000);
    await one.close();
    const maxBytes = 400_000;
    await reindexActivity({
      connection,
      ...OPTIONS,
      maxBytes,
      account: null,
      progress: () => {},
    });
    let bytes = 0;
    for (const account of ACCOUNTS) {
      const key = keys.activity(account);
      bytes += Number(await connection.callAt(key, 'MEMORY', 'USAGE', key));
      expect((await activityOf(account)).at(-1)).toBe(one.written.get(account)!.at(-1));
    }
    expect(bytes).toBeLessThan(maxBytes);
    expect(bytes).toBeGreaterThan(maxBytes / 4);
  });
});
