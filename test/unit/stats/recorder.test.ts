import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstanceMinute, StatsStore } from '../../../src/stats/port.ts';
import { StatsRecorder } from '../../../src/stats/recorder.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';

describe('the recorder of minutes', () => {
  const metrics = createMetrics({ processMetrics: false });
  const route = metrics.requests.route('a');
  const get = metrics.requests.method('GET');
  const call = (reason: 'permitted' | 'permission-denied') =>
    metrics.requests.count(route, get, reason === 'permitted' ? 200 : 403, reason, 3, 0.1);
  let nowMs = 0;
  let fails = false;
  let written: Map<number, InstanceMinute>;
  let writes = 0;
  let faults = 0;
  let recorder: StatsRecorder;

  beforeEach(() => {
    [nowMs, fails, writes, faults] = [60_000 * 1000, false, 0, 0];
    written = new Map();
    const store: Pick<StatsStore, 'write'> = {
      async write(entry) {
        if (fails) throw new Error('away');
        writes += 1;
        written.set(entry.minute, entry);
      },
    };
    recorder = new StatsRecorder({
      store: store as StatsStore,
      instance: 'i',
      clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
      totals: () => metrics.requests.totals(),
      onFault: () => {
        faults += 1;
      },
    });
  });
  afterEach(() => recorder.close());

  const reasonsAt = (minute: number) => written.get(minute)?.counts.reasons;

  it('adds up what came since the last look, minute by minute', async () => {
    call('permitted');
    await recorder.flush();
    call('permitted');
    call('permission-denied');
    await recorder.flush();
    nowMs += 60_000;
    call('permitted');
    await recorder.flush();
    expect(reasonsAt(1000)).toEqual({ permitted: 2, 'permission-denied': 1 });
    expect(reasonsAt(1001)).toEqual({ permitted: 1 });
    const { durations, overheads } = written.get(1000)!.counts;
    expect(
      [durations, overheads].map((counts) => counts.reduce((sum, count) => sum + count, 0)),
    ).toEqual([3, 3]);
  });

  it('writes nothing when nothing happens', async () => {
    await recorder.flush();
    nowMs += 60_000;
    await recorder.flush();
    expect(writes).toBe(0);
  });

  it('keeps what it could not write, says so once, and writes it later; the oldest go first when it takes too long', async () => {
    fails = true;
    for (let minute = 0; minute < 40; minute += 1) {
      call('permitted');
      await recorder.flush();
      nowMs += 60_000;
    }
    expect(faults).toBe(1);
    fails = false;
    await recorder.flush();
    expect([...written.keys()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 30 }, (_, index) => 1010 + index),
    );
  });

  it('writes the last counts when it closes', async () => {
    call('permitted');
    await recorder.close();
    expect(reasonsAt(1000)).toEqual({ permitted: 1 });
  });
});
