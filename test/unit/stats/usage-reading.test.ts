import { describe, expect, it } from 'vitest';
import { storeOwner } from '../../../src/admin/actor.ts';
import type { AdminContext } from '../../../src/admin/context.ts';
import { topUsage } from '../../../src/admin/usage.ts';
import type { UsageReader } from '../../../src/stats/usage/port.ts';
import { UsageSketch } from '../../../src/stats/usage/sketch.ts';
import { encodeTable } from '../../../src/stats/usage/text.ts';

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
});
