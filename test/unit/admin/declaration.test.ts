import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import { planDeclaration } from '../../../src/admin/declaration.ts';
import type { Declaration } from '../../../src/admin/declaration-faults.ts';
import { AdminError } from '../../../src/admin/error.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { type Bench, openBench, owner, refusal } from './stores.ts';

const editor = {
  ...owner,
  permissions: compilePermissions([
    'apps:*',
    'sallyport:registry:read',
    'sallyport:registry:write',
  ]),
};

let bench: Bench;

beforeAll(async () => {
  bench = (await openBench('embedded'))!;
  const { admin } = bench;
  await admin.createRole(owner, { name: 'viewer', permissions: ['apps:read'] });
  await admin.createTeam(owner, { name: 'crm', applications: ['CRM', 'Leads'] });
  await admin.createTeam(owner, { name: 'erp', applications: ['ERP'] });
  await admin.createUser(owner, { name: 'ada', role: 'viewer', password: 'a long pass phrase 1' });
});
afterAll(() => bench.close());

function declared(yaml: string): Declaration {
  return parseConfig(`store: { kind: embedded }\naccounts:\n${yaml}`, 'accounts.yaml').config
    .accounts;
}

async function faultsOf(yaml: string): Promise<readonly string[]> {
  try {
    await planDeclaration(bench.admin, owner, declared(yaml));
    return [];
  } catch (error) {
    if (!(error instanceof AdminError)) throw error;
    return error.faults.map(({ field, message }) => `${field}: ${message}`);
  }
}

describe('a declaration that cannot be applied whole', () => {
  it('is refused before anything is done, with every fault and its place in the file', async () => {
    const faults = await faultsOf(`
  roles:
    - { name: none, permissions: [] }
    - { name: Viewer, permissions: ["apps:read"] }
    - { name: tester, permissions: ["apps"] }
    - { name: tester, permissions: ["apps:read"] }
    - { name: administrator, permissions: ["*"] }
  teams:
    - { name: sales, applications: [crm] }
    - { name: sales, applications: [] }
  serviceAccounts:
    - { name: ada, role: viewer }
    - { name: bot, role: ghost, teams: [{ team: nobody, role: absent }], grants: [{ application: A, role: lost }] }
    - { name: bot, role: none, teams: [{ team: crm, role: viewer }, { team: crm, role: none }] }
`);
    expect(faults).toEqual([
      'accounts.roles[1].name: the role viewer differs from Viewer in letter case only',
      'accounts.roles[3].name: the role tester is declared twice',
      'accounts.roles[0].name: the role none is built in',
      expect.stringMatching(/^accounts\.roles\[2\]\.permissions\[0\]: must look like/),
      'accounts.roles[4].permissions: the permissions of the role administrator cannot be changed',
      'accounts.teams[1].name: the team sales is declared twice',
      'accounts.teams[0].applications[0]: the application crm belongs to the team crm',
      'accounts.serviceAccounts[0].name: ada is a user, not a service account',
      'accounts.serviceAccounts[1].role: there is no role named ghost, and none is declared in this file',
      'accounts.serviceAccounts[1].teams[0].team: there is no team named nobody, and none is declared in this file',
      'accounts.serviceAccounts[1].teams[0].role: there is no role named absent, and none is declared in this file',
      'accounts.serviceAccounts[1].grants[0].role: there is no role named lost, and none is declared in this file',
      'accounts.serviceAccounts[2].name: the account bot is declared twice',
      'accounts.serviceAccounts[2].teams[1]: the team crm is named twice',
    ]);
  });

  it('takes roles and teams that the same file declares', async () => {
    expect(
      await faultsOf(`
  roles: [{ name: deployer, permissions: ["deployments:*"] }]
  teams: [{ name: hr, applications: [HR] }]
  serviceAccounts: [{ name: bot, role: none, teams: [{ team: hr, role: deployer }] }]
`),
    ).toEqual([]);
  });
});

describe('applications that change hands', () => {
  it('move between declared teams in one run, even in a circle', async () => {
    const wanted = declared(`
  teams:
    - { name: crm, applications: [ERP, Leads] }
    - { name: erp, applications: [CRM] }
`);
    for (const step of await planDeclaration(bench.admin, owner, wanted)) await step.run();
    const teams = await bench.admin.listTeams(owner, {});
    expect(teams.map(({ name, applications }) => [name, [...applications].sort()])).toEqual([
      ['crm', ['ERP', 'Leads']],
      ['erp', ['CRM']],
    ]);
    expect(await planDeclaration(bench.admin, owner, wanted)).toEqual([]);
  });
});

describe('a declaration that is refused on the way', () => {
  const registry = async () => JSON.stringify((await bench.admin.exportRecords(owner, {})).records);

  it('is not begun where nobody would remain who administers', async () => {
    for (const name of ['x1', 'x2'])
      await bench.admin.createServiceAccount(owner, { name, role: 'administrator' });
    const was = await registry();
    const wanted = declared(`
  roles: [{ name: fresh, permissions: ["apps:read"] }]
  serviceAccounts: [{ name: x1, role: fresh }, { name: x2, role: fresh }]
`);
    const { code, message } = await refusal(planDeclaration(bench.admin, owner, wanted));
    expect([code, message]).toEqual([
      'last-administrator',
      expect.stringMatching(/^nothing was changed: service account x2: x2 is the last one/),
    ]);
    expect(await registry()).toBe(was);
    const one = declared('  serviceAccounts: [{ name: x1, role: none }]');
    expect(await planDeclaration(bench.admin, owner, one)).toHaveLength(1);
    expect(await registry()).toBe(was);
  });

  it('is not begun where any change exceeds what the actor may do', async () => {
    const was = await registry();
    const wanted = declared(`
  roles:
    - { name: fresh, permissions: ["apps:read"] }
    - { name: beyond, permissions: ["deployments:*"] }
`);
    const { code, message } = await refusal(planDeclaration(bench.admin, editor, wanted));
    expect([code, message]).toEqual([
      'forbidden',
      expect.stringMatching(/^nothing was changed: role beyond: /),
    ]);
    expect(await registry()).toBe(was);
    const early = declared('  roles: [{ name: fresh, permissions: ["apps:read"] }]');
    expect(await planDeclaration(bench.admin, editor, early)).toHaveLength(1);
    expect(await registry()).toBe(was);
  });

  it('is judged by what an earlier change of the same declaration makes of the next', async () => {
    await bench.admin.createRole(owner, { name: 'growing', permissions: ['apps:read'] });
    const wanted = declared(`
  roles: [{ name: growing, permissions: ["apps:read", "apps:write"] }]
  teams: [{ name: newest, applications: [Newest] }]
  serviceAccounts:
    - { name: m1, role: growing, teams: [{ team: newest, role: growing }] }
    - { name: m2, role: growing, grants: [{ application: Newest, role: growing }] }
`);
    const steps = await planDeclaration(bench.admin, editor, wanted);
    for (const { run } of steps) await run();
    expect(steps.map(({ target }) => target)).toEqual([
      'role growing',
      'team newest',
      'service account m1',
      'service account m2',
    ]);
  });
});
