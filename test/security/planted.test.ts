import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Browser } from '../support/console.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  CLIENT,
  startIdentityProvider,
  type TestIdentityProvider,
  WebBrowser,
} from '../support/identity.ts';

/**
 * Somebody who may administer weak accounts prepares one of them, and waits until its person is
 * given a stronger role.
 */
const PASSWORD = 'known to the editor alone';
const readers = { sub: 'u-1', preferred_username: 'ada', groups: ['readers'] };

let provider: TestIdentityProvider;
let test: TestGateway;
let folder: string;

beforeAll(async () => {
  provider = await startIdentityProvider();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-planted-'));
  writeFileSync(join(folder, 'client-secret'), `${CLIENT.secret}\n`, { mode: 0o600 });
  const identity = {
    issuer: provider.issuer,
    clientId: CLIENT.id,
    clientSecretFile: join(folder, 'client-secret'),
    scopes: ['openid', 'profile', 'groups'],
    roles: { 'platform-admins': 'administrator', readers: 'tester' },
  };
  test = await startGateway({
    upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: { identity },
  });
  const { administration } = test;
  provider.person = readers;
  provider.open(at('/sign-in/callback').href);
  const permissions = ['*', 'sallyport:registry:read', 'sallyport:registry:write'];
  await administration.createRole(owner, { name: 'helpdesk', permissions });
  await administration.createUser(owner, {
    name: 'editor',
    role: 'helpdesk',
    password: 'the editor’s own one',
  });
});
afterAll(async () => {
  await test?.stop();
  await provider?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const port = () => test.gateway.addresses.admin!.port;
const origin = () => `https://localhost:${port()}`;
const at = (path: string) => new URL(path, origin());

async function byProvider(): Promise<WebBrowser> {
  const browser = new WebBrowser();
  const { location } = await browser.visit(at('/sign-in/identity?next=%2F'), origin());
  const isBack = ({ pathname }: URL) => pathname === '/sign-in/callback';
  const callback = await browser.follow(location!, isBack, origin());
  expect((await browser.visit(callback, provider.issuer)).status).toBe(200);
  return browser;
}

async function byPassword(name: string, password: string): Promise<Browser> {
  const browser = new Browser(port());
  await browser.signIn(name, password);
  return browser;
}

it('takes no password for a person of the provider, in the console or by the API', async () => {
  await byProvider();
  const editor = await byPassword('editor', 'the editor’s own one');
  const words = 'signs in by the identity provider';
  for (const path of ['/users/ada', '/users/ada/password']) {
    const { status, text } = await editor.get(path);
    expect([status, text]).toEqual([200, expect.stringContaining(words)]);
    expect(text).not.toContain('/users/ada/password"');
    expect(text).not.toContain('type="password"');
  }
  const fields = { password: PASSWORD, repeated: PASSWORD };
  const form = await editor.submit('/users/ada', '/users/ada/deactivate', { seen: 'yes' });
  expect(form.status).toBe(200);
  const again = await editor.submit('/users/ada', '/users/ada/activate', {});
  expect(again.status).toBe(200);
  const hidden = /name="form" value="([^"]+)"/.exec(again.text)?.[1] ?? '';
  const set = await editor.post('/users/ada/password', { form: hidden, ...fields });
  expect([set.status, set.text]).toEqual([422, expect.stringContaining(words)]);
  const { token } = await test.createAccount({ name: 'helpdesk-bot', role: 'helpdesk' });
  const { id } = await test.administration.showAccount(owner, { name: 'ada' });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const sent = await new Browser(port()).send(`/api/v1/users/${id}/password`, {
    method: 'PUT',
    headers,
    body: JSON.stringify({ password: PASSWORD }),
  });
  expect([sent.status, sent.text]).toEqual([422, expect.stringContaining(words)]);
  expect((await new Browser(port()).signIn('ada', PASSWORD)).status).toBe(401);
});

it('does not offer such a person to change a password', async () => {
  const { text } = await (await byProvider()).visit(at('/profile'), origin());
  expect(text).toContain('You sign in by the identity provider');
  expect(text).not.toContain('type="password"');
});

it('ends the sessions from before when the provider gives a stronger role', async () => {
  provider.person = readers;
  const early = await byProvider();
  expect((await early.visit(at('/profile'), origin())).status).toBe(200);
  provider.person = { ...readers, groups: ['platform-admins'] };
  const promoted = await byProvider();
  expect((await promoted.visit(at('/roles'), origin())).status).toBe(200);
  const late = await early.visit(at('/profile'), origin());
  expect([late.status, late.location?.pathname]).toEqual([303, '/sign-in']);
});

it('ends the sessions from before when an administrator gives a stronger role', async () => {
  const { administration } = test;
  await administration.createUser(owner, { name: 'weak', role: 'none', password: PASSWORD });
  const early = await byPassword('weak', PASSWORD);
  expect((await early.get('/profile')).status).toBe(200);
  await administration.editAccount(owner, { name: 'weak', role: 'administrator' });
  expect((await early.get('/profile')).status).toBe(303);
  const again = await byPassword('weak', PASSWORD);
  await administration.editAccount(owner, { name: 'weak', role: 'none' });
  expect((await again.get('/profile')).status).toBe(200);
});

it('lets nobody in by a password that the record of such a person holds', async () => {
  const { administration } = test;
  const { records } = await administration.exportRecords(owner, {});
  const weak = records.map(({ text }) => JSON.parse(text)).find(({ name }) => name === 'weak');
  const copy = (name: string, more: object) => {
    const text = JSON.stringify({ ...weak, id: `Planted0${name}`, name, ...more });
    return administration.importRecord(owner, { kind: 'account', text });
  };
  await copy('copy', {});
  await copy('mary', { subject: `${provider.issuer}#mary` });
  expect((await new Browser(port()).signIn('copy', PASSWORD)).status).toBe(303);
  expect((await new Browser(port()).signIn('mary', PASSWORD)).status).toBe(401);
});
