import { expect, it } from 'vitest';
import { IdentityMalformed, readIdentity } from '../../../src/verify/verify.ts';

const FIELDS = {
  'x-account-id': 'AbC123',
  'x-account-name': 'ci-pipeline',
  'x-account-role': 'deployer',
  'x-account-teams': 'customer-apps,finance-apps',
  'x-request-id': '01H',
};

it('reads who calls, from fields of node:http and of fetch', () => {
  const identity = {
    id: 'AbC123',
    name: 'ci-pipeline',
    role: 'deployer',
    teams: ['customer-apps', 'finance-apps'],
    applications: null,
    requestId: '01H',
  };
  expect(readIdentity(FIELDS)).toEqual(identity);
  expect(readIdentity(new Headers(FIELDS))).toEqual(identity);
  expect(readIdentity({ 'X-Account-Id': 'a', 'X-Account-Name': 'b' })).toMatchObject({ id: 'a' });
});

it('reads empty fields as the gate means them', () => {
  const empty = { 'x-account-role': '', 'x-account-teams': '', 'x-account-applications': '' };
  expect(readIdentity({ ...FIELDS, ...empty })).toMatchObject({
    role: null,
    teams: [],
    applications: [],
  });
  expect(readIdentity({ ...FIELDS, 'x-account-applications': 'CRM,HR' })?.applications).toEqual([
    'CRM',
    'HR',
  ]);
});

it('says that nobody was authenticated on a public route', () => {
  expect(readIdentity({ host: 'api.test', 'x-request-id': '01H' })).toBeNull();
  expect(readIdentity({ 'x-account-id': '', 'x-account-name': '' })).toBeNull();
});

it.each<[string, Record<string, string | string[]>]>([
  ['an id that came twice', { ...FIELDS, 'x-account-id': ['a', 'b'] }],
  ['the same, joined', { ...FIELDS, 'x-account-id': 'a, b' }],
  ['the same, in two spellings', { ...FIELDS, 'X-Account-Id': 'b' }],
  ['an id of the request that came twice', { ...FIELDS, 'x-request-id': 'a, b' }],
  ['a name that is none', { ...FIELDS, 'x-account-name': 'a b' }],
  ['no name', { ...FIELDS, 'x-account-name': '' }],
  ['teams with something between them', { ...FIELDS, 'x-account-teams': 'a, b' }],
  ['an empty team', { ...FIELDS, 'x-account-teams': 'a,,b' }],
  ['a name without an id', { 'x-account-name': 'root' }],
])('takes no fields that no gate sets: %s', (_what, fields) => {
  expect(() => readIdentity(fields)).toThrow(IdentityMalformed);
});
