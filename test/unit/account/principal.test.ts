import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/account/model.ts';
import { Policy } from '../../../src/account/policy.ts';
import { compilePrincipal } from '../../../src/account/principal.ts';
import { NO_DIGEST } from '../../../src/account/token.ts';
import { account, team } from './samples.ts';

/**
 * Up to 20 entries with distinct keys: both below and above the length at which lists are indexed.
 */
const names = fc.constantFrom(...Array.from({ length: 24 }, (_, index) => `n${index}`));
const roles = fc.constantFrom('viewer', 'deployer', 'none', 'owner');
const grants = fc.uniqueArray(fc.record({ application: names, role: roles }), {
  selector: (entry) => entry.application,
  maxLength: 20,
});
const teams = fc.uniqueArray(fc.record({ team: names, role: roles }), {
  selector: (entry) => entry.team,
  maxLength: 20,
});
const accounts = fc.record({ role: roles, grants, teams }).map((parts) => account(parts));

describe('the effective role', () => {
  it('is the grant, else the role in the owning team, else the default role', () => {
    void fc.assert(
      fc.property(accounts, names, fc.option(names), (record, application, owner) => {
        const { rule, role } = compilePrincipal(record).roleRule(application, owner);
        const granted = record.grants.find((grant) => grant.application === application);
        const inTeam = record.teams.find((membership) => membership.team === owner);
        if (granted !== undefined) expect([rule, role]).toEqual(['grant', granted.role]);
        else if (inTeam !== undefined) expect([rule, role]).toEqual(['team', inTeam.role]);
        else expect([rule, role]).toEqual(['default', record.role]);
      }),
      { numRuns: 500 },
    );
  });

  it('is replaced by a grant, whatever it was before, and only on that application', () => {
    void fc.assert(
      fc.property(
        accounts,
        names,
        roles,
        names,
        fc.option(names),
        (record, application, role, elsewhere, owner) => {
          const others = record.grants.filter((grant) => grant.application !== application);
          const changed = compilePrincipal({
            ...record,
            grants: [...others, { application, role }],
          });
          expect(changed.effectiveRole(application, owner)).toBe(role);
          if (elsewhere !== application) {
            expect(changed.effectiveRole(elsewhere, owner)).toBe(
              compilePrincipal(record).effectiveRole(elsewhere, owner),
            );
          }
        },
      ),
    );
  });

  it('does not look at teams that do not own the application', () => {
    const member = compilePrincipal(account({ teams: [{ team: 'billing', role: 'owner' }] }));
    expect(member.effectiveRole('crm', null)).toBe('viewer');
    expect(member.effectiveRole('crm', 'sales')).toBe('viewer');
    expect(member.effectiveRole('crm', 'billing')).toBe('owner');
  });

  it('takes no name from the language for an entry', () => {
    const plain = compilePrincipal(account());
    for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      expect(plain.roleRule(name, name)).toEqual({ rule: 'default', role: 'viewer' });
    }
  });

  it('takes the first of two contradicting entries, in short and long lists alike', () => {
    for (const length of [2, 30]) {
      const doubled = Array.from({ length }, (_, index) => ({
        application: `a${index}`,
        role: 'viewer',
      }));
      const record = account({
        grants: [
          { application: 'x', role: 'first' },
          ...doubled,
          { application: 'x', role: 'second' },
        ],
      });
      expect(compilePrincipal(record).effectiveRole('x', null)).toBe('first');
    }
  });
});

describe('a compiled account', () => {
  it('lists each role that may replace the default one, once', () => {
    void fc.assert(
      fc.property(accounts, (record) => {
        const expected = [...record.grants, ...record.teams].map((entry) => entry.role);
        const listed = compilePrincipal(record).perApplicationRoles;
        expect(new Set(listed)).toEqual(new Set(expected));
        expect(listed.length).toBe(new Set(expected).size);
      }),
    );
  });

  it('finds the granted spellings of an application', () => {
    const record = account({
      grants: ['CRM', 'crm', 'Crm2', 'erp'].map((application) => ({ application, role: 'viewer' })),
    });
    expect(compilePrincipal(record).grantedLike('crm')).toEqual(['CRM', 'crm']);
    expect(compilePrincipal(record).grantedLike('crm2')).toEqual(['Crm2']);
    expect(compilePrincipal(record).grantedLike('none')).toEqual([]);
  });

  it('has a digest to compare only if it is a service with a token', () => {
    const token = { digest: 'a'.repeat(64), createdAt: '2026-01-01T00:00:00.000Z' };
    const digestOf = (changes: Partial<Account>) => compilePrincipal(account(changes)).liveDigest;
    expect(digestOf({ token })).toBe(token.digest);
    expect(digestOf({ token: null })).toBe(NO_DIGEST);
    expect(digestOf({ token, kind: 'user' })).toBe(NO_DIGEST);
  });

  it('knows when it expires, and takes a damaged date for the past', () => {
    const expiryOf = (expiresAt: string | null) =>
      compilePrincipal(account({ expiresAt })).expiresAtMs;
    expect(expiryOf(null)).toBe(null);
    expect(expiryOf('2026-11-01T00:00:00.000Z')).toBe(Date.UTC(2026, 10, 1));
    expect(expiryOf('next summer')).toBe(Number.NEGATIVE_INFINITY);
  });
});

describe('an application of which it is in doubt who owns it', () => {
  const doubtful = { ...team('sales', 'crm'), inDoubt: ['crm', 'shop'] };
  const roleOf = (policy: Policy, application: string, parts: Parameters<typeof account>[0]) =>
    compilePrincipal(account(parts)).roleRule(application, policy.ownerOf(application));
  const member = { teams: [{ team: 'sales', role: 'seller' }] };

  it('gives members of the team no role but by a grant, and leaves everybody else alone', () => {
    const policy = Policy.of([], [doubtful, team('ops', 'wiki')]);
    for (const application of ['crm', 'shop']) {
      expect(roleOf(policy, application, member)).toEqual({ rule: 'in-doubt', role: 'none' });
      expect(roleOf(policy, application, {})).toEqual({ rule: 'default', role: 'viewer' });
      const granted = { ...member, grants: [{ application, role: 'buyer' }] };
      expect(roleOf(policy, application, granted)).toEqual({ rule: 'grant', role: 'buyer' });
    }
    expect(roleOf(policy, 'wiki', member)).toEqual({ rule: 'default', role: 'viewer' });
  });

  it('gives none to members of any team that may own it, nor to those of one with a like name', () => {
    const moved = { ...team('ops'), inDoubt: ['crm'] };
    const policy = Policy.of([], [doubtful, moved, team('support', 'shop'), team('sale')]);
    const inTeam = (name: string) => ({ teams: [{ team: name, role: 'seller' }] });
    expect(roleOf(policy, 'crm', inTeam('ops')).role).toBe('none');
    expect(roleOf(policy, 'crm', inTeam('sales')).role).toBe('none');
    expect(roleOf(policy, 'shop', inTeam('support')).role).toBe('none');
    expect(roleOf(policy, 'crm', inTeam('sale')).role).toBe('viewer');
  });

  it('is found in any spelling, and is in doubt no longer once the team was written anew', () => {
    const policy = Policy.of([], [doubtful]);
    expect(policy.ownedLike('shop')).toEqual(['shop']);
    policy.putTeam(team('sales', 'shop'));
    expect([policy.ownerOf('crm'), policy.ownerOf('shop')]).toEqual([null, 'sales']);
    policy.putTeam(doubtful);
    policy.dropTeam('sales');
    expect([policy.ownerOf('crm'), policy.ownedLike('shop')]).toEqual([null, []]);
  });
});
