import { expect, it } from 'vitest';
import { Recent } from '../../../src/http/recent.ts';

it('holds what is in use, and at most two generations', () => {
  const recent = new Recent<number>(10);
  recent.set('kept', -1);
  for (let index = 0; index < 1000; index += 1) {
    recent.set(`stranger-${index}`, index);
    if (index % 5 === 0) expect(recent.get('kept')).toBe(-1);
  }
  const held = Array.from({ length: 1000 }, (_, index) => `stranger-${index}`).filter(
    (key) => recent.get(key) !== undefined,
  );
  expect(held.length).toBeLessThanOrEqual(20);
  expect(held).toContain('stranger-999');
});

it('forgets what is not asked for while a generation passes', () => {
  const recent = new Recent<number>(10);
  recent.set('once', 1);
  for (let index = 0; index < 20; index += 1) recent.set(`other-${index}`, index);
  expect(recent.get('once')).toBe(undefined);
  expect(recent.get('never')).toBe(undefined);
});
