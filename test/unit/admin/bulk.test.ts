import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compilePermissions } from '../../../src/account/permission.ts';
import type { AdminActor } from '../../../src/admin/actor.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
import { type Bench, changesOf, openBench, owner, refusal, STORES } from './stores.ts';

const manager: AdminActor = {
  id: 'managerAcc01',
  name: 'manager',
  kind: 'user',
  via: 'admin-api',
  permissions: compilePermissions([
    'deployments:*',
    'sallyport:registry:read',
    'sallyport:registry:write',
  ]),
};

describe.each(STORES)('many accounts at a time over the %s store', (kind) => {
  let bench: Bench | null;
  let n = 0;
  let ids: readonly string[] = [];

  beforeAll(async () => {
    bench = await openBench(kind);
    if (bench === null) return;
    const { admin } = bench;
    await admin.createRole(owner, { name: 'viewer', permissions: ['deployments:read'] });
    await admin.createRole(owner, { name: 'deployer', permissions: ['deployments:*'] });
    await admin.createRole(owner, { name: 'strong', permissions: ['environments:write'] });
    await admin.createTeam(owner, { name: 'payments', applications: ['Billing', 'Ledger'] });
  });
  afterAll(() => bench?.close());
  beforeEach(async (ctx) => {
    if (bench === null) return ctx.skip('redis-server is not installed');
    n += 1;
    const made = ['a', 'b', 'c'].map((part) =>
      bench!.admin.createServiceAccount(owner, {
        name: `many-${n}-${part}`,
        role: part === 'c' ? 'strong' : 'deployer',
        teams: part === 'b' ? [{ team: 'payments', role: 'strong' }] : [],
      }),
    );
    ids = (await Promise.all(made)).map(({ account }) => account.id);
  });

  it('says what each would lose and changes nothing', async () => {
    const { admin, store } = bench!;
    const { seq } = await store.snapshot();
    const { items } = await admin.changeAccounts(owner, {
      kind: 'service',
      ids,
      role: 'viewer',
      leave: 'payments',
      preview: true,
    });
    expect(items.map(({ outcome, loses }) => [outcome, loses])).toEqual([
      ['changed', ['deployments:* by default']],
      [
        'changed',
        [
          'deployments:* by default',
          'environments:write on Billing',
          'environments:write on Ledger',
        ],
      ],
      ['changed', ['environments:write by default']],
    ]);
    const off = { kind: 'service', ids, status: 'inactive', preview: true } as const;
    expect((await admin.changeAccounts(owner, off)).items.map(({ loses }) => loses)).toEqual(
      ids.map(() => ['everything: it is let in nowhere']),
    );
    expect((await store.snapshot()).seq).toBe(seq);
  });

  it('changes all of them in one step, each with its event, and tells once where it is in force', async () => {
    const { admin, store } = bench!;
    const { seq } = await store.snapshot();
    const answer = await admin.changeAccounts(owner, { kind: 'service', ids, status: 'inactive' });
    expect(answer).toMatchObject({ revocation: { effective: true } });
    expect(answer.items.map(({ outcome }) => outcome)).toEqual(['changed', 'changed', 'changed']);
    expect((await store.snapshot()).seq).toBe(seq + 1);
    for (const id of ids) {
      expect((await store.account(id)).account).toMatchObject({ status: 'inactive' });
      expect((await changesOf(store, id)).map(({ type }) => type)).toEqual([
        'account-created',
        'account-deactivated',
      ]);
    }
    const again = await admin.changeAccounts(owner, { kind: 'service', ids, role: 'deployer' });
    expect(again.items.map(({ outcome }) => outcome)).toEqual([
      'unchanged',
      'unchanged',
      'changed',
    ]);
  });

  it('leaves who is refused as it is, and says why, and changes the others', async () => {
    const { admin } = bench!;
    const { items } = await admin.changeAccounts(manager, {
      kind: 'service',
      ids: [...ids, 'nobodyNobody'],
      join: { team: 'payments', role: 'viewer' },
      expiresAt: '2027-01-01T00:00:00Z',
    });
    expect(items.map(({ outcome, why }) => [outcome, why])).toEqual([
      ['changed', null],
      ['refused', expect.stringContaining('may do more than you')],
      ['refused', expect.stringContaining('may do more than you')],
      ['refused', expect.stringContaining('no service account named')],
    ]);
    expect(await admin.showAccount(owner, { id: ids[0]! })).toMatchObject({
      expiresAt: '2027-01-01T00:00:00.000Z',
      teams: [{ team: 'payments', role: 'viewer' }],
    });
    expect(await admin.showAccount(owner, { id: ids[2]! })).toMatchObject({ teams: [] });
  });

  it('changes accounts that only some networks or certificates may use', async () => {
    const { admin } = bench!;
    const [first, second, third] = ids as readonly [string, string, string];
    await admin.editAccount(owner, { id: first, allowedNetworks: ['10.0.0.0/8'] });
    await admin.editAccount(owner, { id: second, boundTo: { subject: 'CN=board,O=Example' } });
    const asked = { kind: 'service', ids: [first, second, third], status: 'inactive' } as const;
    for (const preview of [true, false]) {
      const { items } = await admin.changeAccounts(owner, { ...asked, preview });
      expect(items.map(({ outcome }) => outcome)).toEqual(['changed', 'changed', 'changed']);
    }
    expect(await admin.showAccount(owner, { id: first })).toMatchObject({
      status: 'inactive',
      allowedNetworks: ['10.0.0.0/8'],
    });
  });

  it('lets nobody be the last administrator, also not one after the other', async () => {
    const { admin } = bench!;
    const made = await Promise.all(
      [1, 2].map((one) =>
        admin.createServiceAccount(owner, { name: `root-${n}-${one}`, role: 'administrator' }),
      ),
    );
    const roots = made.map(({ account }) => account.id);
    const off = { kind: 'service', ids: roots, status: 'inactive' } as const;
    const { items } = await admin.changeAccounts(owner, off);
    expect(items.map(({ outcome }) => outcome)).toEqual(['changed', 'refused']);
    await admin.changeAccounts(owner, { kind: 'service', ids: roots, role: 'none', preview: true });
  });

  it('is refused as a whole where it says no change, or names a role that there is not', async () => {
    const { admin } = bench!;
    const asked = { kind: 'service', ids } as const;
    expect(await refusal(admin.changeAccounts(owner, asked))).toMatchObject({ code: 'invalid' });
    const unknown = await refusal(admin.changeAccounts(owner, { ...asked, role: 'no-such-role' }));
    expect(unknown.faults).toMatchObject([{ field: 'role' }]);
  });

  it('is unavailable, and nothing is changed, where the store cannot be read on the way', async () => {
    const { store, clock } = bench!;
    const { seq } = await store.snapshot();
    let reads = 0;
    const failing = new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name) as unknown;
        if (typeof value !== 'function') return value;
        if (name !== 'account') return value.bind(target) as unknown;
        return async (...words: readonly unknown[]) => {
          reads += 1;
          if (reads > 2) throw new RegistryUnavailable('unreachable', 'it is away');
          return Reflect.apply(value, target, words) as unknown;
        };
      },
    });
    const admin = createAdministration({ store: failing, clock, instance: null });
    const refused = admin.changeAccounts(owner, { kind: 'service', ids, status: 'inactive' });
    expect(await refusal(refused)).toMatchObject({ code: 'unavailable' });
    expect((await store.snapshot()).seq).toBe(seq);
  });
});
