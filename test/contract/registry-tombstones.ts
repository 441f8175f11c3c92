import { describe, expect, it } from 'vitest';
import type { Account } from '../../src/account/model.ts';
import type { RecordChange } from '../../src/registry/commit.ts';
import { TOMBSTONES_MAX } from '../../src/registry/revoked/merge.ts';
import { rightsOf } from '../../src/registry/revoked/tombstone.ts';
import type { AccountTombstone, PolicyLabel, Tombstone } from '../../src/registry/tombstone.ts';
import type { RegistryUnderTest } from './registry.ts';
import {
  account,
  commitOf,
  creation,
  digestOf,
  idOf,
  role,
  team,
  update,
} from './registry-records.ts';

const ROLES = [role('viewer'), role('deployer', ['a:*', 'b:read'])];

/** What every store does with what instances tell of changes that it has lost. */
export function tombstonesContract(under: () => RegistryUnderTest): void {
  const store = () => under().store;

  async function withAccounts(count: number): Promise<void> {
    await store().initialise(ROLES);
    for (let n = 1; n <= count; n += 1) await store().commit(creation(account(n)));
  }
  const read = async (n: number) => (await store().account(idOf(n))).account;
  const versionOf = async (n: number) => (await read(n))?.version ?? 0;
  const commitAccount = async (record: Account, parts = {}) =>
    store().commit({ ...update(record, await versionOf(Number(record.id.slice(1)))), ...parts });

  describe('what it was told of lost changes', () => {
    it('counts wherever an account is read, and after a restart', async () => {
      await withAccounts(4);
      expect((await store().snapshot()).tombstones).toBe(0);
      await store().assert([
        tombstone(1, { digests: { [digestOf(1)]: 0 } }),
        tombstone(2, { deleted: true }),
        tombstone(3, { rights: rightsOf(account(3, { role: 'deployer' })) }),
      ]);
      for (const _ of ['before', 'after']) {
        expect(await read(1)).toMatchObject({ token: null, retired: [digestOf(1)] });
        expect(await read(2)).toBeNull();
        expect(await read(3)).toMatchObject({ status: 'inactive' });
        expect(await read(4)).toMatchObject({ status: 'active', token: { digest: digestOf(4) } });
        expect(await store().accountByName('account-1')).toMatchObject({ token: null });
        const { items } = await store().accounts({ cursor: null, limit: 10 });
        expect(items.map(({ id, status }) => [id, status])).toEqual([
          [idOf(1), 'active'],
          [idOf(3), 'inactive'],
          [idOf(4), 'active'],
        ]);
        const { tombstones } = await store().snapshot();
        expect(tombstones).toBeGreaterThan(0);
        expect(await store().renew({ instance: 'a', leaseMs: 1_000 })).toMatchObject({
          tombstones,
        });
        await under().reopen();
      }
    });

    it('adds up, whoever tells it and in whatever order', async () => {
      await withAccounts(1);
      const told: readonly Partial<AccountTombstone>[] = [
        { digests: { [digestOf(1)]: 5_000, [digestOf(7)]: 0 }, seq: 4 },
        { digests: { [digestOf(1)]: 3_000 }, inactive: true, seq: 9 },
        { rights: 'a'.repeat(32), seq: 2 },
        { rights: 'b'.repeat(32), seq: 3 },
      ];
      for (const one of told) await store().assert([tombstone(1, one)]);
      const { tombstones } = await store().snapshot();
      expect(await store().tombstones([idOf(1), idOf(2)])).toEqual([
        tombstone(1, {
          digests: { [digestOf(1)]: 3_000, [digestOf(7)]: 0 },
          ...{ inactive: true, rights: '*', seq: 9 },
        }),
      ]);
      // What is known already changes nothing.
      for (const one of told) await store().assert([tombstone(1, one)]);
      expect((await store().snapshot()).tombstones).toBe(tombstones);
      // Of an instance that does not say as of when, nobody knows.
      await store().assert([tombstone(1, {})]);
      expect((await store().tombstones([idOf(1)]))[0]).not.toHaveProperty('seq');
    });

    it('refuses a change that was computed without knowing of it', async () => {
      await withAccounts(4);
      const [one, two, three, four] = [account(1), account(2), account(3), account(4)];
      await store().assert([
        tombstone(1, { digests: { [digestOf(1)]: 0 } }),
        tombstone(2, { deleted: true }),
        tombstone(3, { inactive: true }),
        tombstone(4, { rights: 'a'.repeat(32) }),
      ]);
      const refused = (record: Account) => ({
        ...{ committed: false, conflict: 'version', key: `account:${record.id}` },
      });
      const before = await store().snapshot();
      const written = { one: { ...one, description: 'x' }, two: { ...two, description: 'x' } };
      expect(await commitAccount(written.one)).toEqual(refused(one));
      // As if it were there.
      expect(await store().commit(update(written.two, 3))).toEqual(refused(two));
      expect(await commitAccount(three)).toEqual(refused(three));
      expect(await commitAccount(four)).toEqual(refused(four));
      expect(await store().snapshot()).toEqual(before);
      // Who takes away needs not know, who activates says so.
      expect(await commitAccount({ ...one, token: null })).toMatchObject({ committed: true });
      expect(await commitAccount({ ...three, status: 'inactive' })).toMatchObject({
        committed: true,
      });
      expect((await store().tombstones([idOf(3)])).length).toBe(1);
      for (const record of [three, four])
        expect(await commitAccount(record, { activates: [record.id] })).toMatchObject({
          committed: true,
        });
      expect(await store().tombstones([idOf(3), idOf(4)])).toEqual([]);
      expect(await read(4)).toMatchObject({ status: 'active' });
    });

    it('is taken back by who revives, and by a record that says that it was revived', async () => {
      await withAccounts(2);
      const revoked = { digests: { [digestOf(1)]: 0 }, deleted: true, seq: 3 };
      await store().assert([tombstone(1, revoked)]);
      const back = { ...update(account(1), 2), revives: [idOf(1)] };
      expect(await store().commit(back)).toMatchObject({ committed: true });
      expect(await store().tombstones([idOf(1)])).toEqual([]);
      await store().assert([tombstone(2, { deleted: true, seq: 3 })]);
      expect(await store().commit(update(account(2, { revived: 2 }), 3))).toMatchObject({
        conflict: 'version',
      });
      expect(await store().commit(update(account(2, { revived: 3 }), 3))).toMatchObject({
        committed: true,
      });
      expect(await read(2)).toMatchObject({ status: 'active', token: { digest: digestOf(2) } });
      await store().assert([tombstone(2, { deleted: true, seq: 3 })]);
      expect(await read(2)).toMatchObject({ status: 'active' });
    });

    it('takes from roles and teams what not all have seen, until somebody who knows decides', async () => {
      await store().initialise(ROLES);
      await store().commit(changes(team('crew', ['shop', 'wiki'])));
      await store().assert([policy('role:deployer', ['a:read']), policy('team:crew', ['shop'])]);
      await store().assert([policy('role:deployer', ['a:read'], ['b:read', 'c:read'])]);
      const first = await store().snapshot();
      expect(first.roles.find(({ name }) => name === 'deployer')).toMatchObject({
        ...{ permissions: [], inDoubt: ['a:*', 'b:read'] },
      });
      expect(first.teams[0]).toMatchObject({ applications: ['shop', 'wiki'], inDoubt: ['wiki'] });
      expect(await store().tombstones(['role:deployer', 'role:viewer'])).toEqual([
        policy('role:deployer', ['a:read'], ['b:read', 'c:read']),
      ]);
      const lowered = role('deployer', ['a:read']);
      expect(await store().commit(changes(lowered))).toMatchObject({ conflict: 'version' });
      const { tombstones = 0 } = first;
      const under = (change: number) => ({ ...changes(lowered), underTombstones: change });
      expect(await store().commit(under(tombstones - 1))).toMatchObject({ conflict: 'version' });
      expect(await store().commit(under(tombstones))).toMatchObject({ committed: true });
      const last = await store().snapshot();
      expect(last.tombstones).toBeGreaterThan(tombstones);
      expect(last.roles.find(({ name }) => name === 'deployer')).not.toHaveProperty('inDoubt');
      expect(last.teams[0]).toMatchObject({ inDoubt: ['wiki'] });
    });

    it('takes everything from a role of which more was seen than is kept', async () => {
      await store().initialise(ROLES);
      for (let n = 0; n <= TOMBSTONES_MAX.seen + 2; n += 1)
        await store().assert([policy('role:deployer', ['a:read', `x${n}:read`])]);
      const [one] = await store().tombstones(['role:deployer']);
      const seen = one !== undefined && 'seen' in one ? one.seen : [];
      expect(seen).toHaveLength(TOMBSTONES_MAX.seen + 1);
      expect(seen.at(-1)).toEqual([]);
      const { roles } = await store().snapshot();
      expect(roles.find(({ name }) => name === 'deployer')?.permissions).toEqual([]);
    });
  });
}

function tombstone(n: number, parts: Partial<AccountTombstone>): Tombstone {
  return { account: idOf(n), digests: {}, deleted: false, inactive: false, ...parts };
}

function policy(label: PolicyLabel, ...seen: readonly (readonly string[])[]): Tombstone {
  return { policy: label, seen };
}

function changes(record: ReturnType<typeof role> | ReturnType<typeof team>) {
  const kind = 'permissions' in record ? 'role' : 'team';
  return commitOf([{ kind, key: record.name, record } as RecordChange]);
}
