import { expect, it } from 'vitest';
import type { TokenUse } from '../../../src/account/model.ts';
import { LastUses, USE_LIMITS } from '../../../src/calls/last-uses.ts';

function recorder() {
  const written: (readonly TokenUse[])[] = [];
  const faults: unknown[] = [];
  let fault: Error | null = null;
  const store = {
    recordUses: async (uses: readonly TokenUse[]) => {
      if (fault !== null) throw fault;
      written.push(uses);
    },
  };
  const uses = new LastUses(store, (error) => void faults.push(error));
  const failWith = (error: Error | null) => {
    fault = error;
  };
  return { uses, written, faults, failWith };
}

it('writes one entry per token, the latest, however many calls there were, and nothing without calls', async () => {
  const { uses, written } = recorder();
  for (let n = 0; n < 1_000; n += 1)
    uses.note('A', n % 2 === 0 ? 'old' : 'new', n, `10.0.0.${n % 7}`);
  await uses.flush();
  await uses.flush();
  expect(written).toEqual([
    [
      { account: 'A', token: 'old', timeMs: 998, address: '10.0.0.4' },
      { account: 'A', token: 'new', timeMs: 999, address: '10.0.0.5' },
    ],
  ]);
  await uses.close();
});

it('holds a bounded number of tokens, and writes them in bounded portions', async () => {
  const { uses, written } = recorder();
  for (let n = 0; n < USE_LIMITS.waiting + 100; n += 1) uses.note('A', `token-${n}`, n, '::1');
  uses.note('A', 'token-0', 77, '::1');
  await uses.close();
  expect(written.flat()).toHaveLength(USE_LIMITS.waiting);
  expect(Math.max(...written.map(({ length }) => length))).toBe(USE_LIMITS.batch);
  expect(written[0]?.[0]).toMatchObject({ token: 'token-0', timeMs: 77 });
});

it('reports a store that does not take them, and goes on', async () => {
  const { uses, written, faults, failWith } = recorder();
  failWith(new Error('away'));
  uses.note('A', 'one', 1, '::1');
  await uses.flush();
  expect(faults).toHaveLength(1);
  uses.note('A', 'one', 1, '::1');
  await uses.flush();
  expect(faults).toHaveLength(1);
  failWith(null);
  uses.note('A', 'two', 2, '::1');
  await uses.flush();
  failWith(new Error('away again'));
  uses.note('A', 'three', 3, '::1');
  await uses.close();
  expect(faults).toHaveLength(2);
  expect(written.flat().map(({ token }) => token)).toEqual(['two']);
});
