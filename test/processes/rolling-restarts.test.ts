import { expect, it } from 'vitest';
import { rollingRestarts } from '../support/rolling-restarts.ts';
import { requireOrSkip } from '../support/system.ts';

it('loses no call when gates are restarted in turn, whatever stands between callers and gates', async (ctx) => {
  requireOrSkip(ctx, 'redis-server', 'haproxy');
  const { calls, failed, codes } = await rollingRestarts({ calls: 0, restarts: 2, callers: 2 });
  expect(failed).toEqual([]);
  expect(codes).toEqual([0, 0]);
  expect(Object.values(calls).filter((count) => count < 50)).toEqual([]);
});
