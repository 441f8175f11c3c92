import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium } from '../support/chromium.ts';
import { PASSWORD, startConsole, type TestConsole } from '../support/console.ts';
import { owner } from '../support/gateway.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/** What was not used, and what a change would have refused, with a browser. */
const MISSING = have('chromium') ? null : 'not installed: chromium';
const DAY_MS = 86_400_000;

describe('what is worth a look', () => {
  let test: TestConsole;
  let chromium: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    if (MISSING !== null) return;
    test = await startConsole();
    const { administration } = test;
    await administration.createRole(owner, {
      ...{ name: 'writer', description: 'May write', permissions: ['apps:*', 'envs:write'] },
    });
    await administration.createTeam(owner, { name: 'sales', applications: ['crm', 'old'] });
    const made = { name: 'ci-build', role: 'writer' };
    const { account } = await administration.createServiceAccount(owner, made);
    for (const n of [1, 2, 3])
      await test.record({
        ...{ id: `request-${n}`, time: new Date().toISOString(), type: 'call', phase: 'decision' },
        ...{ instance: 'test', account: { id: account.id, name: 'ci-build', kind: 'service' } },
        ...{ decision: 'permit', reason: 'permitted', route: 'deploy', permission: 'apps:write' },
        ...{ application: 'crm', role: 'writer', method: 'POST', requestId: `request-${n}` },
      });
    // As if all that had been three days ago.
    test.setBack(-3 * DAY_MS);
    await test.createUser('ada', 'administrator');
    chromium = await startChromium();
    const context = { ignoreHTTPSErrors: true, baseURL: test.origin };
    page = await (await chromium.newContext(context)).newPage();
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto('/');
    await page.getByLabel('User name').fill('ada');
    await page.getByLabel('Password').fill(PASSWORD);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
  });
  afterAll(async () => {
    await chromium?.close();
    await test?.stop();
  });
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  it('is shown with its evidence and a change that can be tried on the record', async () => {
    await page.getByRole('link', { name: 'Worth a Look' }).click();
    await page.getByText('1 of the 2 permissions of the role writer was not used').waitFor();
    await page.getByText('Nobody has called anything on 1 of the 2 applications').waitFor();
    const change = page.getByText('A change to review: sallyport role edit writer --permission');
    await change.first().click();
    await page
      .getByRole('button', { name: /Try it on the last 7 days.*role edit/ })
      .first()
      .click();
    await page.getByText('would have made no difference to any of 3 calls').waitFor();
    await page.getByRole('link', { name: 'Back' }).click();
    await change.first().click();
    await page.getByRole('link', { name: 'Open the form of writer' }).first().click();
    expect(await page.getByLabel('Permissions').inputValue()).toBe('apps:*');
    expect(complaints).toEqual([]);
  });

  it('says in the form of a role which calls it would have refused, and saves nothing', async () => {
    await page.goto('/roles/writer/edit');
    await page.getByLabel('Permissions').fill('envs:write');
    await page.getByRole('button', { name: 'Try it on the last 7 days' }).click();
    await page
      .getByText('In the last 7 days it would have refused 3 calls of 1 account, and let in none.')
      .waitFor();
    expect(await page.getByRole('row', { name: /ci-build.*apps:write.*crm/ }).count()).toBe(1);
    expect(await page.getByLabel('Permissions').inputValue()).toBe('envs:write');
    const { role } = await test.administration.showRole(owner, { name: 'writer' });
    expect(role.permissions).toEqual(['apps:*', 'envs:write']);
    expect(await inaccessible(page)).toEqual([]);
  });

  it('says so of a team, and what is wrong with what was asked', async () => {
    await page.goto('/teams/sales/edit?without=old');
    expect(await page.getByLabel('Applications').inputValue()).toBe('crm');
    await page.getByRole('button', { name: 'Try it on the last 7 days' }).click();
    await page.getByText('would have made no difference').waitFor();
    await page.goto('/roles/writer/edit');
    await page.getByLabel('Permissions').fill('nonsense');
    await page.getByRole('button', { name: 'Try it on the last 7 days' }).click();
    await page.getByRole('alert').getByText('Permissions').waitFor();
  });

  it('can be asked of a change by which somebody loses, before it is made', async () => {
    await page.goto('/roles/writer/edit');
    await page.getByLabel('Permissions').fill('envs:write');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Nothing is changed yet.').waitFor();
    await page.getByRole('button', { name: 'Try it on the last 7 days' }).click();
    await page.getByText('would have refused 3 calls of 1 account').waitFor();
  });

  it.each(['light', 'dark'] as const)(
    'can be read by everybody, %s and on a phone',
    async (look) => {
      await page.emulateMedia({ colorScheme: look });
      await page.setViewportSize({ width: 390, height: 844 });
      await page.goto('/advice');
      for (const summary of await page.locator('details.small summary').all())
        await summary.click();
      expect(await inaccessible(page)).toEqual([]);
      const wider = await page.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(wider).toBe(0);
    },
  );
});
