import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { KEPT_MINUTES } from '../../../src/stats/times.ts';
import { EmbeddedUsage } from '../../../src/stats/usage/embedded.ts';
import { UsageHourMaker } from '../../../src/stats/usage/hours.ts';
import { UsageMeter } from '../../../src/stats/usage/meter.ts';
import { KEPT_HOURS, type UsageStore, type UsageTexts } from '../../../src/stats/usage/port.ts';
import { type Step, tablesOf } from '../../../src/stats/usage/read.ts';
import { RedisUsage } from '../../../src/stats/usage/redis.ts';
import { SUBJECTS } from '../../../src/stats/usage/table.ts';
import { encodeTable } from '../../../src/stats/usage/text.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../../support/redis-users.ts';

/** Who called, in both stores; on Redis as the users that ship. */
let server: RedisServer;
let users: RedisUsers;
let gate: RedisConnection;
let manager: RedisConnection;
let root: RedisConnection;
let folder: string;
const missing = redisMissing();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-usage-'));
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

/** What an instance would write that these had called so often. */
async function textsOf(calls: Readonly<Record<string, number>>): Promise<UsageTexts> {
  const meter = new UsageMeter();
  for (const [name, count] of Object.entries(calls))
    for (let call = 0; call < count; call += 1)
      meter.count({
        route: { name: 'deploy' },
        application: 'CRM',
        accountId: name.padEnd(12, '0'),
        account: name,
        reason: 'permitted',
        durationMs: 3,
        requestBytes: 1,
        responseBytes: 2,
      });
  const { account, application, route } = meter.sketches;
  return {
    account: await encodeTable(account.table()),
    application: await encodeTable(application.table()),
    route: await encodeTable(route.table()),
  };
}

describe.each(['embedded', 'redis'] as const)('who called, in the %s store', (kind) => {
  let store: UsageStore;
  /** Of whoever looks: on Redis not the user that counts. */
  let reader: UsageStore;
  const hour = Math.floor(Date.now() / 3_600_000) - 1;
  let nowMs = 0;
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs };
  const faults: unknown[] = [];
  const maker = (of: UsageStore) =>
    new UsageHourMaker({
      store: of,
      clock,
      everyMs: 1_000_000,
      onFault: (fault) => void faults.push(fault),
    });
  const callsOf = async (step: Step, first: number, last: number) => {
    const found: [number, Record<string, number>][] = [];
    for await (const [at, { rows }] of tablesOf(reader, { of: 'account', step, first, last }))
      found.push([at, Object.fromEntries(rows.map(({ name, calls }) => [name, calls]))]);
    return found;
  };

  /** The store, which tells of each hour before it is written. */
  const telling = (before: (hour: number) => Promise<void>) => {
    const told = Object.assign(Object.create(store) as UsageStore, {
      writeHour: async (...given: Parameters<UsageStore['writeHour']>) => {
        await before(given[0]);
        return store.writeHour(...given);
      },
    });
    for (const name of ['hourStates', 'minutes', 'hours', 'writeShared'] as const)
      Object.assign(told, { [name]: (store[name] as () => unknown).bind(store) });
    return told;
  };

  beforeAll(() => {
    if (kind === 'redis' && missing !== null) return;
    store =
      kind === 'redis'
        ? new RedisUsage(gate, 'sallyport')
        : new EmbeddedUsage(join(folder, 'usage.db'));
    reader = kind === 'redis' ? new RedisUsage(manager, 'sallyport') : store;
  });
  beforeEach((ctx) => {
    if (kind === 'redis' && missing !== null) ctx.skip(missing);
    nowMs = (hour + 1) * 3_600_000 + 180_000;
  });
  afterAll(() => store?.close());

  it('is replaced by the instance that wrote it, and added up over instances', async () => {
    const minute = hour * 60;
    await store.writeMinute(minute, 'one', await textsOf({ ci: 1 }));
    await store.writeMinute(minute, 'one', await textsOf({ ci: 3, cd: 1 }));
    await store.writeMinute(minute, 'two', await textsOf({ ci: 4 }));
    await store.writeMinute(minute + 59, 'two', await textsOf({ cd: 2 }));
    expect(await callsOf('minute', minute - 5, minute + 59)).toEqual([
      [minute, { ci: 7, cd: 1 }],
      [minute + 59, { cd: 2 }],
    ]);
    expect(await callsOf('minute', minute + 1, minute + 58)).toEqual([]);
  });

  it('is told by the hour before any hour is made, and the same afterwards', async () => {
    const wanted = [[hour, { ci: 7, cd: 3 }]];
    expect(await callsOf('hour', hour - 3, hour)).toEqual(wanted);
    await maker(store).look();
    expect(faults).toEqual([]);
    for (const subject of SUBJECTS)
      expect(await reader.hours(subject, hour - 30, hour)).toHaveLength(1);
    expect(await callsOf('hour', hour - 3, hour)).toEqual(wanted);
  });

  it('is made into an hour once, and again when minutes have come late', async () => {
    const writes: number[] = [];
    const watched = telling(async (made) => void writes.push(made));
    await maker(watched).look();
    expect(writes).toEqual([]);
    const [state] = await store.hourStates(hour, hour);
    expect(state).toEqual({ hour, written: state!.made, made: expect.anything() });
    await store.writeMinute(hour * 60 + 5, 'three', await textsOf({ late: 9 }));
    await maker(watched).look();
    await maker(watched).look();
    expect(writes).toEqual([hour]);
    expect(await callsOf('hour', hour, hour)).toEqual([[hour, { ci: 7, cd: 3, late: 9 }]]);
  });

  it('is a text for each minute once the hour was made, until another minute comes', async () => {
    const minute = hour * 60;
    const minutes = async () =>
      (await reader.minutes('account', hour)).map(({ at }) => at - minute).sort((a, b) => a - b);
    // An embedded store has one instance: nothing is put together there.
    const apart = kind === 'embedded' ? [0, 0, 5, 59] : [0, 5, 59];
    const told = [
      [minute, { ci: 7, cd: 1 }],
      [minute + 5, { late: 9 }],
      [minute + 59, { cd: 2 }],
    ];
    expect(await minutes()).toEqual(apart);
    expect(await callsOf('minute', minute, minute + 59)).toEqual(told);
    await store.writeMinute(minute + 7, 'two', await textsOf({ later: 1 }));
    expect(await minutes()).toEqual([0, 0, 5, 7, 59]);
    await maker(store).look();
    expect(await minutes()).toEqual([...apart, 7].sort((a, b) => a - b));
    expect(await callsOf('minute', minute + 7, minute + 7)).toEqual([[minute + 7, { later: 1 }]]);
  });

  it('is made again where a minute is written once more after its hour, or meanwhile', async () => {
    const [old, minute] = [hour - 5, (hour - 5) * 60 + 59];
    const write = async (instance: string, ci: number) =>
      store.writeMinute(minute, instance, await textsOf({ ci }));
    const told = async () => [
      ...(await callsOf('minute', minute, minute)),
      ...(await callsOf('hour', old, old)),
    ];
    await write('one', 1);
    await write('two', 5);
    await maker(store).look();
    await write('two', 100);
    expect(await told()).toEqual([
      [minute, { ci: 101 }],
      [old, { ci: 6 }],
    ]);
    const writes: number[] = [];
    const growing = telling(async (made) => {
      if (writes.push(made) === 1) await write('two', 200);
    });
    for (let n = 0; n < 3; n += 1) await maker(growing).look();
    expect(await told()).toEqual([
      [minute, { ci: 201 }],
      [old, { ci: 201 }],
    ]);
    expect(writes).toEqual([old, old]);
  });

  // An embedded store writes all subjects in one step.
  if (kind === 'redis')
    it('is put together where two instances wrote across', async () => {
      const old = hour - 7;
      const write = async (of: UsageStore, instance: string) =>
        of.writeMinute(old * 60, instance, await textsOf({ ci: 1 }));
      let isFirst = true;
      const pipeline: RedisConnection['pipeline'] = async (commands) => {
        const replies = await gate.pipeline(commands);
        if (isFirst) {
          isFirst = false;
          await write(store, 'one');
        }
        return replies;
      };
      await write(new RedisUsage({ ...gate, pipeline }, 'sallyport'), 'two');
      for (const subject of SUBJECTS) expect(await reader.minutes(subject, old)).toHaveLength(2);
      await maker(store).look();
      for (const subject of SUBJECTS) expect(await reader.minutes(subject, old)).toHaveLength(1);
      expect(await callsOf('minute', old * 60, old * 60)).toEqual([[old * 60, { ci: 2 }]]);
    });

  it('is not made into an hour before its last minutes can be there', async () => {
    const now = hour + 1;
    await store.writeMinute(now * 60, 'one', await textsOf({ ci: 1 }));
    nowMs = (now + 1) * 3_600_000 + 60_000;
    await maker(store).look();
    expect(await store.hourStates(now, now)).toMatchObject([{ hour: now, made: null }]);
  });

  it('leaves out what cannot be read', async () => {
    const texts = await textsOf({ ci: 1 });
    await store.writeMinute((hour - 9) * 60, 'bad', { ...texts, account: 'no table' });
    expect(await callsOf('minute', (hour - 9) * 60, (hour - 9) * 60)).toEqual([]);
    expect(await callsOf('hour', hour - 9, hour - 9)).toEqual([]);
    for (const instance of ['one', 'two'])
      await store.writeMinute((hour - 9) * 60, instance, texts);
    await maker(store).look();
    expect(await callsOf('hour', hour - 9, hour - 9)).toEqual([[hour - 9, { ci: 2 }]]);
    // Another version may be able to read it.
    expect(await reader.minutes('account', hour - 9)).toHaveLength(3);
  });

  it('is kept for a day by the minute, and for 90 days by the hour', async () => {
    const texts = await textsOf({ ci: 1 });
    if (kind === 'redis') {
      const ttl = async (key: string) => Number(await root.call('PTTL', `sallyport:stats:${key}`));
      const minutes = await ttl(`account:${hour}`);
      expect(minutes).toBeGreaterThan(KEPT_MINUTES * 60_000);
      expect(minutes).toBeLessThanOrEqual((KEPT_MINUTES + 60) * 60_000);
      const hours = await ttl(`account:hours:${Math.floor(hour / 24)}`);
      expect(hours).toBeGreaterThan(KEPT_HOURS * 3_600_000);
      expect(hours).toBeLessThanOrEqual((KEPT_HOURS + 24) * 3_600_000);
      return;
    }
    await store.writeMinute(hour * 60 + KEPT_MINUTES + 120, 'new', texts);
    expect(await callsOf('minute', hour * 60 - 600, hour * 60 + 59)).toEqual([]);
    await store.writeHour(hour + KEPT_HOURS + 1, texts, { minutes: 1, revision: null });
    expect(await reader.hours('account', 0, hour)).toEqual([]);
    expect(await reader.hours('account', hour + 1, hour + KEPT_HOURS + 1)).toHaveLength(1);
  });
});
