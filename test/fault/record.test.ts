import { beforeEach, describe, expect, it } from 'vitest';
import { requireOrSkip } from '../support/system.ts';
import type { GateProcess } from '../support/truth/gates.ts';
import { frozen, killed } from '../support/truth/scenes.ts';
import { liesOf } from '../support/truth/truth.ts';

beforeEach((ctx) => requireOrSkip(ctx, 'redis-server'));

// `npm run prove -- promises record` does the same for longer, and again and again.
describe('the record tells what the callers got', () => {
  it('while Redis stands still under load for longer than the spool and the queue have room', async () => {
    const run = await frozen(64, null);
    expect(liesOf(run)).toEqual([]);
    // and what was to be seen was
    const late = run.events.filter((event) => event.reason === 'audit-unavailable');
    expect(late.length).toBeGreaterThan(100);
    expect(run.unrecorded).toBeGreaterThan(0);
  }, 180_000);

  it.concurrent.each([
    ['kill -9', 'Redis', ['SIGKILL']],
    ['two SIGTERM', 'the embedded store', ['SIGTERM', 'SIGTERM']],
  ] as const)(
    'after %s, on %s: the next instance closes what was open, and only that',
    async (_how, store, signals) => {
      const { run, dying, living, after } = await killed(store, signals);
      expect(liesOf(run)).toEqual([]);
      const unknown = run.events.filter((event) => event.reason === 'outcome-unknown');
      // That of the living one was closed by the one after it alone: it was told apart from the
      // dead.
      const by = (gate: GateProcess | null) =>
        unknown.filter(({ decidedBy }) => decidedBy === gate?.instance);
      expect(by(dying).length).toBeGreaterThan(0);
      expect(by(dying).every(({ instance }) => instance !== after?.instance)).toBe(true);
      if (living !== null && after !== null)
        expect(by(living).map(({ instance }) => instance)).toEqual([after.instance]);
    },
    180_000,
  );
});
