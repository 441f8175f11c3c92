import { describe, expect, it } from 'vitest';
import { handsOf } from '../../../src/admin/approvals/same-hand.ts';

const NOW_MS = Date.parse('2026-05-04T10:00:00Z');
const DAY_MS = 24 * 60 * 60 * 1000;

type Told = readonly [type: string, by: string | null, daysAgo: number];

/** Newest first, as the store pages them. */
function handsAfter(history: readonly Told[]) {
  const lines = history.map(([type, id, daysAgo]) =>
    JSON.stringify({ type, actor: { id }, time: new Date(NOW_MS - daysAgo * DAY_MS) }),
  );
  const context = {
    clock: { wallMs: () => NOW_MS, monotonicMs: () => 0 },
    store: {
      changes: async (query: { account: string; before: string | null; limit: number }) => {
        const from = Number(query.before ?? 0);
        const all = query.account === 'victim' ? lines : [line('account-created', null)];
        const until = from + query.limit;
        return { items: all.slice(from, until), next: until < all.length ? String(until) : null };
      },
    },
  };
  return handsOf(context as never, 'victim');
}

const line = (type: string, id: string | null) =>
  JSON.stringify({ type, actor: { id }, time: new Date(NOW_MS) });
const flood = (count: number, daysAgo: number) =>
  Array.from({ length: count }, (): Told => ['account-changed', 'ada', daysAgo]);

describe('whose hand an account may be', () => {
  it.each<[string, readonly Told[]]>([
    ['a flood of changes', [...flood(1_005, 0), ['token-rotated', 'ada', 0]]],
    ['a flood that began long ago', [...flood(1_005, 9), ['token-rotated', 'ada', 10]]],
    ['a history that was cut off', flood(3, 0)],
    ['no history at all', []],
  ])('is not known behind %s', async (_, history) => {
    expect(await handsAfter(history)).toBe(null);
  });

  it.each<[string, readonly Told[], readonly string[]]>([
    ['is theirs who made it', [...flood(3, 0), ['account-created', 'ada', 90]], ['ada']],
    [
      'is theirs who took it over',
      [...flood(900, 0), ['token-rotated', 'ada', 1], ['account-created', null, 90]],
      ['ada'],
    ],
    [
      'is its own where the store’s owner imported it',
      [...flood(3, 0), ['registry-imported', null, 0]],
      [],
    ],
    [
      'is its own where it renewed its token, however much was changed before',
      [['token-renewed', 'victim', 8], ...flood(2_000, 9)],
      [],
    ],
  ])('%s', async (_, history, others) => {
    expect([...(await handsAfter(history))!]).toEqual(['victim', ...others]);
  });
});
