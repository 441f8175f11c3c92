import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { explain } from '../../../src/decision/explain.ts';
import { createRouteTable } from '../../../src/decision/route-table.ts';
import {
  APPLICATIONS_BYTES_MAX,
  permittedApplications,
} from '../../../src/decision/some-application.ts';
import { whyNoLonger } from '../../../src/decision/still-permitted.ts';
import type { Permit } from '../../../src/decision/verdict.ts';
import { account, role, team } from '../account/samples.ts';
import { ANYWHERE, clock, decider, NOW_MS, route, SampleRegistry } from './samples.ts';

const LIST = route({
  name: 'list',
  path: '/environments',
  methods: ['GET'],
  application: { from: 'some' },
  permission: 'environments:read',
});
const TEAMS = [team('sales', 'crm', 'shop'), team('back', 'erp')];

let registry: SampleRegistry;
let gate: ReturnType<typeof decider>;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(
    [role('reader', 'environments:*'), role('editor', '*'), role('other', 'other:read')],
    TEAMS,
  );
  gate = decider(registry, [LIST]);
});

const ask = (changes: Partial<Account>) =>
  gate.now({
    path: '/environments',
    authorization: `Bearer ${registry.withToken({ role: 'none', ...changes })}`,
  });
const inSales = (name: string) => ({ teams: [{ team: 'sales', role: name }] });

describe('some application', () => {
  it('is enough, and all that permit are told', () => {
    expect(ask(inSales('reader'))).toMatchObject({
      permitted: true,
      application: null,
      role: 'reader',
      demand: { applications: ['crm', 'shop'], permissions: ['environments:read'] },
    });
    expect(ask({ grants: [{ application: 'crm', role: 'reader' }] })).toMatchObject({
      permitted: true,
      application: 'crm',
      demand: { applications: ['crm'] },
    });
  });

  it('is none where the effective role permits on none', () => {
    for (const changes of [{}, inSales('other'), { role: 'other' }])
      expect(ask(changes)).toMatchObject({ reason: 'permission-denied', role: null, detail: null });
    registry.policy = Policy.of([role('reader', 'environments:*')], []);
    expect(ask({ role: 'reader' })).toMatchObject({ reason: 'permission-denied' });
  });

  it('is any of the registry for a default role that permits, but where it is lowered', () => {
    expect(ask({ role: 'reader' })).toMatchObject({
      demand: { applications: ['crm', 'erp', 'shop'] },
    });
    const grants = [{ application: 'crm', role: 'none' }];
    expect(ask({ role: 'reader', grants, teams: [{ team: 'back', role: 'other' }] })).toMatchObject(
      {
        demand: { applications: ['shop'] },
      },
    );
  });

  it('names no role where they differ', () => {
    const grants = [{ application: 'crm', role: 'editor' }];
    expect(ask({ grants, ...inSales('reader') })).toMatchObject({ permitted: true, role: null });
  });

  it('is refused where the list would be too long, and never cut', () => {
    const many = Array.from({ length: 100 }, (_, n) => `application-${n}-${'x'.repeat(40)}`);
    registry.policy.putTeam(team('sales', ...many));
    expect(ask(inSales('reader'))).toMatchObject({
      permitted: false,
      reason: 'permission-denied',
      detail: 'the call is about too many things at once',
    });
    registry.policy.putTeam(team('sales', ...many.slice(0, 60)));
    const { demand } = ask(inSales('reader'));
    expect(demand?.applications).toHaveLength(60);
    expect(demand!.applications!.join(',').length).toBeLessThanOrEqual(APPLICATIONS_BYTES_MAX);
  });

  it('ends what is under way once one of those that were told permits no more', () => {
    const permit = ask(inSales('reader')) as Permit;
    const id = permit.account!.account.id;
    const why = () => whyNoLonger(registry, permit, ANYWHERE, registry.cached(id) as never, NOW_MS);
    expect(why()).toBe(null);
    registry.policy.putTeam(team('sales', 'crm', 'shop', 'more'));
    expect(why()).toBe(null);
    registry.policy.putTeam(team('sales', 'crm'));
    expect(why()).toBe('permission-denied');
  });

  it('takes unsafe methods only where the service checks them', () => {
    const made = (changes: object) => () =>
      createRouteTable([{ ...LIST, methods: ['GET', 'POST'], ...changes }]);
    expect(made({})).toThrow('needs a service that checks it');
    expect(made({ upstreamChecksApplications: true })).not.toThrow();
  });

  it('is explained as the weaker rule that it is', () => {
    const explained = (changes: Partial<Account>) =>
      explain(
        { table: createRouteTable([LIST]), policy: registry.policy, clock },
        {
          account: compilePrincipal(
            account({ role: 'none', token: { digest: 'a'.repeat(64), createdAt: '' }, ...changes }),
          ),
          method: 'GET',
          host: 'gate',
          path: '/environments',
        },
      );
    expect(explained(inSales('reader'))).toMatchObject({
      allowed: true,
      applications: ['crm', 'shop'],
      because: [
        'Route list requires environments:read.',
        'The route is about some application: it is enough that one permits it, and the service must see to the rest.',
        'billing-ci has environments:read on crm, shop.',
      ],
    });
    expect(explained({}).because.at(-1)).toContain('on none that the registry knows');
  });

  it('is found as by asking for each application of the registry', () => {
    const names = ['crm', 'shop', 'erp', 'own', 'free'];
    const roles = fc.constantFrom('none', 'reader', 'editor', 'other', 'ghost');
    const someone = fc.record({
      role: roles,
      teams: fc.array(fc.record({ team: fc.constantFrom('sales', 'back', 'idle'), role: roles }), {
        maxLength: 3,
      }),
      grants: fc.array(fc.record({ application: fc.constantFrom(...names), role: roles }), {
        maxLength: 3,
      }),
    });
    void fc.assert(
      fc.property(someone, (changes) => {
        const principal = compilePrincipal(account(changes));
        const { policy } = registry;
        const known = new Set([
          'crm',
          'shop',
          'erp',
          ...changes.grants.map(({ application }) => application),
        ]);
        const expected = [...known].filter((name) =>
          policy.roleAllows(
            principal.effectiveRole(name, policy.ownerOf(name)),
            'environments:read',
          ),
        );
        expect(permittedApplications(policy, principal, ['environments:read'])).toEqual(
          expected.sort(),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
