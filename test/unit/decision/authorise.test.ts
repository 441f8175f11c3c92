import { beforeEach, describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import { role, team } from '../account/samples.ts';
import { decider, ROLES, ROUTES, SampleRegistry, word } from './samples.ts';

let registry: SampleRegistry;
let gate: ReturnType<typeof decider>;

beforeEach(() => {
  registry = new SampleRegistry();
  registry.policy = Policy.of(ROLES, [team('sales', 'crm', 'shop')]);
  gate = decider(registry, ROUTES);
});

/** The reason, or `permitted`, for a caller with these facts. */
function reasonFor(changes: Partial<Account>, request: Partial<RequestHead> = {}): string {
  return word(gate.now({ authorization: `Bearer ${registry.withToken(changes)}`, ...request }));
}

describe('authorisation', () => {
  it('denies by default', () => {
    for (const changes of [
      { role: 'none' },
      { role: 'ghost' },
      { role: '' },
      { role: '__proto__' },
    ]) {
      for (const path of ['/apps/crm', '/fixed', '/all'])
        expect(reasonFor(changes, { path })).toBe('permission-denied');
    }
  });

  it('goes by the grant, else the owning team, else the default role, and says which role it was', () => {
    const grants = [{ application: 'crm', role: 'viewer' }];
    const teams = [{ team: 'sales', role: 'deployer' }];
    const post = (path: string, changes: Partial<Account>) =>
      gate.now({ path, method: 'POST', authorization: `Bearer ${registry.withToken(changes)}` });
    expect(post('/apps/crm', { role: 'none', teams })).toMatchObject({
      permitted: true,
      role: 'deployer',
      unsafe: true,
    });
    expect(post('/apps/crm', { role: 'all', teams, grants })).toMatchObject({
      reason: 'permission-denied',
      role: 'viewer',
      application: 'crm',
    });
    expect(post('/apps/shop', { role: 'none', teams, grants })).toMatchObject({
      permitted: true,
      role: 'deployer',
      application: 'shop',
    });
    expect(post('/apps/other', { role: 'none', teams, grants })).toMatchObject({
      reason: 'permission-denied',
      role: 'none',
    });
    expect(post('/apps/other', { role: 'all', teams, grants })).toMatchObject({
      permitted: true,
      role: 'all',
    });
  });

  it('judges a fixed application like one in the path', () => {
    expect(
      reasonFor(
        { role: 'none', grants: [{ application: 'crm', role: 'viewer' }] },
        { path: '/fixed' },
      ),
    ).toBe('permitted');
    expect(
      reasonFor(
        { role: 'all', grants: [{ application: 'crm', role: 'none' }] },
        { path: '/fixed' },
      ),
    ).toBe('permission-denied');
  });

  it('denies an application that is no possible name, whatever the role', () => {
    for (const name of ['%C3%A9', '-x', '.hidden', 'a:b', 'a;b', 'x'.repeat(65), '__proto__']) {
      expect(reasonFor({ role: 'all' }, { path: `/apps/${name}` }), name).toBe('permission-denied');
    }
  });

  it('on any application: the default role decides, and an unsafe call needs every per-application role as well', () => {
    const any = (method: string, changes: Partial<Account>) =>
      reasonFor(changes, { path: '/all/x', method });
    const lowered: Partial<Account> = {
      role: 'deployer',
      grants: [{ application: 'crm', role: 'viewer' }],
    };
    const loweredInTeam: Partial<Account> = {
      role: 'deployer',
      teams: [{ team: 'idle', role: 'none' }],
    };
    const raised: Partial<Account> = {
      role: 'viewer',
      grants: [{ application: 'crm', role: 'deployer' }],
    };
    const level: Partial<Account> = {
      role: 'deployer',
      grants: [{ application: 'crm', role: 'all' }],
      teams: [{ team: 'sales', role: 'deployer' }],
    };
    for (const method of ['HEAD', 'OPTIONS']) expect(any(method, lowered)).toBe('permitted');
    for (const method of ['PUT', 'PATCH', 'DELETE'])
      expect(any(method, lowered)).toBe('permission-denied');
    expect([lowered, loweredInTeam, raised, level].map((changes) => any('GET', changes))).toEqual([
      'permitted',
      'permitted',
      'permission-denied',
      'permitted',
    ]);
    expect([lowered, loweredInTeam, raised, level].map((changes) => any('POST', changes))).toEqual([
      'permission-denied',
      'permission-denied',
      'permission-denied',
      'permitted',
    ]);
  });

  it('follows a role that changes', () => {
    const authorization = `Bearer ${registry.withToken()}`;
    registry.policy.putRole(role('viewer', 'deployments:write'));
    expect(word(gate.now({ authorization }))).toBe('permission-denied');
    expect(word(gate.now({ authorization, method: 'POST' }))).toBe('permitted');
  });
});

describe('a case-insensitive route', () => {
  const folded = (path: string, changes: Partial<Account>) =>
    gate.now({ path, authorization: `Bearer ${registry.withToken(changes)}` });

  it('finds the grant in whatever case the client writes the application', () => {
    const lowered = { role: 'all', grants: [{ application: 'Payroll', role: 'none' }] };
    for (const spelling of ['Payroll', 'payroll', 'PAYROLL', 'pAyRoLl']) {
      expect(folded(`/any/${spelling}`, lowered)).toMatchObject({
        reason: 'permission-denied',
        role: 'none',
        application: 'Payroll',
      });
    }
  });

  it('finds the owning team likewise', () => {
    const lowered = { role: 'all', teams: [{ team: 'sales', role: 'none' }] };
    for (const spelling of ['crm', 'CRM'])
      expect(folded(`/ANY/${spelling}`, lowered)).toMatchObject({
        reason: 'permission-denied',
        application: 'crm',
      });
    const raised = { role: 'none', teams: [{ team: 'sales', role: 'viewer' }] };
    expect(folded('/any/Crm', raised)).toMatchObject({
      permitted: true,
      role: 'viewer',
      application: 'crm',
    });
  });

  it('lets the grant replace the team over different spellings of the path', () => {
    const changes = {
      role: 'none',
      teams: [{ team: 'sales', role: 'all' }],
      grants: [{ application: 'crm', role: 'none' }],
    };
    expect(folded('/any/CRM', changes)).toMatchObject({
      reason: 'permission-denied',
      role: 'none',
    });
  });

  it('denies where several applications differ by case alone, even to the exact spelling', () => {
    registry.policy.putTeam(team('other', 'CRM'));
    for (const spelling of ['crm', 'CRM', 'Crm']) {
      expect(folded(`/any/${spelling}`, { role: 'all' })).toMatchObject({
        reason: 'permission-denied',
        application: null,
        role: null,
      });
    }
    expect(word(folded('/apps/crm', { role: 'all' }))).toBe('permitted');
  });

  it('denies where grant and team know different spellings', () => {
    const changes = { role: 'all', grants: [{ application: 'SHOP', role: 'all' }] };
    expect(word(folded('/any/shop', changes))).toBe('permission-denied');
  });

  it('keeps the spelling of an application that nobody knows', () => {
    expect(folded('/any/Unheard', { role: 'viewer' })).toMatchObject({
      permitted: true,
      application: 'Unheard',
      role: 'viewer',
    });
  });

  it('does not loosen the routes that tell cases apart', () => {
    const lowered = { role: 'all', grants: [{ application: 'Payroll', role: 'none' }] };
    expect(word(folded('/apps/Payroll', lowered))).toBe('permission-denied');
    expect(word(folded('/apps/payroll', lowered))).toBe('permitted');
  });
});
