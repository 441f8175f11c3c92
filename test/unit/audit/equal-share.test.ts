import { describe, expect, it } from 'vitest';
import { equalShare } from '../../../src/audit/log/redis/equal-share.ts';
import { activityBytes } from '../../../src/audit/log/retention.ts';

const share = (sizes: readonly number[], most: number, full?: number) =>
  equalShare(Float64Array.from(sizes), most, full);

describe('equal shares', () => {
  it('are none where there is room for all', () => {
    expect(share([], 10)).toBe(Number.POSITIVE_INFINITY);
    expect(share([3, 4, 3], 10)).toBe(Number.POSITIVE_INFINITY);
  });

  it('leave all to whoever has less, and what is left to the others in equal parts', () => {
    expect(share([100, 1, 50, 2], 43)).toBe(20);
    expect(share([9, 9, 9], 9)).toBe(3);
    expect(share([5], 0)).toBe(0);
  });

  it('keep as much for whoever would take more as the others get', () => {
    // Two of 20 are at their share; a small one leaves room for them.
    expect(share([20, 20, 4], 64, 16)).toBe(30);
    expect(share([20, 20, 4], 64)).toBe(Number.POSITIVE_INFINITY);
  });

  it('never come to more than there is, and waste nothing', () => {
    for (let seed = 1; seed < 200; seed += 1) {
      const sizes = Array.from({ length: seed % 17 }, (_, n) => (seed * (n + 7) * 7919) % 1_000);
      const most = (seed * 104_729) % 6_000;
      const each = share(sizes, most);
      const taken = sizes.reduce((sum, size) => sum + Math.min(size, each), 0);
      expect(taken).toBeLessThanOrEqual(most + 1e-6);
      if (each !== Number.POSITIVE_INFINITY) expect(taken).toBeCloseTo(most, 6);
    }
  });
});

it('all activity logs together get an eighth of the memory of the servers, or what is said', () => {
  const [MIB, GIB] = [2 ** 20, 2 ** 30];
  expect(activityBytes(null, [{ maxBytes: GIB }])).toBe(128 * MIB);
  expect(activityBytes(null, [{ maxBytes: GIB }, { maxBytes: GIB }])).toBe(256 * MIB);
  expect(activityBytes(null, [{ maxBytes: 0 }])).toBe(256 * MIB);
  expect(activityBytes(5 * MIB, [{ maxBytes: GIB }])).toBe(5 * MIB);
});
