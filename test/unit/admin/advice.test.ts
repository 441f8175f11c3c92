import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { Advice } from '../../../src/admin/advice/advise.ts';
import type { Finding, FindingKind } from '../../../src/admin/advice/finding.ts';
import { identityRolesIn } from '../../../src/admin/advice/identity-roles.ts';
import type { AccountView } from '../../../src/admin/views.ts';
import { parseConfig } from '../../../src/config/load.ts';
import type { Config } from '../../../src/config/schema.ts';
import {
  bossOf,
  openTrailBench,
  TRAIL_STORES,
  type TrailBench,
} from '../../support/trail-bench.ts';
import { route } from '../decision/samples.ts';
import { refusal } from './stores.ts';

const byPath = { from: 'path', variable: 'application' } as const;
const READ = route({
  name: 'read',
  path: '/r/{application}',
  application: byPath,
  permission: 'apps:read',
});
const WRITE = route({
  name: 'write',
  path: '/w/{application}',
  application: byPath,
  permission: 'apps:write',
});
const DAY_MS = 86_400_000;

describe.each(TRAIL_STORES)('what is worth a look, on the %s store', (kind) => {
  let bench: TrailBench | null = null;
  const accounts = new Map<string, AccountView>();

  beforeAll(async () => {
    bench = await openTrailBench(kind, [READ, WRITE]);
    if (bench === null) return;
    const { admin, clock } = bench;
    const roles = {
      reader: ['apps:read'],
      writer: ['apps:*', 'envs:write'],
      nobodys: ['x:y'],
      asleep: ['y:z'],
      people: ['z:z'],
    };
    for (const [name, permissions] of Object.entries(roles))
      await admin.createRole(bossOf, { name, permissions, description: `Is "${name}"` });
    await admin.createTeam(bossOf, { name: 'sales', applications: ['crm', 'shop', 'old'] });
    const make = async (name: string, role: string, more: object = {}) => {
      const { account } = await admin.createServiceAccount(bossOf, { name, role, ...more });
      accounts.set(name, account);
    };
    await make('narrow', 'writer', { expiresAt: new Date(Date.now() + 10 * DAY_MS).toISOString() });
    await make('granted', 'none');
    await make('member', 'none', { teams: [{ team: 'sales', role: 'writer' }] });
    await make('sleeper', 'asleep');
    await admin.createUser(bossOf, {
      name: 'alice',
      role: 'people',
      password: 'correct horse battery',
    });
    const grant = (name: string, application: string, role: string) =>
      admin.grantRole(bossOf, { name, application, role });
    await grant('granted', 'erp', 'writer');
    await grant('granted', 'unused', 'writer');
    // This one lowers: taken back, the account could do more.
    await grant('narrow', 'secret', 'none');
    const call = (name: string, to: typeof READ, application: string, role: string) => ({
      account: accounts.get(name)!,
      ...{ route: to, method: to === READ ? 'GET' : 'POST', application, role },
    });
    await bench.record('gate-a', [
      call('narrow', READ, 'crm', 'writer'),
      call('narrow', READ, 'crm', 'writer'),
      call('granted', WRITE, 'erp', 'writer'),
    ]);
    clock.aheadMs = 3 * DAY_MS;
  });
  afterAll(() => bench?.close());
  beforeEach((ctx) => {
    if (bench === null) ctx.skip('redis-server is not installed');
  });

  const one = ({ items }: Advice, of: FindingKind): Finding => {
    const found = items.filter(({ kind: is }) => is === of);
    expect(found.map(({ words }) => words)).toHaveLength(1);
    return found[0]!;
  };

  it('is a narrower role that would have let in the same calls', async () => {
    const found = one(await bench!.admin.advise(bossOf, {}), 'role-narrower');
    expect(found).toMatchObject({
      target: { kind: 'account', name: 'narrow' },
      evidence: { calls: 2, samples: ['gate-a-1', 'gate-a-0'] },
      change: { command: 'sallyport account edit narrow --role reader' },
    });
  });

  it('is what a role allows and nobody used, and a pattern of which little was', async () => {
    const advice = await bench!.admin.advise(bossOf, {});
    expect(one(advice, 'permissions-unused')).toMatchObject({
      target: { kind: 'role', name: 'writer' },
      evidence: { calls: 3 },
      change: { input: { name: 'writer', permissions: ['apps:*'] } },
    });
    expect(one(advice, 'permissions-wide').change).toMatchObject({
      command: 'sallyport role edit writer --permission envs:write,apps:read,apps:write',
    });
    const unused = advice.items.filter(({ kind: is }) => is === 'role-unused');
    expect(unused.map(({ target, change }) => [target.name, change?.command])).toEqual([
      ['asleep', undefined],
      ['nobodys', 'sallyport role delete nobodys'],
      ['reader', 'sallyport role delete reader'],
    ]);
  });

  it('is a grant, a team and an application that nobody needs; never a grant that lowers', async () => {
    const advice = await bench!.admin.advise(bossOf, {});
    expect(one(advice, 'grant-unused').change).toMatchObject({
      command: 'sallyport account revoke granted --application unused',
    });
    expect(one(advice, 'membership-unused').target.name).toBe('member');
    expect(one(advice, 'application-unused').change).toMatchObject({
      input: { name: 'sales', removeApplications: ['shop', 'old'] },
    });
    expect(one(advice, 'account-expiring')).toMatchObject({
      target: { name: 'narrow' },
      evidence: { calls: 2 },
    });
    expect(advice).toMatchObject({ accounts: 5, accountsCut: false, tooShort: false, next: null });
  });

  it('is no role that people get at their sign-in, whoever has it now', async () => {
    const given = bench!.adminOf(undefined, { identityRoles: () => ['nobodys'] });
    const names = (await given.advise(bossOf, {})).items
      .filter(({ kind: is }) => is === 'role-unused')
      .map(({ target }) => target.name);
    expect(names).toEqual(['asleep', 'reader']);
  });

  it('says of roles that people may get them, where no file tells who signs in', async () => {
    const doubts = async (files: readonly Pick<Config, 'identity'>[], isAll = false) => {
      const identityRoles = () => identityRolesIn(files, isAll);
      const admin = bench!.adminOf(undefined, { identityRoles });
      const { items } = await admin.advise(bossOf, {});
      return items.filter(({ evidence }) => evidence.details.join().includes('at their sign-in'));
    };
    const without = parseConfig('store: { kind: embedded }\n', 'manage.yaml').config;
    const identity = { roles: { ops: 'reader' } } as unknown as Config['identity'];
    expect(new Set((await doubts([without])).map(({ kind: of }) => of))).toEqual(
      new Set(['permissions-unused', 'permissions-wide', 'role-unused']),
    );
    expect(await doubts([without, { identity }])).toEqual([]);
    expect(await doubts([without], true)).toEqual([]);
  });

  it('proposes nothing that would have refused a recorded call, and declares just that', async () => {
    const { admin } = bench!;
    const { items } = await admin.advise(bossOf, {});
    const changes = items.flatMap(({ change }) => change ?? []);
    const replayed = changes.filter(({ operation }) => operation !== null);
    expect(replayed.length).toBeGreaterThan(6);
    for (const { operation, input } of replayed) {
      const answer = await admin.replayChange(bossOf, { operation, input } as never);
      expect([operation, answer.refuses.calls, answer.letsIn.calls]).toEqual([operation, 0, 0]);
    }
    for (const { declaration } of changes) {
      if (declaration === null) continue;
      const { config } = parseConfig(`store: { kind: embedded }\n${declaration}`, 'proposed.yaml');
      const { changes: declared } = await admin.checkDeclaration(bossOf, config.accounts as never);
      expect(declared).toHaveLength(1);
    }
  });

  it('is a token that was long not used, and one that is old', async () => {
    const { admin, store, clock } = bench!;
    const token = accounts.get('granted')!.token!.id;
    const used = { account: accounts.get('granted')!.id, token, address: '192.0.2.7' };
    clock.aheadMs = 40 * DAY_MS;
    await store.recordUses([{ ...used, timeMs: clock.wallMs() - DAY_MS }]);
    const advice = await admin.advise(bossOf, { tokenOlderThanDays: 39 });
    const names = (of: FindingKind) =>
      advice.items.flatMap(({ kind: is, target }) => (is === of ? target.name : []));
    expect(names('account-dormant').sort()).toEqual(['member', 'sleeper']);
    expect(names('token-old')).toEqual(['granted', 'member', 'sleeper']);
    expect(advice.counts).toMatchObject({ 'account-dormant': 2, 'token-old': 3 });
    clock.aheadMs = 3 * DAY_MS;
  });

  it('says nothing of what was not used before a day is on record, or was read', async () => {
    const { admin, clock } = bench!;
    clock.aheadMs = 3_600_000;
    const young = await admin.advise(bossOf, {});
    expect(young).toMatchObject({
      tooShort: true,
      counts: { 'grant-unused': 0, 'role-unused': 0 },
    });
    clock.aheadMs = 3 * DAY_MS;
    const first = await bench!.adminOf(0).advise(bossOf, {});
    expect([first.items, first.window.cutShort]).toEqual([[], 'unread']);
    expect(first.next).not.toBeNull();
  });

  it('needs the right to read what was called', async () => {
    const permissions = compilePermissions(['sallyport:registry:read']);
    const actor = { ...bossOf, permissions };
    expect((await refusal(bench!.admin.advise(actor, {}))).code).toBe('forbidden');
  });
});
