import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium } from '../support/chromium.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { CLIENT, startIdentityProvider, type TestIdentityProvider } from '../support/identity.ts';
import { have } from '../support/system.ts';

/**
 * Sign-in by an identity provider as a person walks it: over the provider's own pages, which are on
 * another site.
 */
const MISSING = have('chromium') ? null : 'not installed: chromium';

let provider: TestIdentityProvider;
let test: TestGateway;
let chromium: Browser;
let page: Page;
let folder: string;
/** Whatever the browser complained about on pages of the console. */
const complaints: string[] = [];

beforeAll(async () => {
  if (MISSING !== null) return;
  folder = mkdtempSync(join(tmpdir(), 'sallyport-browser-identity-'));
  writeFileSync(join(folder, 'client-secret'), CLIENT.secret, { mode: 0o600 });
  provider = await startIdentityProvider({ hasPages: true });
  test = await startGateway({
    upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: {
      identity: {
        issuer: provider.issuer,
        clientId: CLIENT.id,
        clientSecretFile: join(folder, 'client-secret'),
        scopes: ['openid', 'profile', 'groups'],
        roles: { 'platform-admins': 'administrator' },
      },
    },
  });
  provider.person = { sub: 'u-1', preferred_username: 'ada', groups: ['platform-admins'] };
  provider.open(`${origin()}/sign-in/callback`);
  chromium = await startChromium();
  const context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL: origin() });
  page = await context.newPage();
  page.on('console', (message) => {
    const isOurs = message.location().url.startsWith(origin());
    if (isOurs && message.type() === 'error' && !message.text().startsWith('Failed to load'))
      complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
});
afterAll(async () => {
  await chromium?.close();
  await test?.stop();
  await provider?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function origin(): string {
  return `https://localhost:${test.gateway.addresses.admin!.port}`;
}

const path = () => new URL(page.url()).pathname;
const toProvider = () =>
  page.getByRole('link', { name: `Sign in with ${new URL(provider.issuer).host}` });

describe('a person whom the identity provider knows', () => {
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  it('signs in on the provider’s pages and comes to the page that they asked for', async () => {
    await page.goto('/service-accounts');
    expect(path()).toBe('/sign-in');
    await toProvider().click();
    await page.waitForURL(`${provider.issuer}/**`);
    await page.locator('input[name=login]').fill('u-1');
    await page.locator('input[name=password]').fill('anything');
    await page.getByRole('button').click();
    // Consent.
    await page.getByRole('button', { name: /continue/i }).click();
    await page.getByRole('heading', { name: 'Service Accounts', level: 1 }).waitFor();
    expect(path()).toBe('/service-accounts');
    const cookies = await page.context().cookies(origin());
    expect(cookies.find(({ name }) => name === '__Host-sallyport')).toMatchObject({
      sameSite: 'Strict',
      httpOnly: true,
    });
    expect(cookies.find(({ name }) => name === '__Host-sallyport-flow')).toBeUndefined();
    await page.goto('/profile');
    await page.locator('#content').getByText('administrator', { exact: true }).waitFor();
  });

  it('stays signed in on a link from another site', async () => {
    await page.goto(provider.issuer);
    const link = `Object.assign(document.createElement('a'), { href: '${origin()}/roles' })`;
    await page.evaluate(`{ const link = ${link}; document.body.append(link); link.click(); }`);
    await page.getByRole('heading', { name: 'Roles', level: 1 }).waitFor();
  });

  it('signs out, sees nothing by going back, and is let in again by the session that the provider still has', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await page.goBack();
    await page.waitForURL('**/sign-in*');
    await page.goto('/users');
    expect(path()).toBe('/sign-in');
    await toProvider().click();
    await page.getByRole('heading', { name: 'Users', level: 1 }).waitFor();
    const events = (await test.events()).filter(({ phase }) => phase === 'sign-in');
    expect(events.map(({ reason, method }) => [reason, method])).toEqual([
      ['signed-in', 'oidc'],
      ['signed-out', undefined],
      ['signed-in', 'oidc'],
    ]);
  });

  it('is told so when they say no at the provider, and the browser has complained about nothing', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.context().clearCookies();
    await page.goto('/sign-in');
    await toProvider().click();
    await page.getByRole('link', { name: /cancel/i }).click();
    await page.getByText('The identity provider did not let you in').waitFor();
    expect(complaints).toEqual([]);
  });
});
