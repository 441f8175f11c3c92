import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import type { AccountView } from '../../../src/admin/views.ts';
import { foldedEvent } from '../../../src/audit/event/folded-event.ts';
import {
  bossOf,
  openTrailBench,
  TRAIL_STORES,
  type TrailBench,
} from '../../support/trail-bench.ts';
import { route } from '../decision/samples.ts';
import { refusal } from './stores.ts';

const byPath = { from: 'path', variable: 'application' } as const;
const ROUTES = [
  route({
    name: 'read',
    path: '/read/{application}',
    application: byPath,
    permission: 'apps:read',
  }),
  route({
    name: 'write',
    path: '/write/{application}',
    application: byPath,
    permission: 'apps:write',
  }),
];
const [READ, WRITE] = ROUTES as [(typeof ROUTES)[0], (typeof ROUTES)[0]];
const DAY_MS = 86_400_000;

describe.each(TRAIL_STORES)('a change against recorded calls, on the %s store', (kind) => {
  let bench: TrailBench | null = null;
  let reader: AccountView;
  let writer: AccountView;

  beforeAll(async () => {
    bench = await openTrailBench(kind, ROUTES);
    if (bench === null) return;
    const { admin } = bench;
    await admin.createRole(bossOf, { name: 'reader', permissions: ['apps:read'] });
    await admin.createRole(bossOf, { name: 'writer', permissions: ['apps:*'] });
    await admin.createTeam(bossOf, { name: 'sales', applications: ['crm', 'shop'] });
    const make = async (name: string, role: string, team?: string) => {
      const teams = team === undefined ? [] : [{ team: 'sales', role: team }];
      return (await admin.createServiceAccount(bossOf, { name, role, teams })).account;
    };
    reader = await make('ci-reader', 'reader');
    writer = await make('ci-writer', 'none', 'writer');
    const ago = (days: number) => Date.now() - days * DAY_MS;
    const of = (account: AccountView, more: object) => ({ account, role: account.role, ...more });
    await bench.record('gate-a', [
      of(reader, { route: READ, method: 'GET', application: 'crm', timeMs: ago(9) }),
      of(reader, { route: READ, method: 'GET', application: 'crm', timeMs: ago(2) }),
      of(reader, { route: READ, method: 'GET', application: 'erp' }),
      of(reader, { route: WRITE, application: 'crm', reason: 'permission-denied', status: 403 }),
      of(reader, { route: READ, reason: 'rate-limited', application: 'crm', status: 429 }),
    ]);
    await bench.record('gate-b', [
      of(writer, { route: WRITE, application: 'crm', role: 'writer' }),
      of(writer, { route: WRITE, application: 'crm', role: 'writer' }),
      of(writer, { route: WRITE, application: 'shop', role: 'writer' }),
      { account: null, claimedAccountId: 'AAAAAAAAAAAA', reason: 'token-unknown', status: 401 },
      of({ ...reader, id: 'goneGoneGone', name: 'gone' }, { route: READ, application: 'crm' }),
    ]);
    const nowMs = Date.now();
    const flood = {
      clientAddress: null,
      count: 40,
      reasons: new Map([['rate-limited', 40] as const]),
    };
    const facts = { account: reader, ...flood, firstMs: nowMs, lastMs: nowMs };
    await bench.append('gate-c', [foldedEvent('call', 'gate-c', 'flood-1', 1, nowMs, facts)]);
  });
  afterAll(() => bench?.close());
  beforeEach((ctx) => {
    if (bench === null) ctx.skip('redis-server is not installed');
  });

  const replayed = (operation: string, input: object, more: object = {}) =>
    bench!.admin.replayChange(bossOf, { operation, input, ...more } as never);

  it('says which calls a role would have refused, of whom, and for example which', async () => {
    const { seq } = await bench!.store.snapshot();
    const answer = await replayed('editRole', { name: 'writer', permissions: ['apps:read'] });
    expect(answer.refuses).toMatchObject({ calls: 3, accounts: 1 });
    expect(answer.refuses.items).toMatchObject([
      {
        ...{ account: 'ci-writer', accountId: writer.id, calls: 2, route: 'write' },
        ...{ permissions: ['apps:write'], applications: ['crm'] },
        samples: expect.arrayContaining(['gate-b-0', 'gate-b-1']),
        before: { reason: 'permitted', role: 'writer' },
        after: { reason: 'permission-denied', role: 'writer' },
      },
      { applications: ['shop'], calls: 1, samples: ['gate-b-2'] },
    ]);
    expect(answer).toMatchObject({
      letsIn: { calls: 0, accounts: 0, items: [] },
      ...{ judged: 6, otherwise: 0, movedRoutes: 0, notJudged: 41, gone: 1, routesKnown: true },
      window: { calls: 49, cutShort: 'not-held' },
      next: null,
    });
    expect((await bench!.store.snapshot()).seq).toBe(seq);
  });

  it('says which refused calls would have been let in', async () => {
    const answer = await replayed('grantRole', {
      ...{ name: 'ci-reader', kind: 'service', application: 'crm', role: 'writer' },
    });
    expect(answer.letsIn).toMatchObject({
      calls: 1,
      accounts: 1,
      items: [{ samples: ['gate-a-3'] }],
    });
    expect(answer.refuses.calls).toBe(0);
  });

  it('looks back as far as is asked, by the time of the call', async () => {
    const off = { name: 'ci-reader', kind: 'service' };
    expect((await replayed('deactivateAccount', off)).refuses.calls).toBe(2);
    expect((await replayed('deactivateAccount', off, { days: 1 })).refuses.calls).toBe(1);
    const far = await replayed('deleteAccount', off, { days: 30 });
    expect(far.refuses).toMatchObject({
      calls: 3,
      items: [{ after: { reason: 'token-unknown' } }, {}],
    });
  });

  it('judges teams, members, many accounts and whole declarations', async () => {
    const moved = await replayed('editTeam', { name: 'sales', removeApplications: ['shop'] });
    expect(moved.refuses).toMatchObject({ calls: 1, items: [{ after: { role: 'none' } }] });
    const left = await replayed('leaveTeam', { name: 'ci-writer', team: 'sales' });
    expect(left.refuses.calls).toBe(3);
    const many = await replayed('changeAccounts', {
      ...{ kind: 'service', ids: [reader.id, writer.id], status: 'inactive', preview: true },
    });
    expect(many.refuses).toMatchObject({ calls: 5, accounts: 2 });
    const declared = await replayed('applyDeclaration', {
      roles: [
        { name: 'reader', permissions: ['apps:*'] },
        { name: 'writer', permissions: ['other:read'] },
      ],
    });
    expect(declared).toMatchObject({ refuses: { calls: 3 }, letsIn: { calls: 1 } });
    const nothing = await replayed('editRole', { name: 'writer', description: 'May write' });
    expect([nothing.refuses.calls, nothing.letsIn.calls]).toEqual([0, 0]);
  });

  it('does not judge calls of accounts that are to be let in from elsewhere', async () => {
    const answer = await replayed('editAccount', {
      ...{ name: 'ci-reader', kind: 'service', allowedNetworks: ['10.0.0.0/8'] },
    });
    expect(answer).toMatchObject({ refuses: { calls: 0 }, judged: 3, notJudged: 44 });
  });

  it('is refused as the change itself would be, and needs the right to read what was called', async () => {
    const asked = { operation: 'editRole', input: { name: 'writer', permissions: ['x'] } } as const;
    expect((await refusal(bench!.admin.replayChange(bossOf, asked))).code).toBe('invalid');
    const used = { operation: 'deleteRole', input: { name: 'writer' } } as const;
    expect(await refusal(bench!.admin.replayChange(bossOf, used))).toMatchObject({
      ...{ code: 'in-use', users: ['ci-writer'] },
    });
    const actor = (...permissions: string[]): AdminActor => ({
      ...{ id: 'managerAcc01', name: 'manager', kind: 'user', via: 'admin-api' },
      permissions: compilePermissions(permissions),
    });
    const input = {
      operation: 'editRole',
      input: { name: 'writer', permissions: ['apps:read'] },
    } as const;
    const ask = (who: AdminActor) => refusal(bench!.admin.replayChange(who, input));
    const own = ['sallyport:registry:read', 'sallyport:registry:write'];
    expect(await ask(actor(...own, 'apps:*'))).toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('lacks the permission sallyport:activity:read'),
    });
    expect((await ask(actor(...own, 'sallyport:activity:read'))).message).toContain('may do more');
  });

  it('goes on where an answer ended, and then answers for all', async () => {
    const admin = bench!.adminOf(1);
    const input = {
      operation: 'editRole',
      input: { name: 'writer', permissions: ['apps:read'] },
    } as const;
    const seen: number[] = [];
    let answer = await admin.replayChange(bossOf, input);
    for (
      ;
      answer.next !== null;
      answer = await admin.replayChange(bossOf, { ...input, cursor: answer.next })
    ) {
      expect(answer.window.cutShort).toBe('unread');
      seen.push(answer.window.calls);
    }
    expect(answer.refuses.calls).toBe(3);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    const unknown = await refusal(admin.replayChange(bossOf, { ...input, cursor: 'nobodys' }));
    expect(unknown.faults).toMatchObject([{ field: 'cursor' }]);
  });
});
