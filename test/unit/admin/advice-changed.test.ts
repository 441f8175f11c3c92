import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RightsChanged } from '../../../src/admin/advice/rights-changed.ts';
import type { AccountView } from '../../../src/admin/views.ts';
import { encodeRecord, withVersion } from '../../../src/registry/codec.ts';
import type { ChangePage } from '../../../src/registry/port.ts';
import {
  bossOf,
  openTrailBench,
  TRAIL_STORES,
  type TrailBench,
} from '../../support/trail-bench.ts';
import { route } from '../decision/samples.ts';

const READ = route({
  name: 'read',
  path: '/r/{application}',
  application: { from: 'path', variable: 'application' },
  permission: 'apps:read',
});
const DAY_MS = 86_400_000;

/** Edited within the time that is looked at, and may do what it did. */
const AS_BEFORE = [
  'bound',
  'described',
  'held-to-fewer',
  'held-to-networks',
  'prolonged',
  'rotated',
];
/** Given something within that time. */
const GIVEN = [
  ...[
    'activated',
    'bound-otherwise',
    'elsewhere',
    'everywhere',
    'granted',
    'joined',
    'out-of-time',
  ],
  ...['promoted', 'unbound', 'without-token'],
];
const [HERE, THERE] = ['192.0.2.0/24', '198.51.100.0/24'];
const CERTIFICATE = { subject: 'CN=one' };
/** To what some were held before. */
const HELD: Readonly<Record<string, object>> = {
  'held-to-fewer': { allowedNetworks: [HERE, THERE] },
  elsewhere: { allowedNetworks: [HERE] },
  everywhere: { allowedNetworks: [HERE] },
  'bound-otherwise': { boundTo: CERTIFICATE },
  unbound: { boundTo: CERTIFICATE },
};

describe.each(TRAIL_STORES)('what was given since the record begins, on the %s store', (kind) => {
  let bench: TrailBench | null = null;
  const accounts = new Map<string, AccountView>();

  beforeAll(async () => {
    bench = await openTrailBench(kind, [READ]);
    if (bench === null) return;
    const { admin, clock } = bench;
    const nowMs = Date.now();
    const at = (days: number) => new Date(nowMs + days * DAY_MS).toISOString();
    for (const [name, permissions] of [
      ['reader', ['apps:read']],
      ['writer', ['apps:*', 'envs:write']],
      ['owner', ['apps:*', 'envs:*']],
    ] as const)
      await admin.createRole(bossOf, { name, permissions: [...permissions] });
    await admin.createTeam(bossOf, { name: 'sales', applications: ['crm'] });
    for (const name of [...AS_BEFORE, ...GIVEN, 'imported']) {
      const role = name === 'promoted' ? 'reader' : 'writer';
      const expiresAt = { prolonged: at(90), 'out-of-time': at(2) }[name] ?? null;
      const { account } =
        name === 'without-token'
          ? await admin.declareServiceAccount(bossOf, { name, role })
          : await admin.createServiceAccount(bossOf, { name, role, expiresAt, ...HELD[name] });
      accounts.set(name, account);
    }
    await admin.deactivateAccount(bossOf, { name: 'activated', kind: 'service' });
    const imported = (await bench.store.accountByName('imported'))!;
    await admin.deleteAccount(bossOf, { name: 'imported', kind: 'service' });
    const call = { route: READ, method: 'GET', application: 'crm', role: 'writer' };
    // The record begins here.
    await bench.record(
      'gate-a',
      [...accounts.values()].map((account) => ({ ...call, account })),
    );
    clock.aheadMs = 3 * DAY_MS;
    const edit = (name: string, more: object) =>
      admin.editAccount(bossOf, { name, kind: 'service', ...more });
    await admin.rotateToken(bossOf, { name: 'rotated' });
    await edit('described', { description: 'Reads' });
    await edit('held-to-networks', { allowedNetworks: [HERE] });
    await edit('held-to-fewer', { allowedNetworks: [THERE] });
    await edit('elsewhere', { allowedNetworks: [HERE, THERE] });
    await edit('everywhere', { allowedNetworks: null });
    await edit('bound', { boundTo: CERTIFICATE });
    await edit('bound-otherwise', { boundTo: { subject: 'CN=two' } });
    await edit('unbound', { boundTo: null });
    await edit('prolonged', { expiresAt: at(180) });
    await admin.editRole(bossOf, { name: 'owner', description: 'Owns' });
    await edit('activated', { status: 'active' });
    await admin.grantRole(bossOf, { name: 'granted', application: 'erp', role: 'writer' });
    await admin.joinTeam(bossOf, { name: 'joined', team: 'sales', role: 'writer' });
    await edit('out-of-time', { expiresAt: at(180) });
    await edit('promoted', { role: 'writer' });
    await admin.rotateToken(bossOf, { name: 'without-token' });
    const text = withVersion(encodeRecord({ ...imported, id: 'imported0001' }), 1);
    await admin.importRecord(bossOf, { kind: 'account', text });
  });
  afterAll(() => bench?.close());
  beforeEach((ctx) => {
    if (bench === null) ctx.skip('redis-server is not installed');
  });

  it('says nothing of it, and goes on about whoever got a token, a description or another expiry', async () => {
    const { items, changed } = await bench!.admin.advise(bossOf, {});
    const narrower = items.filter(({ kind: is }) => is === 'role-narrower');
    expect(narrower.map(({ target }) => target.name).sort()).toEqual(AS_BEFORE);
    expect(changed).toEqual({ accounts: GIVEN.length + 1, roles: 0, teams: 0 });
    expect(items).toContainEqual(
      expect.objectContaining({ kind: 'role-unused', target: { kind: 'role', name: 'owner' } }),
    );
  });

  it('is whatever was written since, where the history cannot be read that far', async () => {
    const { store } = bench!;
    const since = new Date(Date.now() + 2 * DAY_MS).toISOString();
    const { seq } = await store.snapshot();
    const account = (await store.accountByName('rotated'))!;
    const isChanged = async (from: Pick<typeof store, 'changes'>, asOf: number, most: number) => {
      const read = { since, asOf, examinedMax: most };
      return (await RightsChanged.read({ store: { ...store, ...from } }, bossOf, read)).account(
        account,
      );
    };
    const history = { changes: store.changes.bind(store) };
    const unreadable = {
      changes: async (): Promise<ChangePage> => ({
        ...(await history.changes({ account: null, before: null, limit: 1 })),
        items: ['{"schema":99}'],
      }),
    };
    expect(await isChanged(history, seq, 50_000)).toBe(false);
    expect(await isChanged(history, seq, 3)).toBe(true);
    expect(await isChanged(unreadable, seq, 50_000)).toBe(true);
    expect(await isChanged(history, account.version - 1, 50_000)).toBe(true);
  });

  it('is seen behind a change by whoever has a slow clock, and where nothing tells of it', async () => {
    const { store } = bench!;
    const since = new Date(Date.now() + 2 * DAY_MS).toISOString();
    const promoted = (await store.accountByName('promoted'))!;
    const { seq: asOf } = await store.snapshot();
    const page = await store.changes({ account: null, before: null, limit: 500 });
    // The newest change, by a clock that is 40 days slow.
    const slowed = (line: string) =>
      line.replace(/"time":"[^"]+"/, '"time":"2020-01-01T00:00:00.000Z"');
    const slow = page.items.map((line, at) => (at > 0 ? line : slowed(line)));
    const told = slow.filter((line) => !line.includes(promoted.id));
    const none = page.items.map(() => null);
    const seen = async (items: readonly string[], recordedMs: ChangePage['recordedMs'] = none) => {
      const changes = async (): Promise<ChangePage> => ({ ...page, items, recordedMs });
      return RightsChanged.read({ store: { ...store, changes } }, bossOf, { since, asOf });
    };
    expect((await seen(slow)).account(promoted)).toBe(true);
    expect((await seen(told)).account(promoted)).toBe(true);
    // Where the store has a clock, its own slow one hides nothing either.
    const recorded = page.items.map(() => Date.parse(since) + DAY_MS);
    const unseen = { ...promoted, updatedAt: since };
    expect((await seen(page.items.map(slowed))).account(unseen)).toBe(false);
    expect((await seen(page.items.map(slowed), recorded)).account(unseen)).toBe(true);
    expect(page.recordedMs.every((ms) => (ms === null) === (kind === 'embedded'))).toBe(true);
    expect((await seen(slow)).account((await store.accountByName('described'))!)).toBe(false);
  });
});
