import { expect, it } from 'vitest';
import { UpstreamShares } from '../../../src/upstream/shares.ts';

it('gives public routes one share together, and every account one of its own', () => {
  const shares = new UpstreamShares({ publicShare: 0.25, accountShare: 0.45 }, () => 8);
  const taken = (account: string | null, tries: number) =>
    Array.from({ length: tries }, () => shares.take(account));
  expect(taken(null, 3)).toEqual([true, true, false]);
  expect(taken('a', 4)).toEqual([true, true, true, false]);
  expect(taken('b', 4)).toEqual([true, true, true, false]);
});

it('has a place again for each that is given back, and no more', () => {
  const shares = new UpstreamShares({ publicShare: 1, accountShare: 0.5 }, () => 4);
  for (let round = 0; round < 3; round += 1) {
    expect([shares.take('a'), shares.take('a'), shares.take('a')]).toEqual([true, true, false]);
    shares.give('a');
    expect([shares.take('a'), shares.take('a')]).toEqual([true, false]);
    shares.give('a');
    shares.give('a');
  }
});

it('knows what has become too much as fewer connections can be used', () => {
  let connections = 16;
  const shares = new UpstreamShares({ publicShare: 0.25, accountShare: 0.5 }, () => connections);
  for (let n = 0; n < 8; n += 1) expect(shares.take('a')).toBe(true);
  expect([shares.take('b'), shares.isWithin('a')]).toEqual([true, true]);
  connections = 8;
  expect([shares.isWithin('a'), shares.take('a'), shares.isWithin('b')]).toEqual([
    false,
    false,
    true,
  ]);
  for (let n = 0; n < 4; n += 1) shares.give('a');
  expect([shares.isWithin('a'), shares.take('a')]).toEqual([true, false]);
});

it('follows the number of connections, and leaves one exchange to each however few there are', () => {
  let connections = 1;
  const shares = new UpstreamShares({ publicShare: 0.01, accountShare: 0.5 }, () => connections);
  expect([shares.take(null), shares.take(null)]).toEqual([true, false]);
  expect([shares.take('a'), shares.take('a')]).toEqual([true, false]);
  connections = 4;
  expect([shares.take('a'), shares.take('a')]).toEqual([true, false]);
});
