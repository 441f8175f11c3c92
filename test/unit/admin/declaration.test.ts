import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { planOf } from '../../../src/admin/check-declaration.ts';
import { planDeclaration } from '../../../src/admin/declaration.ts';
import type { Declaration } from '../../../src/admin/declaration-faults.ts';
import { AdminError } from '../../../src/admin/error.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
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
    const { seq } = await bench.store.snapshot();
    const { applied } = await bench.admin.applyDeclaration(owner, wanted);
    expect(applied.length).toBeGreaterThan(2);
    // One change: nobody sees an application without its team on the way.
    expect((await bench.store.snapshot()).seq).toBe(seq + 1);
    const teams = await bench.admin.listTeams(owner, {});
    expect(teams.map(({ name, applications }) => [name, [...applications].sort()])).toEqual([
      ['crm', ['ERP', 'Leads']],
      ['erp', ['CRM']],
    ]);
    expect(await planDeclaration(bench.admin, owner, wanted)).toEqual([]);
  });
});

describe('a declaration in a spelling that is not how the registry keeps it', () => {
  it.each([
    ['spaces around', `  said \n`],
    ['a decomposed accent', 'cafe\u0301'],
  ])('differs no more once it is applied: %s', async (_, description) => {
    const name = `spelled-${description.trim().length}`;
    const permissions = ['apps:write', 'apps:read', 'apps:write'];
    const wanted: Declaration = {
      roles: [{ name, description, permissions }],
      teams: [{ name, description, applications: [name, name] }],
      serviceAccounts: declared(
        `  serviceAccounts: [{ name: ${name}, role: viewer }]`,
      ).serviceAccounts.map((account) => ({ ...account, description })),
    };
    const steps = await planDeclaration(bench.admin, owner, wanted);
    const { applied } = await bench.admin.applyDeclaration(owner, {
      ...wanted,
      plan: planOf(steps),
    });
    expect(applied).toHaveLength(3);
    expect(await planDeclaration(bench.admin, owner, wanted)).toEqual([]);
  });

  it('is planned alike by whoever reads the file and by whoever reads the request', async () => {
    const wanted: Declaration = {
      roles: [{ name: 'alike', description: 'new\n', permissions: ['apps:read', 'apps:read'] }],
      teams: [],
      serviceAccounts: [],
    };
    await bench.admin.createRole(owner, { name: 'alike', permissions: ['apps:write'] });
    const plan = planOf(await planDeclaration(bench.admin, owner, wanted));
    const { applied } = await bench.admin.applyDeclaration(owner, { ...wanted, plan });
    expect(applied).toHaveLength(1);
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
      expect.stringMatching(
        /^nothing was changed: service account x2: x2 is the last administrator/,
      ),
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
    const { applied } = await bench.admin.applyDeclaration(editor, wanted);
    expect(applied.map(({ target }) => target)).toEqual([
      'role growing',
      'team newest',
      'service account m1',
      'service account m2',
    ]);
  });
});

describe('a declaration that is applied', () => {
  const MANY = 300;
  const many = () =>
    declared(
      `  serviceAccounts: [${Array.from({ length: MANY }, (_, n) => `{ name: many-${n}, role: viewer }`).join(', ')}]`,
    );
  /** The registry with somebody else who acts before a step is stored. */
  const beside = (act: (commits: number) => Promise<unknown>) => {
    let commits = 0;
    const store = new Proxy(bench.store, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        if (name !== 'commit') return value.bind(target) as unknown;
        return async (...words: readonly unknown[]) => {
          commits += 1;
          await act(commits);
          return Reflect.apply(value, target, words) as unknown;
        };
      },
    });
    return createAdministration({ store, clock: bench.clock, instance: null });
  };

  it('changes nothing where the plan that was looked at is another one by now', async () => {
    const wanted = declared('  roles: [{ name: looked, permissions: ["apps:read"] }]');
    const { plan } = await bench.admin.checkDeclaration(owner, wanted);
    await bench.admin.createRole(owner, { name: 'looked', permissions: ['apps:write'] });
    const refused = bench.admin.applyDeclaration(owner, { ...wanted, plan });
    expect(await refusal(refused)).toMatchObject({ code: 'stale' });
    const { plan: now } = await bench.admin.checkDeclaration(owner, wanted);
    const { applied } = await bench.admin.applyDeclaration(owner, { ...wanted, plan: now });
    expect(applied.map(({ what, target }) => [what, target])).toEqual([['change', 'role looked']]);
  });

  it('is planned anew where somebody else was faster, and ends as it is declared', async () => {
    const wanted = declared(
      '  serviceAccounts: [{ name: raced, role: viewer, description: ours }]',
    );
    const admin = beside(async (commits) => {
      if (commits === 1)
        await bench.admin.createServiceAccount(owner, { name: 'raced', role: 'none' });
    });
    const first = await admin.applyDeclaration(owner, wanted);
    expect(first.applied).toMatchObject([{ what: 'change', target: 'service account raced' }]);
    await bench.admin.editAccount(owner, { name: 'raced', role: 'none' });
    const again = beside(async (commits) => {
      if (commits === 1) await bench.admin.editAccount(owner, { name: 'raced', description: 'x' });
    });
    const { applied, fault } = await again.applyDeclaration(owner, wanted);
    expect([applied.map(({ target }) => target), fault]).toEqual([['service account raced'], null]);
    expect(await bench.admin.showAccount(owner, { name: 'raced' })).toMatchObject({
      role: 'viewer',
      description: 'ours',
    });
  });

  it('says of more than one step what was and was not applied, and goes on at the next run', async () => {
    const admin = beside(async (commits) => {
      if (commits === 2)
        await bench.admin.createUser(owner, {
          name: `many-${MANY - 1}`,
          role: 'none',
          password: 'a long pass phrase 1',
        });
    });
    const { applied, notApplied, fault } = await admin.applyDeclaration(owner, many());
    expect([applied.length, notApplied.length]).toEqual([256, MANY - 256]);
    expect(fault?.message).toContain(`many-${MANY - 1} is a user`);
    await bench.admin.deleteAccount(owner, { name: `many-${MANY - 1}` });
    const { seq } = await bench.store.snapshot();
    const rest = await bench.admin.applyDeclaration(owner, many());
    expect(rest.applied).toEqual(notApplied);
    expect((await bench.store.snapshot()).seq).toBe(seq + 1);
    expect((await bench.admin.applyDeclaration(owner, many())).applied).toEqual([]);
  });

  it('says of a step that the store refuses that the rest was not changed', async () => {
    const names = Array.from({ length: MANY }, (_, n) => `{ name: rest-${n}, role: viewer }`);
    const admin = beside(async (commits) => {
      if (commits === 2) throw new RegistryUnavailable('refused', 'it is read-only now');
    });
    const wanted = declared(`  serviceAccounts: [${names.join(', ')}]`);
    const { applied, fault } = await admin.applyDeclaration(owner, wanted);
    expect([applied.length, fault?.code]).toEqual([256, 'unavailable']);
    expect(fault?.message).toMatch(/it is read-only now\); the rest was not changed$/);
  });

  it('tells once that all it takes away is in force', async () => {
    const less = declared(
      '  serviceAccounts: [{ name: many-0, role: none }, { name: many-1, role: none }]',
    );
    const { revocation } = await bench.admin.applyDeclaration(owner, less);
    expect(revocation).toMatchObject({ effective: true });
  });
});
