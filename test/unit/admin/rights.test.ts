import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import { type Bench, openBench, owner, refusal } from './stores.ts';

/** Nobody beyond their own: a manager who may deploy and write the registry, and nothing else. */
const manager = actorWith('deployments:*', 'sallyport:registry:read', 'sallyport:registry:write');

function actorWith(...permissions: string[]): AdminActor {
  return {
    id: 'managerAcc01',
    name: 'manager',
    kind: 'user',
    via: 'admin-api',
    permissions: compilePermissions(permissions),
  };
}

describe('what an actor may administer', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = (await openBench('embedded'))!;
    const { admin } = bench;
    await admin.createRole(owner, { name: 'deployer', permissions: ['deployments:write'] });
    await admin.createRole(owner, {
      name: 'strong',
      permissions: ['deployments:read', 'environments:write'],
    });
    await admin.createTeam(owner, { name: 'weak-team', applications: ['CRM'] });
    await admin.createTeam(owner, { name: 'strong-team', applications: ['Billing'] });
    await admin.createServiceAccount(owner, { name: 'equal', role: 'deployer' });
    await admin.createServiceAccount(owner, { name: 'stronger', role: 'strong' });
    await admin.createServiceAccount(owner, { name: 'by-grant', role: 'none' });
    await admin.grantRole(owner, { name: 'by-grant', application: 'CRM', role: 'strong' });
    await admin.createServiceAccount(owner, {
      name: 'member',
      role: 'none',
      teams: [{ team: 'strong-team', role: 'strong' }],
    });
    await admin.createUser(owner, {
      name: 'boss',
      role: 'administrator',
      password: 'correct horse battery',
    });
  });
  afterAll(() => bench.close());

  it('lets a manager work on accounts that may do no more', async () => {
    const { admin } = bench;
    await admin.createServiceAccount(manager, { name: 'made', role: 'deployer' });
    await admin.rotateToken(manager, { name: 'equal' });
    await admin.createRole(manager, { name: 'small', permissions: ['deployments:start'] });
    await admin.editTeam(manager, { name: 'weak-team', addApplications: ['Portal'] });
  });

  it.each<[string, (admin: Bench['admin']) => Promise<unknown>]>([
    [
      'create a stronger account',
      (admin) => admin.createServiceAccount(manager, { name: 'x', role: 'strong' }),
    ],
    [
      'create an administrator',
      (admin) =>
        admin.createUser(manager, {
          name: 'x',
          role: 'administrator',
          password: 'correct horse battery',
        }),
    ],
    ['raise an account', (admin) => admin.editAccount(manager, { name: 'equal', role: 'strong' })],
    [
      'raise an account by a team',
      (admin) => admin.joinTeam(manager, { name: 'equal', team: 'weak-team', role: 'strong' }),
    ],
    [
      'raise an account by a grant',
      (admin) => admin.grantRole(manager, { name: 'equal', application: 'CRM', role: 'strong' }),
    ],
    ['take over a stronger account', (admin) => admin.rotateToken(manager, { name: 'stronger' })],
    [
      'take over an account that a grant makes stronger',
      (admin) => admin.rotateToken(manager, { name: 'by-grant' }),
    ],
    [
      'lower a stronger account',
      (admin) => admin.editAccount(manager, { name: 'stronger', role: 'none' }),
    ],
    ['delete a stronger account', (admin) => admin.deleteAccount(manager, { name: 'stronger' })],
    [
      'deactivate a stronger account',
      (admin) => admin.deactivateAccount(manager, { name: 'stronger' }),
    ],
    [
      'take over a person',
      (admin) => admin.setPassword(manager, { name: 'boss', password: 'another horse battery' }),
    ],
    [
      'create a stronger role',
      (admin) => admin.createRole(manager, { name: 'x', permissions: ['*'] }),
    ],
    [
      'raise a role',
      (admin) =>
        admin.editRole(manager, {
          name: 'deployer',
          permissions: ['deployments:write', 'environments:write'],
        }),
    ],
    [
      'lower a stronger role',
      (admin) => admin.editRole(manager, { name: 'strong', permissions: [] }),
    ],
    ['delete a stronger role', (admin) => admin.deleteRole(manager, { name: 'strong' })],
    [
      'give a strong team more',
      (admin) => admin.editTeam(manager, { name: 'strong-team', addApplications: ['Ledger'] }),
    ],
    [
      'give away permissions of our own',
      (admin) => admin.createRole(manager, { name: 'x', permissions: ['sallyport:*'] }),
    ],
  ])('refuses a manager who would %s', async (_what, attempt) => {
    const { seq } = await bench.store.snapshot();
    expect(await refusal(attempt(bench.admin))).toMatchObject({ code: 'forbidden' });
    expect((await bench.store.snapshot()).seq).toBe(seq);
  });

  it('lets only those write who may write, and only those read who may read', async () => {
    const { admin } = bench;
    const everythingElse = actorWith('*');
    const reader = actorWith('*', 'sallyport:registry:read');
    expect(await refusal(admin.listRoles(everythingElse, {}))).toMatchObject({ code: 'forbidden' });
    expect(await refusal(admin.showAccount(everythingElse, { name: 'equal' }))).toMatchObject({
      code: 'forbidden',
    });
    expect(await admin.listRoles(reader, {})).not.toHaveLength(0);
    for (const write of [
      () => admin.createServiceAccount(reader, { name: 'x', role: 'none' }),
      () => admin.rotateToken(reader, { name: 'equal' }),
      () => admin.createRole(reader, { name: 'x', permissions: ['deployments:read'] }),
      () => admin.createTeam(reader, { name: 'x' }),
      () => admin.setPassword(reader, { name: 'boss', password: 'another horse battery' }),
    ]) {
      expect(await refusal(write())).toMatchObject({ code: 'forbidden' });
    }
  });
});
