import { describe, expect, it } from 'vitest';
import { storeOwner } from '../../../src/admin/actor.ts';
import type { AdminContext } from '../../../src/admin/context.ts';
import { topUsage, usageOf } from '../../../src/admin/usage.ts';
import type { UsageReader } from '../../../src/stats/usage/port.ts';
import { UsageSketch } from '../../../src/stats/usage/sketch.ts';
import { decodeTable, encodeTable, rowOfTable } from '../../../src/stats/usage/text.ts';

const NOW_MS = 500_000 * 3_600_000 + 1_800_000;
const MINUTE = Math.floor(NOW_MS / 60_000) - 5;
const bossOf = storeOwner('tester', 'command-line');

async function tableOf(calls: number): Promise<string> {
  const sketch = new UsageSketch(8);
  for (let n = 0; n < calls; n += 1) sketch.count('ci', 'ci', false, 1, 1, 0);
  return encodeTable(sketch.table());
}

function contextOf(usage: UsageReader): AdminContext {
  return { usage, clock: { wallMs: () => NOW_MS, monotonicMs: () => 0 } } as AdminContext;
}

describe('reading who calls', () => {
  it('tells of what was written to a minute since it was asked for', async () => {
    let texts = [await tableOf(3), await tableOf(4)];
    const usage: UsageReader = {
      minutes: async (_of, hour) =>
        hour === Math.floor(MINUTE / 60) ? texts.map((text) => ({ at: MINUTE, text })) : [],
      hours: async () => [],
    };
    const total = async () =>
      (await topUsage(contextOf(usage), bossOf, { of: 'account' })).total.calls;
    expect([await total(), await total()]).toEqual([7, 7]);
    texts = [texts[1]!, await tableOf(9)];
    expect(await total()).toBe(13);
  });

  it('reads once for all that ask the same, one by one, and says when too many wait', async () => {
    const under: string[] = [];
    let most = 0;
    let reads = 0;
    const usage: UsageReader = {
      minutes: async (of) => {
        most = Math.max(most, under.push(of));
        reads += 1;
        await new Promise((resolve) => setImmediate(resolve));
        under.pop();
        return [];
      },
      hours: async () => [],
    };
    const ask = (back: number) =>
      topUsage(contextOf(usage), bossOf, {
        of: 'route',
        since: new Date(NOW_MS - back * 60_000).toISOString(),
      });
    const same = await Promise.all(Array.from({ length: 20 }, () => ask(10)));
    expect([reads, most, same.length]).toEqual([1, 1, 20]);
    const others = await Promise.allSettled(Array.from({ length: 17 }, (_, n) => ask(n + 1)));
    expect(most).toBe(1);
    expect(others.map(({ status }) => status).filter((status) => status === 'rejected')).toEqual([
      'rejected',
    ]);
    expect(others[16]).toMatchObject({ reason: { code: 'conflict' } });
  });

  it('reads a day by minutes as hours where these are whole, and tells of the same calls', async () => {
    const read = { minutes: 0, hours: 0 };
    const [first, now] = [Math.floor(NOW_MS / 60_000) - 1_440, Math.floor(NOW_MS / 60_000)];
    const one = await tableOf(1);
    const hourly = await tableOf(60);
    const usage: UsageReader = {
      minutes: async (_of, hour) => {
        read.minutes += 1;
        const all = Array.from({ length: 60 }, (_, n) => ({ at: hour * 60 + n, text: one }));
        return all.filter(({ at }) => at <= now);
      },
      hours: async (_of, from, to) => {
        read.hours += to - from + 1;
        return Array.from({ length: to - from + 1 }, (_, n) => ({ at: from + n, text: hourly }));
      },
    };
    const day = {
      ...({ of: 'account', step: 'minute' } as const),
      since: new Date(first * 60_000).toISOString(),
    };
    const { items, total } = await topUsage(contextOf(usage), bossOf, day);
    expect([total.calls, items[0]!.calls, items[0]!.missed]).toEqual([1_440, 1_440, 0]);
    expect(read).toEqual({ minutes: 2, hours: 23 });
    // The day begins and ends within an hour of the clock.
    expect(items[0]!.trend).toEqual([30, ...Array.from({ length: 23 }, () => 60), 30]);
    const series = await usageOf(contextOf(usage), bossOf, { ...day, of: 'route', name: 'ci' });
    expect([series.items.length, series.total.calls]).toEqual([1_440, 1_440]);
  });

  it('finds one row as it stands among all, whatever the names are', async () => {
    const names = ['a', 'b"],["c', '["d",', ',"a",1', '\\', ']', 'é\u2028', ' ', '"'];
    const sketch = new UsageSketch(names.length);
    for (const [at, name] of [...names, 'late', ...names, ...names.slice(3)].entries())
      sketch.count(name, at % 2 === 0 ? name : `${name}"]`, at % 3 === 0, at, 2 * at, at % 5);
    const text = await encodeTable(sketch.table());
    const { rows, least } = decodeTable(text)!;
    for (const name of [...names, 'late', 'none', ''])
      expect([name, rowOfTable(text, name)]).toEqual([
        name,
        { row: rows.find(({ id }) => id === name) ?? null, least },
      ]);
    expect(rowOfTable('no table', 'a')).toBeNull();
    expect(least).toBeGreaterThan(0);
  });

  it('stops once all who asked have left, and goes on for whoever has not', async () => {
    const [first, second] = [new AbortController(), new AbortController()];
    let reads = 0;
    const usage: UsageReader = {
      minutes: async (_of, hour) => {
        reads += 1;
        if (reads === 1) first.abort();
        if (reads === 3) second.abort();
        return [{ at: hour * 60, text: await tableOf(1) }];
      },
      hours: async () => [],
    };
    const since = new Date(NOW_MS - 6 * 3_600_000).toISOString();
    const ask = ({ signal }: AbortController) =>
      topUsage(contextOf(usage), { ...bossOf, left: signal }, { of: 'account', since });
    const answers = await Promise.allSettled([ask(first), ask(second)]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(answers[0]).toMatchObject({ reason: { code: 'unavailable' } });
    expect(reads).toBe(3);
    const { total } = await topUsage(contextOf(usage), bossOf, { of: 'account', since });
    expect([total.calls, reads]).toEqual([6, 10]);
    const series = usageOf(
      contextOf(usage),
      { ...bossOf, left: second.signal },
      { of: 'route', name: 'ci', since },
    );
    await expect(series).rejects.toMatchObject({ code: 'unavailable' });
    expect(reads).toBe(10);
  });
});
