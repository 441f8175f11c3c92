import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareConfigs } from '../../../src/config/change.ts';
import { ConfigFaults } from '../../../src/config/faults.ts';
import { parseConfig } from '../../../src/config/load.ts';

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sallyport-identity-config-'));
  writeFileSync(join(dir, 'secret'), 'from a file\n', { mode: 0o600 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const withoutSecret = {
  issuer: 'https://login.test/ops',
  clientId: 'us',
  roles: { admins: 'administrator' },
};
const least = { ...withoutSecret, clientSecretFile: 'secret' };
const VARIABLE = '$' + '{SECRET}';

function parse(identity: Readonly<Record<string, unknown>>) {
  const environment = { SECRET: 'from the environment' };
  return parseConfig(JSON.stringify({ identity }), join(dir, 'sallyport.yaml'), { environment });
}

function saidOf(identity: Readonly<Record<string, unknown>>): string {
  try {
    parse(identity);
    return '';
  } catch (error) {
    if (!(error instanceof ConfigFaults)) throw error;
    return error.faults.map(({ path, message }) => `${path}: ${message}`).join('\n');
  }
}

it('is complete with an issuer, a client and one group', () => {
  const { config, files } = parse(least);
  expect(config.identity).toMatchObject({
    scopes: ['openid', 'profile'],
    redirectUri: null,
    roleClaim: 'groups',
    nameClaim: 'preferred_username',
    allowPasswords: true,
  });
  expect(config.identity?.clientSecret?.reveal()).toBe('from a file');
  expect(JSON.stringify(config)).not.toContain('from a file');
  expect(files).toEqual([join(dir, 'secret')]);
});

it('takes its secret from a file or the environment, and not from the configuration itself', () => {
  const fromEnvironment = parse({ ...withoutSecret, clientSecret: VARIABLE });
  expect(fromEnvironment.config.identity?.clientSecret?.reveal()).toBe('from the environment');
  expect(saidOf(withoutSecret)).toContain('identity.clientSecretFile: is missing');
  expect(saidOf({ ...withoutSecret, clientSecret: 'written out' })).toContain(
    'not written into this file',
  );
  expect(saidOf({ ...least, clientSecret: VARIABLE })).toContain(
    'either clientSecret or clientSecretFile',
  );
  expect(saidOf({ ...least, clientSecretFile: 'not-there' })).toContain(
    'identity.clientSecretFile',
  );
});

it.each([
  'http://login.test',
  'login.test',
  'https://a:b@login.test',
  'https://login.test/?a',
  'https://login.test/#a',
  'file:///x',
])('refuses the issuer %s', (issuer) =>
  expect(saidOf({ ...least, issuer })).toContain(
    'identity.issuer: expected the https URL of an issuer',
  ),
);

it.each(['http://localhost:1', 'http://127.0.0.1:1', 'http://[::1]:1'])(
  'speaks plain HTTP to this machine only: %s',
  (issuer) => expect(saidOf({ ...least, issuer })).toBe(''),
);

it.each([
  'https://a.test/elsewhere',
  'http://a.test/sign-in/callback',
  'https://a.test/sign-in/callback?x',
  'https://u@a.test/sign-in/callback',
])('refuses the way back %s', (redirectUri) =>
  expect(saidOf({ ...least, redirectUri })).toContain(
    'identity.redirectUri: expected https://HOST/sign-in/callback',
  ),
);

it('wants groups, in an order that can be told', () => {
  expect(saidOf({ ...least, roles: {} })).toContain('nobody could sign in');
  expect(saidOf({ ...least, roles: { 500: 'administrator' } })).toContain('whose name is a number');
  expect(saidOf({ ...least, roles: { admins: 'not a role' } })).toContain('identity.roles.admins');
  expect(saidOf({ ...least, scopes: ['profile'] })).toContain('openid must be among them');
});

it('is not changed under a running console', () => {
  const before = parse(least);
  const after = parse({ ...least, roles: { others: 'administrator' } });
  const without = { ...after, config: { ...after.config, identity: null } };
  expect(compareConfigs(before, before, after).needRestart.length).toBeGreaterThan(0);
  expect(compareConfigs(before, before, without).needRestart).toEqual(['identity']);
});
