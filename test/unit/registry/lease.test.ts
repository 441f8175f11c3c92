import { expect, it } from 'vitest';
import { Lease } from '../../../src/registry/replica/lease.ts';

/** Both clocks at one moment, the wall clock ahead by so much. */
function at(monotonicMs: number, aheadMs = 0) {
  return { monotonicMs, wallMs: 1_000_000 + monotonicMs + aheadMs };
}

function clockAt(monotonicMs: number, aheadMs = 0) {
  const moment = at(monotonicMs, aheadMs);
  return { monotonicMs: () => moment.monotonicMs, wallMs: () => moment.wallMs };
}

/** A lease of a second, of a reader that has applied everything up to `seq`. */
function leaseAt(seq: number): Lease {
  const lease = new Lease(1_000);
  lease.applied(seq, `tip-${seq}`);
  return lease;
}

it('is not valid before the first renewal', () => {
  expect(new Lease(1_000).valid(clockAt(0))).toBe(false);
});

it('runs from the moment of sending, and ends exactly when it is over', () => {
  const lease = leaseAt(7);
  expect(lease.renewed(at(500), 7, 'tip-7')).toBe('counts');
  expect([500, 1_499, 1_500].map((ms) => lease.valid(clockAt(ms)))).toEqual([true, true, false]);
  expect([600, 2_000].map((ms) => lease.remainingMs(clockAt(ms)))).toEqual([900, 0]);
});

it('counts only once everything that the renewal announced is applied', () => {
  const lease = leaseAt(7);
  expect(lease.renewed(at(500), 9, 'tip-9')).toBe('waits');
  expect(lease.valid(clockAt(600))).toBe(false);
  lease.applied(8, 'tip-8');
  expect(lease.valid(clockAt(600))).toBe(false);
  expect(lease.applied(9, 'tip-9')).toBe(true);
  expect(lease.valid(clockAt(600))).toBe(true);
  expect(lease.valid(clockAt(1_500))).toBe(false);
});

it('is not put off for ever by changes that never end', () => {
  const lease = leaseAt(5);
  lease.renewed(at(100), 10, 'tip-10');
  lease.renewed(at(200), 20, 'tip-20');
  lease.applied(10, 'tip-10');
  expect(lease.valid(clockAt(1_099))).toBe(true);
});

it('is never shortened by an answer that comes late', () => {
  const lease = leaseAt(7);
  lease.renewed(at(500), 7, 'tip-7');
  lease.renewed(at(100), 7, 'tip-7');
  expect(lease.valid(clockAt(1_400))).toBe(true);
});

it('is over once it is cleared, also for what was still to be applied', () => {
  const lease = leaseAt(7);
  lease.renewed(at(500), 7, 'tip-7');
  lease.renewed(at(600), 9, 'tip-9');
  lease.clear();
  lease.applied(9, 'tip-9');
  expect(lease.valid(clockAt(700))).toBe(false);
});

it('is not given by a store that stands at our number with another change', () => {
  const lease = leaseAt(7);
  expect(lease.renewed(at(500), 7, 'tip-of-another')).toBe('elsewhere');
  expect(lease.valid(clockAt(600))).toBe(false);
});

it('is not given by a store whose last change we know by another name, however far we have come', () => {
  const lease = leaseAt(7);
  lease.applied(8, 'tip-8');
  lease.applied(9, 'tip-9');
  expect(lease.renewed(at(500), 8, 'tip-of-another')).toBe('elsewhere');
  expect(lease.renewed(at(500), 8, 'tip-8')).toBe('counts');
});

it('does not count when what arrives is another change than the renewal announced', () => {
  const lease = leaseAt(7);
  lease.renewed(at(500), 8, 'tip-8');
  expect(lease.applied(8, 'tip-of-another')).toBe(false);
  expect(lease.valid(clockAt(600))).toBe(false);
});

it('knows the changes of the last thousand steps, and takes no older one on trust', () => {
  const lease = leaseAt(1);
  for (let seq = 2; seq <= 2_000; seq += 1) lease.applied(seq, `tip-${seq}`);
  expect(lease.renewed(at(500), 1_000, 'tip-1000')).toBe('counts');
  expect(lease.renewed(at(500), 900, 'tip-900')).toBe('elsewhere');
});

it('is over when the machine was asleep: the wall clock went on where the other stood still', () => {
  const lease = leaseAt(7);
  lease.renewed(at(500), 7, 'tip-7');
  expect(lease.valid(clockAt(510, 980))).toBe(true);
  expect(lease.valid(clockAt(510, 1_000))).toBe(false);
});

it('is not prolonged by a wall clock that is set back, and counts again by the next renewal after one is set forward', () => {
  const lease = leaseAt(7);
  lease.renewed(at(500), 7, 'tip-7');
  expect(lease.valid(clockAt(1_499, -3_600_000))).toBe(true);
  expect(lease.valid(clockAt(1_500, -3_600_000))).toBe(false);
  expect(lease.valid(clockAt(600, 3_600_000))).toBe(false);
  lease.renewed(at(600, 3_600_000), 7, 'tip-7');
  expect(lease.valid(clockAt(700, 3_600_000))).toBe(true);
});
