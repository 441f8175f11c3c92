import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../../src/admin/administration.ts';
import { lapsing } from '../../../src/admin/approvals/expire.ts';
import { NOTHING } from '../../../src/admin/approvals/nothing.ts';
import { concernOf } from '../../../src/admin/approvals/rule.ts';
import { UNREADABLE, WAITING_LIMITS } from '../../../src/admin/approvals/waiting.ts';
import { IDENTITY_ACTOR } from '../../../src/admin/identity.ts';
import { readEvent } from '../../../src/audit/event/read.ts';
import { type Bench, changesOf, openBench, owner, refusal, STORES } from './stores.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe.each(STORES)('a change to a protected role, in the %s store', (kind) => {
  let bench: Bench | null;
  let admin: Administration;
  /** Without the rule: what is there before it. */
  const free = () => bench!.admin;
  let protectedRoles: readonly string[] = [];
  let ada: AdminActor;
  let grace: AdminActor;
  let n = 0;
  let name = '';

  beforeAll(async () => {
    bench = await openBench(kind);
    if (bench === null) return;
    const { store, clock } = bench;
    const approvals = { roles: () => protectedRoles, lifetimeMs: () => 7 * DAY_MS };
    admin = createAdministration({ store, clock, instance: null, approvals });
    await free().createRole(owner, { name: 'release', permissions: ['releases:*', 'a:read'] });
    await free().createRole(owner, { name: 'viewer', permissions: ['a:read'] });
    await free().createTeam(owner, { name: 'payments', applications: ['Billing'] });
    ada = await person('ada');
    grace = await person('grace');
  });
  afterAll(() => bench?.close());
  beforeEach(async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    protectedRoles = ['administrator', 'release'];
    n += 1;
    name = `ci-${n}`;
    await free().createServiceAccount(owner, { name, role: 'viewer' });
  });
  afterEach(async () => {
    if (bench === null) return;
    const { approvals } = await admin.listApprovals(owner, {});
    for (const { id } of approvals) await admin.withdrawChange(owner, { approval: id });
    await free()
      .deleteAccount(owner, { name })
      .catch(() => undefined);
  });

  async function person(called: string): Promise<AdminActor> {
    const subject = `https://id.test#${called}`;
    const { account } = await free().admitPerson(IDENTITY_ACTOR, {
      ...{ name: called, subject, role: 'administrator' },
    });
    return actorOf(account);
  }

  function actorOf(account: { readonly id: string; readonly name: string }): AdminActor {
    return {
      ...{ id: account.id, name: account.name, kind: 'user', via: 'console' },
      permissions: compilePermissions(['*', 'sallyport:*']),
    };
  }

  /** The id under which a change waits. */
  async function waits(change: Promise<unknown>): Promise<string> {
    const error = await refusal(change);
    expect(error).toMatchObject({ code: 'awaits-approval' });
    return error.approval!;
  }

  const declared = (called: string) => ({
    ...{ name: called, role: 'release', description: '', teams: [], grants: [] },
    ...{ status: 'active' as const, expiresAt: null, allowedNetworks: [], boundTo: null },
  });
  const show = (who = name) => free().showAccount(owner, { name: who });

  it('waits, is made when another administrator approves it, and is on record with both', async () => {
    const { version, id } = await show();
    const approval = await waits(admin.editAccount(ada, { name, role: 'release' }));
    expect(await show()).toMatchObject({ version, role: 'viewer' });
    const { approvals } = await admin.listApprovals(ada, {});
    expect(approvals).toMatchObject([
      {
        ...{ id: approval, operation: 'editAccount', roles: ['release'] },
        proposedBy: { id: ada.id, name: 'ada' },
        changes: [
          { kind: 'account', id, name, before: { role: 'viewer' }, after: { role: 'release' } },
        ],
      },
    ]);
    await admin.approveChange(grace, { approval });
    expect(await show()).toMatchObject({ role: 'release' });
    expect((await admin.listApprovals(ada, {})).approvals).toEqual([]);
    const events = (await changesOf(bench!.store, id)).slice(-3);
    const proposed = { id: approval, proposedBy: { id: ada.id, name: 'ada' }, roles: ['release'] };
    expect(events).toMatchObject([
      {
        type: 'change-proposed',
        actor: { name: 'ada' },
        after: { role: 'release' },
        approval: proposed,
      },
      { type: 'change-approved', actor: { name: 'grace' }, approval: proposed },
      {
        type: 'account-changed',
        actor: { name: 'grace' },
        after: { role: 'release' },
        approval: proposed,
      },
    ]);
    for (const event of events) expect(readEvent(JSON.stringify(event)).phase).toBe('change');
    expect(await refusal(admin.approveChange(grace, { approval }))).toMatchObject({
      code: 'not-found',
    });
  });

  it.each<[string, (who: AdminActor) => Promise<unknown>]>([
    ['a default role', (who) => admin.editAccount(who, { name, role: 'release' })],
    ['a role in a team', (who) => admin.joinTeam(who, { name, team: 'payments', role: 'release' })],
    ['a grant', (who) => admin.grantRole(who, { name, application: 'X', role: 'release' })],
    ['the role itself', (who) => admin.editRole(who, { name: 'release', permissions: ['a:read'] })],
    [
      'a role like it',
      (who) => admin.createRole(who, { name: `like-${n}`, permissions: ['releases:*', 'a:*'] }),
    ],
    ['all roles at once', (who) => admin.editRole(who, { name: 'viewer', permissions: ['*'] })],
    [
      'many accounts',
      async (who) =>
        admin.changeAccounts(who, { kind: 'service', ids: [(await show()).id], role: 'release' }),
    ],
    [
      'a declaration',
      (who) => admin.applyDeclaration(who, { serviceAccounts: [declared(`new-${n}`)] }),
    ],
  ])('waits where it gives or changes %s, and is made as it was shown', async (_, change) => {
    const before = (await bench!.store.snapshot()).seq;
    const approval = await waits(change(ada));
    // The proposal is the only change.
    expect((await bench!.store.snapshot()).seq).toBe(before + 1);
    expect(await waits(change(ada))).toBe(approval);
    const { approval: waiting } = await admin.showApproval(ada, { approval });
    await admin.approveChange(grace, { approval });
    for (const { kind: what, name: which, after } of waiting.changes) {
      const {
        createdAt: _at,
        updatedAt: _then,
        tokenCreatedAt: _token,
        id: _id,
        ...fields
      } = after!;
      const is =
        what === 'account'
          ? await show(which)
          : what === 'role'
            ? (await free().showRole(owner, { name: which })).role
            : await free().showTeam(owner, { name: which });
      expect(is).toMatchObject(fields);
    }
    await free().editRole(owner, { name: 'release', permissions: ['releases:*', 'a:read'] });
    await free().editRole(owner, { name: 'viewer', permissions: ['a:read'] });
  });

  it('leaves an event of each of many accounts, as they would be without it', async () => {
    const ids = [(await show()).id];
    for (const more of ['b', 'c']) {
      const { account } = await free().createServiceAccount(owner, {
        ...{ name: `${name}-${more}`, role: 'viewer' },
      });
      ids.push(account.id);
    }
    const bulk = admin.changeAccounts(ada, { kind: 'service', ids, role: 'release' });
    await admin.approveChange(grace, { approval: await waits(bulk) });
    for (const id of ids)
      expect((await changesOf(bench!.store, id)).slice(-2)).toMatchObject([
        { type: 'change-approved', target: { id } },
        { type: 'account-changed', target: { id }, after: { role: 'release' } },
      ]);
  });

  it('is refused before anything is made where a declaration is larger than one step', async () => {
    const { seq } = await bench!.store.snapshot();
    const accounts = Array.from({ length: 257 }, (_, index) => ({
      ...declared(`large-${String(index).padStart(3, '0')}`),
      role: index === 256 ? 'release' : 'viewer',
    }));
    const error = await refusal(admin.applyDeclaration(ada, { serviceAccounts: accounts }));
    expect(error).toMatchObject({ code: 'invalid' });
    expect(error.message).toContain('too large to wait for approval');
    expect((await bench!.store.snapshot()).seq).toBe(seq);
  });

  it('concerns every protected role where a team is too large to be looked at', async () => {
    const { store } = bench!;
    const large = {
      snapshot: () => store.snapshot(),
      referencesTo: async (_: string, limit: number) =>
        Array.from({ length: Math.min(limit, 1_500) }, (__, index) => `account:none-${index}`),
      account: async () => ({ account: null }),
    } as never;
    const { teams } = await store.snapshot();
    const record = { ...teams.find((team) => team.name === 'payments')!, applications: ['Other'] };
    const commit = { expects: [], changes: [{ kind: 'team', key: 'payments', record }] };
    const concern = await concernOf(large, commit as never, protectedRoles);
    expect(concern).toMatchObject({ users: [] });
    expect(concern.roles).toEqual(expect.arrayContaining([...protectedRoles]));
  });

  it.each<[string, object, (who: AdminActor) => Promise<unknown>]>([
    ['taken', {}, (who) => admin.editAccount(who, { name, role: 'viewer' })],
    ['deleted', {}, (who) => admin.deleteAccount(who, { name })],
    ['activated', { status: 'inactive' }, (who) => admin.activateAccount(who, { name })],
    [
      'let in for longer',
      { expiresAt: '2027-01-01T00:00:00Z' },
      (who) => admin.editAccount(who, { name, expiresAt: null }),
    ],
    [
      'let in from elsewhere',
      { allowedNetworks: ['10.0.0.0/8'] },
      (who) => admin.editAccount(who, { name, allowedNetworks: [] }),
    ],
    ['given a grant', {}, (who) => admin.grantRole(who, { name, application: 'X', role: 'none' })],
  ])('waits where who has the role is %s', async (_, more, change) => {
    await free().editAccount(owner, { name, role: 'release', ...more });
    await waits(change(ada));
  });

  it('waits where a team changes in which somebody has the role', async () => {
    await free().joinTeam(owner, { name, team: 'payments', role: 'release' });
    const edit = { name: 'payments', addApplications: [`More-${n}`] };
    for (const who of [ada, owner]) await waits(admin.editTeam(who, edit));
    await admin.editTeam(ada, { name: 'payments', description: `of ${n}` });
    await free().leaveTeam(owner, { name, team: 'payments' });
    await admin.editTeam(ada, edit);
  });

  it('lets at once pass what shuts out, what gives no role, and what concerns other roles', async () => {
    await admin.editAccount(ada, { name, description: 'builds' });
    await admin.createRole(ada, { name: `other-${n}`, permissions: ['releases:read'] });
    await free().editAccount(owner, { name, role: 'release' });
    await admin.editAccount(ada, { name, allowedNetworks: ['10.0.0.0/8'] });
    await admin.editAccount(ada, { name, expiresAt: '2027-01-01T00:00:00Z' });
    await admin.rotateToken(ada, { name });
    await admin.deactivateAccount(ada, { name });
    await admin.editRole(ada, { name: 'release', description: `in ${n}` });
    protectedRoles = [];
    await admin.activateAccount(ada, { name });
  });

  it('holds back what makes or carries a secret, and says what to do', async () => {
    const changes = [
      () => admin.createServiceAccount(ada, { name: `x-${n}`, role: 'release' }),
      () =>
        admin.createUser(ada, { name: `x-${n}`, role: 'release', password: 'long enough, odd' }),
      () =>
        admin.importRecords(owner, {
          records: [{ kind: 'role', text: roleText(`imported-${n}`) }] as never,
        }),
    ];
    for (const [index, change] of changes.entries()) {
      const told = await change().then(
        (answer) => (answer as { refusal: { code: string; message: string } }).refusal,
        (error: unknown) => error as { code: string; message: string },
      );
      expect([index, told]).toMatchObject([index, { code: 'forbidden' }]);
      expect(told.message).toContain('--without-approval');
    }
    expect((await admin.listApprovals(ada, {})).approvals).toEqual([]);
  });

  const roleText = (called: string) =>
    JSON.stringify({
      ...{ version: 1, schema: 1, name: called, description: '', permissions: ['*'] },
      ...{ createdAt: '2026-01-01T00:00:00.000Z', updatedAt: '2026-01-01T00:00:00.000Z' },
    });

  it('is the owner of the store’s to make without approval, and nobody else’s, and the record says so', async () => {
    const waived = { name, role: 'release', withoutApproval: true } as never;
    expect(await refusal(admin.editAccount(ada, waived))).toMatchObject({ code: 'forbidden' });
    await waits(admin.editAccount(owner, { name, role: 'release' }));
    await admin.editAccount(owner, waived);
    const { id } = await show();
    expect((await changesOf(bench!.store, id)).at(-1)).toMatchObject({
      type: 'account-changed',
      approval: { id: null, proposedBy: null, roles: ['release'] },
    });
    // Where none is needed, nothing is said of it.
    await admin.editAccount(owner, { name, description: 'x', withoutApproval: true } as never);
    expect((await changesOf(bench!.store, id)).at(-1)).not.toHaveProperty('approval');
  });

  it('is approved by nobody who could not make it, and by nobody who proposed it', async () => {
    const approval = await waits(admin.editAccount(ada, { name, role: 'release' }));
    expect(await refusal(admin.approveChange(ada, { approval }))).toMatchObject({
      code: 'forbidden',
    });
    const weak: AdminActor = {
      ...grace,
      permissions: compilePermissions(['sallyport:registry:write', 'releases:read', 'a:read']),
    };
    expect(await refusal(admin.approveChange(weak, { approval }))).toMatchObject({
      code: 'forbidden',
    });
    expect(await refusal(admin.withdrawChange(weak, { approval }))).toMatchObject({
      code: 'forbidden',
    });
    expect(await show()).toMatchObject({ role: 'viewer' });
    await admin.withdrawChange(ada, { approval });
    const { id } = await show();
    expect((await changesOf(bench!.store, id)).at(-1)).toMatchObject({ type: 'change-withdrawn' });
  });

  it('is proposed by nobody who could not make it', async () => {
    const weak: AdminActor = {
      ...ada,
      permissions: compilePermissions(['sallyport:registry:write', 'releases:read']),
    };
    expect(await refusal(admin.editAccount(weak, { name, role: 'release' }))).toMatchObject({
      code: 'forbidden',
      approval: null,
    });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['the account', () => free().editAccount(owner, { name, description: 'changed' })],
    ['the role', () => free().editRole(owner, { name: 'release', description: `changed ${n}` })],
    [
      'whom the name means',
      async () => {
        await free().deleteAccount(owner, { name });
        await free().createServiceAccount(owner, { name, role: 'viewer' });
      },
    ],
    ['that it is there', () => free().deleteAccount(owner, { name })],
  ])('is not made where %s has changed since it was proposed', async (_, meanwhile) => {
    const approval = await waits(admin.editAccount(ada, { name, role: 'release' }));
    await meanwhile();
    const error = await refusal(admin.approveChange(grace, { approval }));
    expect(error).toMatchObject({ code: 'conflict', message: expect.stringContaining(approval) });
    expect((await admin.listApprovals(ada, {})).approvals).toHaveLength(1);
  });

  it('is made once, however many approve it at the same time', async () => {
    const approval = await waits(admin.editAccount(ada, { name, role: 'release' }));
    const third = await person('barbara');
    const tried = await Promise.allSettled(
      [grace, third, grace].map((who) => admin.approveChange(who, { approval })),
    );
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const { id } = await show();
    const types = (await changesOf(bench!.store, id)).map(({ type }) => type);
    expect(types.filter((type) => type === 'change-approved')).toHaveLength(1);
  });

  it('lapses after its time, and the record says so', async () => {
    const approval = await waits(admin.editAccount(ada, { name, role: 'release' }));
    bench!.clock.ms += 7 * DAY_MS;
    expect((await admin.listApprovals(ada, {})).approvals).toEqual([]);
    expect(await refusal(admin.approveChange(grace, { approval }))).toMatchObject({
      code: 'not-found',
    });
    const { id } = await show();
    expect((await changesOf(bench!.store, id)).at(-1)).toMatchObject({
      type: 'change-expired',
      actor: { kind: 'system' },
      approval: { id: approval, proposedBy: { name: 'ada' } },
    });
  });

  it('is on record as lapsed though nobody acts', async () => {
    const { store, clock } = bench!;
    const look = lapsing({ store, clock, instance: null });
    await waits(admin.editAccount(ada, { name, role: 'release' }));
    await look();
    bench!.clock.ms += 7 * DAY_MS;
    await look();
    expect((await changesOf(store)).at(-1)).toMatchObject({ type: 'change-expired' });
  });

  it('is held up by none that cannot be read, which can only be withdrawn', async () => {
    const { store } = bench!;
    const audit = { event: '{}', accounts: [] };
    const put = [{ id: 'ffffffffffff', text: '{"schema":2}' }];
    await store.commit({ ...NOTHING, audit, waiting: { put, drop: [], atMost: 100 } });
    const approval = await waits(admin.editAccount(ada, { name, role: 'release' }));
    const { approvals } = await admin.listApprovals(ada, {});
    expect(approvals.map(({ operation }) => operation).sort()).toEqual(['editAccount', UNREADABLE]);
    await admin.approveChange(grace, { approval });
    const unread = { approval: 'ffffffffffff' };
    expect(await refusal(admin.approveChange(grace, unread))).toMatchObject({ code: 'conflict' });
    const weak = { ...ada, permissions: compilePermissions(['sallyport:registry:write']) };
    expect(await refusal(admin.withdrawChange(weak, unread))).toMatchObject({ code: 'forbidden' });
    await admin.withdrawChange(ada, unread);
    expect((await admin.listApprovals(ada, {})).approvals).toEqual([]);
    const event = (await changesOf(store)).at(-1);
    expect(event).toMatchObject({ type: 'change-withdrawn', target: { kind: 'registry' } });
    expect(readEvent(JSON.stringify(event)).phase).toBe('change');
  });

  it('is proposed by one person so often and no more', async () => {
    for (let i = 0; i < WAITING_LIMITS.each; i++)
      await waits(admin.grantRole(ada, { name, application: `A${i}`, role: 'release' }));
    const more = admin.grantRole(ada, { name, application: 'B', role: 'release' });
    expect(await refusal(more)).toMatchObject({ code: 'conflict' });
    await waits(admin.grantRole(grace, { name, application: 'B', role: 'release' }));
    const { approvals } = await admin.listApprovals(ada, {});
    for (const { id: approval } of approvals.slice(0, 3))
      await admin.withdrawChange(ada, { approval });
    // There is room for so many, whoever looks first: all look before any writes.
    const at = ['C', 'D', 'E', 'F', 'G', 'H'];
    const looked = Promise.withResolvers<void>();
    const { store } = bench!;
    const commit = store.commit.bind(store);
    let writing = 0;
    const written = vi.spyOn(store, 'commit').mockImplementation(async (change) => {
      writing += 1;
      if (writing === at.length) looked.resolve();
      await looked.promise;
      return commit(change);
    });
    await Promise.allSettled(
      at.map((application) => admin.grantRole(ada, { name, application, role: 'release' })),
    );
    written.mockRestore();
    const own = (await admin.listApprovals(ada, {})).approvals.filter(
      ({ proposedBy }) => proposedBy.name === ada.name,
    );
    expect(own).toHaveLength(WAITING_LIMITS.each);
  });

  describe('by somebody who can act as two', () => {
    /** Tokens stand for passwords here, which take their time: both are what somebody proves. */
    async function made(called: string, by: AdminActor): Promise<AdminActor & { token: string }> {
      const given = { name: `${called}-${n}`, role: 'viewer' };
      const { account, token } = await free().createServiceAccount(by, given);
      await free().editAccount(owner, { id: account.id, role: 'administrator' });
      return { ...actorOf(account), kind: 'service', via: 'admin-api', token };
    }
    const rotated = async (by: AdminActor, { id }: AdminActor) =>
      (await free().rotateToken(by, { id: id! })).token;
    const renewed = (by: AdminActor, token: string) => free().renewToken(by, { token });
    const approve = async (by: AdminActor, proposer: AdminActor) => {
      const approval = await waits(admin.editAccount(proposer, { name, role: 'release' }));
      return admin.approveChange(by, { approval });
    };

    it('is approved by no account that they have made and that nobody else has taken over', async () => {
      const puppet = await made('puppet', ada);
      for (const days of [0, 30]) {
        bench!.clock.ms += days * DAY_MS;
        expect(await refusal(approve(puppet, ada))).toMatchObject({ code: 'forbidden' });
        expect(await refusal(approve(ada, puppet))).toMatchObject({ code: 'forbidden' });
      }
      await approve(grace, puppet);
    });

    it('is approved by no account that they have taken over, nor by way of a third', async () => {
      const [victim, other] = [await made('victim', owner), await made('other', owner)];
      await renewed(victim, await rotated(ada, victim));
      const token = await rotated(victim, other);
      expect(await refusal(approve(other, ada))).toMatchObject({ code: 'forbidden' });
      await renewed(other, token);
      expect(await refusal(approve(other, ada))).toMatchObject({ code: 'forbidden' });
      bench!.clock.ms += 8 * DAY_MS;
      await approve(other, ada);
    });

    it('counts a password that they have set as well', async () => {
      const given = { name: `user-${n}`, role: 'viewer', password: 'long enough, and odd' };
      const { account } = await free().createUser(ada, given);
      await free().editAccount(owner, { id: account.id, role: 'administrator' });
      expect(await refusal(approve(actorOf(account), ada))).toMatchObject({ code: 'forbidden' });
    });

    it('is not approved by who holds the token of the machine that proposes', async () => {
      const machine = await made('machine', owner);
      await rotated(ada, machine);
      expect(await refusal(approve(ada, machine))).toMatchObject({ code: 'forbidden' });
      await approve(grace, machine);
    });

    it('is not approved by one owner of the store where another one proposes', async () => {
      expect(await refusal(approve({ ...owner, name: 'root' }, owner))).toMatchObject({
        code: 'forbidden',
      });
    });

    it('is not made for who may administer no more', async () => {
      const gone = await made('gone', owner);
      const approval = await waits(admin.editAccount(gone, { name, role: 'release' }));
      await free().deactivateAccount(owner, { id: gone.id! });
      expect(await refusal(admin.approveChange(grace, { approval }))).toMatchObject({
        code: 'conflict',
      });
    });
  });
});
