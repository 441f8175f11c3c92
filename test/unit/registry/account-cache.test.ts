import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AccountCache } from '../../../src/registry/replica/account-cache.ts';
import type { Lookup } from '../../../src/registry/replica/port.ts';

/** Few ids, so that they meet; two in one place (`Aa` and `BB` mix to the same number). */
const IDS = ['AAAAAAAAAAAa', 'AAAAAAAAAABB', 'bbbbbbbbbbAa', 'bbbbbbbbbbBB', 'cccccccccccc', 'd'];
const id = fc.constantFrom(...IDS);
const step = fc.oneof(
  fc.record({ what: fc.constant('put' as const), id }),
  fc.record({ what: fc.constant('delete' as const), id }),
  fc.record({ what: fc.constant('get' as const), id }),
);

describe('the accounts that are cached', () => {
  it('are answered as they were put last, and never once they are gone', () => {
    void fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(step, { maxLength: 60 }),
        (max, steps) => {
          const cache = new AccountCache(max);
          const last = new Map<string, Lookup>();
          for (const [seq, { what, id }] of steps.entries()) {
            const answer: Lookup = { found: 'absent' };
            if (what === 'put') cache.put(id, answer, seq);
            if (what === 'put') last.set(id, answer);
            if (what === 'delete') cache.delete(id);
            if (what === 'get') cache.get(id);
            expect(cache.size).toBeLessThanOrEqual(max);
            for (const one of IDS)
              expect(cache.get(one)).toBe(cache.ids().includes(one) ? last.get(one) : undefined);
          }
        },
      ),
    );
  });

  it('that are not asked for go first', () => {
    const cache = new AccountCache(3);
    for (const one of ['a', 'b', 'c']) cache.put(one, { found: 'absent' }, 1);
    cache.get('a');
    cache.put('d', { found: 'absent' }, 2);
    expect(cache.ids().toSorted()).toEqual(['a', 'c', 'd']);
    expect(cache.get('b')).toBe(undefined);
  });
});
