import { expect, it } from 'vitest';
import { PlaceStates } from '../../../src/upstream/place-states.ts';

const EJECTION = { afterFailures: 1, baseMs: 1000, maxMs: 8000, countServerErrors: false };

function newStates() {
  const clock = { nowMs: 0 };
  const states = new PlaceStates(clock);
  const enter = (place: string, ejection = EJECTION, checks = true) =>
    states.enter(place, {
      ejection,
      checks: checks ? { unhealthyAfter: 1, healthyAfter: 1 } : null,
      observer: () => {},
    });
  return { clock, states, enter };
}

it('gives a place one state, as long as a pool uses it or has connections there', () => {
  const { states, enter } = newStates();
  const first = enter('a');
  first.opened();
  expect(enter('a')).toBe(first);
  expect(enter('b')).not.toBe(first);
  first.left();
  first.left();
  expect([states.size, first.connections]).toEqual([2, 1]);
  first.closed();
  expect(states.size).toBe(1);
  const second = enter('a');
  expect([second === first, second.connections]).toEqual([false, 0]);
});

it('does not forget the state that has taken the place of one', () => {
  const { states, enter } = newStates();
  const first = enter('a');
  first.left();
  enter('a');
  first.opened();
  first.closed();
  expect(states.size).toBe(1);
});

it('keeps an ejection, but for no longer than the options in force would have it', () => {
  const { clock, enter } = newStates();
  const { health } = enter('a', { ...EJECTION, baseMs: 8000 });
  health.failed(true, 'ECONNREFUSED');
  enter('a', { ...EJECTION, baseMs: 8000 });
  clock.nowMs = 4000;
  expect(health.ejected).toBe(true);
  enter('a');
  clock.nowMs = 4999;
  expect(health.ejected).toBe(true);
  clock.nowMs = 5000;
  expect([health.ejected, health.onProbation]).toEqual([false, true]);
});

it('tells the pool that uses it now', () => {
  const states = new PlaceStates({ nowMs: 0 });
  const told: string[] = [];
  const enter = (pool: string) =>
    states.enter('a', { ejection: EJECTION, checks: null, observer: () => void told.push(pool) });
  const { health } = enter('former');
  enter('next');
  health.failed(true, 'ECONNREFUSED');
  expect(told).toEqual(['next']);
});

it('keeps the verdict of checks while there are any', () => {
  const { enter } = newStates();
  const { health } = enter('a');
  health.checked(false, 'status 503');
  enter('a');
  expect(health.usable).toBe(false);
  enter('a', EJECTION, false);
  expect(health.usable).toBe(true);
});
