import { describe, expect, it } from 'vitest';
import type { WaitingEdit } from '../../src/registry/commit.ts';
import type { RegistryUnderTest } from './registry.ts';
import { account, commitOf, creation, idOf, role } from './registry-records.ts';

/** What every store does with changes that wait for approval. */
export function waitingContract(under: () => RegistryUnderTest): void {
  const store = () => under().store;
  const edit = (parts: Partial<WaitingEdit>): WaitingEdit => ({
    ...{ put: [], drop: [], atMost: 3 },
    ...parts,
  });
  const put = (...ids: readonly string[]) =>
    edit({ put: ids.map((id) => ({ id, text: `{"of":"${id}"}` })) });
  const ids = async () => (await store().waiting()).map(({ id }) => id).sort();

  describe('what waits for approval', () => {
    it('is there from the step that puts it, and after a restart, until one takes it away', async () => {
      await store().initialise([role('viewer')]);
      expect(await store().waiting()).toEqual([]);
      const first = await store().commit(commitOf([], { waiting: put('a', 'b') }));
      expect(first).toMatchObject({ committed: true });
      await under().reopen();
      expect([...(await store().waiting())].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { id: 'a', text: '{"of":"a"}' },
        { id: 'b', text: '{"of":"b"}' },
      ]);
      await store().commit({ ...creation(account(1)), waiting: edit({ drop: ['a'] }) });
      expect(await ids()).toEqual(['b']);
      expect((await store().account(idOf(1))).account).not.toBeNull();
    });

    it('is taken away once: whoever comes second changes nothing', async () => {
      await store().initialise([role('viewer')]);
      await store().commit(commitOf([], { waiting: put('a') }));
      const take = (n: number) => ({ ...creation(account(n)), waiting: edit({ drop: ['a'] }) });
      expect(await store().commit(take(1))).toMatchObject({ committed: true });
      expect(await store().commit(take(2))).toEqual({
        ...{ committed: false, conflict: 'version', key: 'waiting:a' },
      });
      expect((await store().account(idOf(2))).account).toBeNull();
    });

    it('is counted by whose it is, in the step that puts one more', async () => {
      await store().initialise([role('viewer')]);
      const of = (who: string, id: string, drop: readonly string[] = []) =>
        commitOf([], {
          waiting: {
            ...{ put: [{ id, text: `{"by":"${who}"}` }], drop, atMost: 9 },
            each: { holds: `"by":"${who}"`, atMost: 2 },
          },
        });
      const asked = ['a', 'b', 'c', 'd', 'e'].map((id) => store().commit(of('ada', id)));
      const made = (await Promise.all(asked)).filter(({ committed }) => committed);
      expect(made).toHaveLength(2);
      expect(await store().commit(of('grace', 'f'))).toMatchObject({ committed: true });
      expect(await store().commit(of('ada', 'g'))).toMatchObject({
        ...{ committed: false, conflict: 'version', key: 'waiting' },
      });
      const [first] = (await ids()).filter((id) => id !== 'f');
      expect(await store().commit(of('ada', 'h', [first!]))).toMatchObject({ committed: true });
      expect(await ids()).toHaveLength(3);
    });

    it('is no more than there may be, and stays where the change is not made', async () => {
      await store().initialise([role('viewer')]);
      await store().commit(commitOf([], { waiting: put('a', 'b', 'c') }));
      const { seq } = await store().snapshot();
      expect(await store().commit(commitOf([], { waiting: put('d') }))).toMatchObject({
        ...{ committed: false, conflict: 'version', key: 'waiting' },
      });
      await store().commit(creation(account(1)));
      const again = { ...creation(account(1)), waiting: edit({ drop: ['a'] }) };
      expect(await store().commit(again)).toMatchObject({ committed: false });
      expect(await ids()).toEqual(['a', 'b', 'c']);
      expect((await store().snapshot()).seq).toBe(seq + 1);
    });
  });
}
