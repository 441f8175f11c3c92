import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { explain } from '../../../src/decision/explain.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import { whyNoLonger } from '../../../src/decision/still-permitted.ts';
import type { Permit } from '../../../src/decision/verdict.ts';
import { account, role, team } from '../account/samples.ts';
import { ANYWHERE, clock, decider, NOW_MS, route, SampleRegistry, word } from './samples.ts';

const ROUTES = [
  route({
    name: 'deploy',
    path: '/environments/{environment}/applications/{application}',
    methods: ['GET', 'POST'],
    application: { from: 'path', variable: 'application' },
    permission: 'deployments:{environment}:write',
  }),
  route({
    name: 'environment',
    path: '/environments/{environment}',
    methods: ['GET', 'POST'],
    permission: 'environments:{environment}:read',
  }),
  route({
    name: 'long',
    path: '/long/{one}/{two}',
    methods: ['GET'],
    permission: 'long:{one}:{two}',
  }),
];

let registry: SampleRegistry;
let gate: ReturnType<typeof decider>;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(
    [
      role('developer', 'deployments:Development:*', 'environments:Development:read'),
      role('writer', 'deployments:*:write', 'environments:*'),
      role('all', '*'),
    ],
    [team('sales', 'crm')],
  );
  gate = decider(registry, ROUTES);
});

const ask = (path: string, changes: Partial<Account> = {}, method = 'GET') =>
  gate.now({ path, method, authorization: `Bearer ${registry.withToken(changes)}` });

describe('a permission with variables', () => {
  it('is asked for with the values of the path', () => {
    const developer = { role: 'developer' };
    expect(ask('/environments/Development/applications/crm', developer)).toMatchObject({
      permitted: true,
      application: 'crm',
      demand: { applications: ['crm'], permissions: ['deployments:Development:write'] },
    });
    expect(ask('/environments/Production/applications/crm', developer)).toMatchObject({
      reason: 'permission-denied',
      role: 'developer',
      demand: { permissions: ['deployments:Production:write'] },
    });
    expect(word(ask('/environments/Production/applications/crm', { role: 'writer' }))).toBe(
      'permitted',
    );
  });

  it('is judged by the effective role on the application', () => {
    const lowered = { role: 'all', teams: [{ team: 'sales', role: 'developer' }] };
    expect(word(ask('/environments/Production/applications/crm', lowered))).toBe(
      'permission-denied',
    );
    expect(word(ask('/environments/Production/applications/other', lowered))).toBe('permitted');
  });

  it('on any application needs every role of an account for an unsafe call', () => {
    const mixed = { role: 'writer', teams: [{ team: 'sales', role: 'developer' }] };
    expect(word(ask('/environments/Production', mixed))).toBe('permitted');
    expect(word(ask('/environments/Production', mixed, 'POST'))).toBe('permission-denied');
    expect(word(ask('/environments/Development', mixed, 'POST'))).toBe('permitted');
  });

  it.each([
    '*',
    'a%3Ab',
    '%2A',
    'Development.',
    '-x',
    '.x',
    'a:b',
    'a;b',
    'x'.repeat(65),
    '%C3%A9',
  ])('has no value %s: refused, whatever the role', (value) => {
    const verdict = ask(`/environments/${value}`, { role: 'all' });
    expect(verdict).toMatchObject({
      permitted: false,
      role: null,
      detail: 'what the call is about is no possible name',
    });
  });

  it('that grows too long is refused, whatever the role', () => {
    const path = `/long/${'a'.repeat(64)}/${'b'.repeat(64)}`;
    expect(word(ask(path, { role: 'all' }))).toBe('permission-denied');
    expect(word(ask(`/long/${'a'.repeat(64)}/b`, { role: 'all' }))).toBe('permitted');
  });

  it('is asked again of calls that are under way', () => {
    const permit = ask('/environments/Development/applications/crm', {
      role: 'developer',
    }) as Permit;
    const lookup = registry.cached(permit.account!.account.id)!;
    const why = () => whyNoLonger(registry, permit, ANYWHERE, lookup as never, NOW_MS);
    expect(why()).toBe(null);
    registry.policy.putRole(role('developer', 'deployments:Production:*'));
    expect(why()).toBe('permission-denied');
    registry.policy.putRole(role('developer', 'deployments:*:write'));
    expect(why()).toBe(null);
  });
});

describe('the explanation', () => {
  const explained = (path: string, name: string) =>
    explain(
      { table: createRouteTable(ROUTES), policy: registry.policy, clock },
      {
        account: compilePrincipal(
          account({ role: name, token: { digest: 'a'.repeat(64), createdAt: '' } }),
        ),
        method: 'GET',
        host: 'gate',
        path,
      },
    );

  it('shows the permission that is asked for, and the one that the route names', () => {
    expect(explained('/environments/Production', 'developer')).toMatchObject({
      allowed: false,
      permission: 'environments:Production:read',
      because: [
        'Route environment requires environments:{environment}:read, here environments:Production:read.',
        'The route is about any application: the default role of billing-ci, developer, decides.',
        'Role developer lacks environments:Production:read.',
      ],
    });
  });

  it('says what is no value', () => {
    const { allowed, permission, because } = explained('/environments/a%3Ab', 'all');
    expect({ allowed, permission }).toEqual({
      allowed: false,
      permission: 'environments:{environment}:read',
    });
    expect(because.at(-1)).toContain('{environment} is not a possible name');
  });
});

describe('a route table', () => {
  it.each([
    ['environments:{other}:read', '{other} stands neither in the path'],
    ['{environment}:read', 'first word'],
    ['sallyport:{environment}:read', "Sallyport's own"],
  ])('refuses %s', (permission, why) => {
    const made = () =>
      createRouteTable([route({ path: '/environments/{environment}', permission })]);
    expect(made).toThrow(why);
  });

  it('refuses a permission whose compiled form is another one', () => {
    const made = route({ path: '/environments/{environment}', permission: 'a:{environment}' });
    expect(() => createRouteTable([{ ...made, permissionTemplate: null }])).toThrow('differ');
  });
});
