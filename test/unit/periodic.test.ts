import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Periodic } from '../../src/periodic.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A task whose runs end when the test says so. */
function task() {
  const ends: (() => void)[] = [];
  const run = vi.fn(() => new Promise<void>((resolve) => ends.push(resolve)));
  return { run, end: () => ends.shift()?.() };
}

describe('work in the background', () => {
  it('is done every so often, and not again before it has ended', async () => {
    const { run, end } = task();
    const periodic = new Periodic(run, 1000);
    await vi.advanceTimersByTimeAsync(999);
    expect(run).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(2001);
    expect(run).toHaveBeenCalledTimes(1);
    end();
    await vi.advanceTimersByTimeAsync(1000);
    expect(run).toHaveBeenCalledTimes(2);
    end();
    const closed = periodic.close();
    await vi.advanceTimersByTimeAsync(0);
    end();
    await closed;
  });

  it('that is under way is what those wait for who ask for it', async () => {
    const { run, end } = task();
    const periodic = new Periodic(run, 1000);
    const asked = [periodic.now(), periodic.now()];
    expect(run).toHaveBeenCalledTimes(1);
    end();
    await Promise.all(asked);
    void periodic.now();
    expect(run).toHaveBeenCalledTimes(2);
    end();
  });

  it('is done once more at the end, after what is under way, and then no more', async () => {
    const { run, end } = task();
    const periodic = new Periodic(run, 1000);
    void periodic.now();
    let closed = false;
    const closing = periodic.close().then(() => {
      closed = true;
    });
    await vi.advanceTimersByTimeAsync(0);
    expect(run).toHaveBeenCalledTimes(1);
    end();
    await vi.advanceTimersByTimeAsync(0);
    expect(run).toHaveBeenCalledTimes(2);
    expect(closed).toBe(false);
    end();
    await closing;
    await vi.advanceTimersByTimeAsync(5000);
    expect(run).toHaveBeenCalledTimes(2);
  });
});
