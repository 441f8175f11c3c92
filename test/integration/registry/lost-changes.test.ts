import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Account, Role, Team } from '../../../src/account/model.ts';
import { rolelessIn } from '../../../src/account/policy.ts';
import { systemClock } from '../../../src/clock.ts';
import type { RecordChange } from '../../../src/registry/commit.ts';
import { RedisRegistryStore } from '../../../src/registry/redis/registry.ts';
import { RedisRegistrySource } from '../../../src/registry/redis/source.ts';
import { Replica } from '../../../src/registry/replica/replica.ts';
import { REVOKED_FILES, type Remembered, readRevoked } from '../../../src/registry/revoked/file.ts';
import { RevokedKeeper } from '../../../src/registry/revoked/keeper.ts';
import { connectRedis, type RedisConnection } from '../../../src/store/redis.ts';
import { until } from '../../contract/registry.ts';
import {
  account,
  commitOf,
  creation,
  digestOf,
  idOf,
  role,
  team,
  update,
} from '../../contract/registry-records.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { startRelay, type TcpRelay } from '../../support/tcp-relay.ts';

const PREFIX = 'sallyport';

function changeTo(record: Role | Team): RecordChange {
  const kind = 'permissions' in record ? 'role' : 'team';
  return { kind, key: record.name, record } as RecordChange;
}

const missing = redisMissing();

/**
 * A Redis that comes back without its last changes is what a failover to a replica that lagged
 * behind looks like from outside.
 */
describe('a Redis that has lost acknowledged changes', () => {
  let server: RedisServer;
  let relay: TcpRelay;
  let store: RedisRegistryStore;
  let root: RedisConnection;
  let edge: Replica;
  let revived: number[];
  let lost: string[];
  const closing: (() => Promise<void>)[] = [];

  beforeEach(async (context) => {
    if (missing !== null) context.skip(missing);
    server = await startRedis();
    relay = await startRelay(server.port);
    store = new RedisRegistryStore(connect(server.port, 'store'), {
      keyPrefix: PREFIX,
      name: 'store',
    });
    root = connect(server.port, 'root');
    [revived, lost] = [[], []];
    await store.initialise([role('viewer')]);
    for (const n of [1, 2, 3, 4]) await store.commit(creation(account(n)));
    await root.call('SAVE');
    edge = replica('edge-1');
    await edge.start();
    for (const n of [1, 2, 3, 4])
      await until(async () => (await edge.lookup(idOf(n))).found === 'account');
    await revoke();
  });

  afterEach(async () => {
    if (missing !== null) return;
    relay.heal();
    for (const close of closing.splice(0)) await close();
    await store.close();
    root.close();
    await relay.stop();
    await server.stop();
  });

  /**
   * The test's own connections are patient; an instance is to notice in time that it is cut off.
   */
  function connect(port: number, name: string, commandTimeoutMs = 15_000): RedisConnection {
    const url = `redis://127.0.0.1:${port}`;
    return connectRedis({ url, username: null, password: null, tls: null, name, commandTimeoutMs });
  }

  function replica(instance: string, remembered: Remembered | null = null): Replica {
    const source = new RedisRegistrySource(connect(relay.port, instance, 500), {
      keyPrefix: PREFIX,
      name: instance,
    });
    const observer = {
      onRevived: (count: number) => void revived.push(count),
      onLost: (why: string) => void lost.push(why),
    };
    const made = new Replica({
      source,
      clock: systemClock,
      instance,
      leaseMs: 2_000,
      maxAccounts: 100,
      remembered,
      observer,
    });
    closing.push(async () => {
      await made.close();
      await source.close();
    });
    return made;
  }

  /**
   * Account 1 gets a new token, 2 is deleted, 3 is deactivated; 4 stays. All of it is applied when
   * this returns.
   */
  async function revoke(): Promise<void> {
    const token = { digest: digestOf(50), createdAt: '2026-01-01T00:00:00.000Z' };
    await store.commit(update(account(1, { token, retired: [digestOf(1)] }), 2));
    await store.commit(commitOf([{ kind: 'account', key: idOf(2), record: null }]));
    await store.commit(update(account(3, { status: 'inactive' }), 4));
    await until(
      () =>
        edge.status().lagSeq === 0 &&
        JSON.stringify(answersNow(edge)) === JSON.stringify(['50', 'absent', 'inactive', '4']),
    );
  }

  /** Until the test's own connection is back too: it may be later than the instance's. */
  async function restart(): Promise<void> {
    await server.restart();
    await until(() => store.snapshot().then(Boolean, () => false));
  }

  /** For each account: the number of its live token, or why there is none. */
  function answersNow(of: Replica): string[] {
    return [1, 2, 3, 4].map((n) => {
      const found = of.cached(idOf(n));
      if (found?.found !== 'account') return found?.found ?? 'not cached';
      const { status, token, retired } = found.account.account;
      if (status === 'inactive') return 'inactive';
      return token === null
        ? `none, ${retired.length} retired`
        : String(Number.parseInt(token.digest, 16));
    });
  }

  /** Once all are known: what was slow for a moment is not known, and asked for again. */
  async function answers(of: Replica): Promise<string[]> {
    await until(async () => {
      for (const n of [1, 2, 3, 4]) await of.lookup(idOf(n));
      return answersNow(of).every((answer) => answer !== 'not cached' && answer !== 'unavailable');
    });
    return answersNow(of);
  }

  const REVOKED = ['none, 1 retired', 'absent', 'inactive', '4'];

  it('brings no token back: what an instance has seen revoked stays so, for it and for everybody else', async () => {
    await server.kill();
    await restart();
    await until(() => lost.length > 0 && edge.current);
    expect(await answers(edge)).toEqual(REVOKED);
    expect(revived).toEqual([3]);
    const other = replica('edge-2');
    await other.start();
    await until(() => other.current);
    expect(await answers(other)).toEqual(REVOKED);
    const { items } = await store.accounts({ cursor: null, limit: 10 });
    expect(items.map(({ id, status, token }) => [id, status, token === null])).toEqual([
      [idOf(1), 'active', true],
      [idOf(3), 'inactive', false],
      [idOf(4), 'active', false],
    ]);
  });

  it('brings none back either when all who saw it were started anew in between', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-revoked-'));
    closing.push(async () => rmSync(folder, { recursive: true }));
    const keeper = new RevokedKeeper({
      ...{ folder, store: 'redis', knowing: edge },
      onFault: (fault) => expect.fail(String(fault)),
    });
    await keeper.close();
    await edge.close();
    await server.kill();
    await restart();
    const again = replica('edge-1-again', readRevoked(folder, 'redis'));
    await again.start();
    await until(() => again.current);
    expect(await answers(again)).toEqual(REVOKED);
    expect(revived).toEqual([3]);
    // The store was told too.
    expect((await store.account(idOf(3))).account).toMatchObject({ status: 'inactive' });
    expect(readFileSync(join(folder, REVOKED_FILES.redis), 'utf8')).not.toContain('slp_');
  });

  it('takes no change that was computed without knowing, and every one that was', async () => {
    await server.kill();
    await restart();
    await until(() => lost.length > 0 && edge.current);
    const change = async (
      n: number,
      parts: Partial<Account>,
      version: number,
      activates: string[] = [],
    ) => (await store.commit({ ...update(account(n, parts), version), activates })).committed;
    expect(await change(1, { description: 'unaware' }, 2)).toBe(false);
    expect(await change(2, { description: 'unaware' }, 3)).toBe(false);
    expect(await change(3, { description: 'unaware' }, 4)).toBe(false);
    expect(
      await change(
        1,
        {
          token: { digest: digestOf(60), createdAt: '2026-01-01T00:00:00.000Z' },
          retired: [digestOf(1)],
        },
        2,
      ),
    ).toBe(true);
    expect(await change(3, { status: 'inactive', description: 'aware' }, 4)).toBe(true);
    expect(await change(3, { description: 'activated' }, 7, [idOf(3)])).toBe(true);
    expect(await change(3, { description: 'and changed again' }, 8)).toBe(true);
    await until(async () => edge.current && (await answers(edge)).join() === '60,absent,3,4');
  });

  it('gives nobody a role back: the account is inactive until somebody who saw that activates it', async () => {
    const lowered = { role: 'none', updatedAt: '2026-01-02T00:00:00.000Z' };
    expect((await store.commit(update(account(4, lowered), 5))).committed).toBe(true);
    await until(() => edge.status().lagSeq === 0);
    await until(async () => (await store.progress(['edge-1']))[0]?.applied?.seq === 9);
    await server.kill();
    await restart();
    await until(() => lost.length > 0 && edge.current);
    expect((await answers(edge))[3]).toBe('inactive');
    const other = replica('edge-2');
    await other.start();
    await until(() => other.current);
    expect((await answers(other))[3]).toBe('inactive');
    expect((await store.account(idOf(4))).account).toMatchObject({ status: 'inactive' });
    const change = async (parts: Partial<Account>, activates: string[] = []) =>
      (await store.commit({ ...update(account(4, parts), 5), activates })).committed;
    expect(await change({ description: 'unaware' })).toBe(false);
    expect(await change({ description: 'activated' }, [idOf(4)])).toBe(true);
    await until(async () => edge.current && (await answers(edge))[3] === '4');
  });

  it('gives a role and a team nothing back: what differs from what was seen is in doubt until somebody who saw that changes it', async () => {
    const change = async (record: Role | Team, version: number, underTombstones?: number) =>
      (
        await store.commit(
          commitOf([changeTo(record)], {
            expects: [{ ...changeTo(record), version }],
            ...(underTombstones === undefined ? {} : { underTombstones }),
          }),
        )
      ).committed;
    expect(await change(team('crew', ['crm']), 0)).toBe(true);
    await root.call('SAVE');
    expect(await change(role('viewer', []), 1)).toBe(true);
    expect(await change(team('crew', ['shop']), 9)).toBe(true);
    const allows = (of: Replica) => of.roleAllows('viewer', 'deployments:read');
    await until(() => !allows(edge) && edge.ownerOf('shop') === 'crew');
    await server.kill();
    await restart();
    await until(() => lost.length > 0 && edge.current);
    const other = replica('edge-2');
    await other.start();
    await until(() => other.current);
    const inDoubt = (of: Replica) =>
      ['crm', 'shop'].every((one) => rolelessIn(of.ownerOf(one) ?? '', 'crew'));
    for (const one of [edge, other]) expect([allows(one), inDoubt(one)]).toEqual([false, true]);
    const { roles, teams, tombstones } = await store.snapshot();
    expect(roles).toMatchObject([{ permissions: [], inDoubt: ['deployments:read'] }]);
    expect(teams).toMatchObject([{ applications: ['crm'], inDoubt: ['crm', 'shop'] }]);
    expect(await change(role('viewer'), 1)).toBe(false);
    expect(await change(role('viewer'), 1, tombstones! - 1)).toBe(false);
    expect(await change(role('viewer'), 1, tombstones)).toBe(true);
    await until(() => edge.current && allows(edge) && other.current && allows(other));
    expect([inDoubt(edge), inDoubt(other)]).toEqual([true, true]);
    expect(await change(team('crew', ['crm']), 9, tombstones! + 1)).toBe(true);
    await until(() => [edge, other].every((one) => one.current && one.ownerOf('crm') === 'crew'));
    expect([edge.ownerOf('shop'), other.ownerOf('shop')]).toEqual([null, null]);
  });

  it('is noticed also when it has gone on from there and stands at the same number, or further', async () => {
    relay.silence();
    await server.kill();
    await restart();
    await until(() => store.snapshot().then(Boolean, () => false));
    for (let n = 10; n < 14; n += 1) await store.commit(creation(account(n)));
    relay.heal();
    await until(() => lost.length > 0 && edge.current);
    expect(await answers(edge)).toEqual(REVOKED);
    await until(async () => (await edge.lookup(idOf(11))).found === 'account');
  });

  it('is known not to hold them any more, also when it stands at the same number', async () => {
    const change = await store.commit(creation(account(9)));
    if (!change.committed) throw new Error(change.conflict);
    expect(await store.holds(change)).toBe(true);
    await server.kill();
    await restart();
    await until(() => store.snapshot().then(Boolean, () => false));
    expect(await store.holds(change)).toBe(false);
    for (let n = 10; n < 16; n += 1) await store.commit(creation(account(n)));
    expect(await store.holds(change)).toBe(false);
  });

  it('counts no acknowledgement of what it does not have', async () => {
    await until(async () => (await store.progress(['edge-1']))[0]?.applied?.seq === 8);
    relay.silence();
    const text = (await root.call('GET', `${PREFIX}:{registry}:ack:edge-1`)) as string;
    await server.kill();
    await restart();
    await until(() => store.snapshot().then(Boolean, () => false));
    await root.ready(5_000);
    await root.call('SET', `${PREFIX}:{registry}:ack:edge-1`, text);
    for (let n = 10; n < 14; n += 1) await store.commit(creation(account(n)));
    expect((await store.progress(['edge-1']))[0]?.applied).toBeNull();
    relay.heal();
    await until(async () => (await store.progress(['edge-1']))[0]?.applied?.seq === 9);
  });
});
