import { expect, it } from 'vitest';
import { Lease } from '../../../src/registry/lease.ts';

it('is not valid before the first renewal', () => {
  expect(new Lease(1_000).valid(0)).toBe(false);
});

it('runs from the moment of sending, and ends exactly when it is over', () => {
  const lease = new Lease(1_000);
  lease.renewed(500, 7, 7);
  expect([lease.valid(500), lease.valid(1_499), lease.valid(1_500)]).toEqual([true, true, false]);
  expect([lease.remainingMs(600), lease.remainingMs(2_000)]).toEqual([900, 0]);
});

it('counts only once everything that the renewal announced is applied', () => {
  const lease = new Lease(1_000);
  lease.renewed(500, 9, 7);
  expect(lease.valid(600)).toBe(false);
  lease.applied(8);
  expect(lease.valid(600)).toBe(false);
  lease.applied(9);
  expect(lease.valid(600)).toBe(true);
  expect(lease.valid(1_500)).toBe(false);
});

it('is not put off for ever by changes that never end', () => {
  const lease = new Lease(1_000);
  lease.renewed(100, 10, 5);
  lease.renewed(200, 20, 6);
  lease.applied(10);
  expect(lease.valid(1_099)).toBe(true);
});

it('is never shortened by an answer that comes late', () => {
  const lease = new Lease(1_000);
  lease.renewed(500, 7, 7);
  lease.renewed(100, 7, 7);
  expect(lease.valid(1_400)).toBe(true);
});

it('is over once it is cleared, also for what was still to be applied', () => {
  const lease = new Lease(1_000);
  lease.renewed(500, 7, 7);
  lease.renewed(600, 9, 7);
  lease.clear();
  lease.applied(9);
  expect(lease.valid(700)).toBe(false);
});
