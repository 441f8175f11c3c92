import { expect, it } from 'vitest';
import { spanCrossed } from '../../../src/gateway/certificate-warnings.ts';

const DAY_MS = 86_400_000;

it('tells of each span once, the shortest first, and of nothing that has expired', () => {
  const at = (days: number) =>
    spanCrossed(100 * DAY_MS, (days - 1) * DAY_MS, days * DAY_MS, [1, 3, 14]);
  const told = Array.from({ length: 105 }, (_, day) => [day, at(day)] as const);
  expect(told.filter(([, span]) => span !== null)).toEqual([
    [86, 14],
    [97, 3],
    [99, 1],
  ]);
  expect(spanCrossed(100 * DAY_MS, 0, 99.5 * DAY_MS, [1, 3, 14])).toBe(1);
  expect(spanCrossed(100 * DAY_MS, 0, 101 * DAY_MS, [1, 3, 14])).toBe(null);
});
