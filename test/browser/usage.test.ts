import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium } from '../support/chromium.ts';
import { operator, PASSWORD, startConsole, type TestConsole } from '../support/console.ts';
import { fillUsage } from '../support/console-usage.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/** What a person finds out about who calls, with a mouse, with keys, and on a phone. */
const MISSING = have('chromium') ? null : 'not installed: chromium';
const PHONE = { width: 390, height: 844 };

describe('who calls, in the console', () => {
  let test: TestConsole;
  let chromium: Browser;
  let page: Page;

  beforeAll(async () => {
    if (MISSING !== null) return;
    test = await startConsole();
    await test.createUser('ada', 'administrator');
    for (const name of ['ci-pipeline', 'stray-job'])
      await test.administration.createServiceAccount(operator, { name, role: 'none' });
    await fillUsage(test, ['ci-pipeline', 'stray-job'], 75);
    for (let back = 0; back < 60; back += 1)
      await test.stats.write({
        minute: Math.floor(Date.now() / 60_000) - back,
        instance: 'edge',
        counts: { reasons: { permitted: 30 }, durations: [30], overheads: [30] },
      });
    chromium = await startChromium();
    page = await signedIn({});
  });
  afterAll(async () => {
    await chromium?.close();
    await test?.stop();
  });
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  async function signedIn(options: BrowserContextOptions): Promise<Page> {
    const context = await chromium.newContext({
      ignoreHTTPSErrors: true,
      baseURL: test.origin,
      ...options,
    });
    const on = await context.newPage();
    await on.goto('/');
    await on.getByLabel('User name').fill('ada');
    await on.getByLabel('Password').fill(PASSWORD);
    await on.getByRole('button', { name: 'Sign in' }).click();
    await on.getByRole('heading', { name: 'Overview' }).waitFor();
    return on;
  }

  const chartOf = (on: Page, title: string): Locator =>
    on.getByRole('slider', { name: `${title}: moment`, exact: true });
  const partOf = (address: string) => {
    const { searchParams } = new URL(address);
    return [searchParams.get('since'), searchParams.get('until')].map((text) =>
      Date.parse(text ?? ''),
    ) as [number, number];
  };

  it('lists the busiest, by what the heading says', async () => {
    const names = () => page.locator('#who tbody th').allTextContents();
    expect(await names()).toEqual(['ci-pipeline', 'stray-job']);
    await page.locator('#who').getByRole('link', { name: 'Refused' }).click();
    await page.waitForURL(/by=refused/);
    expect(await names()).toEqual(['stray-job']);
    expect(await page.locator('#who th[aria-sort]').textContent()).toBe('Refused');
    await page.locator('#who').getByRole('link', { name: 'Routes' }).click();
    await page.waitForURL(/of=route/);
    expect(await names()).toContain('deploy');
    const csv = await page.request.get(
      (await page.locator('#who').getByRole('link', { name: 'CSV' }).getAttribute('href')) ?? '',
    );
    expect(await csv.text()).toMatch(/^name,id,calls,[^\n]*\r\n(?:deploy|environments|versions),/);
  });

  it('reads a moment off a chart by the mouse', async () => {
    await page.goto('/service-accounts/ci-pipeline?range=1h');
    const chart = chartOf(page, 'Calls of ci-pipeline');
    await chart.scrollIntoViewIfNeeded();
    const box = (await chart.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
    const readout = page.locator('.chart-readout').first();
    expect(await readout.textContent()).toMatch(/^\d\d:\d\d: \d+ let in, 0 refused$/);
    await page.mouse.move(box.x - 60, box.y - 60);
    expect(await readout.textContent()).toMatch(/arrow keys/);
  });

  it('reads moments by keys, and goes to a part of the time by them', async () => {
    const chart = chartOf(page, 'Calls of ci-pipeline');
    await chart.focus();
    const told = () => chart.getAttribute('aria-valuetext');
    await page.keyboard.press('Home');
    expect(await chart.getAttribute('aria-valuenow')).toBe('1');
    const first = await told();
    for (const key of ['ArrowRight', 'ArrowRight']) await page.keyboard.press(key);
    expect(await told()).not.toBe(first);
    for (let n = 0; n < 9; n += 1) await page.keyboard.press('Shift+ArrowRight');
    expect(await told()).toMatch(/^\d\d:\d\d to \d\d:\d\d UTC chosen: Enter shows it$/);
    await page.keyboard.press('Enter');
    await page.waitForURL(/since=/);
    const [since, until] = partOf(page.url());
    expect(until - since).toBe(10 * 60_000);
    // The same by links, for whom neither is a way.
    await page.getByRole('link', { name: 'Wider' }).click();
    await page.waitForURL((url) => !url.href.includes(new Date(since).toISOString()));
    const [wider, end] = partOf(page.url());
    expect(end - wider).toBe(20 * 60_000);
    await page.getByRole('link', { name: 'Earlier' }).click();
    await page.waitForURL((url) => Date.parse(url.searchParams.get('until') ?? '') === wider);
    expect(partOf(page.url())[0]).toBe(wider - 20 * 60_000);
  });

  it('goes to a part of the time by dragging', async () => {
    await page.goto('/?range=1h');
    const chart = page.getByRole('slider', { name: /let in and .* refused in the last/ });
    const box = (await chart.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.25, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 25, { steps: 4 });
    await page.mouse.up();
    await page.waitForURL(/since=/);
    const [since, until] = partOf(page.url());
    expect((until - since) / 60_000).toBeGreaterThanOrEqual(15);
    expect((until - since) / 60_000).toBeLessThanOrEqual(17);
    expect(await page.locator('#who tbody th').count()).toBe(2);
  });

  it('has the same figures as a table', async () => {
    await page.goto('/service-accounts/stray-job?range=1h');
    await page.locator('summary', { hasText: 'Figures' }).click();
    const rows = page
      .getByRole('table', { name: 'Calls of stray-job over time' })
      .locator('tbody tr');
    expect(await rows.count()).toBeGreaterThan(50);
    expect(await page.locator('svg.chart rect.refused').count()).toBeGreaterThan(10);
  });

  it.each(['light', 'dark'] as const)(
    'is accessible and legible on a phone (%s)',
    async (scheme) => {
      const on = await signedIn({ viewport: PHONE, colorScheme: scheme, bypassCSP: true });
      for (const path of ['/', '/service-accounts/ci-pipeline?range=7d']) {
        await on.goto(path);
        if (process.env.SHOTS)
          await on.screenshot({
            path: `/tmp/sp/shot-${scheme}-${path.length}.png`,
            fullPage: true,
          });
        expect(await inaccessible(on)).toEqual([]);
        const sizes = await on.evaluate<number[]>(
          `[...document.querySelectorAll('.chart-x span, .chart-y span, .chart-readout')].map((one) => parseFloat(getComputedStyle(one).fontSize))`,
        );
        expect(sizes.length).toBeGreaterThan(5);
        expect(Math.min(...sizes)).toBeGreaterThanOrEqual(12);
        expect(
          await on.evaluate<number>(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          ),
        ).toBe(0);
      }
      await on.context().close();
    },
  );
});
