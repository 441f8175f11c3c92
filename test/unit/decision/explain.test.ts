import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { explain } from '../../../src/decision/explain.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import { account, role, team } from '../account/samples.ts';
import { clock, decider, PEER, route, SampleRegistry, word } from './samples.ts';

const byPath = { from: 'path', variable: 'application' } as const;
const ROUTES = [
  route({
    name: 'deploy',
    methods: ['POST'],
    application: byPath,
    permission: 'deployments:write',
  }),
  route({ name: 'any', path: '/all', permission: 'deployments:write' }),
  route({ name: 'folded', path: '/any/{application}', application: byPath, caseInsensitive: true }),
  route({
    name: 'renew',
    path: '/tokens',
    methods: ['POST'],
    action: 'renew-token',
    permission: null,
    upstream: '',
  }),
  route({ name: 'probe', path: '/healthz', methods: ['GET'], access: 'public', permission: null }),
];
const policy = Policy.of(
  [role('viewer', 'deployments:read'), role('deployer', 'deployments:*')],
  [team('sales', 'crm'), team('other', 'CRM', 'x')],
);

function ask(changes: Partial<Account>, call: string, from: string | null = null) {
  const [method = '', path = ''] = call.split(' ');
  const context = { table: createRouteTable(ROUTES), policy, clock };
  return explain(context, {
    account: compilePrincipal(account(changes)),
    method,
    host: 'gate',
    path,
    from,
  });
}

describe('an explanation', () => {
  it('names the rule that decided', () => {
    const teams = [{ team: 'sales', role: 'deployer' }];
    const grants = [{ application: 'crm', role: 'viewer' }];
    expect(ask({ teams, grants }, 'POST /apps/crm')).toEqual({
      allowed: false,
      reason: 'permission-denied',
      route: 'deploy',
      permission: 'deployments:write',
      application: 'crm',
      applications: [],
      role: 'viewer',
      rule: 'grant',
      team: null,
      because: [
        'Route deploy requires deployments:write.',
        'A grant gives billing-ci the role viewer on crm.',
        'Role viewer lacks deployments:write.',
      ],
    });
    expect(ask({ teams }, 'POST /apps/crm').because.slice(1)).toEqual([
      'crm belongs to team sales, in which billing-ci has the role deployer.',
      'Role deployer has deployments:write.',
    ]);
    expect(ask({ teams }, 'POST /apps/x').because.slice(1)).toEqual([
      'No grant and no team speaks for x: the default role of billing-ci, viewer, decides.',
      'Role viewer lacks deployments:write.',
    ]);
    expect(ask({ role: 'deployer' }, 'POST /all')).toMatchObject({
      allowed: true,
      reason: 'permitted',
      rule: 'default',
      application: null,
    });
  });

  it('says what stood in the way when it was no role', () => {
    expect(
      ask(
        { role: 'deployer', grants: [{ application: 'x', role: 'viewer' }] },
        'POST /all',
      ).because.at(-1),
    ).toBe('Role viewer, which billing-ci has on some application, lacks deployments:write.');
    expect(ask({}, 'POST /apps/-x').because.at(-1)).toBe(
      'The application that the call names is not a possible name.',
    );
    expect(ask({}, 'GET /any/crm').because.at(-1)).toBe(
      'The application could be any of crm, CRM, which differ only by letter case.',
    );
    expect(ask({}, 'GET /nowhere')).toMatchObject({
      reason: 'route-unknown',
      because: [
        'No route matches /nowhere on gate.',
        expect.stringContaining('Compare path and host'),
      ],
    });
    expect(ask({}, 'PUT /all')).toMatchObject({
      reason: 'method-refused',
      because: ['The routes for /all take GET, POST, not PUT.'],
    });
    expect(ask({}, 'TRACE /all')).toMatchObject({ reason: 'method-refused' });
    expect(ask({}, 'BREW /all')).toMatchObject({ reason: 'method-unknown' });
    expect(ask({ status: 'inactive' }, 'GET /healthz')).toMatchObject({
      allowed: true,
      route: 'probe',
    });
    expect(ask({ status: 'inactive' }, 'GET /all').because).toEqual(['billing-ci is inactive.']);
    expect(ask({ expiresAt: '2026-01-01T00:00:00Z' }, 'GET /all').because).toEqual([
      'billing-ci expired at 2026-01-01T00:00:00Z.',
    ]);
    expect(ask({ kind: 'user' }, 'GET /all').because[0]).toContain('is a person');
  });

  it('says of an action that whoever holds the token may', () => {
    expect(ask({ role: 'none' }, 'POST /tokens')).toMatchObject({
      allowed: true,
      route: 'renew',
      permission: null,
      because: [expect.stringContaining('whoever holds the live one may')],
    });
    expect(ask({ status: 'inactive' }, 'POST /tokens').reason).toBe('account-inactive');
  });

  it('comes to the verdict of the decision, always', () => {
    const roles = fc.constantFrom('viewer', 'deployer', 'none', 'ghost');
    const rights = fc.record({
      role: roles,
      status: fc.constantFrom('active' as const, 'inactive' as const),
      expiresAt: fc.constantFrom(null, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
      teams: fc.uniqueArray(fc.record({ team: fc.constantFrom('sales', 'other'), role: roles }), {
        selector: (entry) => entry.team,
      }),
      grants: fc.uniqueArray(
        fc.record({ application: fc.constantFrom('crm', 'CRM', 'x'), role: roles }),
        {
          selector: (entry) => entry.application,
        },
      ),
    });
    const networks = fc.constantFrom(null, ['127.0.0.0/8'], ['10.0.0.0/8']);
    const samples = fc
      .tuple(rights, networks)
      .map(
        ([one, allowedNetworks]): Partial<Account> =>
          allowedNetworks === null ? one : { ...one, allowedNetworks },
      );
    const calls = fc.tuple(
      fc.constantFrom('GET', 'POST', 'PUT', 'TRACE', 'BREW'),
      fc.constantFrom(
        '/apps/crm',
        '/apps/-',
        '/any/crm',
        '/any/X',
        '/all',
        '/healthz',
        '/tokens',
        '/no',
      ),
    );
    void fc.assert(
      fc.property(samples, calls, (changes, [method, path]) => {
        const registry = new SampleRegistry();
        registry.policy = policy;
        const token = registry.withToken(changes);
        const verdict = decider(registry, ROUTES).now({
          method,
          path,
          authorization: `Bearer ${token}`,
        });
        const explanation = ask(changes, `${method} ${path}`, PEER.address);
        expect(explanation.reason).toBe(word(verdict));
        expect(explanation.role).toBe(verdict.role);
        expect(explanation.application).toBe(verdict.application);
        expect(explanation.because.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('an explanation of a route that is decided by the body', () => {
  const deploy = route({
    path: '/deployments',
    methods: ['POST'],
    application: { from: 'body', variable: 'app' },
    permission: 'deployments:write',
    bodyVariables: [{ name: 'app', json: ['ops', '*', 'app'] }],
  });
  const policy = Policy.of([role('deployer', 'deployments:*')], []);
  const grants = ['crm', 'shop'].map((application) => ({ application, role: 'deployer' }));
  const token = { digest: 'a'.repeat(64), createdAt: '' };
  const principal = compilePrincipal(account({ role: 'none', grants, token }));
  const asked = (...variables: readonly { name: string; value: string }[]) =>
    explain(
      { table: createRouteTable([deploy]), policy, clock },
      { account: principal, method: 'POST', host: 'gate', path: '/deployments', variables },
    );
  const app = (value: string) => ({ name: 'app', value });

  it('asks for what stands there', () => {
    expect(asked()).toMatchObject({ allowed: false, reason: 'body-refused', route: 'sample' });
    expect(asked().because.at(-1)).toContain('/ops/*/app');
    expect(asked({ name: 'other', value: 'x' }).because[0]).toContain('no variable other');
  });

  it('judges every value', () => {
    expect(asked(app('crm'), app('shop'))).toMatchObject({
      allowed: true,
      role: 'deployer',
      applications: ['crm', 'shop'],
    });
    expect(asked(app('crm'), app('erp'))).toMatchObject({ allowed: false, application: 'erp' });
    expect(asked(app('crm'), app('a b'))).toMatchObject({ allowed: false, role: null });
  });
});
