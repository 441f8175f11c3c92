import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adviceWords } from '../../../src/admin/advice/words.ts';
import type { AccountView } from '../../../src/admin/views.ts';
import { CallEvents } from '../../../src/audit/event/call-event.ts';
import { DECISION, decisionLine } from '../../support/call-events.ts';
import { bossOf, openTrailBench, type TrailBench } from '../../support/trail-bench.ts';
import { route } from '../decision/samples.ts';

const READ = route({
  name: 'read',
  path: '/r/{application}',
  application: { from: 'path', variable: 'application' },
  permission: 'apps:read',
});
const DAY_MS = 86_400_000;

describe('what advice leaves alone', () => {
  let bench: TrailBench;
  let busy: AccountView;

  beforeEach(async () => {
    bench = (await openTrailBench('embedded', [READ]))!;
    const { admin } = bench;
    await admin.createRole(bossOf, { name: 'reader', permissions: ['apps:read'] });
    await admin.createRole(bossOf, { name: 'writer', permissions: ['apps:*'] });
    const made = await admin.createServiceAccount(bossOf, { name: 'busy', role: 'writer' });
    busy = made.account;
  });
  afterEach(() => bench.close());

  const calls = (...timesMs: readonly number[]) =>
    bench.record(
      'gate-a',
      timesMs.map((timeMs) => ({
        ...{ account: busy, route: READ, method: 'GET', timeMs },
        ...{ application: 'crm', role: 'writer' },
      })),
    );
  const found = async (name: string) =>
    (await bench.admin.advise(bossOf, { tokenOlderThanDays: 30 })).items
      .filter(({ target }) => target.name === name)
      .map(({ kind }) => kind);

  it('is bait, whose token and roles are for the look of it', async () => {
    const { admin, clock } = bench;
    await admin.createRole(bossOf, { name: 'lure', permissions: ['lure:read'] });
    await admin.createServiceAccount(bossOf, { name: 'bait', role: 'lure', honey: true });
    await admin.grantRole(bossOf, { name: 'bait', application: 'crm', role: 'lure' });
    await calls(Date.now());
    clock.aheadMs = 31 * DAY_MS;
    expect(await found('busy')).toContain('token-old');
    expect([...(await found('bait')), ...(await found('lure'))]).toEqual([]);
    const matrix = await admin.accessMatrix(bossOf, { permission: 'lure:read' });
    expect(matrix.items.find(({ account }) => account === 'bait')?.standing).toBe('honey');
  });

  it('is what was given minutes ago, and a token that the record saw let in', async () => {
    const { admin, clock } = bench;
    const nowMs = Date.now();
    await calls(nowMs + DAY_MS, nowMs + 30 * DAY_MS);
    clock.aheadMs = 31 * DAY_MS;
    expect(await found('busy')).toEqual(['role-narrower', 'token-old']);
    await admin.editRole(bossOf, { name: 'writer', permissions: ['apps:*', 'envs:read'] });
    expect(await found('busy')).toEqual(['token-old']);
    await admin.grantRole(bossOf, { name: 'busy', application: 'erp', role: 'writer' });
    expect(await found('busy')).toEqual(['token-old']);
    const advice = await admin.advise(bossOf, {});
    expect(advice.changed).toEqual({ accounts: 1, roles: 1, teams: 0 });
    expect(adviceWords(advice).join(' ')).toContain('rights in that time: 1 account, 1 role.');
  });

  it('is a role that all have from yesterday, and says of one that some have so', async () => {
    const { admin, clock } = bench;
    await admin.createRole(bossOf, { name: 'lately', permissions: ['apps:read', 'x:y'] });
    await calls(Date.now());
    clock.aheadMs = 3 * DAY_MS;
    await admin.createServiceAccount(bossOf, { name: 'new', role: 'lately' });
    await admin.grantRole(bossOf, { name: 'new', application: 'erp', role: 'writer' });
    expect(await found('lately')).toEqual([]);
    const { items } = await admin.advise(bossOf, {});
    const wide = items.find(({ kind }) => kind === 'permissions-wide');
    expect(wide?.evidence.details.join(' ')).toContain('1 of the 2 accounts that have it was made');
  });

  it('is everything, while there are records that it cannot read, and says so', async () => {
    const { admin, clock } = bench;
    const nowMs = Date.now();
    await calls(nowMs);
    const facts = { ...DECISION, id: 'b-1', timeMs: nowMs, account: busy, route: READ };
    const line = decisionLine(new CallEvents('gate-b'), 1, facts);
    await bench.append('gate-b', [line.replace('{', '{"schema":99,')]);
    clock.aheadMs = 3 * DAY_MS;
    const advice = await admin.advise(bossOf, {});
    expect(advice).toMatchObject({ items: [], accounts: 0, window: { unreadable: 1 } });
    const input = { name: 'writer', permissions: ['x:y'] };
    const replayed = await admin.replayChange(bossOf, { operation: 'editRole', input });
    expect(replayed.window.unreadable).toBe(1);
  });
});
