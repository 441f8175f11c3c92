import { expect, it } from 'vitest';
import { UselessConnection } from '../../../src/store/redis-useless.ts';

it('is one to a replica, at most once a second', () => {
  let nowMs = 0;
  const useless = new UselessConnection(() => nowMs);
  expect(useless.isAfter('NOPERM')).toBe(false);
  expect(useless.isAfter(null)).toBe(false);
  expect(useless.isAfter('READONLY')).toBe(true);
  expect(useless.isAfter('READONLY')).toBe(false);
  nowMs += 1_000;
  expect(useless.isAfter('MASTERDOWN')).toBe(true);
});

it('is one to a server that goes on loading, and not one that has just begun', () => {
  let nowMs = 0;
  const useless = new UselessConnection(() => nowMs);
  expect(useless.isAfter('LOADING')).toBe(false);
  nowMs += 5_000;
  expect(useless.isAfter('LOADING')).toBe(true);
  expect(useless.isAfter('LOADING')).toBe(false);
});
