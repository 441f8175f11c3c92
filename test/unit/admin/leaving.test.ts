import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pageActivity } from '../../../src/admin/activity-page.ts';
import { createTrails } from '../../../src/admin/trail/trails.ts';
import type { AuditReader } from '../../../src/audit/port.ts';
import { systemClock } from '../../../src/clock.ts';
import { StoreUnavailable } from '../../../src/store/fault.ts';
import { bossOf, openTrailBench, type TrailBench } from '../../support/trail-bench.ts';
import { route } from '../decision/samples.ts';
import { refusal } from './stores.ts';

const READ = route({ name: 'read', path: '/r', permission: 'apps:read' });

/** Somebody who leaves when it was asked so often whether they are still there. */
function leavingAfter(asked: number) {
  const seen = { asked: 0 };
  const left = Object.defineProperty({}, 'aborted', { get: () => ++seen.asked > asked });
  return { seen, actor: { ...bossOf, left: left as AbortSignal } };
}

describe('a long reading for somebody who leaves', () => {
  let bench: TrailBench;

  beforeAll(async () => {
    bench = (await openTrailBench('embedded', [READ]))!;
    await bench.admin.createRole(bossOf, { name: 'reader', permissions: ['apps:read'] });
    await bench.admin.createTeam(bossOf, { name: 'sales', applications: ['crm'] });
    const made = await bench.admin.createServiceAccount(bossOf, { name: 'ci', role: 'reader' });
    for (let n = 0; n < 3; n += 1)
      await bench.admin.createServiceAccount(bossOf, { name: `job-${n}`, role: 'reader' });
    const call = { account: made.account, route: READ, role: 'reader' };
    await bench.record(
      'gate-a',
      Array.from({ length: 20 }, () => call),
    );
  });
  afterAll(() => bench.close());

  it('of the activity ends at the next event', async () => {
    const { store, audit } = bench;
    const page = (asked: number) =>
      pageActivity({ store, audit }, leavingAfter(asked).actor, { account: null });
    expect(await refusal(page(5))).toMatchObject({ code: 'unavailable' });
    expect((await page(1_000)).items.length).toBeGreaterThan(5);
  });

  it('of one request ends at the next piece', async () => {
    const { store, audit } = bench;
    const search = async () => ({ events: [], examined: 1, next: '5', backToMs: 0 });
    const endless = { ...audit, search, oldestMs: async () => null } as unknown as AuditReader;
    const { actor, seen } = leavingAfter(7);
    const found = pageActivity({ store, audit: endless }, actor, {
      ...{ account: null, requestId: 'none' },
    });
    expect(await refusal(found)).toMatchObject({ code: 'unavailable' });
    expect(seen.asked).toBe(8);
  });

  it('of the matrix ends at the next row', async () => {
    const matrix = (asked: number) =>
      bench.admin.accessMatrix(leavingAfter(asked).actor, { permission: 'apps:read' });
    expect(await refusal(matrix(2))).toMatchObject({ code: 'unavailable' });
    expect((await matrix(4)).items).toHaveLength(4);
  });

  it('of recorded calls, for a replay, ends at the next piece, and makes room for others', async () => {
    let pieces = 0;
    const audit = {
      search: async () => {
        pieces += 1;
        return { events: [], examined: 1, next: pieces < 9 ? 'more' : null, backToMs: 0 };
      },
      oldestMs: async () => null,
      record: { anchors: async () => [] },
    } as unknown as AuditReader;
    const trails = createTrails({ audit, clock: systemClock });
    for (const already of [3, 6]) {
      const { actor } = leavingAfter(4);
      expect(await refusal(trails.read({ days: 7 }, actor))).toMatchObject({ code: 'unavailable' });
      expect(pieces).toBe(already);
    }
    expect((await trails.read({ days: 7 }, bossOf)).next).toBeNull();
    const operation = 'editRole';
    const input = { name: 'reader', permissions: ['x:y'] };
    const replayed = (asked: number) =>
      bench.admin.replayChange(leavingAfter(asked).actor, { operation, input });
    expect(await refusal(replayed(1))).toMatchObject({ code: 'unavailable' });
    expect((await replayed(100)).refuses.calls).toBe(20);
  });

  it('of recorded calls goes on for whoever comes back with the cursor, but not after a fault', async () => {
    let pieces = 0;
    let isAway = false;
    const audit = {
      search: async () => {
        if (isAway) throw new StoreUnavailable('unreachable', null, 'away');
        pieces += 1;
        return { events: [], examined: 1, next: 'more', backToMs: 0 };
      },
    } as unknown as AuditReader;
    const trails = createTrails({ audit, clock: systemClock, examinedMax: 4 });
    const cursor = (await trails.read({ days: 7 }, bossOf)).next;
    const leaving = trails.read({ days: 7, cursor }, leavingAfter(3).actor);
    expect(await refusal(leaving)).toMatchObject({ code: 'unavailable' });
    expect(pieces).toBe(6);
    const { next, window } = await trails.read({ days: 7, cursor }, bossOf);
    expect([next, window.examined, pieces]).toEqual([cursor, 10, 10]);
    isAway = true;
    await expect(trails.read({ days: 7, cursor }, bossOf)).rejects.toThrow('away');
    expect(await refusal(trails.read({ days: 7, cursor }, bossOf))).toMatchObject({
      code: 'invalid',
    });
  });
});
