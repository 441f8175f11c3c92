import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startSample } from '../../src/sample/start.ts';
import { startChromium } from '../support/chromium.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/** The whole story of a machine's key, told by a person with a browser and a gate that runs. */
const PASSWORD = 'a rather long sentence';
const MISSING = have('chromium') ? null : 'not installed: chromium';

let sample: Awaited<ReturnType<typeof startSample>>;
let test: TestGateway;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
/** Whatever the browser complained about: a blocked script, a refused style, a fault in ours. */
const complaints: string[] = [];
let token = '';

beforeAll(async () => {
  if (MISSING !== null) return;
  sample = await startSample();
  test = await startGateway({ upstreams: { sample: { addresses: [sample.url] } }, admin: {} });
  await test.administration.createUser(owner, {
    name: 'ada',
    role: 'administrator',
    password: PASSWORD,
  });
  await test.administration.createTeam(owner, { name: 'core', applications: ['CRM'] });
  chromium = await startChromium();
  context = await newContext();
  page = await context.newPage();
  listen(page);
});
afterAll(async () => {
  await chromium?.close();
  await test?.stop();
  await sample?.close();
});

function origin(): string {
  return `https://localhost:${test.gateway.addresses.admin?.port}`;
}

function newContext(options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
  return chromium.newContext({
    ignoreHTTPSErrors: true,
    baseURL: origin(),
    permissions: ['clipboard-read', 'clipboard-write'],
    ...options,
  });
}

function listen(to: Page): void {
  to.on('console', (message) => {
    // That a page answers 4xx is for the tests to expect; the browser notes it too.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
  to.on('pageerror', (error) => complaints.push(error.message));
}

async function signIn(on: Page): Promise<void> {
  await on.goto('/');
  await on.getByLabel('User name').fill('ada');
  await on.getByLabel('Password').fill(PASSWORD);
  await on.getByRole('button', { name: 'Sign in' }).click();
  await on.getByRole('heading', { name: 'Overview' }).waitFor();
}

/** One call through the gate, as the machine makes it. Answers the status. */
function call(bearer: string, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${bearer}`, 'user-agent': 'ci-runner/1.0' };
    const options = {
      host: '127.0.0.1',
      servername: 'localhost',
      port: test.port,
      path,
      headers,
      ca: readFileSync(test.caFile),
      agent: false,
    };
    const sent = request(options, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject);
    sent.end();
  });
}

const row = (text: string) => page.locator('table.log tbody tr').filter({ hasText: text });
const TOKEN = /^slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/;

describe('a person gives a machine its key', () => {
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  it('signs in', async () => {
    await page.goto('/service-accounts');
    expect(new URL(page.url()).pathname).toBe('/sign-in');
    await page.getByLabel('User name').fill('ada');
    await page.getByLabel('Password').fill('not the password');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('do not let anybody in').waitFor();
    await page.getByLabel('Password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Service Accounts', level: 1 }).waitFor();
  });

  it('creates a service account and copies its token, which a reload does not show again', async () => {
    await page.getByRole('link', { name: 'New Service Account' }).first().click();
    await page.getByLabel('Username').fill('ci-runner');
    await page.getByLabel('Description').fill('Builds things');
    await page.getByLabel('Role', { exact: true }).selectOption('tester');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('button', { name: 'Copy' }).click();
    await page.getByText('Copied to the clipboard.').waitFor();
    token = await page.evaluate<string>('navigator.clipboard.readText()');
    expect(token).toMatch(TOKEN);
    expect(await page.locator('#token').textContent()).toBe(token);
    await page.reload();
    await page.getByRole('heading', { name: 'ci-runner' }).waitFor();
    expect(await page.content()).not.toContain(token);
    expect(new URL(page.url()).pathname).toBe('/service-accounts/ci-runner');
  });

  it('creates a honey account, and finds it by its mark', async () => {
    const on = await context.newPage();
    listen(on);
    await on.goto('/new/service-account');
    await on.getByLabel('Username').fill('old-backup');
    await on.getByLabel('Honey account').check();
    expect(await inaccessible(on)).toEqual([]);
    await on.getByRole('button', { name: 'Create' }).click();
    await on.getByText('Give it to no machine').waitFor();
    await on.goto('/service-accounts?show=honey');
    await on.getByRole('link', { name: 'old-backup' }).click();
    await on.getByText('nowhere: it is bait').waitFor();
    expect(await on.getByText('Honey', { exact: true }).count()).toBe(1);
    await on.close();
  });

  it('sees a call of the machine appear without reloading', async () => {
    await page.locator('#live[data-state="on"]').waitFor();
    expect(await row('/hello-first').count()).toBe(0);
    expect(await call(token, '/echo/hello-first?secret=1')).toBe(200);
    await row('/echo/hello-first').waitFor();
    await row('/echo/hello-first')
      .getByText(/^200 in /)
      .waitFor();
    const text = await row('/echo/hello-first').textContent();
    for (const word of ['Let in', 'GET', 'role tester', 'ci-runner/1.0', 'from 127.0.0.1'])
      expect(text).toContain(word);
    expect(text).not.toContain('secret');
  });

  it('generates a new token: the old one is refused, the new one works', async () => {
    await page.getByRole('link', { name: 'Generate new Authentication Token' }).click();
    await page.getByText('The present token is refused from that moment on').waitFor();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('In force on the one running gate').waitFor();
    const fresh = (await page.locator('#token').textContent()) ?? '';
    expect(fresh).toMatch(TOKEN);
    expect(await call(token, '/echo')).toBe(401);
    expect(await call(fresh, '/echo')).toBe(200);
    token = fresh;
    await page.getByRole('link', { name: 'I have copied it' }).click();
    await row('/echo').getByText('Let in').first().waitFor();
    // Whoever shows a revoked token is not known to be the account: that stands in the whole log,
    // not in the account's.
    await page.goto('/activity');
    await row('The token was revoked').waitFor();
  });

  it('changes nothing when the page of the token is asked for again by going back', async () => {
    await page.goto('/service-accounts/ci-runner');
    await page.goBack();
    await page.goBack();
    await page.goForward();
    expect(await call(token, '/echo')).toBe(200);
  });

  it('deactivates the account: its calls are refused, and the refusal appears', async () => {
    await page.goto('/service-accounts/ci-runner');
    await page.getByRole('button', { name: 'Deactivate' }).click();
    await page.getByRole('row', { name: 'ci-runner' }).getByText('everything').waitFor();
    expect(await call(token, '/echo')).toBe(200);
    await page.getByRole('button', { name: 'Do it' }).click();
    await page.getByText('In force on the one running gate').waitFor();
    expect(await call(token, '/echo/after')).toBe(401);
    await row('/echo/after').getByText('Refused').waitFor();
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.getByText('The account is active.').waitFor();
    expect(await call(token, '/echo')).toBe(200);
  });

  it('deletes it by typing its name, and not by anything else', async () => {
    await page.goto('/service-accounts/ci-runner');
    await page.getByRole('link', { name: 'Delete…' }).click();
    await page.getByLabel('Type ci-runner to delete it').fill('ci-runne');
    await page.getByRole('button', { name: 'Delete ci-runner' }).click();
    await page.getByText('That is not the name').waitFor();
    await page.getByLabel('Type ci-runner to delete it').fill('ci-runner');
    await page.keyboard.press('Enter');
    await page.getByText('It is deleted.').waitFor();
    expect(await call(token, '/echo')).toBe(401);
  });

  it('changes many at a time after a preview, takes a list away and comes back to a filter', async () => {
    for (const name of ['bulk-one', 'bulk-two', 'bulk-three'])
      await test.administration.createServiceAccount(owner, { name, role: 'tester' });
    await page.goto('/service-accounts?q=bulk-');
    await page.getByLabel('Select bulk-one').check();
    await page.getByLabel('Select bulk-two').check();
    await page.getByLabel('With those selected').selectOption('Deactivate');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByText('everything: it is let in nowhere').first().waitFor();
    expect(await inaccessible(page)).toEqual([]);
    await page.getByRole('button', { name: 'Change 2 service accounts' }).click();
    await page.getByText('In force on the one running gate').waitFor();
    await page.getByRole('link', { name: 'Back to the list' }).click();
    await page.goto('/service-accounts?q=bulk-&show=inactive');
    await page.getByText('2 service accounts').waitFor();
    await page.getByRole('button', { name: 'Select all on this page' }).click();
    await page.getByLabel('With those selected').selectOption('Put into a team…');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByLabel('Team', { exact: true }).selectOption('core');
    await page.getByLabel('Role in the team').selectOption('tester');
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('button', { name: 'Change 2 service accounts' }).click();
    await page.getByText('Changed 2 service accounts.').waitFor();
    await page.goto('/service-accounts?q=bulk-&show=inactive');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'CSV' }).click(),
    ]);
    const csv = readFileSync(await download.path(), 'utf8').split('\r\n');
    expect(csv.slice(1).map((line) => line.split(',')[0])).toEqual(['bulk-one', 'bulk-two', '']);
    await page.getByLabel('Save as').fill('Sleeping');
    await page.getByRole('button', { name: 'Save this filter' }).click();
    await page.goto('/service-accounts');
    await page.getByRole('link', { name: 'Sleeping' }).click();
    await page.getByText('2 service accounts').waitFor();
    expect(await inaccessible(page)).toEqual([]);
    await page.getByRole('button', { name: 'Forget the filter Sleeping' }).click();
    expect(await page.getByRole('link', { name: 'Sleeping' }).count()).toBe(0);
  });

  it('sees the calls counted', async () => {
    // The gate writes what it has counted every few seconds.
    await vi.waitFor(
      async () => {
        await page.goto('/');
        expect(await page.locator('.figure', { hasText: 'Calls' }).first().textContent()).not.toBe(
          'Calls0',
        );
        expect(await page.locator('svg.chart rect.let-in').count()).toBeGreaterThan(0);
        // The last call of the story: it may be counted later than the first.
        expect(await page.getByRole('link', { name: 'The account is inactive' }).count()).toBe(1);
      },
      { timeout: 40_000, interval: 500 },
    );
  });

  it('was warned by the browser about nothing: no script, style or frame that the policy forbids', () => {
    expect(complaints).toEqual([]);
  });

  it('is signed out in every window at once', async () => {
    const other = await context.newPage();
    await other.goto('/activity');
    await other.locator('#live[data-state="on"]').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('You are signed out.').waitFor();
    await other.getByText('Stopped').waitFor({ timeout: 40_000 });
    await other.goto('/activity');
    expect(new URL(other.url()).pathname).toBe('/sign-in');
    await other.close();
  });
});

describe('the pages', () => {
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  const PATHS = [
    '/',
    '/service-accounts',
    '/new/service-account',
    '/service-accounts/board',
    '/service-accounts/board/new-token',
    '/service-accounts/board/edit',
    '/service-accounts/board/delete',
    '/users',
    '/users/ada',
    '/users/ada/password',
    '/new/user',
    '/roles',
    '/roles/tester',
    '/new/role',
    '/teams',
    '/teams/core',
    '/new/team',
    '/activity',
    '/activity?reason=draining',
    '/activity/verification',
    '/instances',
    '/profile',
    '/nothing',
  ];

  async function findings(
    options: Parameters<Browser['newContext']>[0],
  ): Promise<readonly string[]> {
    // The checker puts its own text into pages, which the pages' policy forbids to everybody.
    const looking = await newContext({ bypassCSP: true, ...options });
    const on = await looking.newPage();
    const found: string[] = [];
    await on.goto('/sign-in');
    found.push(...(await inaccessible(on)));
    await signIn(on);
    for (const path of PATHS) {
      await on.goto(path);
      found.push(...(await inaccessible(on)));
      const wider = await on.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      if (wider > 0) found.push(`${path} is ${wider} px wider than the screen`);
    }
    await on.goto('/service-accounts/board/new-token');
    await on.getByRole('button', { name: 'Continue' }).click();
    await on.locator('#token').waitFor();
    found.push(...(await inaccessible(on)));
    await looking.close();
    return found;
  }

  beforeAll(async () => {
    if (MISSING !== null) return;
    await test.administration.createServiceAccount(owner, {
      name: 'board',
      role: 'tester',
      teams: [{ team: 'core', role: 'tester' }],
    });
    await call(test.token, '/echo/one');
    await call('nonsense', '/echo/two');
  });

  it('are accessible and fit the screen, light on a desk', async () => {
    expect(
      await findings({ colorScheme: 'light', viewport: { width: 1280, height: 860 } }),
    ).toEqual([]);
  }, 60_000);

  it('are accessible and fit the screen, dark on a phone', async () => {
    expect(await findings({ colorScheme: 'dark', viewport: { width: 360, height: 740 } })).toEqual(
      [],
    );
  }, 60_000);

  it('do their work without a script: sign in, create, look, deactivate', async () => {
    const plain = await newContext({ javaScriptEnabled: false });
    const on = await plain.newPage();
    await signIn(on);
    await on.goto('/new/service-account');
    await on.getByLabel('Username').fill('plain');
    await on.getByLabel('Role', { exact: true }).selectOption('tester');
    await on.getByRole('button', { name: 'Create' }).click();
    const shown = (await on.locator('#token').textContent()) ?? '';
    expect(shown).toMatch(TOKEN);
    expect(await call(shown, '/echo/plain')).toBe(200);
    // A reload sends the form again; it is known to be used, so the account is shown and the token
    // still counts.
    await on.reload();
    await on.getByText('shown once').waitFor();
    expect(await call(shown, '/echo/plain-again')).toBe(200);
    await on.reload();
    await on.locator('table.log tbody tr', { hasText: '/echo/plain-again' }).waitFor();
    await on.getByRole('button', { name: 'Deactivate' }).click();
    await on.getByRole('button', { name: 'Do it' }).click();
    await on.getByText('In force on the one running gate').waitFor();
    expect(await call(shown, '/echo')).toBe(401);
    await plain.close();
  });

  it('can be gone through with the keyboard, and say where one is', async () => {
    const typing = await newContext();
    const on = await typing.newPage();
    await signIn(on);
    await on.keyboard.press('Tab');
    expect(await on.evaluate<string>('document.activeElement.textContent')).toBe(
      'Skip to the content',
    );
    await on.keyboard.press('Enter');
    expect(await on.evaluate<string>('document.activeElement.id')).toBe('content');
    await on.goto('/roles');
    expect(await on.locator('nav[aria-label="Main"] [aria-current="page"]').textContent()).toBe(
      'Roles',
    );
    await typing.close();
  });

  it('lead back to where a link from elsewhere pointed, although the cookie does not travel with it', async () => {
    const visiting = await newContext();
    const on = await visiting.newPage();
    await signIn(on);
    // Another site: the same machine by another name.
    await on.route('https://elsewhere.example/', (route) =>
      route.fulfill({ contentType: 'text/html', body: `<a href="${origin()}/roles">roles</a>` }),
    );
    await on.goto('https://elsewhere.example/');
    await on.getByRole('link', { name: 'roles' }).click();
    await on.getByRole('heading', { name: 'Roles', level: 1 }).waitFor();
    await visiting.close();
  });
});
