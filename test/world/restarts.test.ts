import { expect, it } from 'vitest';
import { requireWorld } from '../support/world/require.ts';
import { restartAll } from '../support/world/restarts.ts';

it('loses no call that could be repeated while services and gates are restarted in turn', {
  timeout: 120_000,
}, async (ctx) => {
  requireWorld(ctx);
  const { made, codes, restarts } = await restartAll({
    rounds: 1,
    callers: 3,
    callsPerSecond: 150,
  });
  expect(restarts).toEqual({ gates: 2, services: 2 });
  expect(codes).toEqual([0, 0]);
  expect(made.failed).toEqual([]);
  expect(made.calls).toBeGreaterThan(50);
});
