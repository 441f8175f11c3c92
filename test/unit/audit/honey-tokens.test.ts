import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NoticeFacts } from '../../../src/audit/event/notice-event.ts';
import { HONEY_LIMITS, HoneyTokens } from '../../../src/audit/notices/honey-tokens.ts';

/** Minutes pass when the test says so. */
describe('honey tokens that are presented', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 1_800_000_000_000 }));
  afterEach(() => void vi.useRealTimers());

  function watched() {
    const written: NoticeFacts[] = [];
    let room = true;
    let metric = 0;
    const honey = new HoneyTokens({
      clock: { wallMs: () => Date.now(), monotonicMs: () => performance.now() },
      nextId: () => `id-${written.length}`,
      write: (facts) => {
        if (!room) return 'no-room';
        written.push(facts);
        return 'kept';
      },
      presented: () => {
        metric += 1;
      },
    });
    const present = (tokenId: string) =>
      honey.presented({
        bait: { id: '000000000000', name: 'bait', kind: 'service' },
        tokenId,
        clientAddress: '192.0.2.1',
        door: 'http1',
        method: 'GET',
        path: '/',
        userAgent: null,
        requestId: 'r',
      });
    return {
      honey,
      present,
      written,
      metric: () => metric,
      fill: (full: boolean) => {
        room = !full;
      },
    };
  }

  it('are told of at once, and what follows within a minute is counted', () => {
    const { present, written, metric, honey } = watched();
    present('a');
    expect(written.map(({ count }) => count)).toEqual([undefined]);
    for (let n = 0; n < 500; n += 1) present('a');
    present('b');
    expect(written).toHaveLength(2);
    vi.advanceTimersByTime(HONEY_LIMITS.intervalMs);
    expect(written.map(({ tokenId, count }) => [tokenId, count])).toEqual([
      ['a', undefined],
      ['b', undefined],
      ['a', 500],
    ]);
    expect(metric()).toBe(502);
    // Quiet for so long: the next one is told of at once again.
    vi.advanceTimersByTime(2 * HONEY_LIMITS.intervalMs);
    present('a');
    expect(written.at(-1)).toMatchObject({ tokenId: 'a' });
    expect(written).toHaveLength(4);
    honey.close();
    expect(written).toHaveLength(4);
  });

  it('are counted on where the record has no room, and told of at the end', () => {
    const { present, written, honey, fill } = watched();
    fill(true);
    present('a');
    present('a');
    vi.advanceTimersByTime(HONEY_LIMITS.intervalMs);
    expect(written).toEqual([]);
    fill(false);
    honey.close();
    expect(written.map(({ count }) => count)).toEqual([2]);
  });

  it('are told apart up to a limit, beyond which they are counted by the metric alone', () => {
    const { present, written, metric } = watched();
    for (let n = 0; n < HONEY_LIMITS.tokens + 10; n += 1) present(`t${n}`);
    expect(written).toHaveLength(HONEY_LIMITS.tokens);
    expect(metric()).toBe(HONEY_LIMITS.tokens + 10);
  });
});
