import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Control, createControl } from '../../../src/admin/control.ts';
import { AdminError } from '../../../src/admin/error.ts';
import { type OpenStores, openStores } from '../../../src/admin/stores.ts';
import type { WhoCan } from '../../../src/admin/who-can.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { owner, startGateway, type TestGateway } from '../../support/gateway.ts';
import { type Listening, startPlainService } from '../../support/plain-service.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../../support/redis-users.ts';

/**
 * Whoever stands apart from the gates, with the store alone, answers by the routes that they have
 * published, as they decide. On Redis, as the users that ship.
 */
const missing = redisMissing();
const APPS = ['CRM', 'Portal', 'Ledger'] as const;
const ROUTES = [
  {
    ...{ name: 'deploy', path: '/apps/{application}/deploy', methods: ['POST'] },
    ...{ application: '{application}', permission: 'apps:write', upstream: 'up' },
  },
  {
    ...{ name: 'list', path: '/apps', methods: ['GET'], application: 'any' },
    ...{ permission: 'apps:read', upstream: 'up' },
  },
  { name: 'health', path: '/healthz', access: 'public', upstream: 'up' },
];

let server: RedisServer;
let users: RedisUsers;
let upstream: Listening;
let gate: TestGateway;
let stores: OpenStores;
let apart: Control;
const tokens = new Map<string, string>();

const store = (who: 'gate' | 'manager') => ({ url: server.url, ...users[who] });

beforeAll(async () => {
  if (missing !== null) return;
  users = await makeRedisUsers();
  server = await startRedis({ aclFile: users.aclFile });
  upstream = await startPlainService('up');
  gate = await startGateway({
    upstreams: { up: { addresses: [`http://${upstream.address}`] } },
    ...{ routes: ROUTES, store: store('gate'), administratorStore: store('manager') },
    plaintext: true,
  });
  await vi.waitFor(() => expect(gate.gateway.ready).toBe(true), 20_000);
  const text = JSON.stringify({ store: { kind: 'redis', ...store('manager') } });
  const { config } = parseConfig(text, join(gate.dataDir, 'manage.yaml'));
  stores = await openStores(config, { clock: systemClock, create: false, note: () => {} });
  apart = createControl({ ...stores, clock: systemClock, instance: null, routes: () => [] });
  await fill();
});
afterAll(async () => {
  await stores?.close();
  await gate?.stop();
  await upstream?.stop();
  await server?.stop();
  await users?.remove();
});
beforeEach((context) => {
  if (missing !== null) context.skip(missing);
});

/** Accounts that differ in every way in which the answer can. */
async function fill(): Promise<void> {
  const { administration: admin } = apart;
  await admin.createRole(owner, { name: 'writer', permissions: ['apps:*'] });
  await admin.createRole(owner, { name: 'reader', permissions: ['apps:read'] });
  await admin.createTeam(owner, { name: 'sales', applications: ['CRM', 'Portal'] });
  const roles = ['none', 'reader', 'writer'];
  let index = 0;
  for (const role of roles)
    for (const inTeam of [null, ...roles])
      for (const granted of [null, ...roles]) {
        index += 1;
        const name = `m-${String(index).padStart(2, '0')}`;
        const { token } = await admin.createServiceAccount(owner, {
          ...{ name, role },
          teams: inTeam === null ? [] : [{ team: 'sales', role: inTeam }],
        });
        if (granted !== null)
          await admin.grantRole(owner, { name, application: 'CRM', role: granted });
        if (index % 16 === 0) await admin.deactivateAccount(owner, { name });
        tokens.set(name, token);
      }
}

async function whoCan(method: string, path: string): Promise<readonly WhoCan[]> {
  const { items, next, routes } = await apart.administration.whoCan(owner, { method, path });
  expect(next).toBeNull();
  expect(routes.instance).toBe(gate.gateway.instance);
  return items;
}

async function isLetIn(name: string, method: string, path: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${tokens.get(name)}` };
  const response = await fetch(`${gate.url}${path}`, { method, headers });
  await response.arrayBuffer();
  return response.ok;
}

describe('a control that stands apart from the gate', () => {
  it('knows which gates have which routes, and since when', async () => {
    const { own, items } = await apart.administration.listRouteTables(owner, {});
    expect(own).toBe(false);
    expect(items).toMatchObject([{ instance: gate.gateway.instance, routes: 3 }]);
    expect(Math.abs(Date.parse(items[0]!.since) - Date.now())).toBeLessThan(600_000);
  });

  it.each([
    ['POST', '/apps/CRM/deploy'],
    ['POST', '/apps/Ledger/deploy'],
    ['GET', '/apps'],
    ['GET', '/healthz'],
  ])(
    'names for %s %s those whose call is explained as let in, with the rule',
    async (method, path) => {
      const found = new Map((await whoCan(method, path)).map((one) => [one.account, one]));
      expect(found.size).toBeGreaterThan(0);
      for (const account of tokens.keys()) {
        const answer = await apart.administration.explain(owner, { account, method, path });
        expect([account, found.has(account)]).toEqual([account, answer.allowed]);
        const { role, rule, team, application, permission } = answer;
        if (answer.allowed)
          expect(found.get(account)).toMatchObject({ role, rule, team, application, permission });
      }
    },
  );

  it('names exactly those whom the gate lets in', async () => {
    const path = '/apps/CRM/deploy';
    const found = new Set((await whoCan('POST', path)).map(({ account }) => account));
    expect(found.size).toBeGreaterThan(0);
    for (const account of tokens.keys())
      expect([account, await isLetIn(account, 'POST', path)]).toEqual([
        account,
        found.has(account),
      ]);
  });

  it('has a matrix whose cells are what a call about each application would become', async () => {
    const { administration } = apart;
    const asked = { permission: 'apps:write', application: 'a' };
    const page = await administration.accessMatrix(owner, { permission: 'apps:write', limit: 200 });
    expect(page.applications).toEqual(['CRM', 'Portal']);
    expect(page.items.map(({ account }) => account)).toEqual(
      expect.arrayContaining([...tokens.keys()]),
    );
    for (const { account, cells } of page.items) {
      if (!tokens.has(account)) continue;
      for (const { application, allowed, role, rule, team } of cells) {
        const path = `/apps/${application}/deploy`;
        const answer = await administration.explain(owner, { account, method: 'POST', path });
        expect([account, application, allowed]).toEqual([account, application, answer.allowed]);
        if (answer.role !== null) expect({ role, rule, team }).toMatchObject(ruleOf(answer));
      }
    }
    const narrowed = await administration.accessMatrix(owner, { ...asked, search: 'm-0' });
    expect(narrowed.applications).toEqual(['Portal']);
    expect(narrowed.total).toBe(9);
  });

  it('pages through the rows and the columns of a matrix', async () => {
    const seen: string[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
      const page = await apart.administration.accessMatrix(owner, {
        ...{ permission: 'apps:write', limit: 20, columns: 1, search: 'm-' },
        ...(cursor === undefined ? {} : { cursor }),
      });
      expect([page.applications, page.nextAfter]).toEqual([['CRM'], 'CRM']);
      seen.push(...page.items.map(({ account }) => account));
      more = page.next !== null;
      cursor = page.next ?? undefined;
    }
    expect(seen).toEqual([...tokens.keys()]);
    const rest = await apart.administration.accessMatrix(owner, {
      ...{ permission: 'apps:write', columns: 1, after: 'CRM' },
    });
    expect([rest.applications, rest.nextAfter]).toEqual([['Portal'], null]);
  });

  it('knows an application that only a grant names when it is asked by its whole name', async () => {
    const page = await apart.administration.accessMatrix(owner, {
      ...{ permission: 'apps:write', application: APPS[2] },
    });
    expect(page.applications).toEqual(['Ledger']);
  });

  it.each(['apps:*', 'apps', 'sallyport:registry:read', '*'])(
    'takes no %s for one permission of a route',
    async (permission) => {
      const refused = apart.administration.accessMatrix(owner, { permission });
      await expect(refused).rejects.toMatchObject({ code: 'invalid' });
    },
  );

  it('says whose routes are not there', async () => {
    const asked = { method: 'GET', path: '/apps', instance: 'nobody-00000000' };
    const refused = apart.administration.whoCan(owner, asked);
    await expect(refused).rejects.toThrow('instance nobody-00000000 has published no routes');
  });

  it('tells of gates that differ, and answers by the one that is named', async () => {
    const other = await startGateway({
      upstreams: { up: { addresses: [`http://${upstream.address}`] } },
      routes: [{ ...ROUTES[1]!, path: '/elsewhere' }],
      ...{ store: store('gate'), administratorStore: store('manager'), plaintext: true },
    });
    const { instance } = other.gateway;
    const explain = (path: string, by?: string) =>
      apart.administration.explain(owner, {
        ...{ account: 'm-01', method: 'GET', path },
        ...(by === undefined ? {} : { instance: by }),
      });
    try {
      await vi.waitFor(async () => {
        const { items } = await apart.administration.listRouteTables(owner, {});
        expect(items.map((one) => one.instance)).toContain(instance);
      }, 20_000);
      expect(await explain('/elsewhere')).toMatchObject({
        route: 'list',
        routes: { instance, differing: 1 },
      });
      expect(await explain('/elsewhere', gate.gateway.instance)).toMatchObject({
        reason: 'route-unknown',
        routes: { instance: gate.gateway.instance, differing: 1 },
      });
    } finally {
      await other.stop();
    }
    // An instance that has said goodbye is not asked any more.
    expect(await explain('/elsewhere')).toMatchObject({ reason: 'route-unknown' });
    await expect(explain('/elsewhere', instance)).rejects.toBeInstanceOf(AdminError);
  });
});

function ruleOf({ role, rule, team }: { role: unknown; rule: unknown; team: unknown }) {
  return { role, rule, team };
}
