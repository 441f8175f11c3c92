import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  auditBytes,
  callOnce,
  flood,
  type Stage,
  startStage,
  usedShare,
} from '../support/audit-flood.ts';
import { owner } from '../support/gateway.ts';
import { requireOrSkip } from '../support/system.ts';

const MEMORY = '64mb';
const MEMORY_BYTES = 64 * 2 ** 20;
const BOUND_MS = 30_000;
let stage: Stage;

beforeEach(async (ctx) => {
  requireOrSkip(ctx, 'redis-server');
  stage = await startStage(MEMORY, 'unsynced');
  await expect.poll(() => stage.gate.gateway.ready, { timeout: BOUND_MS }).toBe(true);
});
afterEach(() => stage?.stop());

/** Adds until Redis takes no more. */
async function fill(what: 'history' | 'foreign data'): Promise<void> {
  const key = (n: number) => (what === 'history' ? `sallyport:audit:{${n % 4}}` : `foreign:${n}`);
  const add = `for i = 1, 500 do redis.call('XADD', KEYS[1], '*', 'e', ARGV[1] .. i) end`;
  const event = JSON.stringify({ phase: 'decision', path: '/old', userAgent: 'x'.repeat(400) });
  for (let n = 0; ; n += 1) {
    const full = await stage.root
      .call('EVAL', add, 1, key(n), event)
      .then(() => false)
      .catch((fault: { code?: string }) => fault.code === 'OOM');
    if (full) return;
  }
}

async function callsAreTaken(): Promise<void> {
  const call = () => callOnce(stage.gate.port, stage.gate.token, '/after', { method: 'POST' });
  await expect.poll(call, { timeout: BOUND_MS }).toBe(200);
}

describe('a Redis without memory', () => {
  it('filled by history is made room in, oldest first, with nobody to help', async () => {
    await callOnce(stage.gate.port, stage.gate.token, '/before');
    await fill('history');
    await callsAreTaken();
    await expect.poll(() => usedShare(stage.root), { timeout: BOUND_MS }).toBeLessThan(0.9);
    // Room enough comes first; the rest goes in further steps, down to what the record may take.
    await expect
      .poll(() => auditBytes(stage.root), { timeout: BOUND_MS })
      .toBeLessThan(MEMORY_BYTES / 2 + 2 ** 20);
    // What was cut is the beginning; what came since is there.
    const isShown = async () => {
      const shown = await stage.gate.control.administration.activityPage(owner, {
        account: null,
        limit: 50,
      });
      return shown.items.some((line) => line.includes('"path":"/after"'));
    };
    // It may have been in the spool first.
    await expect.poll(isShown, { timeout: BOUND_MS }).toBe(true);
  });

  it('filled by others takes changes, leases and acknowledgements all the same, and heals', async () => {
    const { gate, root } = stage;
    const { id, token } = await gate.createAccount({ name: 'goes', role: 'tester' });
    expect(await callOnce(gate.port, token, '/x')).toBe(200);
    await fill('foreign data');
    // An instance that joins now finds no lease of its own to renew.
    await root.call('DEL', `sallyport:{registry}:lease:${gate.gateway.instance}`);
    await root.call('HDEL', 'sallyport:{registry}:members', gate.gateway.instance);
    await expect
      .poll(() => root.call('EXISTS', `sallyport:{registry}:lease:${gate.gateway.instance}`), {
        timeout: BOUND_MS,
      })
      .toBe(1);

    const rotated = await gate.administration.rotateToken(owner, { id });
    expect(rotated.revocation).toMatchObject({ effective: true, instances: 1, acknowledged: 1 });
    const gone = await gate.administration.deactivateAccount(owner, { id });
    expect(gone.revocation).toMatchObject({ effective: true });
    // Nothing is let in that cannot be recorded.
    expect([401, 503]).toContain(await callOnce(gate.port, token, '/x'));

    const foreign = Array.from({ length: 1000 }, (_, n) => `foreign:${n}`);
    await root.call('DEL', ...foreign);
    await callsAreTaken();
    expect(await callOnce(gate.port, token, '/x')).toBe(401);
  });
});

it('a flood of refusals costs no valid call, no revocation and no history', async () => {
  const options = { durationMs: 5_000, accountsPerSecond: 400, strangers: 50 };
  const report = await flood(stage, options);
  expect(report.validFailed).toEqual({});
  expect(report.revocationFaults).toEqual([]);
  expect(report.revocations).toBeGreaterThan(0);
  expect(report.historyAfter).toBe(report.historyBefore);
  expect(report.historyBefore).toBe(100);
  expect(Object.keys(report.refused).sort()).toEqual(['401', '403']);
});
