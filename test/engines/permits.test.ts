import { hash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEmbeddedAudit } from '../../src/audit/log/embedded/log.ts';
import { createRedisAuditLog } from '../../src/audit/log/redis/log.ts';
import { createRedisAuditReader } from '../../src/audit/log/redis/reader.ts';
import { EventLines } from '../../src/audit/outbox/lines.ts';
import { createOutbox } from '../../src/audit/outbox/outbox.ts';
import { PermitCloser } from '../../src/audit/permits/closer.ts';
import type { PermitLedger, WrittenOutcomes } from '../../src/audit/permits/ledger.ts';
import type { OpenPermit } from '../../src/audit/permits/open-permits.ts';
import { type AuditLog, type AuditReader, AuditUnavailable } from '../../src/audit/port.ts';
import { systemClock } from '../../src/clock.ts';
import { connectRedis, type RedisAddress } from '../../src/store/redis.ts';
import type { AuditEvent } from '../support/gateway.ts';
import { startCluster } from '../support/redis-cluster.ts';
import { redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers } from '../support/redis-users.ts';

const missing = redisMissing();
/** By then whatever does not hang has happened. */
const LIMIT_MS = 30_000;
const account = { id: 'accountLeft1', name: 'left', kind: 'service' } as const;

interface Place {
  /** As a gate has it. */
  log(): Promise<AuditLog>;
  /** As whoever may read the record has it. */
  reader: AuditReader;
  stop(): Promise<void>;
}

type Where = { readonly url: string } | { readonly cluster: readonly RedisAddress[] };

const retention = { days: 1, maxBytes: 100_000_000 };

/** With the users that ship: gates are `gate`, and whoever reads is `manager`. */
function onRedis(where: Where, end: () => Promise<void>): Place {
  const as = (username: string) =>
    connectRedis({
      ...where,
      username,
      password: `${username}-password`,
      tls: null,
      name: 'permits',
    });
  const manager = as('manager');
  const opened = [manager];
  return {
    async log() {
      const connection = as('gate');
      opened.push(connection);
      return createRedisAuditLog({
        connection,
        prefix: 'sallyport',
        clock: systemClock,
        retention,
        activityPerAccount: 5000,
        projection: { activityLost: () => {} },
      });
    },
    reader: createRedisAuditReader(manager, 'sallyport'),
    async stop() {
      for (const connection of opened) connection.close();
      await end();
    },
  };
}

const PLACES: Readonly<Record<string, () => Promise<Place>>> = {
  'one server': async () => {
    const users = await makeRedisUsers();
    const server = await startRedis({ aclFile: users.aclFile });
    return onRedis({ url: server.url }, async () => {
      await server.stop();
      await users.remove();
    });
  },
  'a cluster': async () => {
    const users = await makeRedisUsers();
    const cluster = await startCluster({ aclFile: users.aclFile, admin: users.root });
    return onRedis({ cluster: cluster.addresses }, async () => {
      await cluster.stop();
      await users.remove();
    });
  },
  'a file': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sallyport-permits-'));
    const path = join(folder, 'audit.db');
    const audit = await openEmbeddedAudit({ path, retention, activityPerAccount: 5000 });
    return {
      log: async () => audit,
      reader: audit,
      async stop() {
        await audit.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};

describe.each(Object.keys(PLACES))('permits without an outcome, on %s', (name) => {
  let place: Place;
  const closers: PermitCloser[] = [];
  /** Outcomes for which closers vouch, as they put it on record. */
  const vouched: (WrittenOutcomes & { readonly voucher: string })[] = [];
  beforeAll(async () => {
    if (missing === null) place = await PLACES[name]!();
  }, 120_000);
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });
  afterEach(async () => {
    for (const closer of closers.splice(0)) await closer.close(true);
  });
  afterAll(() => place?.stop());

  /** Gives permits and ends some, and is not heard of again. */
  async function dies(instance: string, given: number, over: number): Promise<PermitLedger> {
    const log = await place.log();
    const health = () => {};
    const observer = { accepted() {}, unrecorded() {}, lost() {}, resent() {}, fault() {}, health };
    const outbox = createOutbox({ log, instance, clock: systemClock, observer });
    await log.permits!.alive(instance, 1);
    const permits = Array.from({ length: given }, (_, at) => permitOf(`${instance}-${at}`));
    for (const permit of permits) {
      const decision = { decision: 'permit', account };
      outbox.record(eventOf(instance, permit.id, 'decision', decision), account.id, null);
      outbox.permits.add(permit);
    }
    for (const permit of permits.slice(0, over)) {
      outbox.recordEnd(eventOf(instance, permit.id, 'outcome', { reason: 'permitted' }), null);
      outbox.permits.remove(permit);
    }
    await expect.poll(() => outbox.pending, { timeout: LIMIT_MS }).toBe(0);
    return log.permits!;
  }

  /** @param refused so many times it cannot put on record that it vouches for something */
  async function lives(instance: string, refused = 0): Promise<void> {
    const log = await place.log();
    const observer = {
      accepted() {},
      unrecorded() {},
      lost() {},
      resent() {},
      fault() {},
      health() {},
    };
    const { permits } = createOutbox({ log, instance, clock: systemClock, observer });
    closers.push(
      new PermitCloser({
        ledger: log.permits!,
        permits,
        instance,
        clock: systemClock,
        leaseMs: 1000,
        async vouch(written) {
          refused -= 1;
          if (refused >= 0) throw new AuditUnavailable('not now');
          vouched.push({ ...written, voucher: instance });
        },
        closed() {},
        onFault() {},
        beatMs: 100,
        lookMs: 100,
      }),
    );
  }

  async function unknownOf(instance: string): Promise<readonly AuditEvent[]> {
    const found: AuditEvent[] = [];
    let before: string | null = null;
    do {
      const page = await place.reader.tail({ before, limit: 500 });
      found.push(...page.events.map((line) => JSON.parse(line) as AuditEvent));
      before = page.next;
    } while (before !== null);
    return found.filter((event) => event.decidedBy === instance);
  }

  /** What whoever vouches for these says of them, who are given newest first. */
  function digestOf(events: readonly AuditEvent[]): string {
    const lines = events.map((event) => `${JSON.stringify(event)}\n`);
    return hash('sha256', lines.toReversed().join(''), 'base64url');
  }

  it('are closed by whoever may not read the record, by one of many alone', async () => {
    await dies('dead', 7, 4);
    for (const instance of ['one', 'two', 'three']) await lives(instance);
    await expect
      .poll(async () => (await unknownOf('dead')).length, { timeout: LIMIT_MS })
      .toBeGreaterThan(0);
    for (const closer of closers.splice(0)) await closer.close(true);
    const closed = await unknownOf('dead');
    const by = closed[0]!.instance!;
    const told = vouched.filter(({ decidedBy }) => decidedBy === 'dead');
    const digest = digestOf(closed);
    expect(told).toEqual([{ decidedBy: 'dead', by, voucher: by, count: 3, digest, step: 0 }]);
    expect(closed.map(({ id }) => id).toSorted()).toEqual(['dead-4', 'dead-5', 'dead-6']);
    for (const event of closed)
      expect(event).toMatchObject({
        type: 'call',
        phase: 'outcome',
        reason: 'outcome-unknown',
        account,
        route: 'all',
        permission: 'a:read',
        application: 'crm',
        traceId: 'f00d',
      });
    await expect
      .poll(async () => {
        const shown = { account: account.id, before: null, limit: 99 };
        const { events } = await place.reader.activity(shown);
        return events.filter((event) => event.includes('outcome-unknown')).length;
      })
      .toBe(3);
  });

  it('are closed once, though one who closes them ends half-way and more come after', async () => {
    const ledger = await dies('many', 2500, 0);
    await dies('half', 0, 0);
    const outcomes = (left: { permits: readonly { id: string }[] }) => {
      const lines = new EventLines();
      for (const { id } of left.permits)
        lines.push(JSON.stringify({ id, decidedBy: 'many', instance: 'half' }), null);
      return lines.batch('half', 0);
    };
    const written = { decidedBy: 'many', by: 'half', count: 1000, digest: 'of half', step: 0 };
    // The first step is done and its end is not; whoever had read the same comes too late.
    const left = (await ledger.left('many'))!;
    expect(left.permits).toHaveLength(1000);
    expect(left.all).toBe(false);
    expect(await ledger.close('many', left, outcomes(left), written)).toBe(true);
    expect(await ledger.close('many', left, outcomes(left), written)).toBe(false);
    expect(await ledger.unvouched('half')).toMatchObject([written]);
    await lives('next', 2);
    await expect.poll(() => ledger.left('many'), { timeout: LIMIT_MS }).toBeNull();
    // Whoever owed it has gone; it is asked for until it is on record.
    const told = () => vouched.filter(({ voucher }) => voucher === 'next');
    await expect.poll(() => told().length, { timeout: LIMIT_MS }).toBe(3);
    await expect
      .poll(async () => [...(await ledger.unvouched('half')), ...(await ledger.unvouched('next'))])
      .toEqual([]);
    expect(
      told()
        .map(({ by, count }) => `${by} ${count}`)
        .toSorted(),
    ).toEqual(['half 1000', 'next 1000', 'next 500']);
    const closed = await unknownOf('many');
    expect(closed).toHaveLength(2500);
    expect(new Set(closed.map(({ id }) => id)).size).toBe(2500);
  });

  it('are left alone when their instance records anything meanwhile', async () => {
    const ledger = await dies('back', 1, 0);
    const left = (await ledger.left('back'))!;
    const log = await place.log();
    const lines = new EventLines();
    lines.push(JSON.stringify({ id: 'back-0', phase: 'outcome' }), null);
    const notes = { anew: false, text: '-back-0\n' };
    await log.append({ ...lines.batch('back', 2), notes });
    expect(await ledger.close('back', left, lines.batch('else', 0), null)).toBe(false);
    expect((await ledger.left('back'))!.permits).toEqual([]);
  });
});

const route = { name: 'all', permission: 'a:read', upstream: 'apps' };

function permitOf(id: string): OpenPermit {
  const places = { place: -1, batch: -1 };
  return {
    ...places,
    id,
    traceId: 'f00d',
    caller: account,
    route,
    application: 'crm',
    describe: () => null,
  };
}

function eventOf(instance: string, id: string, phase: string, more: object) {
  return (seq: number) => JSON.stringify({ id, type: 'call', phase, instance, seq, ...more });
}
