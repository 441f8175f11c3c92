import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LeasedBucket, type LeaseTerms, leaseTerms } from '../../../src/limits/leased-bucket.ts';
import type { QuotaAsk, QuotaGrant } from '../../../src/limits/quota-port.ts';

function terms(requests: number, windowMs: number, sharePercent: number): LeaseTerms {
  return leaseTerms({ requests, windowMs, intervalMs: windowMs / requests }, sharePercent);
}

/** A bucket that notes when it wants the store to be asked. */
function open(of: LeaseTerms) {
  const wanted: LeasedBucket[] = [];
  const bucket = new LeasedBucket('b', of, (one) => void wanted.push(one));
  return { bucket, wanted };
}

function burst(bucket: LeasedBucket, calls: number, nowMs: number): number {
  let count = 0;
  for (let call = 0; call < calls; call += 1) {
    if (bucket.waitMs(nowMs) > 0) continue;
    bucket.take(nowMs);
    count += 1;
  }
  return count;
}

describe('one instance’s part of a shared bucket', () => {
  const TERMS = terms(160, 16_000, 25);

  it('lets in its credit before the store has answered, and asks once', () => {
    const { bucket, wanted } = open(TERMS);
    expect(burst(bucket, 100, 0)).toBe(40);
    expect(wanted).toHaveLength(1);
    expect(bucket.ask(0)).toEqual({
      name: 'b',
      requests: 160,
      windowMs: 16_000,
      debt: 40,
      want: 10,
    });
  });

  it('pays what it owes from what it is granted, and keeps the rest', () => {
    const { bucket } = open(TERMS);
    burst(bucket, 3, 0);
    const ask = bucket.ask(0);
    burst(bucket, 2, 0);
    bucket.answered(ask, { granted: 10, levelMs: 1_300 }, 5);
    expect(bucket.ask(5)).toMatchObject({ debt: 0, want: 2 });
    expect(bucket.remaining(5)).toBe(8 + 147);
  });

  it('never holds more than it may lease ahead', () => {
    const { bucket } = open(TERMS);
    burst(bucket, 1, 0);
    bucket.answered(bucket.ask(0), { granted: 10, levelMs: 1_100 }, 0);
    burst(bucket, 6, 0);
    expect(bucket.ask(0).want).toBe(6);
  });

  it('drops leases that nobody used for a whole window', () => {
    const { bucket } = open(TERMS);
    burst(bucket, 1, 0);
    bucket.answered(bucket.ask(0), { granted: 10, levelMs: 1_100 }, 0);
    expect(bucket.ask(15_999).want).toBe(0);
    expect(bucket.ask(16_000).want).toBe(10);
    expect(bucket.idle(16_000)).toBe(true);
  });

  it('takes no credit while the store’s bucket is known to be empty, and says until when', () => {
    const { bucket } = open(TERMS);
    burst(bucket, 1, 0);
    bucket.answered(bucket.ask(0), { granted: 0, levelMs: 16_500 }, 0);
    expect(bucket.waitMs(0)).toBeCloseTo(600, 6);
    expect(burst(bucket, 9, 599)).toBe(0);
    expect(burst(bucket, 9, 600)).toBe(1);
    expect(bucket.remaining(600)).toBe(0);
  });

  it('goes on with its credit per window while the store is away', () => {
    const { bucket } = open(TERMS);
    expect(burst(bucket, 99, 0)).toBe(40);
    bucket.unanswered(1_000);
    expect(burst(bucket, 99, 1_000)).toBe(0);
    expect(bucket.waitMs(1_000)).toBeCloseTo(400, 6);
    let count = 0;
    for (let nowMs = 1_000; nowMs <= 17_000; nowMs += 10) count += burst(bucket, 99, nowMs);
    expect(count).toBe(40);
  });

  it('is worth forgetting only when nothing is owed, leased or asked', () => {
    const { bucket } = open(TERMS);
    expect(bucket.idle(0)).toBe(true);
    burst(bucket, 1, 0);
    expect(bucket.idle(1_000_000)).toBe(false);
  });
});

/**
 * The store's arithmetic, as scripts/limits-lease.lua does it: the test on a real Redis holds the
 * two together.
 */
class StoreModel {
  #levelMs = 0;
  #atMs = 0;

  lease(ask: QuotaAsk, nowMs: number): QuotaGrant {
    const intervalMs = ask.windowMs / ask.requests;
    let levelMs = Math.max(0, this.#levelMs - (nowMs - this.#atMs)) + ask.debt * intervalMs;
    const granted = Math.max(
      0,
      Math.min(ask.want, Math.floor((ask.windowMs - levelMs + 1e-4) / intervalMs)),
    );
    levelMs += granted * intervalMs;
    this.#levelMs = levelMs;
    this.#atMs = nowMs;
    return { granted, levelMs };
  }
}

/**
 * An instance whose questions the test carries to the store, and whose answers it carries back,
 * when it likes, or loses.
 */
class Instance {
  readonly bucket: LeasedBucket;
  #wants = false;
  #open: { readonly ask: QuotaAsk; readonly grant: QuotaGrant | null } | null = null;
  awayMs = 0;
  awaySinceMs: number | null = null;

  constructor(of: LeaseTerms) {
    this.bucket = new LeasedBucket('b', of, () => {
      this.#wants = true;
    });
  }

  reach(store: StoreModel | null, nowMs: number): void {
    if (!this.#wants || this.#open !== null) return;
    const ask = this.bucket.ask(nowMs);
    this.#open = { ask, grant: store === null ? null : store.lease(ask, nowMs) };
  }

  hear(isLost: boolean, nowMs: number): void {
    if (this.#open === null) return;
    const { ask, grant } = this.#open;
    this.#open = null;
    if (grant === null || isLost) {
      this.awaySinceMs ??= nowMs;
      this.bucket.unanswered(nowMs);
      return;
    }
    if (this.awaySinceMs !== null) this.awayMs += nowMs - this.awaySinceMs;
    this.awaySinceMs = null;
    this.#wants = false;
    this.bucket.answered(ask, grant, nowMs);
  }

  /** How long it has known the store to be away, up to now. */
  awayUpTo(nowMs: number): number {
    return this.awayMs + (this.awaySinceMs === null ? 0 : nowMs - this.awaySinceMs);
  }
}

describe('the stated overshoot', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('call' as const),
        who: fc.nat(2),
        calls: fc.integer({ min: 1, max: 30 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('reach', 'hear', 'lose', 'miss'),
        who: fc.nat(2),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        ms: fc.integer({ min: 1, max: 3_000 }),
      }),
    },
  );

  it('holds in every stretch of time, however questions and answers are delayed, lost or never asked', () => {
    void fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(1_000, 10_000),
        fc.constantFrom(1, 25, 100),
        fc.array(step, { minLength: 20, maxLength: 120 }),
        (requests, windowMs, sharePercent, steps) => {
          const of = terms(requests, windowMs, sharePercent);
          const instances = [new Instance(of), new Instance(of), new Instance(of)];
          const store = new StoreModel();
          const moments = [{ nowMs: 0, permitted: 0, awayMs: 0 }];
          let nowMs = 0;
          let permitted = 0;
          for (const one of steps) {
            if ('ms' in one) nowMs += one.ms;
            else if ('calls' in one)
              permitted += burst(instances[one.who]!.bucket, one.calls, nowMs);
            else if (one.do === 'reach') instances[one.who]!.reach(store, nowMs);
            else if (one.do === 'miss') instances[one.who]!.reach(null, nowMs);
            else instances[one.who]!.hear(one.do === 'lose', nowMs);
            const awayMs = instances.reduce((sum, instance) => sum + instance.awayUpTo(nowMs), 0);
            moments.push({ nowMs, permitted, awayMs });
          }
          for (const [index, end] of moments.entries()) {
            for (const begin of moments.slice(0, index)) {
              const fair = requests * (1 + (end.nowMs - begin.nowMs) / windowMs);
              const over =
                instances.length * (of.credit + of.ahead) +
                (of.credit * (end.awayMs - begin.awayMs)) / windowMs;
              expect(end.permitted - begin.permitted).toBeLessThanOrEqual(fair + over + 1e-3);
            }
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});
