import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageMeter, type UsedCall } from '../../../src/stats/usage/meter.ts';
import type { UsageTexts } from '../../../src/stats/usage/port.ts';
import { UsageRecorder } from '../../../src/stats/usage/recorder.ts';
import type { Subject } from '../../../src/stats/usage/table.ts';
import { decodeTable, encodeTable } from '../../../src/stats/usage/text.ts';

const CALL: UsedCall = {
  route: { name: 'deploy' },
  application: 'CRM',
  accountId: 'A'.repeat(12),
  account: 'ci-pipeline',
  reason: 'permitted',
  durationMs: 3,
  requestBytes: 10,
  responseBytes: 20,
};

/** A minute in which more have called than are kept, with figures that have no pattern. */
async function fullMinute(): Promise<UsageTexts> {
  const meter = new UsageMeter();
  for (let call = 0; call < 40_000; call += 1) {
    const noise = createHash('sha256').update(String(call)).digest();
    const who = noise.readUInt32BE(0) % 300;
    const id = createHash('sha256').update(`account ${who}`).digest('base64url').slice(0, 12);
    meter.count({
      ...CALL,
      route: { name: `route-of-service-${who % 150}` },
      application: `Application${who % 140}`,
      accountId: id,
      account: `ci-pipeline-${who}`,
      reason: noise[4]! < 30 ? 'permission-denied' : 'permitted',
      durationMs: 1.2 ** (noise[5]! % 60),
      requestBytes: noise.readUInt32BE(6),
      responseBytes: noise.readUInt32BE(10),
    });
  }
  const { account, application, route } = meter.sketches;
  return {
    account: await encodeTable(account.table()),
    application: await encodeTable(application.table()),
    route: await encodeTable(route.table()),
  };
}

describe('what is written of a minute', () => {
  it('is 24 KiB at most where more have called than are kept', async () => {
    const { account, application, route } = await fullMinute();
    const bytes = account.length + application.length + route.length;
    expect(bytes).toBeLessThan(24 * 1024);
    // The figure that is told is no other by an order.
    expect(bytes).toBeGreaterThan(16 * 1024);
  });
});

describe('the recorder of who calls', () => {
  let nowMs = 0;
  let fails = false;
  let writes = 0;
  let faults = 0;
  let written: Map<number, UsageTexts>;
  let meter: UsageMeter;
  let recorder: UsageRecorder;

  beforeEach(() => {
    [nowMs, fails, writes, faults] = [60_000 * 1000, false, 0, 0];
    written = new Map();
    meter = new UsageMeter();
    recorder = new UsageRecorder({
      store: {
        async writeMinute(minute, _instance, texts) {
          if (fails) throw new Error('away');
          writes += 1;
          written.set(minute, texts);
        },
      },
      instance: 'i',
      clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
      meter,
      onFault: () => {
        faults += 1;
      },
    });
  });
  afterEach(() => recorder.close());

  const rowsAt = (minute: number, of: Subject) =>
    decodeTable(written.get(minute)?.[of] ?? '')?.rows.map(({ name, calls, refused }) => [
      name,
      calls,
      refused,
    ]);

  it('writes the present minute anew while it grows, and begins another with the next', async () => {
    meter.count(CALL);
    await recorder.flush();
    expect(rowsAt(1000, 'account')).toEqual([['ci-pipeline', 1, 0]]);
    meter.count({ ...CALL, reason: 'permission-denied' });
    nowMs += 60_000;
    await recorder.flush();
    expect(rowsAt(1000, 'account')).toEqual([['ci-pipeline', 2, 1]]);
    meter.count(CALL);
    await recorder.flush();
    expect(rowsAt(1001, 'route')).toEqual([['deploy', 1, 0]]);
    expect(rowsAt(1001, 'application')).toEqual([['CRM', 1, 0]]);
  });

  it('loses no minute that is written when the clock is set back', async () => {
    meter.count(CALL);
    await recorder.flush();
    nowMs += 60_000;
    await recorder.flush();
    nowMs -= 70_000;
    meter.count({ ...CALL, reason: 'permission-denied' });
    await recorder.flush();
    expect(rowsAt(1000, 'account')).toEqual([['ci-pipeline', 1, 0]]);
    expect(rowsAt(1001, 'account')).toEqual([['ci-pipeline', 1, 1]]);
    expect([...written.keys()]).toEqual([1000, 1001]);
  });

  it('writes nothing when nothing happens', async () => {
    await recorder.flush();
    nowMs += 60_000;
    await recorder.flush();
    meter.count(CALL);
    await recorder.flush();
    await recorder.flush();
    expect(writes).toBe(1);
  });

  it('knows strangers by the route alone, and no application by more than a name', async () => {
    meter.count({ ...CALL, accountId: null, account: null, application: 'made-up' });
    meter.count({ ...CALL, application: 'x'.repeat(65) });
    await recorder.flush();
    expect(rowsAt(1000, 'route')).toEqual([['deploy', 2, 0]]);
    expect(rowsAt(1000, 'account')).toEqual([
      ['no account', 1, 0],
      ['ci-pipeline', 1, 0],
    ]);
    expect(rowsAt(1000, 'application')).toEqual([]);
  });

  it('keeps what it could not write, says so once, and writes it later; the oldest go first', async () => {
    fails = true;
    for (let minute = 0; minute < 40; minute += 1) {
      meter.count(CALL);
      await recorder.flush();
      nowMs += 60_000;
    }
    expect(faults).toBe(1);
    fails = false;
    await recorder.flush();
    expect([...written.keys()].sort((a, b) => a - b)).toEqual(
      // What is counted before the first flush of a minute is the minute's before.
      Array.from({ length: 30 }, (_, index) => 1009 + index),
    );
  });

  it('writes the last counts when it closes', async () => {
    meter.count(CALL);
    await recorder.close();
    expect(rowsAt(1000, 'account')).toEqual([['ci-pipeline', 1, 0]]);
  });
});
