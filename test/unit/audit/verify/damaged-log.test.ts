import { expect, it } from 'vitest';
import { DAMAGES } from './damage.ts';
import { foundInSound, overlooked } from './judge.ts';

/** As many logs as this are damaged; `npm run prove -- audit-damage` damages many more. */
const RUNS = 96;

it('finds nothing in a log that nobody has damaged, but for what it says it has lost', () => {
  for (let seed = 1; seed <= RUNS / 4; seed += 1) expect(foundInSound(seed)).toEqual([]);
});

it.each(DAMAGES)('finds and names: $name', (damage) => {
  for (let seed = 1; seed <= Math.ceil(RUNS / DAMAGES.length); seed += 1)
    expect(overlooked(seed, damage)).toBe(null);
});
