import { describe, expect, it } from 'vitest';
import { ChangesCheck, type NumberedChange } from '../../../../src/audit/verify/changes.ts';
import type { Finding } from '../../../../src/audit/verify/finding.ts';

/** Oldest first, as they are written; 0: without a number. */
type Told = number | readonly [number: number, part: number, of: number];

function judged(newest: number, told: readonly Told[]) {
  const findings: Finding[] = [];
  const check = new ChangesCheck(newest, (finding) => findings.push(finding));
  for (const one of told.toReversed()) {
    const [number, part, of] = typeof one === 'number' ? [one, 1, 1] : one;
    const place: NumberedChange | null = number === 0 ? null : { number, part, of };
    check.add(JSON.stringify({ time: `2030-01-01T00:00:0${number % 10}.000Z` }), place);
  }
  const summary = check.end();
  return {
    ...summary,
    found: findings.map(({ kind, firstSeq, lastSeq }) => [kind, firstSeq, lastSeq]),
  };
}

const PAIR = [
  [4, 1, 2],
  [4, 2, 2],
] as const;

describe('the numbers of administrative changes', () => {
  it.each<[string, number, readonly Told[]]>([
    ['all of them', 5, [1, 2, 3, 4, 5]],
    ['some changes with several events', 5, [2, 3, ...PAIR, 5]],
    ['what retention has left', 9, [7, 8, 9]],
    ['what retention has left of a change', 5, [[4, 2, 2], 5]],
    ['an older version that goes on beside', 7, [0, 0, 3, 0, 0, 6, 7]],
    ['none', 0, []],
    ['none any more', 9, []],
  ])('say nothing of %s', (_name, newest, told) => {
    expect(judged(newest, told).found).toEqual([]);
  });

  it.each<[string, number, readonly Told[], readonly unknown[]]>([
    ['one that is gone', 5, [1, 2, 4, 5], [['missing', 3, 3]]],
    [
      'some that are gone',
      9,
      [1, 2, 6, 7, 9],
      [
        ['missing', 8, 8],
        ['missing', 3, 5],
      ],
    ],
    ['the newest ones', 9, [1, 2, 3], [['truncated', 4, 9]]],
    ['a part of a change', 5, [3, [4, 1, 2], 5], [['missing', 4, 4]]],
    ['the first part of a change', 5, [3, [4, 2, 2], 5], [['missing', 4, 4]]],
    ['the last part of the newest', 4, [3, [4, 1, 2]], [['truncated', 4, 4]]],
    ['a second copy', 5, [3, 4, 4, 5], [['duplicated', 4, 4]]],
    ['one that was moved', 6, [2, 4, 3, 5, 6], [['reordered', 4, 4]]],
    ['fewer of an older version than are gone', 7, [2, 0, 6, 7], [['missing', 3, 5]]],
  ])('tell of %s', (_name, newest, told, found) => {
    expect(judged(newest, told).found).toEqual(found);
  });

  it('say where the history begins, and how many of its events have none', () => {
    expect(judged(9, [0, 0, 8, 9])).toMatchObject({
      events: 4,
      first: 8,
      newest: 9,
      unnumbered: 2,
    });
    expect(judged(9, [])).toMatchObject({ events: 0, first: null, newest: 9 });
  });
});
