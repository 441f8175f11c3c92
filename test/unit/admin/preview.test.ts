import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import {
  type Administration,
  createAdministration,
  OPERATION_NAMES,
  OPERATIONS,
} from '../../../src/admin/administration.ts';
import { PREVIEWED } from '../../../src/admin/operations/rehearsed.ts';
import type { Row } from '../../../src/admin/operations/row.ts';
import { type Bench, NOW_MS, openBench, owner, refusal, STORES } from './stores.ts';

it('is there for every change that can wait, and for a new token', () => {
  const canWait = OPERATION_NAMES.filter((name) => (OPERATIONS[name] as Row).canWait === true);
  expect([...PREVIEWED].sort()).toEqual([...canWait, 'rotateToken'].sort());
});

const call = (agoMs: number) =>
  JSON.stringify({
    ...{ type: 'call', phase: 'decision' },
    time: new Date(NOW_MS - agoMs).toISOString(),
  });

describe.each(STORES)('what a change would do, in the %s store', (kind) => {
  let bench: Bench | null;
  let admin: Administration;
  const ids: Record<string, string> = {};
  /** Lines of the activity log of everybody, newest first. */
  let log: readonly string[] = [];

  beforeAll(async () => {
    bench = await openBench(kind);
    if (bench === null) return;
    const { store, clock } = bench;
    const audit = {
      activity: async ({ limit }: { limit: number }) => {
        const events = log.slice(0, limit);
        return { events, cursors: [], next: log.length > limit ? 'more' : null };
      },
    };
    const approvals = { roles: () => ['release'], lifetimeMs: () => 1000 };
    admin = createAdministration({
      ...{ store, clock, instance: null, approvals },
      audit: audit as never,
      underWay: (of) => new Map([...of].map((id) => [id, id === ids.ci ? 3 : 0])),
    });
    const free = bench.admin;
    await free.createRole(owner, { name: 'release', permissions: ['releases:*'] });
    await free.createRole(owner, { name: 'deployer', permissions: ['deployments:*', 'a:read'] });
    await free.createRole(owner, { name: 'viewer', permissions: ['a:read'] });
    await free.createTeam(owner, { name: 'payments', applications: ['Billing', 'Ledger'] });
    for (const [name, role, inTeam] of [
      ['ci', 'deployer', null],
      ['pay', 'viewer', 'deployer'],
      ['off', 'deployer', null],
    ] as const) {
      const teams = inTeam === null ? [] : [{ team: 'payments', role: inTeam }];
      const made = await free.createServiceAccount(owner, { name, role, teams });
      ids[name] = made.account.id;
    }
    await free.deactivateAccount(owner, { name: 'off' });
    await store.recordUses([
      { account: ids.ci!, token: 'aaaaaaaaaaaaaaaa', timeMs: NOW_MS - 60_000, address: '10.0.0.7' },
    ]);
  });
  afterAll(() => bench?.close());

  const preview = (operation: (typeof PREVIEWED)[number], input: object, who = owner) =>
    admin.previewChange(who, { operation, input: input as Record<string, unknown> });
  const losses = async (operation: (typeof PREVIEWED)[number], input: object) =>
    (await preview(operation, input)).losers.map(({ name, loses }) => [name, ...loses]);

  it('names who loses what, by whichever way they have it, and changes nothing', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    const { seq } = await bench.store.snapshot();
    const role = { name: 'deployer', permissions: ['deployments:read'] };
    expect(await losses('editRole', role)).toEqual([
      ['ci', 'deployments:* by default', 'a:read by default'],
      [
        'pay',
        ...['Billing', 'Ledger'].flatMap((one) => [`deployments:* on ${one}`, `a:read on ${one}`]),
      ],
    ]);
    expect(await losses('editTeam', { name: 'payments', removeApplications: ['Ledger'] })).toEqual([
      ['pay', 'deployments:* on Ledger'],
    ]);
    const grant = { name: 'pay', application: 'Billing', role: 'none' };
    expect(await losses('grantRole', grant)).toEqual([
      ['pay', 'deployments:* on Billing', 'a:read on Billing'],
    ]);
    expect(await losses('deactivateAccount', { name: 'ci' })).toEqual([
      ['ci', 'everything: it is let in nowhere'],
    ]);
    expect(await losses('deleteAccount', { name: 'off' })).toEqual([]);
    expect(await losses('rotateToken', { name: 'ci' })).toEqual([
      ['ci', 'its present token: it is refused at once'],
    ]);
    expect(await losses('rotateToken', { name: 'ci', overlapMs: 60_000 })).toEqual([]);
    expect(await losses('editRole', { name: 'viewer', permissions: ['a:*'] })).toEqual([]);
    expect((await bench.store.snapshot()).seq).toBe(seq);
  });

  it('is nothing for bait, which is let in nowhere', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    const made = { name: 'bait', role: 'deployer', honey: true };
    await bench.admin.createServiceAccount(owner, made);
    expect(await losses('deactivateAccount', { name: 'bait' })).toEqual([]);
    await bench.admin.deleteAccount(owner, { name: 'bait' });
  });

  it('counts calls of the last day for who may see them, and says when a token was let in', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    const day = 24 * 60 * 60 * 1000;
    log = [call(1000), call(day - 1), call(day + 1)];
    const [loser] = (await preview('deactivateAccount', { name: 'ci' })).losers;
    expect(loser).toMatchObject({
      lastUsedAt: new Date(NOW_MS - 60_000).toISOString(),
      calls: { count: 2, isMore: false },
      underWay: 3,
    });
    log = Array.from({ length: 600 }, () => call(1000));
    const [busy] = (await preview('deactivateAccount', { name: 'ci' })).losers;
    expect(busy!.calls).toEqual({ count: 500, isMore: true });
    const blind: AdminActor = {
      ...owner,
      permissions: compilePermissions(['*', 'sallyport:registry:write']),
    };
    const [unseen] = (await preview('deactivateAccount', { name: 'ci' }, blind)).losers;
    expect([unseen!.calls, unseen!.underWay]).toEqual([null, null]);
  });

  it('names what nobody of a team can reach any more, and what must be approved', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    const { abandoned } = await preview('deactivateAccount', { name: 'pay' });
    expect(abandoned).toEqual(['Billing', 'Ledger']);
    expect((await preview('leaveTeam', { name: 'pay', team: 'payments' })).abandoned).toEqual([
      'Billing',
      'Ledger',
    ]);
    expect((await preview('editAccount', { name: 'pay', description: 'x' })).abandoned).toEqual([]);
    const raise = await preview('editAccount', { name: 'ci', role: 'release' });
    expect(raise).toMatchObject({ approval: ['release'], accounts: 1, examined: 1 });
    expect((await admin.listApprovals(owner, {})).approvals).toEqual([]);
  });

  it('counts all who lose, and shows those who were there last', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    const { store, admin: free } = bench;
    await free.createRole(owner, { name: 'many', permissions: ['a:read'] });
    const made: string[] = [];
    for (let n = 0; n < 55; n++) {
      const { account } = await free.createServiceAccount(owner, {
        name: `many-${n}`,
        role: 'many',
      });
      made.push(account.id);
    }
    const last = made.toSorted().at(-1)!;
    await store.recordUses([
      { account: last, token: 'bbbbbbbbbbbbbbbb', timeMs: NOW_MS - 60_000, address: '10.0.0.7' },
    ]);
    const told = await preview('editRole', { name: 'many', permissions: ['b:read'] });
    expect(told).toMatchObject({ losing: 55, accounts: 55, examined: 55 });
    expect(told.losers).toHaveLength(50);
    expect(told.losers.some(({ id }) => id === last)).toBe(true);
  });

  it('is refused as the change itself would be', async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    const weak: AdminActor = {
      ...owner,
      permissions: compilePermissions(['sallyport:registry:write']),
    };
    const asked = { name: 'ci', role: 'viewer' };
    expect(await refusal(preview('editAccount', asked, weak))).toMatchObject({ code: 'forbidden' });
    expect(await refusal(preview('editAccount', { name: 'nobody' }))).toMatchObject({
      code: 'not-found',
    });
    expect(await refusal(preview('editRole', { name: 'viewer', colour: 'red' }))).toMatchObject({
      code: 'invalid',
    });
  });
});
