import { describe, expect, it } from 'vitest';
import { AddressHealth, type CheckOptions } from '../../../src/upstream/address-health.ts';

const EJECTION = { afterFailures: 3, baseMs: 1000, maxMs: 5000, countServerErrors: false };

function newHealth(options: Partial<typeof EJECTION> = {}, checks: CheckOptions | null = null) {
  const clock = { nowMs: 0 };
  const said: string[] = [];
  const health = new AddressHealth(
    { ...EJECTION, ...options },
    checks,
    clock,
    (change, why) => void said.push(`${change}: ${why}`),
  );
  return { health, clock, said };
}

/** Milliseconds until it is used again. */
function ejectedFor({ health, clock }: ReturnType<typeof newHealth>): number {
  const begin = clock.nowMs;
  while (health.ejected && clock.nowMs - begin < 1_000_000) clock.nowMs += 100;
  return clock.nowMs - begin;
}

describe('an address', () => {
  it('is left out after so many failures in a row, and not before', () => {
    const { health, said } = newHealth();
    for (let round = 0; round < 3; round += 1) {
      health.failed(false, 'reset');
      health.failed(false, 'reset');
      expect(health.usable).toBe(true);
      health.answered(200);
    }
    for (let failure = 0; failure < 3; failure += 1) health.failed(false, 'reset');
    expect([health.usable, said]).toEqual([false, ['ejected: reset']]);
  });

  it('is left out at once when no connection can be made', () => {
    const { health } = newHealth();
    health.failed(true, 'ECONNREFUSED');
    expect(health.usable).toBe(false);
  });

  it('is left out for twice as long each time, up to a bound, until it has answered', () => {
    const all = newHealth();
    const times: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      all.health.failed(true, 'ECONNREFUSED');
      times.push(ejectedFor(all));
      expect([all.health.usable, all.health.onProbation]).toEqual([true, true]);
    }
    expect(times).toEqual([1000, 2000, 4000, 5000, 5000, 5000]);
    all.health.answered(200);
    expect(all.health.onProbation).toBe(false);
    all.health.failed(true, 'ECONNREFUSED');
    expect(ejectedFor(all)).toBe(1000);
    expect(all.said).toEqual([
      'ejected: ECONNREFUSED',
      'back: it answers',
      'ejected: ECONNREFUSED',
    ]);
  });

  it('is left out by one failure of any kind while it is on probation', () => {
    const all = newHealth();
    all.health.failed(true, 'ECONNREFUSED');
    ejectedFor(all);
    all.health.failed(false, 'reset');
    expect(ejectedFor(all)).toBe(2000);
  });

  it('is left out once for exchanges that fail together', () => {
    const all = newHealth();
    for (let failure = 0; failure < 100; failure += 1) all.health.failed(true, 'ECONNREFUSED');
    expect(ejectedFor(all)).toBe(1000);
  });

  it('is used again when it answers while it is left out, but not yet trusted', () => {
    const all = newHealth();
    all.health.failed(true, 'ECONNREFUSED');
    all.health.answered(200);
    expect([all.health.usable, all.health.onProbation, all.said]).toEqual([
      true,
      true,
      ['ejected: ECONNREFUSED'],
    ]);
    all.health.failed(false, 'reset');
    expect(ejectedFor(all)).toBe(2000);
  });

  it.each([502, 503, 504])('is not judged by status %s, unless it is told to', (status) => {
    const { health } = newHealth();
    const told = newHealth({ countServerErrors: true }).health;
    for (let answer = 0; answer < 3; answer += 1) {
      health.answered(status);
      told.answered(status);
    }
    expect([health.usable, told.usable]).toEqual([true, false]);
  });

  it('is never judged by other statuses', () => {
    const { health } = newHealth({ countServerErrors: true, afterFailures: 1 });
    for (const status of [200, 301, 400, 404, 429, 500, 501, 505]) health.answered(status);
    expect(health.usable).toBe(true);
  });
});

describe('health checks', () => {
  const checks = { unhealthyAfter: 3, healthyAfter: 2 };

  it('change the verdict after so many in a row that speak against it', () => {
    const { health, said } = newHealth({}, checks);
    const seen = [0, 0, 1, 0, 0, 0, 1, 0, 1, 1].map((passed) => {
      health.checked(passed === 1, passed === 1 ? 'status 200' : 'no answer in time');
      return health.usable ? 1 : 0;
    });
    expect(seen).toEqual([1, 1, 1, 1, 1, 0, 0, 0, 0, 1]);
    expect(said).toEqual(['unhealthy: no answer in time', 'healthy: status 200']);
  });

  it('do not overrule failures of requests, nor the other way round', () => {
    const all = newHealth({}, checks);
    all.health.failed(true, 'ECONNREFUSED');
    for (let check = 0; check < 5; check += 1) all.health.checked(true, 'status 200');
    expect(all.health.usable).toBe(false);
    ejectedFor(all);
    for (let check = 0; check < 3; check += 1) all.health.checked(false, 'status 503');
    all.health.answered(200);
    expect(all.health.usable).toBe(false);
  });
});
