import { expect, it } from 'vitest';
import { Generation } from '../../../src/registry/replica/generation.ts';
import { PresentPolicy } from '../../../src/registry/replica/present-policy.ts';
import { role, team } from '../account/samples.ts';

class Present extends PresentPolicy {
  set known(generation: Generation | null) {
    this.generation = generation;
  }
}

function generation(permission: string): Generation {
  const roles = [role('viewer', permission)];
  return new Generation(
    { epoch: 'e', seq: 1, roles, teams: [team('sales', 'crm')], damagedRoles: [] },
    { maxAccounts: 1, maxNegatives: 1 },
  );
}

it('allows nothing and knows nobody while nothing is known', () => {
  const present = new Present();
  for (const known of [null, generation('deployments:read'), null]) {
    present.known = known;
    const isKnown = known !== null;
    expect(present.roleAllows('viewer', 'deployments:read')).toBe(isKnown);
    expect(present.permissionsOf('viewer').allows('deployments:read')).toBe(isKnown);
    expect(present.ownerOf('crm')).toBe(isKnown ? 'sales' : null);
    expect([...present.ownedApplications()]).toEqual(isKnown ? ['crm'] : []);
    expect(present.ownedLike('crm')).toEqual(isKnown ? ['crm'] : []);
    expect(present.applicationsOf('sales')).toEqual(isKnown ? ['crm'] : []);
  }
});

it('says what the present generation says, and nothing of the one before', () => {
  const present = new Present();
  present.known = generation('deployments:read');
  present.known = generation('deployments:write');
  expect(present.roleAllows('viewer', 'deployments:read')).toBe(false);
  expect(present.roleAllows('viewer', 'deployments:write')).toBe(true);
});
