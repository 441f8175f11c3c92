import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ABUSES } from './abuses.ts';
import { Witness, warmUp } from './clients.ts';
import { type AbusedGate, type Holdings, mebibytes, shown, startAbusedGate } from './gate.ts';

/** Short, so that what is slow is cut off while the test watches. */
const LIMITS = { headTimeoutMs: 1000, idleTimeoutMs: 1000 };
const SETTLE_MS = 60_000;
const COUNTS: Readonly<Record<string, number>> = {
  'connections that come and go': 600,
  'handshakes that are begun and not ended, and connections without a byte': 300,
  'clients that do not read their answers': 40,
};
const COUNT = 60;

const missing = existsSync('/proc/self/status')
  ? null
  : 'no /proc to see the memory of a process in';

describe('a gate that is abused', () => {
  let gate: AbusedGate;
  let baseline: Holdings;

  beforeAll(async () => {
    if (missing !== null) return;
    gate = await startAbusedGate(LIMITS);
    await warmUp(gate, 60, 40);
    baseline = await gate.holdings();
  }, 60_000);

  afterAll(() => gate?.stop());

  it.for(ABUSES)(
    'by $name serves the others meanwhile',
    { timeout: 120_000 },
    async ({ name, run }, ctx) => {
      if (missing !== null) ctx.skip(missing);
      const witness = new Witness(gate);
      const before = gate.cpuSeconds;
      await run(gate, COUNTS[name] ?? COUNT);
      const served = await witness.stop();
      const cpuSeconds = (gate.cpuSeconds - before).toFixed(2);
      console.log(
        `${name}: ${served} answers to others, ${mebibytes(gate.rssBytes)} MiB resident, ${cpuSeconds} s of processor time`,
      );
    },
  );

  it('holds afterwards what it held before', { timeout: 2 * SETTLE_MS }, async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const settledMs = await gate.settled(baseline, SETTLE_MS);
    console.log(
      `before: ${shown(baseline)}; ${(settledMs / 1000).toFixed(1)} s after: ${shown(await gate.holdings())}`,
    );
    expect(settledMs).toBeLessThan(SETTLE_MS + 1000);
  });
});
