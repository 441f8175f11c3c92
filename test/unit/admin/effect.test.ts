import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import { type Administration, createAdministration } from '../../../src/admin/administration.ts';
import { AdminError } from '../../../src/admin/error.ts';
import type { RegistryStore } from '../../../src/registry/port.ts';
import { type Bench, openBench, owner, refusal, STORES } from './stores.ts';

function editorWith(permissions: readonly string[]): AdminActor {
  return {
    id: 'editorAcc001',
    name: 'editor',
    kind: 'user',
    via: 'admin-api',
    permissions: compilePermissions([
      ...permissions,
      'sallyport:registry:read',
      'sallyport:registry:write',
    ]),
  };
}

const weak = editorWith(['apps:read']);

async function withBench(kind: (typeof STORES)[number], work: (bench: Bench) => Promise<void>) {
  const bench = await openBench(kind);
  if (bench === null) return;
  try {
    await work(bench);
  } finally {
    await bench.close();
  }
}

/** A team in which everybody is a reader, and whose members are something else elsewhere. */
async function readers({ admin }: Bench): Promise<void> {
  await admin.createRole(owner, { name: 'reader', permissions: ['apps:read'] });
  await admin.createRole(owner, { name: 'strong', permissions: ['apps:read', 'apps:write'] });
  await admin.createTeam(owner, { name: 'readers', applications: ['CRM'] });
  await admin.createServiceAccount(owner, { name: 'bot', role: 'strong' });
  await admin.joinTeam(owner, { name: 'bot', team: 'readers', role: 'reader' });
}

describe('a team', () => {
  it.each([
    ['takes an application in on which a member could do more', { addApplications: ['Billing'] }],
    [
      'gives an application up on which a member could then do more',
      { removeApplications: ['CRM'] },
    ],
    ['changes one for another', { applications: ['Billing'] }],
  ])('is not changed by somebody who may do less, where it %s', (_, edit) =>
    withBench('embedded', async (bench) => {
      await readers(bench);
      const { seq } = await bench.store.snapshot();
      const error = await refusal(bench.admin.editTeam(weak, { name: 'readers', ...edit }));
      expect([error.code, error.message]).toEqual(['forbidden', expect.stringContaining('bot')]);
      expect((await bench.store.snapshot()).seq).toBe(seq);
      await bench.admin.editTeam(editorWith(['apps:*']), { name: 'readers', ...edit });
    }),
  );

  it('is changed where grants of its members leave everything as it is', () =>
    withBench('embedded', async (bench) => {
      await readers(bench);
      for (const application of ['CRM', 'Billing'])
        await bench.admin.grantRole(owner, { name: 'bot', application, role: 'reader' });
      await bench.admin.editTeam(weak, { name: 'readers', applications: ['Billing'] });
      await bench.admin.editTeam(weak, { name: 'readers', description: 'renamed' });
    }));

  it('is changed by somebody without permissions of ours that a member has by default', () =>
    withBench('embedded', async (bench) => {
      await readers(bench);
      const permissions = ['apps:read', 'sallyport:*'];
      await bench.admin.createRole(owner, { name: 'keeper', permissions });
      await bench.admin.editAccount(owner, { name: 'bot', role: 'keeper' });
      await bench.admin.editTeam(weak, { name: 'readers', addApplications: ['Billing'] });
    }));

  it.each(STORES)('is judged again when somebody joins in the meantime, on %s', (kind) =>
    withBench(kind, async (bench) => {
      const { admin } = bench;
      await admin.createRole(owner, { name: 'reader', permissions: ['apps:read'] });
      await admin.createRole(owner, { name: 'strong', permissions: ['apps:write'] });
      await admin.createTeam(owner, { name: 'readers', applications: ['CRM'] });
      await admin.createServiceAccount(owner, { name: 'bot', role: 'strong' });
      const racing = overtaken(bench, () =>
        admin.joinTeam(owner, { name: 'bot', team: 'readers', role: 'reader' }),
      );
      const error = await refusal(
        racing.editTeam(weak, { name: 'readers', addApplications: ['Billing'] }),
      );
      expect(error.code).toBe('forbidden');
    }),
  );

  it.each(STORES)('is judged again when a member changes in the meantime, on %s', (kind) =>
    withBench(kind, async (bench) => {
      await readers(bench);
      await bench.admin.editAccount(owner, { name: 'bot', role: 'reader' });
      const racing = overtaken(bench, () =>
        bench.admin.editAccount(owner, { name: 'bot', role: 'strong' }),
      );
      const error = await refusal(
        racing.editTeam(weak, { name: 'readers', addApplications: ['Billing'] }),
      );
      expect(error.code).toBe('forbidden');
    }),
  );
});

/** An administration before whose first commit somebody else is quicker. */
function overtaken({ store, clock }: Bench, other: () => Promise<unknown>): Administration {
  let first = true;
  const racing = new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      if (name !== 'commit') return member.bind(target);
      return async (commit: Parameters<RegistryStore['commit']>[0]) => {
        if (first) {
          first = false;
          await other();
        }
        return target.commit(commit);
      };
    },
  });
  return createAdministration({ store: racing, clock, instance: null });
}

const PERMISSIONS = ['apps:read', 'apps:write', 'data:read'] as const;
const APPLICATIONS = ['A', 'B', 'C'] as const;
const ROLES = ['r0', 'r1', 'r2', 'r3'] as const;
const TEAMS = ['t0', 't1'] as const;
const ACCOUNTS = ['a0', 'a1', 'a2'] as const;

/** What everybody may do everywhere, as `account@place permission`, worked out from the records. */
async function everything(store: RegistryStore): Promise<ReadonlySet<string>> {
  const { roles, teams } = await store.snapshot();
  const { items } = await store.accounts({ cursor: null, limit: 500 });
  const may = (role: string) => roles.find(({ name }) => name === role)?.permissions ?? [];
  const found = new Set<string>();
  const note = (account: Account, place: string, permissions: readonly string[]) => {
    for (const permission of permissions) found.add(`${account.id}@${place} ${permission}`);
  };
  for (const account of items) {
    const others = [...account.teams, ...account.grants].map(({ role }) => may(role));
    note(account, 'safe', may(account.role));
    note(
      account,
      'unsafe',
      may(account.role).filter((one) => others.every((other) => other.includes(one))),
    );
    for (const application of APPLICATIONS) {
      const team = teams.find(({ applications }) => applications.includes(application))?.name;
      const role =
        account.grants.find((grant) => grant.application === application)?.role ??
        account.teams.find((membership) => membership.team === team)?.role ??
        account.role;
      note(account, application, may(role));
    }
  }
  return found;
}

type Act = (admin: Administration, actor: AdminActor) => Promise<unknown>;

const subset = <T>(all: readonly T[]) => fc.subarray([...all]);
const role = fc.constantFrom(...ROLES, 'none');
const application = fc.constantFrom(...APPLICATIONS);
const team = fc.constantFrom(...TEAMS);
const account = fc.constantFrom(...ACCOUNTS);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(team, subset(APPLICATIONS)).map(
    ([name, applications]): Act =>
      (admin, by) =>
        admin.editTeam(by, { name, applications }),
  ),
  fc.tuple(team, subset(APPLICATIONS)).map(
    ([name, applications]): Act =>
      (admin, by) =>
        admin.createTeam(by, { name, applications }),
  ),
  team.map(
    (name): Act =>
      (admin, by) =>
        admin.deleteTeam(by, { name }),
  ),
  fc.tuple(fc.constantFrom(...ROLES), subset(PERMISSIONS)).map(
    ([name, permissions]): Act =>
      (admin, by) =>
        admin.editRole(by, { name, permissions }),
  ),
  fc.tuple(account, role).map(
    ([name, to]): Act =>
      (admin, by) =>
        admin.editAccount(by, { name, role: to }),
  ),
  fc.tuple(account, team, role).map(
    ([name, to, as]): Act =>
      (admin, by) =>
        admin.joinTeam(by, { name, team: to, role: as }),
  ),
  fc.tuple(account, team).map(
    ([name, from]): Act =>
      (admin, by) =>
        admin.leaveTeam(by, { name, team: from }),
  ),
  fc.tuple(account, application, role).map(
    ([name, on, as]): Act =>
      (admin, by) =>
        admin.grantRole(by, { name, application: on, role: as }),
  ),
  fc.tuple(account, application).map(
    ([name, on]): Act =>
      (admin, by) =>
        admin.revokeGrant(by, { name, application: on }),
  ),
  account.map(
    (name): Act =>
      (admin, by) =>
        admin.deleteAccount(by, { name }),
  ),
  fc.tuple(account, role).map(
    ([name, as]): Act =>
      (admin, by) =>
        admin.createServiceAccount(by, { name, role: as }),
  ),
);

/** @returns whether it was done */
async function attempt(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (error instanceof AdminError) return false;
    throw error;
  }
}

describe('after any sequence of changes by an editor', () => {
  it('nobody has gained or lost what the editor has not', { timeout: 120_000 }, async () => {
    let done = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(subset(PERMISSIONS), { minLength: 4, maxLength: 4 }),
        fc.array(act, { maxLength: 12 }),
        subset(PERMISSIONS),
        fc.array(act, { minLength: 4, maxLength: 12 }),
        async (roles, beginning, own, changes) => {
          const bench = (await openBench('embedded'))!;
          try {
            const { admin, store } = bench;
            // The editor may do what the team's role may, and not what the others may: there a
            // change of the team would raise or lower beyond it.
            for (const [index, permissions] of [own, ...roles.slice(1)].entries())
              await admin.createRole(owner, { name: ROLES[index]!, permissions });
            for (const name of TEAMS) await admin.createTeam(owner, { name });
            for (const name of ACCOUNTS)
              await admin.createServiceAccount(owner, {
                name,
                role: 'r1',
                teams: [{ team: 't0', role: 'r0' }],
              });
            for (const one of beginning) await attempt(one(admin, owner));
            const editor = editorWith(own);
            let now = await everything(store);
            for (const one of changes) {
              if (!(await attempt(one(admin, editor)))) continue;
              done += 1;
              const then = await everything(store);
              const moved = [...now.symmetricDifference(then)].filter(
                (entry) => !(own as readonly string[]).includes(entry.split(' ')[1]!),
              );
              expect(moved).toEqual([]);
              now = then;
            }
          } finally {
            await bench.close();
          }
        },
      ),
      { numRuns: 30 },
    );
    expect(done).toBeGreaterThan(20);
  });
});
