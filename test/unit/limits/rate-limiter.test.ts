import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/clock.ts';
import { localBuckets } from '../../../src/limits/buckets.ts';
import {
  type AccountRate,
  type RatedRoute,
  RateLimiter,
} from '../../../src/limits/rate-limiter.ts';

let nowMs = 0;
const clock: Clock = { wallMs: () => 0, monotonicMs: () => nowMs };
afterEach(() => {
  nowMs = 0;
});

function limiter(accountRate: AccountRate | null, maxBuckets = 100): RateLimiter {
  return new RateLimiter({ clock, makeBucket: localBuckets, accountRate, maxBuckets });
}

function route(
  name: string,
  requests: number,
  per: 'account' | 'route',
  windowSeconds = 60,
): RatedRoute {
  return { name, rateLimit: { requests, windowSeconds, per } };
}

const UNLIMITED: RatedRoute = { name: 'free', rateLimit: null };

/** How many of `calls` calls are let in. */
function permitted(of: RateLimiter, on: RatedRoute, account: string | null, calls: number): number {
  let count = 0;
  for (let call = 0; call < calls; call += 1)
    if (of.ask(on, account)?.retryAfterSeconds === 0) count += 1;
  return count;
}

describe('rate limits', () => {
  it('say nothing where nothing is limited', () => {
    expect(limiter(null).ask(UNLIMITED, 'a')).toBeNull();
    expect(limiter({ requests: 1, windowSeconds: 1 }).ask(UNLIMITED, null)).toBeNull();
  });

  it('give each account its own calls, and a route as a whole its own', () => {
    const of = limiter(null);
    const each = route('each', 3, 'account');
    expect([permitted(of, each, 'a', 9), permitted(of, each, 'b', 9)]).toEqual([3, 3]);
    const whole = route('whole', 3, 'route');
    expect([
      permitted(of, whole, 'a', 2),
      permitted(of, whole, 'b', 9),
      permitted(of, whole, null, 9),
    ]).toEqual([2, 1, 0]);
  });

  it('count what an account calls in all, over all routes', () => {
    const of = limiter({ requests: 5, windowSeconds: 60 });
    expect([
      permitted(of, UNLIMITED, 'a', 3),
      permitted(of, route('r', 9, 'route'), 'a', 9),
    ]).toEqual([3, 2]);
    expect(permitted(of, UNLIMITED, 'b', 9)).toBe(5);
  });

  it('take from no limit what another refuses', () => {
    const of = limiter({ requests: 5, windowSeconds: 60 });
    const narrow = route('r', 1, 'account');
    expect(permitted(of, narrow, 'a', 20)).toBe(1);
    expect(permitted(of, UNLIMITED, 'a', 20)).toBe(4);
  });

  it('say how a caller stands, in the form of the draft', () => {
    const of = limiter({ requests: 10, windowSeconds: 60 });
    expect(of.ask(UNLIMITED, 'a')).toEqual({
      retryAfterSeconds: 0,
      policy: '"account";q=10;w=60',
      limit: '"account";r=9;t=6',
    });
    expect(of.ask(route('r', 3, 'route', 1), 'a')).toEqual({
      retryAfterSeconds: 0,
      policy: '"account";q=10;w=60, "route";q=3;w=1',
      limit: '"account";r=8;t=12, "route";r=2;t=1',
    });
  });

  it('say when to come back, and let in whoever comes then', () => {
    const of = limiter(null);
    const on = route('r', 2, 'account', 5);
    permitted(of, on, 'a', 2);
    expect(of.ask(on, 'a')).toEqual({
      retryAfterSeconds: 3,
      policy: '"route";q=2;w=5',
      limit: '"route";r=0;t=3',
    });
    nowMs += 3_000;
    expect(of.ask(on, 'a')?.retryAfterSeconds).toBe(0);
  });

  it('of two limits name the later time, and only the one that refused as used up', () => {
    const of = limiter({ requests: 2, windowSeconds: 60 });
    const on = route('r', 9, 'route');
    permitted(of, on, 'a', 2);
    expect(of.ask(on, 'a')).toEqual({
      retryAfterSeconds: 30,
      policy: '"account";q=2;w=60, "route";q=9;w=60',
      limit: '"account";r=0;t=30, "route";r=7;t=14',
    });
  });

  it('keep their buckets over a reload that does not change them, and begin anew where it does', () => {
    const of = limiter({ requests: 3, windowSeconds: 60 });
    const on = route('r', 9, 'account');
    permitted(of, on, 'a', 9);
    of.configure({ requests: 3, windowSeconds: 60 }, [route('r', 9, 'account')]);
    expect(permitted(of, route('r', 9, 'account'), 'a', 9)).toBe(0);
    of.configure({ requests: 4, windowSeconds: 60 }, []);
    expect(permitted(of, UNLIMITED, 'a', 9)).toBe(4);
    of.configure(null, []);
    expect(of.ask(UNLIMITED, 'a')).toBeNull();
  });

  it('let accounts that find no room share one bucket, and give them room when others are idle', () => {
    const of = limiter({ requests: 2, windowSeconds: 60 }, 3);
    for (const account of ['a', 'b', 'c']) expect(permitted(of, UNLIMITED, account, 9)).toBe(2);
    expect(permitted(of, UNLIMITED, 'd', 9) + permitted(of, UNLIMITED, 'e', 9)).toBe(2);
    nowMs += 60_000;
    expect([permitted(of, UNLIMITED, 'd', 9), permitted(of, UNLIMITED, 'e', 9)]).toEqual([2, 2]);
  });

  it('give the room of a limit that went to those that stay', () => {
    const of = limiter(null, 2);
    const before = route('before', 1, 'account');
    permitted(of, before, 'a', 1);
    permitted(of, before, 'b', 1);
    const after = route('after', 1, 'account');
    of.configure(null, [after]);
    expect([permitted(of, after, 'a', 9), permitted(of, after, 'b', 9)]).toEqual([1, 1]);
  });
});
