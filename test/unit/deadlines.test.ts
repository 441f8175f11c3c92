import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Deadline, Deadlines } from '../../src/deadlines.ts';

let deadlines: Deadlines;

beforeEach(() => {
  vi.useFakeTimers();
  deadlines = new Deadlines();
});

afterEach(() => {
  deadlines.close();
  vi.useRealTimers();
});

/** Something that is watched, and when it was told that its time is over. */
function watch(untilMs: number): { readonly deadline: Deadline; readonly toldMs: number[] } {
  const toldMs: number[] = [];
  const deadline = deadlines.watch(
    { expired: () => toldMs.push(performance.now() - startedMs) },
    untilMs,
  );
  const startedMs = performance.now();
  return { deadline, toldMs };
}

describe('a deadline', () => {
  it('is told once, late by two sweeps at most, and never early', () => {
    const { toldMs } = watch(1000);
    vi.advanceTimersByTime(5000);
    expect(toldMs).toHaveLength(1);
    expect(toldMs[0]).toBeGreaterThanOrEqual(1000);
    expect(toldMs[0]).toBeLessThanOrEqual(1200);
  });

  it('can be put off, and lifted, and set again after it was told', () => {
    const { deadline, toldMs } = watch(300);
    vi.advanceTimersByTime(200);
    deadline.untilMs = Number.POSITIVE_INFINITY;
    vi.advanceTimersByTime(1000);
    expect(toldMs).toEqual([]);
    deadline.untilMs = deadlines.nowMs;
    vi.advanceTimersByTime(300);
    expect(toldMs).toHaveLength(1);
    deadline.untilMs = deadlines.nowMs + 100;
    vi.advanceTimersByTime(400);
    expect(toldMs).toHaveLength(2);
  });

  it('that has ended is told no more, and touches nobody who has got its place', () => {
    const first = watch(100);
    first.deadline.end();
    const second = watch(1000);
    first.deadline.untilMs = 0;
    first.deadline.end();
    expect(second.deadline.untilMs).toBe(1000);
    vi.advanceTimersByTime(500);
    expect(second.toldMs).toEqual([]);
    vi.advanceTimersByTime(1000);
    expect(first.toldMs).toEqual([]);
    expect(second.toldMs).toHaveLength(1);
  });

  it('is kept for more than there was room for at first, each for its own', () => {
    const many = Array.from({ length: 5000 }, (_, index) => watch(index % 2 === 0 ? 300 : 3000));
    vi.advanceTimersByTime(600);
    expect(many.filter(({ toldMs }) => toldMs.length > 0)).toEqual(
      many.filter((_, index) => index % 2 === 0),
    );
    vi.advanceTimersByTime(3000);
    expect(many.every(({ toldMs }) => toldMs.length === 1)).toBe(true);
  });

  it('may be ended, and others begun, by what it tells', () => {
    let later: { readonly toldMs: number[] } | null = null;
    const other = watch(100);
    const deadline = deadlines.watch(
      {
        expired: () => {
          deadline.end();
          other.deadline.end();
          later = watch(deadlines.nowMs + 100);
        },
      },
      50,
    );
    vi.advanceTimersByTime(1000);
    expect(later!.toldMs).toHaveLength(1);
  });

  it('runs for one sweep more at most while the process does not', () => {
    const { toldMs } = watch(1000);
    vi.advanceTimersByTime(100);
    const nowMs = deadlines.nowMs;
    const stopped = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => stopped + 60_000);
    vi.advanceTimersByTime(100);
    expect(deadlines.nowMs).toBe(nowMs + 200);
    expect(toldMs).toEqual([]);
    vi.restoreAllMocks();
  });
});
