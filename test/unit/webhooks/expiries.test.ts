import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NoticeFacts } from '../../../src/audit/event/notice-event.ts';
import type { Taken } from '../../../src/audit/port.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { EXPIRY_LIMITS, ExpiryWarnings } from '../../../src/webhooks/expiries.ts';
import { type Bench, NOW_MS, openBench, owner } from '../admin/stores.ts';

const DAY_MS = 86_400_000;

/** On a real registry; the days pass when the test says so. */
describe('warnings of accounts that expire', () => {
  let bench: Bench;
  let words = new Map<string, string>();
  let told: NoticeFacts[] = [];
  let taken: Taken = 'kept';
  let wallMs = NOW_MS;
  let monotonicMs = 0;
  let accounts = 0;

  beforeAll(async () => {
    bench = (await openBench('embedded'))!;
  });
  afterAll(() => bench.close());
  beforeEach(() => {
    words = new Map();
    [told, taken] = [[], 'kept'];
    wallMs = NOW_MS;
  });

  function warnings(days: readonly number[] = [14, 3, 1]): ExpiryWarnings {
    return new ExpiryWarnings({
      days,
      registry: bench.store,
      store: {
        word: async (name) => words.get(name) ?? null,
        keep: async (name, word) => void words.set(name, word),
      },
      clock: { wallMs: () => wallMs, monotonicMs: () => monotonicMs },
      notify: (facts) => {
        if (taken === 'kept') told.push(facts);
        return taken;
      },
      log: createLog({ format: 'json', level: 'error', write: () => {} }),
    });
  }

  async function expiringIn(days: number): Promise<string> {
    accounts += 1;
    bench.clock.ms = wallMs;
    const name = `expires-${accounts}`;
    const expiresAt = new Date(wallMs + days * DAY_MS).toISOString();
    await bench.admin.createServiceAccount(owner, { name, role: 'none', expiresAt });
    return name;
  }

  /** Looks as often as it does, for so many days. */
  async function pass(days: number, one: ExpiryWarnings): Promise<void> {
    for (const endMs = wallMs + days * DAY_MS; wallMs <= endMs; wallMs += DAY_MS / 4) {
      monotonicMs += EXPIRY_LIMITS.everyMs;
      await one.look();
    }
  }

  const of = (name: string) =>
    told.filter(({ target }) => target?.name === name).map(({ detail }) => detail);

  it('come once for each span, and none at the beginning', async () => {
    const name = await expiringIn(20);
    const soon = await expiringIn(2);
    const one = warnings();
    await pass(0, one);
    expect(told).toEqual([]);
    await pass(25, one);
    expect(of(name)).toEqual(['within 14 days', 'within 3 days', 'within a day']);
    expect(of(soon)).toEqual(['within a day']);
    expect(new Set(told.map(({ id }) => id)).size).toBe(told.length);
    expect(told[0]).toMatchObject({ type: 'account-expiring', expiresAt: expect.any(String) });
  });

  it('go on where another instance has ended, and tell of the shortest span alone', async () => {
    const name = await expiringIn(20);
    await pass(1, warnings());
    // Nobody has looked for so long.
    wallMs += 17.5 * DAY_MS;
    await pass(3, warnings());
    expect(of(name)).toEqual(['within 3 days', 'within a day']);
  });

  it('tell nothing of an account that is inactive, or whose expiry was moved away', async () => {
    const [off, moved] = [await expiringIn(20), await expiringIn(20)];
    const one = warnings();
    await pass(1, one);
    bench.clock.ms = wallMs;
    await bench.admin.deactivateAccount(owner, { name: off });
    const expiresAt = new Date(wallMs + 400 * DAY_MS).toISOString();
    await bench.admin.editAccount(owner, { name: moved, expiresAt });
    await pass(30, one);
    expect([of(off), of(moved)]).toEqual([[], []]);
  });

  it('come again, with the same id, where the record had no room for all', async () => {
    const name = await expiringIn(2);
    const one = warnings();
    await pass(0, one);
    taken = 'no-room';
    await pass(1.25, one);
    expect(told).toEqual([]);
    taken = 'kept';
    await pass(0.25, one);
    expect(of(name)).toEqual(['within a day']);
  });

  it('count who expires within each span, and none where none is asked for', async () => {
    wallMs += 1_000 * DAY_MS;
    await expiringIn(2);
    await expiringIn(10);
    const one = warnings();
    await pass(0, one);
    expect(one.expiring).toEqual([
      { days: 1, count: 0 },
      { days: 3, count: 1 },
      { days: 14, count: 2 },
    ]);
    one.rest();
    expect(one.expiring).toEqual([]);
    const none = warnings([]);
    await pass(1, none);
    expect(none.expiring).toEqual([]);
  });
});
