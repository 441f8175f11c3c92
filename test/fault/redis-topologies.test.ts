import { beforeEach, describe, expect, it } from 'vitest';
import {
  clusterFailover,
  clusterReshard,
  type FaultScene,
  sentinelFailover,
  sentinelTailLost,
} from '../support/fault-scenes.ts';
import { requireOrSkip } from '../support/system.ts';

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

const SCENES: readonly (readonly [string, FaultScene])[] = [
  ['sentinels swap primary and replica', sentinelFailover],
  ['a primary dies with changes that only it had', sentinelTailLost],
  ['a replica of a cluster takes over the registry', clusterFailover],
  ['the slot of the registry moves to another node', clusterReshard],
];

describe('a gate under load', () => {
  it.concurrent.each(SCENES)(
    'gives no wrong answer and comes back by itself when %s',
    async (name, scene) => {
      const report = await scene();
      expect(report.wrong).toEqual([]);
      // What nobody asked for cannot have been answered wrongly.
      expect(
        Math.min(report.revoked, report.known.calls, report.recorded.calls, report.unmet.calls),
      ).toBeGreaterThan(0);
      console.log(
        `${name}: of ${report.recorded.calls} calls ${report.recorded.failed} failed, the last after ${report.recorded.recoveryMs} ms`,
      );
    },
    90_000,
  );
});
