/**
 * `npm run prove -- screenshots [FOLDER]`: photographs the console, light and dark, on a desk and
 * on a phone. Without a folder the main pages as a screen shows them go to docs/screenshots/; into
 * a folder go all pages at full length. Nothing is compared: they are there to be looked at.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { startChromium } from '../support/chromium.ts';
import { PASSWORD, startConsole } from '../support/console.ts';
import { fillConsole } from '../support/console-sample.ts';

const given = process.argv[2];
const folder = given ?? join(import.meta.dirname, '..', '..', 'docs', 'screenshots');
mkdirSync(folder, { recursive: true });

const SCREENS = {
  desktop: { width: 1280, height: 860 },
  phone: { width: 390, height: 844 },
} as const;

const MAIN = ['sign-in', 'overview', 'service-accounts', 'service-account', 'token', 'activity'];

const PAGES: readonly (readonly [name: string, path: string])[] = [
  ['overview', '/?range=1h'],
  ['service-accounts', '/service-accounts'],
  ['new-service-account', '/new/service-account'],
  ['service-account', '/service-accounts/ci-pipeline'],
  ['new-token', '/service-accounts/ci-pipeline/new-token'],
  ['activity', '/activity'],
  ['users', '/users'],
  ['roles', '/roles'],
  ['role', '/roles/deployer'],
  ['new-role', '/new/role'],
  ['team', '/teams/customer-apps'],
  ['instances', '/instances'],
  ['profile', '/profile'],
];

const test = await startConsole();
const chromium = await startChromium();
try {
  await fillConsole(test);
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const [screen, viewport] of Object.entries(SCREENS)) {
      const context = await chromium.newContext({
        ignoreHTTPSErrors: true,
        colorScheme,
        viewport,
        baseURL: test.origin,
      });
      const page = await context.newPage();
      await photograph(page, `sign-in-${screen}-${colorScheme}`, '/sign-in');
      await page.getByLabel('User name').fill('ada');
      await page.getByLabel('Password').fill(PASSWORD);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForURL(/\/$/);
      for (const [name, path] of PAGES)
        await photograph(page, `${name}-${screen}-${colorScheme}`, path);
      await page.goto('/service-accounts/status-board/new-token');
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.locator('#token').waitFor();
      await shoot(page, `token-${screen}-${colorScheme}`);
      await context.close();
    }
  }
} finally {
  await chromium.close();
  await test.stop();
}
console.log(`Photographs are in ${folder}`);

async function photograph(page: Page, name: string, path: string): Promise<void> {
  if (
    given === undefined &&
    !MAIN.some((main) => name.startsWith(`${main}-desktop`) || name.startsWith(`${main}-phone`))
  )
    return;
  await page.goto(path);
  await shoot(page, name);
}

async function shoot(page: Page, name: string): Promise<void> {
  const overflow = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  if (overflow > 0) console.log(`${name}: wider than the screen by ${overflow} px`);
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: given !== undefined });
}
