import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import type { AdminError } from '../../../src/admin/error.ts';
import { IDENTITY_ACTOR } from '../../../src/admin/identity.ts';
import { type Bench, NOW_MS, openBench, owner, refusal, STORES } from './stores.ts';

const administrator: AdminActor = {
  id: null,
  name: 'someone',
  kind: 'user',
  via: 'console',
  permissions: compilePermissions(['*', 'sallyport:*']),
};
const inAnHour = () => new Date(NOW_MS + 3_600_000).toISOString();

describe.each(STORES)('the last administrator, in the %s store', (kind) => {
  let bench: Bench | null;
  beforeAll(async () => {
    bench = await openBench(kind);
    await bench?.admin.createRole(owner, {
      name: 'manager',
      permissions: ['sallyport:*', 'deployments:*'],
    });
    await bench?.admin.createRole(owner, { name: 'all', permissions: ['*', 'sallyport:*'] });
  });
  afterAll(() => bench?.close());
  beforeEach(async (ctx) => {
    if (bench === null) return ctx.skip('there is no redis-server');
    for (const accounts of [await users(), await machines()])
      for (const { name } of accounts)
        await bench.admin.deleteAccount(owner, { name, leaveNoAdministrator: true });
    await createUser('ada', 'administrator');
  });

  const admin = () => bench!.admin;
  const users = async () => (await admin().listAccounts(owner, { kind: 'user', limit: 100 })).items;
  const machines = async () =>
    (await admin().listAccounts(owner, { kind: 'service', limit: 100 })).items;
  /** Without a password: scrypt is not what is looked at here. */
  const createUser = async (name: string, role: string, more = {}) => {
    await admin().admitPerson(IDENTITY_ACTOR, { name, subject: `https://id.test#${name}`, role });
    await admin().editAccount(owner, { name, ...more });
  };
  const expectRefused = async (change: Promise<unknown>) =>
    expect(await refusal(change)).toMatchObject({
      code: 'last-administrator',
      message: expect.stringContaining('first'),
    });

  it.each<[string, (name: string) => Promise<unknown>]>([
    ['deactivated', (name) => admin().deactivateAccount(administrator, { name })],
    [
      'deactivated by an edit',
      (name) => admin().editAccount(administrator, { name, status: 'inactive' }),
    ],
    ['deleted', (name) => admin().deleteAccount(administrator, { name })],
    ['demoted', (name) => admin().editAccount(administrator, { name, role: 'none' })],
    [
      'lowered to somebody who may give back less',
      (name) => admin().editAccount(administrator, { name, role: 'manager' }),
    ],
    ['given an end', (name) => admin().editAccount(administrator, { name, expiresAt: inAnHour() })],
    [
      'deactivated on the store without a word',
      (name) => admin().deactivateAccount(owner, { name }),
    ],
  ])('is not %s', async (_, change) => {
    await expectRefused(change('ada'));
    expect(await admin().showAccount(owner, { name: 'ada' })).toMatchObject({
      status: 'active',
      role: 'administrator',
      expiresAt: null,
    });
    // With another one it is.
    await createUser('grace', 'administrator');
    await change('ada');
    await expectRefused(change('grace'));
  });

  it.each<[string, () => Promise<unknown>]>([
    [
      'inactive',
      () =>
        createUser('grace', 'administrator').then(() =>
          admin().deactivateAccount(owner, { name: 'grace' }),
        ),
    ],
    ['somebody who may do less', () => createUser('grace', 'manager')],
    [
      'a machine',
      () => admin().createServiceAccount(owner, { name: 'machine', role: 'administrator' }),
    ],
    [
      'somebody whose time is over',
      () => createUser('grace', 'administrator', { expiresAt: inAnHour() }),
    ],
    [
      'somebody with the role in a team',
      async () => {
        await admin().createTeam(owner, { name: 'team', applications: [] });
        await createUser('grace', 'none');
        await admin().joinTeam(owner, { name: 'grace', team: 'team', role: 'administrator' });
      },
    ],
  ])('is not replaced by one who is %s', async (_, other) => {
    await other();
    bench!.clock.ms = NOW_MS + 7_200_000;
    try {
      await expectRefused(admin().deactivateAccount(administrator, { name: 'ada' }));
    } finally {
      bench!.clock.ms = NOW_MS;
    }
  });

  it('may be replaced by somebody with another role that allows as much', async () => {
    await createUser('grace', 'all');
    await admin().deactivateAccount(administrator, { name: 'ada' });
    await expectRefused(admin().editRole(administrator, { name: 'all', permissions: ['*'] }));
    await admin().editRole(administrator, { name: 'all', description: 'the same in other words' });
    await admin().activateAccount(administrator, { name: 'ada' });
    await admin().editRole(administrator, { name: 'all', permissions: ['*'] });
    await admin().editRole(owner, { name: 'all', permissions: ['*', 'sallyport:*'] });
  });

  it('is a machine where no person administers, and its token can still be taken out of use', async () => {
    await admin().deleteAccount(owner, { name: 'ada', leaveNoAdministrator: true });
    const { token } = await admin().createServiceAccount(owner, {
      name: 'machine',
      role: 'administrator',
    });
    await expectRefused(admin().deleteAccount(administrator, { name: 'machine' }));
    await expectRefused(
      admin().declareServiceAccount(administrator, { name: 'machine', role: 'none' }),
    );
    await admin().rotateToken(administrator, { name: 'machine' });
    const renewed = await admin().rotateToken(administrator, { name: 'machine' });
    await admin().reportToken(owner, { token: renewed.token });
    expect(token).not.toBe(renewed.token);
  });

  it('goes by the word of who owns the store, and of nobody else', async () => {
    const word = { name: 'ada', leaveNoAdministrator: true };
    expect((await refusal(admin().deactivateAccount(administrator, word))).code).toBe('forbidden');
    expect(
      (await refusal(admin().editRole(administrator, { ...word, name: 'all', permissions: [] })))
        .code,
    ).toBe('forbidden');
    await admin().deactivateAccount(owner, word);
    // Whoever has the store can mend it.
    await createUser('grace', 'administrator');
  });

  it('does not hinder who administers nothing, nor other changes', async () => {
    await createUser('reader', 'none');
    await admin().deleteAccount(administrator, { name: 'reader' });
    await admin().editAccount(administrator, { name: 'ada', description: 'the one and only' });
  });

  it('is given the role that the identity provider says', async () => {
    const person = { name: 'linus', subject: 'https://id.test#1' };
    await admin().admitPerson(IDENTITY_ACTOR, { ...person, role: 'administrator' });
    await admin().deleteAccount(administrator, { name: 'ada' });
    await admin().admitPerson(IDENTITY_ACTOR, { ...person, role: 'none' });
    expect(await admin().showAccount(owner, { name: 'linus' })).toMatchObject({ role: 'none' });
  });

  it('is one of those who shut each other out at the same moment, however often that is tried', async () => {
    for (const change of ['deactivate', 'demote', 'delete'] as const) {
      for (let round = 0; round < 4; round += 1) {
        const names = ['a', 'b', 'c'].map((letter) => `${change}-${round}-${letter}`);
        for (const name of names) await createUser(name, 'administrator');
        for (const { name } of await users())
          if (!names.includes(name)) await admin().deleteAccount(owner, { name });
        const outcomes = await Promise.allSettled(
          names.map((name) => {
            if (change === 'deactivate') return admin().deactivateAccount(administrator, { name });
            if (change === 'delete') return admin().deleteAccount(administrator, { name });
            return admin().editAccount(administrator, { name, role: 'none' });
          }),
        );
        const left = (await users()).filter(
          ({ role, status }) => role === 'administrator' && status === 'active',
        );
        expect(left.length).toBeGreaterThanOrEqual(1);
        for (const outcome of outcomes)
          if (outcome.status === 'rejected')
            expect((outcome.reason as AdminError).code).toMatch(/^(last-administrator|conflict)$/);
      }
    }
  });
});
