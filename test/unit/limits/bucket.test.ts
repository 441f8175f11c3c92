import { array, assert, integer, property, record, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalBucket } from '../../../src/limits/bucket.ts';

function bucket(requests: number, windowSeconds: number): LocalBucket {
  const windowMs = windowSeconds * 1000;
  return new LocalBucket({ requests, windowMs, intervalMs: windowMs / requests });
}

/** Lets in what is let in of `calls` calls at one moment. */
function burst(of: LocalBucket, calls: number, nowMs: number): number {
  let permitted = 0;
  for (let call = 0; call < calls; call += 1) {
    if (of.waitMs(nowMs) > 0) continue;
    of.take(nowMs);
    permitted += 1;
  }
  return permitted;
}

describe('a bucket of one instance', () => {
  it.each([1, 3, 7, 600, 99_991])(
    'lets in exactly %i calls at once, however the interval rounds',
    (requests) => {
      expect(burst(bucket(requests, 60), requests + 10, 12_345.678)).toBe(requests);
    },
  );

  it('lets one call in when it says that one will be', () => {
    const of = bucket(7, 60);
    burst(of, 7, 1000);
    const waitMs = of.waitMs(1000);
    expect(waitMs).toBeCloseTo(60_000 / 7, 3);
    expect(of.waitMs(1000 + waitMs - 1)).toBeGreaterThan(0);
    expect(burst(of, 5, 1000 + waitMs)).toBe(1);
  });

  it('fills up again evenly, and never beyond its size', () => {
    const of = bucket(10, 10);
    burst(of, 10, 0);
    expect(of.remaining(4_500)).toBe(4);
    expect(of.fullInMs(4_500)).toBe(5_500);
    expect(burst(of, 50, 1_000_000)).toBe(10);
  });

  it('says how many calls are left, and is idle only when full', () => {
    const of = bucket(3, 60);
    expect([of.remaining(0), of.idle(0)]).toEqual([3, true]);
    of.take(0);
    expect([of.remaining(0), of.idle(0)]).toEqual([2, false]);
    expect(of.idle(20_000)).toBe(true);
  });

  it('keeps its promise in every stretch of time, whatever the calls', () => {
    const terms = record({
      requests: integer({ min: 1, max: 50 }),
      windowSeconds: integer({ min: 1, max: 20 }),
    });
    const bursts = array(tuple(integer({ min: 0, max: 9_000 }), integer({ min: 1, max: 60 })), {
      minLength: 1,
      maxLength: 30,
    });
    void assert(
      property(terms, bursts, ({ requests, windowSeconds }, moments) => {
        const of = bucket(requests, windowSeconds);
        let nowMs = 5;
        const permitted = moments.map(([pauseMs, calls]) => {
          nowMs += pauseMs;
          return { nowMs, count: burst(of, calls, nowMs) };
        });
        for (const [from, begin] of permitted.entries()) {
          let sum = 0;
          for (const { nowMs: endMs, count } of permitted.slice(from)) {
            sum += count;
            const stretchSeconds = (endMs - begin.nowMs) / 1000;
            expect(sum).toBeLessThanOrEqual(requests * (1 + stretchSeconds / windowSeconds) + 1e-3);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
