import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AuditVerification, verifyAudit } from '../../src/admin/verify-audit.ts';
import { ActivityBound } from '../../src/audit/log/redis/activity-bound.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { RedisRetention } from '../../src/audit/log/redis/retention.ts';
import { AUDIT_PARTITIONS, partitionOf } from '../../src/audit/partitions.ts';
import { systemClock } from '../../src/clock.ts';
import { auditKeys } from '../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { type SigningWitness, signingWitness } from '../support/cut-witness.ts';
import { knownKey, layIntoRedis, makeHistory } from '../support/history.ts';
import { findRedisServer, type RedisServer, startRedis } from '../support/redis-server.ts';

const HOUR_MS = 3600 * 1000;
const WHOLE = { gaps: 0, edits: 0, findings: [], unproven: 0, unanchored: 0 };

describe.runIf(findRedisServer() !== null)('a record on Redis that retention has cut', () => {
  let server: RedisServer;
  let root: RedisConnection;
  const connect = (username: string | null) =>
    connectRedis({
      ...{ url: server.url, username, password: username, tls: null },
      ...{ name: 'trimmed', commandTimeoutMs: 15_000 },
    });
  beforeAll(async () => {
    server = await startRedis({ config: ['--maxmemory-policy', 'noeviction'] });
    root = connect(null);
    const rights = ['on', '>blind', '~*', '&*', '+@all', '-memory|usage'];
    await root.call('ACL', 'SETUSER', 'blind', ...rights);
  });
  afterAll(async () => {
    root?.close();
    await server?.stop();
  });

  const verify = (prefix: string, input = {}) =>
    verifyAudit(createRedisAuditReader(root, prefix).record, input);

  async function registered(prefix: string): Promise<SigningWitness> {
    const witness = signingWitness(`${prefix}-cutter`);
    const { id } = witness.key;
    await root.call('HSET', auditKeys(prefix).chainKeys, id, knownKey(witness.key));
    return witness;
  }

  /** Cuts, as an instance does that comes later, what somebody has written. */
  async function cut(
    prefix: string,
    retention: { days: number; maxBytes: number | null },
    connection = root,
    by: SigningWitness | null = null,
  ): Promise<SigningWitness> {
    const witness = by ?? (await registered(prefix));
    const length = await lengthOf(prefix);
    const unsigned = (fault: Error) => expect.unreachable(fault.message);
    const observer = { pressure() {}, blind() {}, activityBlind() {}, unsigned };
    const activity = new ActivityBound({
      ...{ connection, keys: auditKeys(prefix), clock: systemClock, lifeMs: 24 * HOUR_MS },
      ...{ maxBytes: null, blind() {} },
    });
    const retaining = new RedisRetention({
      ...{
        connection,
        prefix,
        retention,
        activityPerAccount: 10,
        activity,
        changes: null,
        observer,
      },
    });
    retaining.witness = witness;
    await retaining.look();
    await retaining.close();
    const gone = witness.cuts.reduce((sum, { count }) => sum + count, 0);
    expect(gone).toBeGreaterThan(0);
    expect(await lengthOf(prefix)).toBe(length - gone);
    return witness;
  }

  async function lengthOf(prefix: string): Promise<number> {
    const keys = auditKeys(prefix);
    const lengths = Array.from({ length: AUDIT_PARTITIONS }, (_, n) =>
      root.call('XLEN', keys.stream(n)),
    );
    return (await Promise.all(lengths)).reduce<number>((sum, one) => sum + Number(one), 0);
  }

  /** Of an instance's stream, all that was accepted before. */
  async function takeBefore(prefix: string, instance: string, ms: number): Promise<void> {
    const stream = auditKeys(prefix).stream(partitionOf(instance));
    const found = await root.call('XRANGE', stream, '-', `(${Math.floor(ms)}-0`);
    const own = (found as [string, string[]][]).filter(([, fields]) =>
      fields[1]!.includes(`"instance":"${instance}"`),
    );
    for (const [id] of own) await root.call('XDEL', stream, id);
  }

  async function layTwoDays(prefix: string, padding = 0): Promise<void> {
    const toMs = Date.now() - 10_000;
    const options = { fromMs: toMs - 48 * HOUR_MS, toMs, everyMs: 300_000, padding };
    await layIntoRedis(root, prefix, makeHistory(options));
  }

  it('for its age verifies, and one event more that somebody takes at the front is found', async () => {
    await layTwoDays('age');
    await cut('age', { days: 1, maxBytes: 0 });
    const told = await verify('age');
    expect(told).toMatchObject(WHOLE);
    expect(told.unhashed).toBeLessThan(64);
    const dueMs = Date.parse(told.trimmedBefore!);
    expect(Math.abs(dueMs - (Date.now() - 24 * HOUR_MS))).toBeLessThan(5 * 60_000);

    // What was due may go at any time.
    for (const instance of ['always', 'early', 'silent']) await takeBefore('age', instance, dueMs);
    expect(await verify('age')).toMatchObject(WHOLE);
    await takeBefore('age', 'always', dueMs + 7 * 60_000);
    const { findings } = await verify('age');
    expect(findings).toMatchObject([{ kind: 'missing', instance: 'always' }]);
    expect(findings[0]!.message).toContain('younger than what retention has signed');
    expect(await verify('age', { part: true })).toMatchObject({ gaps: 0, unanchored: 1 });
  });

  it('of which an instance is gone as a whole names it only if it was not due', async () => {
    await layTwoDays('gone');
    await cut('gone', { days: 1, maxBytes: 0 });
    // It ended more than a day ago.
    await takeBefore('gone', 'early', Date.now());
    expect(await verify('gone')).toMatchObject(WHOLE);
    await takeBefore('gone', 'silent', Date.now());
    expect((await verify('gone')).findings).toMatchObject([
      { kind: 'truncated', instance: 'silent' },
    ]);
  });

  it('whose anchor is gone, or of nobody who is known, is said to be cut by nobody', async () => {
    await layTwoDays('stranger');
    const witness = await cut('stranger', { days: 1, maxBytes: 0 });
    const keys = auditKeys('stranger');
    await root.call('HDEL', keys.chainKeys, witness.key.id);
    const kinds = ({ findings }: AuditVerification) => new Set(findings.map(({ kind }) => kind));
    expect(kinds(await verify('stranger'))).toContain('anchor-false');
    for (let n = 0; n < AUDIT_PARTITIONS; n += 1) await root.call('DEL', keys.anchors(n));
    // Of the one that ended early nothing is left.
    expect(kinds(await verify('stranger'))).toEqual(new Set(['anchor-missing', 'truncated']));
  });

  it('for its size verifies', async () => {
    await layTwoDays('size');
    await cut('size', { days: 90, maxBytes: 200_000 });
    expect(await verify('size')).toMatchObject(WHOLE);
  });

  it('by a user who may not ask for its size verifies', async () => {
    const blind = connect('blind');
    await layTwoDays('blind');
    await cut('blind', { days: 90, maxBytes: 200_000 }, blind);
    blind.close();
    expect(await verify('blind')).toMatchObject(WHOLE);
  });

  it('that came within one second verifies', async () => {
    const toMs = Date.now();
    const options = { fromMs: toMs - 500, toMs, everyMs: 0.25, signedAfterMs: 0 };
    await layIntoRedis(root, 'burst', makeHistory(options));
    await cut('burst', { days: 90, maxBytes: 200_000 });
    expect(await verify('burst')).toMatchObject(WHOLE);
  });

  it('because Redis was full verifies, though it took no anchor before the cut', async () => {
    await root.call('FLUSHALL');
    await layTwoDays('full', 20_000);
    const witness = await registered('full');
    const info = String(await root.call('INFO', 'memory'));
    const used = Number(/^used_memory:(\d+)/m.exec(info)![1]);
    await root.call('CONFIG', 'SET', 'maxmemory', used - 2 ** 20);
    await expect(root.call('SET', 'x', '1')).rejects.toThrow(/OOM/);
    await cut('full', { days: 90, maxBytes: null }, root, witness);
    expect(await verify('full')).toMatchObject(WHOLE);
  });
});

it('runs against Redis where there is one', (ctx) => {
  if (findRedisServer() === null) ctx.skip('redis-server is not installed');
});
