import { describe, expect, it, type TestContext } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import { type AdminActor, storeOwner } from '../../../src/admin/actor.ts';
import type { Administration } from '../../../src/admin/administration.ts';
import type { Declaration } from '../../../src/admin/declaration-faults.ts';
import type { PolicyTombstone } from '../../../src/registry/tombstone.ts';
import { type Bench, openBench, owner, refusal } from './stores.ts';

/** May change the team, and give the role that its member has in it. */
const editor: AdminActor = {
  ...storeOwner('editor', 'command-line'),
  permissions: compilePermissions(['sallyport:registry:write', 'crm:*', 'shop:read']),
};

async function applyTo(admin: Administration, declared: Declaration): Promise<number> {
  return (await admin.applyDeclaration(owner, declared)).applied.length;
}

/** A role and a team of which an instance has seen less than the store holds. */
async function doubtful(
  context: TestContext,
  run: (bench: Bench) => Promise<void>,
  before: ((bench: Bench) => Promise<unknown>) | null = null,
): Promise<void> {
  const bench = await openBench('redis');
  if (bench === null) context.skip('there is no redis-server');
  const { admin, store } = bench;
  try {
    await admin.createRole(owner, { name: 'seller', permissions: ['crm:*', 'shop:read'] });
    await admin.createTeam(owner, { name: 'sales', applications: ['crm'] });
    const teams = [{ team: 'sales', role: 'seller' }];
    await admin.createRole(owner, { name: 'buyer', permissions: ['shop:write'] });
    await admin.createServiceAccount(owner, { name: 'bot', role: 'buyer', teams });
    if (before !== null) await before(bench);
    const told: readonly PolicyTombstone[] = [
      { policy: 'role:seller', seen: [['crm:read']], seq: 9 },
      { policy: 'team:sales', seen: [[]], seq: 9 },
    ];
    await store.assert(told);
    await run(bench);
  } finally {
    await bench.close();
  }
}

describe('a role or team in doubt', () => {
  it('is shown as what counts of it, with what does not', (context) =>
    doubtful(context, async ({ admin }) => {
      expect((await admin.showRole(owner, { name: 'seller' })).role).toMatchObject({
        permissions: ['crm:read'],
        inDoubt: ['crm:*', 'shop:read'],
      });
      expect(await admin.showTeam(owner, { name: 'sales' })).toMatchObject({
        applications: ['crm'],
        inDoubt: ['crm'],
      });
    }));

  it('is so no longer once somebody has changed it, also to what it is', (context) =>
    doubtful(context, async ({ admin, store }) => {
      const role = await admin.editRole(owner, { name: 'seller', permissions: ['crm:read'] });
      expect(role).toMatchObject({ changed: true, role: { permissions: ['crm:read'] } });
      const team = await admin.editTeam(owner, { name: 'sales', applications: ['crm'] });
      expect(team).toMatchObject({ changed: true, team: { applications: ['crm'] } });
      const { roles, teams } = await store.snapshot();
      for (const record of [...roles, ...teams]) expect(record).not.toHaveProperty('inDoubt');
      expect(await store.tombstones(['role:seller', 'team:sales'])).toEqual([]);
      expect(await admin.editTeam(owner, { name: 'sales' })).toMatchObject({ changed: false });
    }));

  it('is decided by nobody who could not give what comes back', (context) =>
    doubtful(
      context,
      async ({ admin }) => {
        const refused = await refusal(admin.editTeam(editor, { name: 'sales', description: 'b' }));
        expect(refused).toMatchObject({ code: 'forbidden' });
        expect(refused.message).toContain('bot, whose role on crm');
      },
      ({ admin }) => admin.editTeam(editor, { name: 'sales', description: 'a' }),
    ));

  it('is what a declaration that says the same settles', (context) =>
    doubtful(context, async ({ admin, store }) => {
      const declared = {
        roles: [{ name: 'seller', permissions: ['crm:read'], description: '' }],
        teams: [{ name: 'sales', applications: ['crm'], description: '' }],
        serviceAccounts: [],
      };
      const applied = await applyTo(admin, declared);
      expect(applied).toBe(2);
      expect((await store.tombstones(['role:seller', 'team:sales'])).length).toBe(0);
      expect(await applyTo(admin, declared)).toBe(0);
    }));

  it('counts only as far as all say who have seen it, and not at all when too many differ', (context) =>
    doubtful(context, async ({ store }) => {
      const tell = (...seen: string[][]) => store.assert([{ policy: 'role:seller', seen, seq: 7 }]);
      const read = async () => {
        const { roles, tombstones } = await store.snapshot();
        const role = roles.find(({ name }) => name === 'seller');
        return { permissions: role?.permissions, tombstones };
      };
      const first = await read();
      await tell(['crm:*']);
      expect(await read()).toEqual({ ...first, tombstones: first.tombstones! + 1 });
      // Told again, it is no news.
      await tell(['crm:*']);
      expect((await read()).tombstones).toBe(first.tombstones! + 1);
      for (let n = 0; n < 20; n += 1) await tell(['crm:read', `other:n${n}`]);
      expect((await read()).permissions).toEqual([]);
      const [told] = await store.tombstones(['role:seller']);
      expect(told).toMatchObject({ seq: 9, seen: { length: 17 } });
    }));
});
