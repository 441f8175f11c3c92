import * as fc from 'fast-check';
import type { Account, Role, Team } from '../../../src/account/model.ts';

const AT = '2026-01-01T00:00:00.000Z';

export function account(changes: Partial<Account> = {}): Account {
  return {
    id: 'AAAAAAAAAAAA',
    version: 1,
    kind: 'service',
    name: 'billing-ci',
    description: '',
    status: 'active',
    role: 'viewer',
    teams: [],
    grants: [],
    createdAt: AT,
    updatedAt: AT,
    expiresAt: null,
    token: null,
    retired: [],
    password: null,
    ...changes,
  };
}

export function role(name: string, ...permissions: string[]): Role {
  return { name, version: 1, description: '', permissions, createdAt: AT, updatedAt: AT };
}

export function team(name: string, ...applications: string[]): Team {
  return { name, version: 1, description: '', applications, createdAt: AT, updatedAt: AT };
}

/** Few words, so that samples meet. */
const word = fc.constantFrom('a', 'b', 'c', 'sally', 'A.x-1');
const words = (minLength: number) =>
  fc.array(word, { minLength, maxLength: 3 }).map((parts) => parts.join(':'));
const own = fc.constantFrom(
  'sallyport:registry:read',
  'sallyport:registry:write',
  'sallyport:activity:read',
  'sallyport:instances:read',
);

export const permissions = fc.oneof(
  { weight: 4, arbitrary: words(2) },
  { weight: 1, arbitrary: own },
);
export const patterns = fc.oneof(
  { weight: 4, arbitrary: words(2) },
  { weight: 4, arbitrary: words(1).map((front) => `${front}:*`) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(word, fc.array(fc.oneof(word, fc.constant('*')), { minLength: 1, maxLength: 3 }))
      .map(([first, rest]) => [first, ...rest].join(':')),
  },
  { weight: 1, arbitrary: fc.constantFrom('*', 'sallyport:*') },
  { weight: 1, arbitrary: own },
);
export const patternLists = fc.array(patterns, { maxLength: 5 });
