import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startChromium } from '../support/chromium.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/** Two administrators, each with a browser, and a role that neither changes alone. */
const PASSWORD = 'a rather long sentence';
const MISSING = have('chromium') ? null : 'not installed: chromium';

let gate: TestGateway;
let chromium: Browser;
let ada: Page;
let grace: Page;

beforeAll(async () => {
  if (MISSING !== null) return;
  gate = await startGateway({
    upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: { console: { approvals: { roles: ['administrator', 'release'] } } },
  });
  const { administration } = gate;
  const waived = { withoutApproval: true } as object;
  for (const name of ['ada', 'grace'])
    await administration.createUser(owner, {
      ...{ name, role: 'administrator', password: PASSWORD },
      ...waived,
    });
  const role = { name: 'release', permissions: ['releases:*'], ...waived };
  await administration.createRole(owner, role);
  await administration.createServiceAccount(owner, { name: 'ci', role: 'release', ...waived });
  chromium = await startChromium();
  [ada, grace] = [await signedIn('ada'), await signedIn('grace')];
});
afterAll(async () => {
  await chromium?.close();
  await gate?.stop();
});

async function signedIn(name: string): Promise<Page> {
  const baseURL = `https://localhost:${gate.gateway.addresses.admin?.port}`;
  const context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL });
  const page = await context.newPage();
  await page.goto('/roles');
  await page.getByLabel('User name').fill(name);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Roles', level: 1 }).waitFor();
  return page;
}

it('shows who loses what, waits for somebody else, and is made when they approve it', async (ctx) => {
  if (MISSING !== null) return ctx.skip(MISSING);
  await ada.goto('/roles/release/edit');
  await ada.getByLabel('Permissions', { exact: true }).fill('releases:read');
  await ada.getByRole('button', { name: 'Save' }).click();
  await ada.getByRole('row', { name: 'ci' }).getByText('releases:* by default').waitFor();
  await ada.getByText('It concerns the protected role release').waitFor();
  expect(await inaccessible(ada)).toEqual([]);
  await ada.getByRole('button', { name: 'Propose it' }).click();
  await ada.getByText('Nothing is changed yet').waitFor();
  expect(await ada.getByRole('button', { name: 'Approve' }).count()).toBe(0);
  expect(await inaccessible(ada)).toEqual([]);

  await grace.goto('/roles');
  await grace.getByRole('link', { name: 'Approvals 1 waiting' }).click();
  expect(await inaccessible(grace)).toEqual([]);
  await grace.getByRole('link', { name: 'role release' }).click();
  await grace.getByRole('row', { name: 'permissions' }).getByText('releases:read').waitFor();
  await grace.getByRole('button', { name: 'Approve' }).click();
  // Nothing happens without a look.
  await grace.getByLabel(/I have looked/).check();
  await grace.getByRole('button', { name: 'Approve' }).click();
  await grace.getByRole('heading', { name: 'Approved: role release' }).waitFor();
  const { role } = await gate.administration.showRole(owner, { name: 'release' });
  expect(role.permissions).toEqual(['releases:read']);
});

it('is taken back by who proposed it, and declined by whom it waits for', async (ctx) => {
  if (MISSING !== null) return ctx.skip(MISSING);
  for (const [page, button] of [
    [ada, 'Withdraw'],
    [grace, 'Decline'],
  ] as const) {
    await ada.goto('/roles/release/edit');
    await ada.getByLabel('Permissions', { exact: true }).fill('releases:read\nreleases:write');
    await ada.getByRole('button', { name: 'Save' }).click();
    await ada.getByText('Nothing is changed yet').waitFor();
    await page.goto(new URL(ada.url()).pathname);
    await page.getByRole('button', { name: button }).click();
    await page.getByText('Nothing waits').waitFor();
  }
  const { role } = await gate.administration.showRole(owner, { name: 'release' });
  expect(role.permissions).toEqual(['releases:read']);
});
