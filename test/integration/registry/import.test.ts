import { describe, expect, it } from 'vitest';
import { IMPORT_BATCH, type TransferredRecord } from '../../../src/admin/transfer.ts';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import { account, idOf } from '../../contract/registry-records.ts';
import { openBench, owner, STORES } from '../../unit/admin/stores.ts';

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

  it('are one change with one event for each, and none when they are there', async (ctx) => {
    const { store, admin, close } = await bench(ctx);
    try {
      const before = await store.snapshot();
      const records = many(1, IMPORT_BATCH);
      expect(await admin.importRecords(owner, { records })).toEqual({
        done: IMPORT_BATCH,
        changed: IMPORT_BATCH,
        refusal: null,
      });
      expect((await store.snapshot()).seq).toBe(before.seq + 1);
      const { items } = await store.accounts({ cursor: null, limit: 500 });
      expect(items.map(({ id }) => id)).toEqual(many(1, IMPORT_BATCH).map((_, n) => idOf(n + 1)));
      for (const id of [idOf(1), idOf(IMPORT_BATCH)]) {
        const { items: events } = await store.changes({ account: id, before: null, limit: 10 });
        expect(events.map((event) => JSON.parse(event).target.id)).toEqual([id]);
      }
      expect(await admin.importRecords(owner, { records })).toMatchObject({
        done: IMPORT_BATCH,
        changed: 0,
      });
      expect((await store.snapshot()).seq).toBe(before.seq + 1);
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
});
