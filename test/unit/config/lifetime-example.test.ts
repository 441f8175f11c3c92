import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { GROUPS, LIFETIME } from '../../../config/lifetime/api.ts';
import { EXAMPLE_FILE, exampleText } from '../../../config/lifetime/example.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { explain } from '../../../src/decision/explain.ts';
import type { Route } from '../../../src/decision/route.ts';
import { createRouteTable, type RouteTable } from '../../../src/decision/route-table.ts';
import { account, role, team } from '../../contract/registry-records.ts';

const OPERATIONS = GROUPS.flatMap(({ operations }) => operations);
let table: RouteTable;
let routes: readonly Route[];

beforeAll(() => {
  routes = routesIn(exampleText());
  table = createRouteTable(routes);
});

function routesIn(text: string): readonly Route[] {
  const dir = mkdtempSync(join(tmpdir(), 'sallyport-lifetime-'));
  try {
    for (const file of ['tls.crt', 'tls.key']) writeFileSync(join(dir, file), 'x');
    return parseConfig(text, join(dir, 'sallyport.yaml')).config.routes;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Asked of an account without a default role that has this permission in the team of CRM. */
function withLists(text: string) {
  const explained = (
    of: RouteTable,
    { method, path }: { readonly method: string; readonly path: string },
    permission: string,
  ) => {
    const policy = Policy.of([role('one', [permission])], [team('crew', ['CRM'])]);
    const member = account(1, { role: 'none', teams: [{ team: 'crew', role: 'one' }] });
    return explain(
      { table: of, policy, clock: systemClock },
      {
        account: compilePrincipal(member),
        ...{ method, path, host: 'lifetime.example.com', variables: [] },
      },
    );
  };
  return { table: createRouteTable(routesIn(text)), explained };
}

/** A path as clients write it, with a key in place of each variable. */
const concrete = (path: string) =>
  path.replace(/\{([^}]*)\}/g, 'a1b2-$1').replace(/\/\*\*$/, '/a/b.oap');

const found = (method: string, path: string) => {
  const match = table.match('lifetime.example.com', path, method);
  return match.kind === 'route' ? match.route : match.kind;
};

it('is what the table of the API makes (npm run lifetime writes it)', () => {
  expect(readFileSync(EXAMPLE_FILE, 'utf8')).toBe(exampleText());
});

describe('the routes of the LifeTime example', () => {
  it('take every operation of the API, with and without a slash at the end, in any letter case', () => {
    let asked = 0;
    for (const { methods, path, permission, name } of OPERATIONS) {
      const plain = concrete(path);
      const spellings = [plain, plain.toUpperCase(), plain.toLowerCase()];
      const forms = path.endsWith('/**') ? spellings : spellings.flatMap((one) => [one, `${one}/`]);
      for (const method of methods.includes('GET') ? [...methods, 'HEAD'] : methods) {
        for (const form of forms) {
          const route = found(method, form);
          expect(route, `${method} ${form}`).toMatchObject({ permission, errors: 'lifetime' });
          expect((route as { name: string }).name.replace(/\.slash$/, '')).toBe(name);
          asked += 1;
        }
      }
    }
    expect(asked).toBeGreaterThan(600);
  });

  it('let nobody who may read deployments see users, roles, teams or database connections', () => {
    for (const path of [
      '/users',
      '/users/1',
      '/roles',
      '/roles/permissionlevels',
      '/teams',
      '/teams/1',
    ])
      for (const slash of ['', '/']) {
        const route = found('GET', `${LIFETIME}${path}${slash}`);
        expect(route, path).toMatchObject({ permission: `${path.split('/')[1]}:read` });
      }
    expect(found('GET', `${LIFETIME}/environments/dev/dbconnections`)).toMatchObject({
      permission: 'dbconnections:{environment}:read',
    });
  });

  it('permit the lists to who may read one application, where that is wanted', () => {
    const text = exampleText('some');
    const changed = text.split('\n').filter((line, n) => line !== exampleText().split('\n')[n]);
    expect(changed.map((line) => /name: ([^,]+),/.exec(line)?.[1])).toEqual(
      ['applications', 'environments', 'deployments'].flatMap((name) => [name, `${name}.slash`]),
    );
    const { table: weaker, explained } = withLists(text);
    for (const [path, permission] of [
      ['/applications', 'applications:read'],
      ['/environments/', 'environments:read'],
      ['/deployments', 'deployments:read'],
    ] as const) {
      const asked = { method: 'GET', path: LIFETIME + path };
      expect(explained(weaker, asked, permission)).toMatchObject({
        ...{ allowed: true, application: 'CRM' },
      });
      // Here the default role decides, which is none.
      expect(explained(table, asked, permission)).toMatchObject({ allowed: false });
      expect(explained(weaker, asked, 'other:read')).toMatchObject({ allowed: false });
    }
  });

  it('take nothing beside the API', () => {
    for (const path of [
      '/',
      '/lifetimeapi',
      LIFETIME,
      `${LIFETIME}/other`,
      `${LIFETIME}/users/1/x`,
    ])
      expect(found('GET', path), path).toBe('none');
    expect(found('DELETE', `${LIFETIME}/deployments`)).toBe('method-refused');
    expect(found('POST', `${LIFETIME}/deployments/1/delete`)).toBe('none');
  });

  it('understand the bare token on download links alone', () => {
    expect(routes.filter((route) => route.acceptBareToken).map(({ name }) => name)).toEqual([
      'download',
    ]);
  });

  it('hold no two of one name, and a permission of its own for each group', () => {
    expect(new Set(OPERATIONS.map(({ name }) => name)).size).toBe(OPERATIONS.length);
    const groups = new Map<string, Set<string>>();
    for (const { about, operations } of GROUPS)
      for (const { permission, methods } of operations)
        if (permission !== null && !methods.includes('GET'))
          groups.set(permission, (groups.get(permission) ?? new Set()).add(about));
    for (const [permission, of] of groups) expect([permission, of.size]).toEqual([permission, 1]);
  });
});
