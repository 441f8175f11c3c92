import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { permissionFault } from '../../../src/account/permission.ts';
import { Policy } from '../../../src/account/policy.ts';
import { ADMINISTRATOR_ROLE, isBuiltInRole, seededRoles } from '../../../src/account/role.ts';
import { role, team } from './samples.ts';

describe('roles', () => {
  it('allow what they list, until they are dropped', () => {
    const policy = Policy.of([role('deployer', 'deployments:*')], []);
    expect(policy.roleAllows('deployer', 'deployments:write')).toBe(true);
    expect(policy.roleAllows('deployer', 'users:write')).toBe(false);
    policy.putRole(role('deployer', 'deployments:read'));
    expect(policy.roleAllows('deployer', 'deployments:write')).toBe(false);
    policy.dropRole('deployer');
    expect(policy.roleAllows('deployer', 'deployments:read')).toBe(false);
    expect(policy.permissionsOf('deployer').patterns).toEqual([]);
  });

  it('that do not exist allow nothing, not even by a name of the language', () => {
    for (const name of ['ghost', '__proto__', 'constructor', ''])
      expect(new Policy().roleAllows(name, 'a:b')).toBe(false);
  });

  it('named none allow nothing, even if the store holds a record of that name', () => {
    const policy = Policy.of([role('none', '*'), role('None', '*')], []);
    expect(policy.roleAllows('none', 'a:b')).toBe(false);
    expect(policy.roleAllows('None', 'a:b')).toBe(false);
    expect(['none', 'None', 'nonE', 'nobody'].map(isBuiltInRole)).toEqual([
      true,
      true,
      true,
      false,
    ]);
  });

  it('are seeded with one that reaches everything', () => {
    const seeded = seededRoles('2026-01-01T00:00:00.000Z');
    expect(seeded.flatMap((each) => each.permissions).map(permissionFault)).toEqual([null, null]);
    const policy = Policy.of(seeded, []);
    expect(policy.roleAllows(ADMINISTRATOR_ROLE, 'x:y')).toBe(true);
    expect(policy.roleAllows(ADMINISTRATOR_ROLE, 'sallyport:registry:write')).toBe(true);
  });
});

describe('teams', () => {
  it('own their applications, until they are dropped', () => {
    const policy = Policy.of([], [team('sales', 'CRM', 'shop')]);
    expect(policy.ownerOf('CRM')).toBe('sales');
    expect(policy.ownerOf('crm')).toBe(null);
    policy.putTeam(team('sales', 'shop'));
    expect([policy.ownerOf('CRM'), policy.ownerOf('shop')]).toEqual([null, 'sales']);
    policy.dropTeam('sales');
    expect(policy.ownerOf('shop')).toBe(null);
    expect(policy.ownedLike('shop')).toEqual([]);
  });

  it('hand an application over in either order of the two records', () => {
    const [before, after] = [team('a', 'x', 'y'), team('a', 'y')];
    for (const changes of [
      [after, team('b', 'x')],
      [team('b', 'x'), after],
    ]) {
      const policy = Policy.of([], [before]);
      for (const change of changes) policy.putTeam(change);
      expect([policy.ownerOf('x'), policy.ownerOf('y')]).toEqual(['b', 'a']);
      expect(policy.ownedLike('x')).toEqual(['x']);
    }
  });

  it('know all spellings of an owned application', () => {
    const policy = Policy.of([], [team('a', 'CRM'), team('b', 'crm', 'Erp')]);
    expect([...policy.ownedLike('crm')].sort()).toEqual(['CRM', 'crm']);
    policy.dropTeam('a');
    expect(policy.ownedLike('crm')).toEqual(['crm']);
    expect(policy.ownedLike('erp')).toEqual(['Erp']);
  });

  it('end up the same whether changed step by step or read at once', () => {
    const applications = fc.uniqueArray(fc.constantFrom('x', 'X', 'y', 'z'), { maxLength: 4 });
    const steps = fc.array(fc.tuple(fc.constantFrom('a', 'b'), applications, fc.boolean()), {
      maxLength: 12,
    });
    void fc.assert(
      fc.property(steps, (changes) => {
        const policy = new Policy();
        const teams = new Map<string, readonly string[]>();
        for (const [name, wanted, drop] of changes) {
          const taken = new Set(
            [...teams].filter(([other]) => other !== name).flatMap(([, owned]) => owned),
          );
          const free = drop ? [] : wanted.filter((application) => !taken.has(application));
          if (drop) policy.dropTeam(name);
          else policy.putTeam(team(name, ...free));
          teams.set(name, free);
        }
        const fresh = Policy.of(
          [],
          [...teams].map(([name, owned]) => team(name, ...owned)),
        );
        for (const application of ['x', 'X', 'y', 'z']) {
          expect(policy.ownerOf(application)).toBe(fresh.ownerOf(application));
          expect([...policy.ownedLike(application.toLowerCase())].sort()).toEqual(
            [...fresh.ownedLike(application.toLowerCase())].sort(),
          );
        }
      }),
    );
  });
});
