import { expect, it } from 'vitest';
import { damageEmbedded } from '../../support/embedded-damage.ts';

it('never reads random damage, closed or in use, as an account that is not there', async () => {
  const report = await damageEmbedded({ damages: 18, accounts: 256, seed: 7 });
  expect(report.wrong).toEqual([]);
  expect(Object.keys(report.kinds)).toHaveLength(18);
  expect(report.right).toBeGreaterThan(0);
  expect(report.refused).toBeGreaterThan(0);
});
