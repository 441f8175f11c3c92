import { describe, expect, it } from 'vitest';
import type { Account, Role, Team } from '../../../src/account/model.ts';
import { createAdministration } from '../../../src/admin/administration.ts';
import { IMPORT_BATCH } from '../../../src/admin/import-slices.ts';
import type { TransferredRecord } from '../../../src/admin/transferred.ts';
import { systemClock } from '../../../src/clock.ts';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import type { RecordChange } from '../../../src/registry/commit.ts';
import { Replica } from '../../../src/registry/replica/replica.ts';
import { Revoked } from '../../../src/registry/revoked/revoked.ts';
import type { AccountTombstone } from '../../../src/registry/tombstone.ts';
import { until } from '../../contract/registry.ts';
import { account, digestOf, idOf, role, team } from '../../contract/registry-records.ts';
import { openBench, owner, STORES } from '../../unit/admin/stores.ts';

const LATER = '2026-02-01T00:00:00.000Z';

const record = (n: number, changes = {}): TransferredRecord => ({
  kind: 'account',
  text: withVersion(encodeRecord({ ...account(n), role: 'none', ...changes }), 7),
});
const many = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => record(first + index));

describe.each(STORES)('records that are imported together (%s)', (kind) => {
  async function bench(ctx: { skip(note: string): never }) {
    const opened = await openBench(kind);
    if (opened === null) ctx.skip('redis-server is not here');
    return opened!;
  }

  it('are a few changes with one event for each, and none when they are there', async (ctx) => {
    const { store, admin, close } = await bench(ctx);
    try {
      const before = await store.snapshot();
      const records = many(1, 500);
      expect(await admin.importRecords(owner, { records })).toEqual({
        ...{ done: 500, changed: 500, refusal: null },
      });
      // 256 in one step of the store.
      expect((await store.snapshot()).seq).toBe(before.seq + 2);
      const { items } = await store.accounts({ cursor: null, limit: 500 });
      expect(items.map(({ id }) => id)).toEqual(records.map((_, n) => idOf(n + 1)));
      for (const id of [idOf(1), idOf(500)]) {
        const { items: events } = await store.changes({ account: id, before: null, limit: 10 });
        expect(events.map((event) => JSON.parse(event).target.id)).toEqual([id]);
      }
      expect(await admin.importRecords(owner, { records })).toMatchObject({
        ...{ done: 500, changed: 0, refusal: null },
      });
      expect((await store.snapshot()).seq).toBe(before.seq + 2);
    } finally {
      await close();
    }
  });

  it('go on where they stopped, and say which one stands in the way', async (ctx) => {
    const { store, admin, close } = await bench(ctx);
    try {
      await admin.importRecords(owner, { records: many(1, 3) });
      // Another account holds the name of the fifth.
      await admin.importRecords(owner, { records: [record(99, { name: account(5).name })] });
      const answer = await admin.importRecords(owner, { records: many(1, 8) });
      expect(answer).toMatchObject({ done: 4, changed: 1, refusal: { code: 'name-taken' } });
      expect(answer.refusal?.message).toContain(account(5).name);
      expect((await store.account(idOf(4))).account?.name).toBe(account(4).name);
      expect((await store.account(idOf(6))).account).toBeNull();
    } finally {
      await close();
    }
  });

  it('go in up to the one that may not, whose refusal is told as its own', async (ctx) => {
    const { store, clock, admin: free, close } = await bench(ctx);
    try {
      await free.createRole(owner, { name: 'guarded', permissions: ['apps:read'] });
      const approvals = { roles: () => ['guarded'], lifetimeMs: () => 3_600_000 };
      const admin = createAdministration({ store, clock, instance: null, approvals });
      const records = [...many(1, 4), record(5, { role: 'guarded' }), ...many(6, 8)];
      const waiting = await admin.importRecords(owner, { records });
      expect(waiting).toMatchObject({ done: 4, changed: 4, refusal: { code: 'forbidden' } });
      expect(waiting.refusal?.message).toContain('role guarded, and an import cannot wait');
    } finally {
      await close();
    }
  });

  it('find what the step before has made, which was planned before that was written', async (ctx) => {
    const { store, admin, close } = await bench(ctx);
    try {
      const [first, again] = [many(1, 256), [record(7), ...many(257, 300)]];
      expect(await admin.importRecords(owner, { records: [...first, ...again] })).toEqual({
        ...{ done: 301, changed: 300, refusal: null },
      });
      const namesake = record(900, { name: account(400).name });
      const records = [...many(301, 556), ...many(557, 558), namesake, ...many(559, 560)];
      const answer = await admin.importRecords(owner, { records });
      expect(answer).toMatchObject({ done: 258, changed: 258, refusal: { code: 'name-taken' } });
      expect(answer.refusal?.message).toContain(account(400).name);
      expect((await store.account(idOf(558))).account?.name).toBe(account(558).name);
      for (const n of [559, 900]) expect((await store.account(idOf(n))).account).toBeNull();
    } finally {
      await close();
    }
  });

  it('are refused one by one where they are no records, twice the same, or too many', async (ctx) => {
    const { admin, close } = await bench(ctx);
    try {
      const twice = await admin.importRecords(owner, { records: [record(1), record(1)] });
      expect(twice).toEqual({ done: 2, changed: 1, refusal: null });
      for (const odd of [{ kind: 'account', text: '{' }, null, { kind: 'x', text: '' }])
        expect(
          await admin.importRecords(owner, { records: [record(2), odd] as TransferredRecord[] }),
        ).toMatchObject({ done: 1, refusal: { code: 'invalid' } });
      for (const records of [many(1, IMPORT_BATCH + 1), 'x', undefined])
        await expect(
          admin.importRecords(owner, { records: records as TransferredRecord[] }),
        ).rejects.toMatchObject({ code: 'invalid' });
    } finally {
      await close();
    }
  });

  it('name what has ended since, and bring it back to life only when that is said', async (ctx) => {
    const { store, admin, clock, close } = await bench(ctx);
    const replica = new Replica({
      ...{ source: store, clock: systemClock, instance: 'edge', leaseMs: 2_000, maxAccounts: 100 },
    });
    try {
      await admin.importRecords(owner, { records: many(1, 4) });
      await replica.start();
      await admin.deleteAccount(owner, { id: idOf(2), waitMs: 0 });
      await until(() => (replica.known(idOf(2)) as AccountTombstone | null)?.deleted === true);
      const knowing = createAdministration({
        ...{ store, clock, instance: null },
        known: (id) => replica.known(id),
      });
      for (const one of [admin, knowing]) {
        expect(await one.findRevived(owner, { records: many(1, 6) })).toEqual({
          revived: [
            { index: 1, kind: 'account', id: idOf(2), name: account(2).name, what: ['deleted'] },
          ],
        });
        const answer = await one.importRecords(owner, { records: many(1, 3) });
        expect(answer).toMatchObject({ done: 1, changed: 0, refusal: { code: 'invalid' } });
        expect(answer.refusal?.message).toContain(account(2).name);
      }
      expect((await store.account(idOf(2))).account).toBeNull();
      const revive = { records: many(1, 6), reviveRevoked: true };
      expect(await knowing.importRecords(owner, revive)).toEqual({
        ...{ done: 6, changed: 3, refusal: null },
      });
      expect(await knowing.importRecords(owner, revive)).toMatchObject({ done: 6, changed: 0 });
      await until(async () => {
        const found = await replica.lookup(idOf(2));
        return found.found === 'account' && found.account.account.token !== null;
      });
      const events = async (n: number) =>
        (await store.changes({ account: idOf(n), before: null, limit: 10 })).items.map((event) => {
          const { type, actor, target } = JSON.parse(event);
          return [type, actor.name, target.id];
        });
      expect((await events(2))[0]).toEqual(['account-revived', owner.name, idOf(2)]);
      expect((await events(5))[0]).toEqual(['registry-imported', owner.name, idOf(5)]);
      // Deleted once more, it stays so.
      await admin.deleteAccount(owner, { id: idOf(2), waitMs: 0 });
      await until(async () => (await replica.lookup(idOf(2))).found === 'absent');
      expect((await knowing.importRecords(owner, { records: [record(2)] })).refusal?.code).toBe(
        'invalid',
      );
    } finally {
      await replica.close();
      await close();
    }
  });

  it('name what another registry before this one was seen to take away', async (ctx) => {
    const { store, clock, close } = await bench(ctx);
    const seen = new Revoked();
    try {
      seen.begin('earlier');
      const sees = (seq: number, n: number, changes: Partial<Account> | null) =>
        seen.note({
          seq,
          changes: [
            {
              ...{ kind: 'account', key: idOf(n) },
              record: changes && { ...account(n), role: 'none', updatedAt: LATER, ...changes },
            },
          ],
        });
      sees(901, 1, { token: { digest: digestOf(99), createdAt: LATER }, retired: [digestOf(1)] });
      sees(902, 2, { status: 'inactive' });
      sees(903, 3, { expiresAt: LATER });
      sees(904, 4, null);
      sees(905, 5, { description: 'new' });
      seen.begin((await store.snapshot()).epoch);
      const told = seen.lost();
      await store.assert(told);
      const admin = createAdministration({ store, clock, instance: null });
      const { revived } = await admin.findRevived(owner, { records: many(1, 6) });
      expect(revived.map(({ index, what }) => [index, what])).toEqual([
        [0, ['token-revoked']],
        [1, ['deactivated']],
        [2, ['rights-changed']],
        [3, ['deleted']],
      ]);
      const before = await store.snapshot();
      const refused = await admin.importRecords(owner, { records: many(1, 4) });
      expect(refused).toMatchObject({ done: 0, changed: 0 });
      expect((await store.snapshot()).seq).toBe(before.seq);
      await admin.importRecords(owner, { records: many(1, 6), reviveRevoked: true });
      // Whoever tells of it only now.
      await store.assert(told);
      for (const n of [1, 2, 3, 4, 5]) {
        const read = (await store.account(idOf(n))).account;
        expect(read).toMatchObject({ status: 'active', token: { digest: digestOf(n) } });
        expect(seen.against(read!)).toMatchObject(read!);
      }
      // What is changed afterwards is changed by people who see it as it is.
      await admin.deactivateAccount(owner, { id: idOf(1), waitMs: 0 });
      await admin.activateAccount(owner, { id: idOf(1) });
    } finally {
      await close();
    }
  });

  it('name the roles and teams that would give back what was seen to be taken away', async (ctx) => {
    const { store, clock, close } = await bench(ctx);
    const seen = new Revoked();
    const policy = (one: Role | Team): TransferredRecord => ({
      kind: 'permissions' in one ? 'role' : 'team',
      text: withVersion(encodeRecord(one), 7),
    });
    try {
      seen.begin('earlier');
      const sees = (change: RecordChange) => seen.note({ seq: 901, changes: [change] });
      sees({ kind: 'role', key: 'lower', record: role('lower', ['a:read']) });
      sees({ kind: 'role', key: 'gone', record: null });
      sees({ kind: 'role', key: 'raised', record: role('raised', ['a:*']) });
      sees({ kind: 'team', key: 'crew', record: team('crew', ['shop']) });
      sees({ kind: 'team', key: 'same', record: team('same', ['wiki']) });
      seen.begin((await store.snapshot()).epoch);
      const told = seen.lost();
      await store.assert(told);
      const admin = createAdministration({ store, clock, instance: null });
      const records = [
        ...[role('lower', ['a:*']), role('gone', ['a:read']), role('raised', ['a:read'])],
        ...[team('crew', ['crm']), team('same', ['wiki']), team('new', ['new'])],
      ].map(policy);
      const { revived } = await admin.findRevived(owner, { records });
      expect(revived).toEqual([
        { index: 0, kind: 'role', id: 'lower', name: 'lower', what: ['permissions-lowered'] },
        { index: 1, kind: 'role', id: 'gone', name: 'gone', what: ['permissions-lowered'] },
        { index: 3, kind: 'team', id: 'crew', name: 'crew', what: ['applications-changed'] },
      ]);
      const refused = await admin.importRecords(owner, { records });
      expect(refused).toMatchObject({ done: 0, changed: 0, refusal: { code: 'invalid' } });
      expect(refused.refusal?.message).toContain('the role lower would come back to life');
      const revive = { records, reviveRevoked: true };
      expect(await admin.importRecords(owner, revive)).toMatchObject({ done: 6, changed: 6 });
      // Whoever tells of it only now.
      await store.assert(told);
      const snapshot = await store.snapshot();
      expect(seen.againstAll(snapshot)).toEqual(snapshot);
      for (const one of [...snapshot.roles, ...snapshot.teams])
        expect(one).not.toHaveProperty('inDoubt');
      expect(await admin.importRecords(owner, revive)).toMatchObject({ done: 6, changed: 0 });
      const { items } = await store.changes({ account: null, before: null, limit: 10 });
      const types = items.map((event) => (JSON.parse(event) as { type: string }).type);
      expect(types.filter((type) => type.endsWith('-revived')).sort()).toEqual([
        ...['role-revived', 'role-revived', 'team-revived'],
      ]);
    } finally {
      await close();
    }
  });
});
