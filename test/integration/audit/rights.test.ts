import { hash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRedisAuditLog } from '../../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../../src/audit/log/redis/reader.ts';
import { createOutbox } from '../../../src/audit/outbox/outbox.ts';
import { partitionOf } from '../../../src/audit/partitions.ts';
import { systemClock } from '../../../src/clock.ts';
import { auditKeys } from '../../../src/store/keys.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { entries, everySeq } from '../../contract/audit.ts';
import { batchOf } from '../../support/audit-batch.ts';
import { signingWitness } from '../../support/cut-witness.ts';
import { findRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';

const ACL_FILE = new URL('../../../config/redis/users.acl', import.meta.url);

describe.runIf(findRedisServer() !== null)('with the Redis users that ship', () => {
  let directory: string;
  let server: RedisServer;
  const connections: RedisConnection[] = [];
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-acl-'));
    const acl = (await readFile(ACL_FILE, 'utf8'))
      .replaceAll('GATE_PASSWORD_SHA256', hash('sha256', 'gate-password', 'hex'))
      .replaceAll('MANAGER_PASSWORD_SHA256', hash('sha256', 'manager-password', 'hex'));
    await writeFile(join(directory, 'users.acl'), acl);
    server = await startRedis({ aclFile: join(directory, 'users.acl') });
  });
  afterAll(async () => {
    for (const connection of connections) connection.close();
    await server?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  function as(username: string): RedisConnection {
    const settings = {
      url: server.url,
      username,
      password: `${username}-password`,
      tls: null,
      name: 'audit',
    };
    const connection = connectRedis(settings);
    connections.push(connection);
    return connection;
  }

  it('the gate may append to the record, trim it and copy it into activity logs, and the manager may read both', async () => {
    const lost: number[] = [];
    const log = createRedisAuditLog({
      connection: as('gate'),
      prefix: 'sallyport',
      clock: systemClock,
      retention: { days: 1, maxBytes: 1_000_000 },
      activityPerAccount: 10,
      projection: { activityLost: (count) => void lost.push(count) },
    });
    log.witnessCuts!(signingWitness('acl'));
    await log.append(batchOf('acl', 1, entries('acl', 1, 3, 'accountAcl01')));
    await log.permits!.alive('acl', 60_000);
    expect(await log.permits!.silent()).toEqual([]);
    await log.close();
    expect(lost).toEqual([]);
    const reader = createRedisAuditReader(as('manager'), 'sallyport');
    expect(await everySeq(reader, 'acl')).toEqual([1, 2, 3]);
    expect(await reader.record.anchors()).toHaveLength(4);
    expect(
      (await reader.activity({ account: 'accountAcl01', before: null, limit: 9 })).events,
    ).toHaveLength(3);
  });

  it('the gate keeps its last number without end while it lives, idle or not, and for a week then', async () => {
    const connection = as('gate');
    const log = createRedisAuditLog({
      connection,
      prefix: 'sallyport',
      clock: systemClock,
      retention: { days: 1, maxBytes: 1_000_000 },
      activityPerAccount: 10,
      projection: { activityLost: () => {} },
      tellsGaps: true,
    });
    const manager = as('manager');
    const key = auditKeys('sallyport').last(partitionOf('idle'), 'idle');
    const life = async () => Number(await manager.call('PTTL', key));
    const ask = () => log.append({ ...batchOf('idle', 3, []), accounts: [] });
    const week = 7 * 86_400_000;
    await log.append(batchOf('idle', 1, entries('idle', 1, 1, 'accountAcl02')));
    expect(await life()).toBeGreaterThan(week - 60_000);
    await log.permits!.alive('idle', 60_000);
    await log.append(batchOf('idle', 2, entries('idle', 2, 1, 'accountAcl02')));
    expect(await life()).toBe(-1);
    // Somebody took it for gone.
    await manager.call('PEXPIRE', key, 60_000);
    await ask();
    expect(await life()).toBe(-1);
    await log.permits!.forget('idle');
    expect(await life()).toBeGreaterThan(week - 60_000);
    await log.permits!.alive('idle', 1);
    await ask();
    expect(await life()).toBe(-1);
    const left = await log.permits!.left('idle');
    expect(await log.permits!.close('idle', left!, batchOf('idle', 0, []), null)).toBe(true);
    expect(await life()).toBeGreaterThan(week - 60_000);
    await log.close();
  });

  it('an outbox finds out at once that it may not write, without a record', async () => {
    const connection = as('nobody');
    const log = createRedisAuditLog({
      connection,
      prefix: 'sallyport',
      clock: systemClock,
      retention: { days: 1, maxBytes: 0 },
      activityPerAccount: 10,
      projection: { activityLost: () => {} },
    });
    const problems: (string | undefined)[] = [];
    const health = (problem: Error | null) => void problems.push(problem?.message);
    const observer = { accepted() {}, unrecorded() {}, lost() {}, resent() {}, fault() {}, health };
    const outbox = createOutbox({ log, instance: 'acl2', clock: systemClock, observer });
    try {
      await expect.poll(() => outbox.healthy, { timeout: 30_000 }).toBe(false);
      expect(problems).toHaveLength(1);
      expect(problems[0]).not.toContain('nobody-password');
    } finally {
      await outbox.close(10);
    }
    const reader = createRedisAuditReader(as('manager'), 'sallyport');
    expect(await everySeq(reader, 'acl2')).toEqual([]);
  });

  it('the gate may neither delete the record nor read it', async () => {
    const gate = as('gate');
    for (const command of ['DEL', 'XDEL', 'XRANGE', 'UNLINK']) {
      await expect(gate.call(command, 'sallyport:audit:{0}', '-', '+'), command).rejects.toThrow(
        /NOPERM/,
      );
    }
  });
});

it('runs with the Redis users where there is a Redis', (ctx) => {
  if (findRedisServer() === null) ctx.skip('redis-server is not installed');
});
