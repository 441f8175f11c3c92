import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { NOTICE_LOG } from '../../src/audit/event/notice-event.ts';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { systemClock } from '../../src/clock.ts';
import { auditKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { batchOf } from '../support/audit-batch.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const missing = redisMissing();
const PREFIX = 'sallyport';
const MIB = 2 ** 20;

const idOf = (n: number) => `account${String(n).padStart(5, '0')}`;

describe('the activity logs of all accounts', () => {
  let users: RedisUsers;
  let server: RedisServer;
  let root: RedisConnection;

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    server = await startRedis({ aclFile: users.aclFile });
    root = as(users.root.username, users.root.password);
  });
  beforeEach(async (context) => {
    if (missing !== null) return context.skip(missing);
    await root.callAt('-', 'FLUSHALL');
  });
  afterAll(async () => {
    root?.close();
    await server?.stop();
    await users?.remove();
  });

  function as(username: string, password: string): RedisConnection {
    return connectRedis({ url: server.url, username, password, tls: null, name: 'bound' });
  }

  /** A gate's log: with the rights of a gate and no others. */
  function gateLog(activityMaxBytes: number) {
    const connection = as('gate', 'gate-password');
    const blind: string[] = [];
    const log = createRedisAuditLog({
      connection,
      prefix: PREFIX,
      clock: systemClock,
      retention: { days: 1, maxBytes: 0 },
      activityPerAccount: 10_000,
      activityMaxBytes,
      projection: { activityLost: () => {} },
      observer: {
        pressure() {},
        blind: () => void blind.push('record'),
        activityBlind: () => void blind.push('activity'),
        unsigned: (fault) => void blind.push(fault.message),
      },
    });
    return {
      log,
      blind,
      close: async () => {
        await log.close();
        connection.close();
      },
    };
  }

  let seq = 1;
  function batch(instance: string, accounts: readonly string[]) {
    const events = accounts.map((account) => ({
      account,
      event: JSON.stringify({ seq: seq++, account: { id: account }, path: `/${'p'.repeat(500)}` }),
    }));
    return batchOf(instance, seq - events.length, events);
  }

  async function sizes(count: number): Promise<readonly number[]> {
    const keys = auditKeys(PREFIX);
    return Promise.all(
      Array.from({ length: count }, async (_, n) => {
        const key = keys.activity(idOf(n));
        return Number((await root.callAt(key, 'MEMORY', 'USAGE', key)) ?? 0);
      }),
    );
  }

  const sum = (all: readonly number[]) => all.reduce((total, one) => total + one, 0);

  it('stay within their bytes while 200 accounts are written by two gates, and who uses little keeps all', async () => {
    const most = 12 * MIB;
    const gates = [gateLog(most), gateLog(most)];
    const quiet = idOf(199);
    await gates[0]!.log.append(batch('first', Array(5).fill(quiet)));
    let largest = 0;
    for (let round = 0; round < 240; round += 1) {
      // Account n is written about n times as often as account 0.
      const accounts = Array.from({ length: 200 }, (_, n) =>
        idOf(Math.floor(199 * Math.sqrt(((n * 7919 + round * 104_729) % 1_000) / 1_000))),
      );
      await Promise.all(gates.map(({ log }, n) => log.append(batch(`gate-${n}`, accounts))));
      if (round % 10 === 9) largest = Math.max(largest, sum(await sizes(200)));
    }
    const last = await sizes(200);
    await Promise.all(gates.map(({ close }) => close()));
    expect(gates.flatMap(({ blind }) => blind)).toEqual([]);
    expect(largest).toBeLessThan(most);
    // What there is room for is used, and nobody has more than two others in the upper half.
    expect(sum(last)).toBeGreaterThan(most / 2);
    const upper = last.slice(100, 199);
    expect(Math.max(...upper)).toBeLessThan(2 * Math.min(...upper));
    const reader = createRedisAuditReader(root, PREFIX);
    const kept = await reader.activity({ account: quiet, before: null, limit: 100 });
    expect(kept.events).toHaveLength(5);
    // The record has every event.
    expect(await reader.record.size()).toBe(240 * 400 + 5);
  });

  it('go as a whole, those first that were left alone for longest, where shares are too small', async () => {
    const gate = gateLog(MIB);
    await gate.log.append(batch('many', Array(40).fill(NOTICE_LOG)));
    for (let n = 0; n < 400; n += 1)
      await gate.log.append(batch('many', [idOf(n), idOf(n), idOf(n)]));
    // It is looked again after so and so much was written.
    const written = async () => {
      await gate.log.append(batch('many', [idOf(399), idOf(399)]));
      return sum(await sizes(400));
    };
    await expect.poll(written, { timeout: 30_000 }).toBeLessThan(MIB);
    const all = await sizes(400);
    // Another one comes while a log of an account may have a few events only.
    await gate.log.append(batch('many', [NOTICE_LOG]));
    const reader = createRedisAuditReader(root, PREFIX);
    const notices = await reader.activity({ account: NOTICE_LOG, before: null, limit: 100 });
    expect(notices.events).toHaveLength(41);
    await gate.close();
    const gone = all.flatMap((size, n) => (size === 0 ? [n] : []));
    expect(gone.length).toBeGreaterThan(0);
    // No log is gone whose account was touched after one that is there.
    expect(Math.max(...gone)).toBeLessThan(gone.length);
    expect(all.at(-1)).toBeGreaterThan(0);
  });

  it('are told of where the user may not hold them within their bytes', async () => {
    const user = async (rule: string) =>
      void (await root.callAt('-', 'ACL', 'SETUSER', 'gate', rule));
    await user('clearselectors');
    await user('(+xadd +type +get +set +xtrim +xlen +memory|usage +pexpire +eval +evalsha ~*)');
    const gate = gateLog(MIB);
    await gate.log.append(batch('older', [idOf(1)]));
    await expect.poll(() => gate.blind, { timeout: 10_000 }).toEqual(['activity']);
    await gate.close();
    expect(sum(await sizes(2))).toBeGreaterThan(0);
  });
});
