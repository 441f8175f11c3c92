import { describe, expect, it } from 'vitest';
import { neighboursIn } from '../../../src/admin/story.ts';
import { readEvent } from '../../../src/audit/event/read.ts';

const at = (second: number) => new Date(second * 1000).toISOString();
const event = (second: number) =>
  JSON.stringify({ id: `e-${second}`, time: at(second), type: 'call', phase: 'decision' });
const nothing = async () => ({ events: [], cursors: [], next: null });

/** A log of calls, one a second, that holds those from one second to another. */
function around(moment: number, from: number, to: number) {
  const events = Array.from({ length: to - from + 1 }, (_, index) => event(to - index));
  const calls = async () => ({ events, cursors: events.map(() => 'x'), next: null });
  const isAsked = (line: string) => line !== event(moment);
  const walk = { moment: at(moment), isAsked, isTheirs: () => true };
  return neighboursIn({ ...walk, logs: { calls, changes: nothing } as never });
}

const ids = (lines: readonly string[]) => lines.map((line) => readEvent(line).id);

describe('what came around a moment', () => {
  it('is a few on each side', async () => {
    const { before, after, reached } = await around(10, 2, 12);
    expect([ids(before), ids(after), reached]).toEqual([
      ['e-9', 'e-8', 'e-7', 'e-6', 'e-5'],
      ['e-12', 'e-11'],
      true,
    ]);
  });

  it('is nothing before it where it is the first of the log', async () => {
    const { before, after, reached } = await around(10, 10, 11);
    expect([before, ids(after), reached]).toEqual([[], ['e-11'], true]);
  });

  it('is not told where the log no longer reaches back to it', async () => {
    expect(await around(10, 14, 30)).toEqual({ before: [], after: [], reached: false });
  });
});
