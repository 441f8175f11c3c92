import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createAdministration,
  OPERATION_NAMES,
  OPERATIONS,
} from '../../../src/admin/administration.ts';
import { defined } from '../../../src/admin/api/operation.ts';
import { FOUND_TOKENS, OPERATIONS as SERVED } from '../../../src/admin/api/operations.ts';
import { placesOf, type Row } from '../../../src/admin/operations/row.ts';
import { CHANGE_TYPES } from '../../../src/audit/event/audit-event.ts';
import { RegistryUnavailable } from '../../../src/registry/port.ts';
import { type Bench, changesOf, openBench, owner, refusal } from './stores.ts';

const ROWS: readonly (readonly [string, Row])[] = OPERATION_NAMES.map((name) => [
  name,
  OPERATIONS[name],
]);

describe('the table of operations', () => {
  it('has an operation for every change that is on record', () => {
    const recorded = new Set(ROWS.flatMap(([, { records }]) => records));
    // Left by earlier versions.
    const others = [
      'token-issued',
      // Of any operation that can wait, and of time.
      'change-proposed',
      'change-expired',
    ];
    expect(CHANGE_TYPES.filter((type) => !recorded.has(type))).toEqual(others);
  });

  it('serves every route of a row', () => {
    const served = new Set([...SERVED, ...FOUND_TOKENS].map(({ id }) => id));
    const named = ROWS.flatMap(([, { routes }]) => routes.map(({ id }) => id));
    expect(named.filter((id) => !served.has(id))).toEqual([]);
  });

  it('lets nobody change anything who may only read', () => {
    const wrong = ROWS.filter(
      ([, { needs, records }]) => needs === 'sallyport:registry:read' && records.length > 0,
    );
    expect(wrong).toEqual([]);
  });

  it('takes each field of a route in one place, and says over HTTP no more than the row takes', () => {
    for (const [name, row] of ROWS)
      for (const route of row.routes) {
        const { path, rest, shape } = placesOf(row, route);
        const fields = [...Object.values(path), ...Object.keys(route.fixed ?? {})];
        expect([name, fields.filter((field) => !(field in shape))]).toEqual([name, []]);
        expect([name, Object.keys(rest).filter((field) => fields.includes(field))]).toEqual([
          name,
          [],
        ]);
        const isSaid = route.method === 'get' || route.body !== undefined;
        expect([name, route.id, isSaid || Object.keys(rest).length === 0]).toEqual([
          name,
          route.id,
          true,
        ]);
      }
  });

  it.each<[keyof typeof OPERATIONS, object, string]>([
    ['activityPage', { account: null, limit: 5 }, 'listActivity'],
    ['activityPage', { account: { name: 'ci' }, cursor: 'x' }, 'listActivity'],
    ['activityPage', { account: { id: 'a1' }, phase: 'call' }, 'listServiceAccountActivity'],
    ['activityPage', { account: null, everything: true }, 'listActivityLines'],
    ['activityPage', { account: { name: 'ci' }, everything: true }, 'listActivityLines'],
    ['activityPage', { account: { id: 'a1' }, everything: true }, 'listActivityLines'],
    ['startVerification', { trust: { keys: [] } }, 'verifyAudit'],
    ['startReindex', { account: null }, 'reindexAudit'],
    ['startReindex', { account: { id: 'a1' } }, 'reindexAudit'],
  ])('takes over HTTP what is said for it from afar: %s of %j', (name, input, id) => {
    const { routes }: Row = OPERATIONS[name];
    const saying = routes.map(({ saying: words }) => words!);
    const ways = saying.map(({ said }) => said(input as never));
    const first = ways.findIndex((way) => way !== null);
    expect(routes[first]!.id).toBe(id);
    expect(defined(saying[first]!.taken(defined({ ...ways[first] }) as never) as never)).toEqual(
      input,
    );
  });

  it('finds again what a creation has made, and knows the operation behind another name', () => {
    for (const [, { routes, as }] of ROWS) {
      for (const { creates } of routes)
        if (creates !== undefined) expect(OPERATION_NAMES).toContain(creates.shownBy);
      if (as !== undefined) expect(OPERATION_NAMES).toContain(as.operation);
    }
  });
});

describe('an input that is wrong', () => {
  const nowhere = {
    snapshot: () => Promise.reject(new RegistryUnavailable('unreachable', 'the store is away')),
  };
  const admin = createAdministration({
    ...{ store: nowhere as never, instance: null },
    clock: { wallMs: () => 0, monotonicMs: () => 0 },
  });

  it('is told without the registry where nothing of it means anything there', async () => {
    const adopting = refusal(admin.registryAdopt(owner, { id: 'x' }));
    expect((await adopting).faults).toEqual([
      { field: 'id', message: 'must be the id of a registry, a UUID' },
    ]);
    const asking = refusal(admin.activityPage(owner, { account: null, status: '4x' }));
    expect(await asking).toMatchObject({ code: 'invalid', faults: [{ field: 'status' }] });
  });

  it('is not half told where something of it does', async () => {
    const creating = refusal(admin.createServiceAccount(owner, { name: '', role: 'nope' }));
    expect(await creating).toMatchObject({ code: 'unavailable' });
  });
});

describe('what operations leave in the record', () => {
  let bench: Bench;

  beforeAll(async () => {
    bench = (await openBench('embedded'))!;
  });
  afterAll(() => bench.close());

  it('is what their rows say', async () => {
    const { admin, store } = bench;
    const said = async (name: keyof typeof OPERATIONS, act: () => Promise<unknown>) => {
      const before = (await changesOf(store)).length;
      await act();
      const types = (await changesOf(store)).slice(before).map(({ type }) => type);
      expect([
        name,
        types.filter((type) => !OPERATIONS[name].records.includes(type as never)),
      ]).toEqual([name, []]);
      expect([name, types.length > 0]).toEqual([name, OPERATIONS[name].records.length > 0]);
    };
    const ref = { name: 'ci' } as const;
    await said('createRole', () => admin.createRole(owner, { name: 'r', permissions: ['a:b'] }));
    await said('editRole', () => admin.editRole(owner, { name: 'r', description: 'x' }));
    await said('createTeam', () => admin.createTeam(owner, { name: 't', applications: ['A'] }));
    await said('editTeam', () => admin.editTeam(owner, { name: 't', addApplications: ['B'] }));
    await said('createServiceAccount', () =>
      admin.createServiceAccount(owner, { name: 'ci', role: 'r' }),
    );
    await said('editAccount', () => admin.editAccount(owner, { ...ref, description: 'x' }));
    await said('deactivateAccount', () => admin.deactivateAccount(owner, ref));
    await said('activateAccount', () => admin.activateAccount(owner, ref));
    await said('editAccount', () => admin.editAccount(owner, { ...ref, status: 'inactive' }));
    await said('joinTeam', () => admin.joinTeam(owner, { ...ref, team: 't', role: 'r' }));
    await said('leaveTeam', () => admin.leaveTeam(owner, { ...ref, team: 't' }));
    await said('grantRole', () => admin.grantRole(owner, { ...ref, application: 'A', role: 'r' }));
    await said('revokeGrant', () => admin.revokeGrant(owner, { ...ref, application: 'A' }));
    await said('rotateToken', () => admin.rotateToken(owner, { ...ref, overlapMs: 60_000 }));
    await said('closeOverlap', () => admin.closeOverlap(owner, ref));
    const { account } = await admin.createServiceAccount(owner, { name: 'cd', role: 'none' });
    await said('changeAccounts', () =>
      admin.changeAccounts(owner, { kind: 'service', ids: [account.id], role: 'r' }),
    );
    await said('declareServiceAccount', () =>
      admin.declareServiceAccount(owner, { name: 'declared', role: 'r' }),
    );
    await said('applyDeclaration', () =>
      admin.applyDeclaration(owner, { roles: [{ name: 'q', permissions: ['a:c'] }] }),
    );
    await said('listAccounts', () => admin.listAccounts(owner, {}));
    await said('deleteAccount', () => admin.deleteAccount(owner, ref));
    await said('deleteTeam', () => admin.deleteTeam(owner, { name: 't' }));
    await said('deleteRole', () => admin.deleteRole(owner, { name: 'q' }));
  });
});
