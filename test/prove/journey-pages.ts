/**
 * `npm run prove -- journey-pages [ACCOUNTS] [FOLDER]`: the journey in a browser, on a registry of
 * 10,000 accounts: on a desk and on a phone, light and dark. Totals are held against the same
 * computed from the accounts, every page against WCAG (axe), and none may be wider than its screen.
 * Photographs go to docs/screenshots, or into a folder.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { countWords } from '../../src/console/words.ts';
import { inaccessible } from '../browser/axe.ts';
import { openAdminScene } from '../support/admin-scene.ts';
import { startChromium } from '../support/chromium.ts';
import { PASSWORD } from '../support/console.ts';
import { JOURNEY, journeyAccount, type Narrowing, totalsOf } from '../support/journey/model.ts';

const size = Number(process.argv[2] ?? 10_000);
const folder = process.argv[3] ?? join(import.meta.dirname, '..', '..', 'docs', 'screenshots');
mkdirSync(folder, { recursive: true });

const LOOKS = (['light', 'dark'] as const).flatMap((colorScheme) => [
  { name: `desktop-${colorScheme}`, colorScheme, viewport: { width: 1280, height: 860 } },
  { name: `phone-${colorScheme}`, colorScheme, viewport: { width: 390, height: 844 } },
]);
const LISTS = {
  part: { search: '-7' },
  inactive: { search: '-7', status: 'inactive' },
  team: { team: 'team-7' },
} as const satisfies Readonly<Record<string, Narrowing>>;
/** Of which photographs are kept. */
const KEPT = ['list', 'preview', 'who-can'];
const PAGES: readonly (readonly [string, string])[] = [
  ['overview', '/?range=1h'],
  ['account', `/service-accounts/${journeyAccount(7).name}`],
  ['activity', '/activity'],
  ['roles', '/roles'],
  ['role', '/roles/role-7'],
  ['teams', '/teams'],
  ['team', '/teams/team-7'],
  ['users', '/users'],
  ['who-can', '/who-can?method=GET&path=%2Fpart-7%2Fx'],
  ['matrix', '/who-can/matrix?permission=test%3Apart-7'],
  ['try', `/try?account=${journeyAccount(7).name}&method=GET&path=%2Fpart-7%2Fx`],
  ['graph', '/service-accounts/caller?range=1h'],
];

const findings: string[] = [];
let looked = 0;

const totals = totalsOf(size, LISTS);
const scene = await openAdminScene({
  ...JOURNEY,
  accounts: size,
  events: 5_000,
  redisUrl: null,
  accountOf: journeyAccount,
  permissionOf: (n) => `test:part-${n}`,
});
const chromium = await startChromium();
const asked = await question();
try {
  for (const [index, look] of LOOKS.entries())
    await travel(chromium, look, index === LOOKS.length - 1);
} finally {
  await chromium.close();
  await scene.stop();
}
for (const finding of findings) console.log(finding);
console.log(
  `${looked} pages of ${size} accounts: ${findings.length} findings; photographs: ${folder}`,
);
if (findings.length > 0) process.exitCode = 1;

async function travel(
  browser: Browser,
  { name: look, ...screen }: (typeof LOOKS)[number],
  changes: boolean,
): Promise<void> {
  const context = await browser.newContext({
    ...screen,
    ignoreHTTPSErrors: true,
    baseURL: scene.origin,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  await page.goto('/sign-in');
  await page.getByLabel('User name').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/$/);
  await lists(page, look);
  await many(page, look, changes);
  for (const [what, path] of [...PAGES, ...asked]) {
    const answer = await page.goto(path);
    if (answer?.status() !== 200) findings.push(`${look}: ${path} answers ${answer?.status()}`);
    await see(page, what, look);
  }
  await advice(page, look);
  await context.close();
}

/** A call and a change that waits, to be looked at. */
async function question(): Promise<readonly (readonly [string, string])[]> {
  const { headers } = await scene.through('/part-7/x', scene.token);
  const { text } = await scene.api('GET', `/service-accounts?name=${journeyAccount(7).name}`);
  const { items } = JSON.parse(text) as { items: readonly { id: string }[] };
  const change = { role: JOURNEY.protectedRole };
  const held = await scene.api('PATCH', `/service-accounts/${items[0]?.id}`, change);
  const { approval } = JSON.parse(held.text) as { approval?: string };
  return [
    ['story', `/activity/requests/${headers['x-request-id']}`],
    ['approvals', '/approvals'],
    ['approval', `/approvals/${approval}`],
  ];
}

/** What is worth a look, and one change of it held against the record. */
async function advice(page: Page, look: string): Promise<void> {
  await page.goto('/advice');
  await see(page, 'advice', look);
  // The lead of the page says so as well, in a sentence.
  await page
    .getByText(/^A change to review/)
    .first()
    .click();
  await page.getByRole('button', { name: 'Try it on the last 7 days' }).first().click();
  await page.getByText(/In the last 7 days/).waitFor();
  await see(page, 'replay', look);
}

async function lists(page: Page, look: string): Promise<void> {
  await page.goto('/service-accounts');
  await page.getByLabel('Search').fill('-7');
  await page.getByRole('button', { name: 'Search' }).click();
  await total(page, totals.get('part')!);
  await see(page, 'list', look);
  await page.getByLabel('Show').selectOption('Inactive');
  await page.getByRole('button', { name: 'Search' }).click();
  await total(page, totals.get('inactive')!);
  await page.goto('/service-accounts?team=team-7');
  await total(page, totals.get('team')!);
  await page.goto('/service-accounts?sort=lastUsed&order=descending');
  await page.getByRole('link', { name: 'Next page' }).click();
  await page.getByRole('link', { name: 'Previous page' }).waitFor();
  await see(page, 'sorted', look);
}

/** A preview of many; in the last look they are changed as well. */
async function many(page: Page, look: string, changes: boolean): Promise<void> {
  const choose = async (act: string, show: string) => {
    await page.goto(`/service-accounts?q=-7&show=${show}`);
    await page.getByRole('button', { name: 'Select all on this page' }).click();
    await page.getByLabel('With those selected').selectOption(act);
    await page.getByRole('button', { name: 'Preview' }).click();
    await page.getByRole('button', { name: /^Change \d+ service account/ }).waitFor();
  };
  await choose('Deactivate', 'active');
  await see(page, 'preview', look);
  if (!changes) return;
  const before = totals.get('inactive')!;
  await page.getByRole('button', { name: /^Change \d+ service account/ }).click();
  await page.getByText(/Changed \d+ service account/).waitFor();
  await see(page, 'changed', look);
  await page.goto('/service-accounts?q=-7&show=inactive');
  if ((await shownTotal(page)) === words(before)) findings.push(`${look}: nobody was deactivated`);
}

async function total(page: Page, expected: number): Promise<void> {
  await page
    .getByText(words(expected), { exact: true })
    .waitFor()
    .catch(async () => {
      findings.push(`${page.url()}: ${await shownTotal(page)}, and not ${words(expected)}`);
    });
}

async function shownTotal(page: Page): Promise<string> {
  const shown = page.locator('.pages span').first();
  return (await shown.textContent({ timeout: 1_000 }).catch(() => null)) ?? 'no list';
}

function words(count: number): string {
  return `${countWords(count)} service account${count === 1 ? '' : 's'}`;
}

async function see(page: Page, what: string, look: string): Promise<void> {
  looked += 1;
  for (const finding of await inaccessible(page)) findings.push(`${look}: ${finding}`);
  const wider = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  if (wider > 0) findings.push(`${look}: ${what} is wider than the screen by ${wider} px`);
  if (process.argv[3] !== undefined || KEPT.includes(what))
    await page.screenshot({ path: join(folder, `journey-${what}-${look}.png`) });
}
