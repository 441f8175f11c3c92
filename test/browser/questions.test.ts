import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startChromium } from '../support/chromium.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type Listening, startPlainService } from '../support/plain-service.ts';
import { startRedis } from '../support/redis-server.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/**
 * Who can do what, and why: asked by a person with a browser and a keyboard, in a console that has
 * no routes of its own and stands apart from the gate that does.
 */
const PASSWORD = 'a rather long sentence';
const MISSING = ['chromium', 'redis-server'].some((part) => !have(part as 'chromium'))
  ? 'not installed: chromium, redis-server'
  : null;

describe('the questions about rights', () => {
  let service: Listening;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let gate: TestGateway;
  let apart: TestGateway;
  let chromium: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    if (MISSING !== null) return;
    service = await startPlainService('service');
    redis = await startRedis();
    const store = { kind: 'redis', url: redis.url };
    const upstreams = { service: { addresses: [`http://${service.address}`] } };
    const common = { upstreams, store, plaintext: true };
    const deploy = {
      ...{ name: 'deploy', path: '/apps/{application}/deploy', methods: ['POST'] },
      ...{ application: '{application}', permission: 'apps:write', upstream: 'service' },
    };
    gate = await startGateway({ ...common, routes: [deploy] });
    apart = await startGateway({ ...common, routes: [], admin: {} });
    await vi.waitFor(() => expect(gate.gateway.ready && apart.gateway.ready).toBe(true), 20_000);
    await fill();
    chromium = await startChromium();
    const baseURL = `https://localhost:${apart.gateway.addresses.admin?.port}`;
    const context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL });
    page = await signedIn(context);
  });
  afterAll(async () => {
    await chromium?.close();
    await apart?.stop();
    await gate?.stop();
    await redis?.stop();
    await service?.stop();
  });
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  async function fill(): Promise<void> {
    const { administration: admin } = apart;
    await admin.createUser(owner, { name: 'ada', role: 'administrator', password: PASSWORD });
    await admin.createRole(owner, { name: 'writer', permissions: ['apps:write'] });
    await admin.createTeam(owner, { name: 'sales', applications: ['CRM', 'Portal'] });
    const machine = (name: string, role: string, teams: { team: string; role: string }[] = []) =>
      admin.createServiceAccount(owner, { name, role, teams });
    await machine('by-default', 'writer');
    await machine('by-team', 'none', [{ team: 'sales', role: 'writer' }]);
    await machine('by-grant', 'none');
    await admin.grantRole(owner, { name: 'by-grant', application: 'CRM', role: 'writer' });
    await machine('lowered', 'writer');
    await admin.grantRole(owner, { name: 'lowered', application: 'CRM', role: 'none' });
  }

  async function signedIn(context: BrowserContext): Promise<Page> {
    const on = await context.newPage();
    on.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        complaints.push(message.text());
    });
    on.on('pageerror', (error) => complaints.push(error.message));
    await on.goto('/');
    await on.getByLabel('User name').fill('ada');
    await on.getByLabel('Password').fill(PASSWORD);
    await on.keyboard.press('Enter');
    await on.getByRole('heading', { name: 'Overview' }).waitFor();
    return on;
  }

  /** Cells of the row that this begins. */
  async function cells(name: string): Promise<readonly string[]> {
    const row = page
      .getByRole('row')
      .filter({ has: page.getByRole('link', { name, exact: true }) });
    const texts = await row.first().getByRole('cell').allTextContents();
    return texts.map((text) => text.replace(/\s+/g, ' ').trim());
  }

  it('name everybody whose call would be let in, and by which rule, by the routes of the gate', async () => {
    await page.getByRole('link', { name: 'Who Can' }).focus();
    await page.keyboard.press('Enter');
    await page.getByLabel('Method').selectOption('POST');
    await page.getByLabel('Path').focus();
    await page.keyboard.type('/apps/CRM/deploy?token=none-of-your-business');
    await page.keyboard.press('Enter');
    await page.getByText('3 accounts of the').waitFor();
    expect((await cells('by-default')).slice(0, 3)).toEqual(['writer', 'default role', 'CRM']);
    expect((await cells('by-team')).slice(0, 2)).toEqual(['writer', 'role in team sales']);
    expect((await cells('by-grant')).slice(0, 2)).toEqual(['writer', 'direct grant']);
    expect(await page.getByRole('link', { name: 'lowered' }).count()).toBe(0);
    await page.getByText(`By the routes of ${gate.gateway.instance}`).waitFor();
    expect(await page.getByLabel('Path').inputValue()).toBe('/apps/CRM/deploy');
  });

  it('are a table to take away', async () => {
    const csv = await page.request.get('/csv/who-can?method=POST&path=/apps/CRM/deploy');
    expect(csv.headers()['content-type']).toContain('text/csv');
    const lines = (await csv.text()).trim().split('\r\n');
    expect(lines[0]).toMatch(/^account,permission/);
    expect(
      lines
        .slice(1)
        .map((line) => line.split(',')[0])
        .sort(),
    ).toEqual(['by-default', 'by-grant', 'by-team']);
    const matrix = await page.request.get('/csv/who-can/matrix?permission=apps:write');
    const rows = (await matrix.text()).trim().split('\r\n');
    expect(rows).toContain('lowered,CRM,false,none,grant,,');
    expect(rows).toContain('by-team,Portal,true,writer,team,sales,');
  });

  it('lead from an answer to its steps', async () => {
    await page.getByRole('link', { name: 'Steps for by-team' }).click();
    await page.getByRole('status').getByText('Let in').waitFor();
    await page
      .getByText('CRM belongs to team sales, in which by-team has the role writer.')
      .waitFor();
    await page.getByRole('link', { name: 'Who else can?' }).click();
    await page.getByText('3 accounts of the').waitFor();
  });

  it('are asked from the page of an account, and a refusal says why', async () => {
    await page.goto('/service-accounts/lowered');
    await page.getByRole('link', { name: 'Try It' }).last().click();
    expect(await page.getByLabel('Account').inputValue()).toBe('lowered');
    await page.getByLabel('Method').selectOption('POST');
    await page.getByLabel('Path').fill('/apps/CRM/deploy');
    await page.keyboard.press('Enter');
    await page.getByRole('status').getByText('Refused').waitFor();
    await page.getByText('permission-denied').waitFor();
    await page.getByText('A grant gives lowered the role none on CRM.').waitFor();
  });

  it.each([
    ['an account that there is not', 'nobody', '/apps/CRM/deploy', 'There is no account named'],
    ['a path that is none', 'lowered', 'apps', 'must begin with /'],
  ])('say what is wrong with %s', async (_what, account, path, words) => {
    await page.goto(`/try?${new URLSearchParams({ account, method: 'POST', path }).toString()}`);
    await page.getByRole('alert').getByText(words).waitFor();
    expect(await page.getByLabel('Account').inputValue()).toBe(account);
  });

  it('say of a call that no route takes that nobody can', async () => {
    await page.goto('/who-can?method=GET&path=/elsewhere');
    await page.getByRole('alert').getByText('No route matches /elsewhere').waitFor();
  });

  it('show who has a permission on which applications', async () => {
    await page.getByRole('link', { name: 'Matrix' }).click();
    await page.getByLabel('Permission').fill('apps:write');
    await page.keyboard.press('Enter');
    await page.getByRole('columnheader', { name: 'Portal' }).waitFor();
    expect(await cells('by-grant')).toEqual(['Yes grant: writer', 'No default: none']);
    expect(await cells('lowered')).toEqual(['No grant: none', 'Yes default: writer']);
    await page.getByLabel('Account').fill('by-t');
    await page.keyboard.press('Enter');
    await page.getByText('1 service account, 2 applications.').waitFor();
    expect(await cells('by-team')).toEqual(['Yes team sales: writer', 'Yes team sales: writer']);
  });

  it.each([
    { colorScheme: 'light', width: 1280 },
    { colorScheme: 'dark', width: 390 },
    { colorScheme: 'light', width: 390 },
    { colorScheme: 'dark', width: 1280 },
  ] as const)('are accessible, and fit, %o', async ({ colorScheme, width }) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 844 });
    for (const path of [
      '/who-can?method=POST&path=/apps/CRM/deploy&host=gate.example',
      '/who-can?method=GET&path=/elsewhere',
      '/who-can/matrix?permission=apps:write',
      '/try?account=lowered&method=POST&path=/apps/CRM/deploy',
    ]) {
      await page.goto(path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      expect(await inaccessible(page)).toEqual([]);
      expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([
        path,
        width,
      ]);
    }
  });

  it('leave nothing that the browser complains about', () => {
    expect(complaints).toEqual([]);
  });
});
