import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ROOT } from '../house/tree.ts';
import { startChromium } from '../support/chromium.ts';
import { startConsole, type TestConsole } from '../support/console.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/** The documentation as `npm run docs` builds it and the console serves it. */
const MISSING = have('chromium') ? null : 'not installed: chromium';
const BUILT = join(ROOT, 'dist/docs');
const BUILD_MS = 240_000;

let served: TestConsole;
let bare: TestConsole;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
const complaints: string[] = [];
let pages: readonly string[] = [];

beforeAll(async () => {
  const built = spawnSync('npm', ['run', '--silent', 'docs'], { cwd: ROOT, encoding: 'utf8' });
  expect(built.stderr + built.stdout, 'npm run docs').toMatch(/\d+ pages in dist\/docs/);
  pages = readdirSync(BUILT).filter((name) => name.endsWith('.html'));
  served = await startConsole();
  bare = await startConsole({ documentation: join(BUILT, 'nowhere') });
  if (MISSING !== null) return;
  chromium = await startChromium();
  context = await chromium.newContext({ ignoreHTTPSErrors: true, baseURL: served.origin });
  page = await context.newPage();
  page.on('console', (message) => complaints.push(`${page.url()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
}, BUILD_MS);

afterAll(async () => {
  await chromium?.close();
  await served?.stop();
  await bare?.stop();
});

describe('the documentation', () => {
  it('has every page in its navigation, and no link that leads nowhere', async () => {
    const texts = new Map<string, string>();
    const textOf = async (name: string): Promise<string> => {
      const known = texts.get(name);
      if (known !== undefined) return known;
      const { status, text } = await served.browser().get(`/docs/${name}`);
      texts.set(name, status === 200 ? text : '');
      return texts.get(name) ?? '';
    };
    const dead: string[] = [];
    for (const name of pages) {
      for (const [, href = ''] of (await textOf(name)).matchAll(/(?:href|src)="([^"]*)"/g)) {
        if (/^[a-z]+:/i.test(href)) continue;
        const [file = '', id] = href.split('#');
        const target = file === '' ? name : file;
        const text = await textOf(target);
        const isThere = text !== '' && (id === undefined || text.includes(` id="${id}"`));
        if (!isThere) dead.push(`${name}: ${href}`);
      }
    }
    expect(dead).toEqual([]);
    const navigation = (await textOf('index.html')).split('id="pages"')[1] ?? '';
    expect(pages.filter((name) => !navigation.includes(`href="${name}"`))).toEqual([]);
    expect(pages.length).toBeGreaterThan(20);
  });

  it('is read without signing in, and can run nothing', async () => {
    const moved = await served.browser().get('/docs');
    expect([moved.status, moved.location]).toEqual([308, '/docs/']);
    const { status, headers } = await served.browser().get('/docs/');
    expect(status).toBe(200);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/script-src|unsafe|nonce/);
    expect(headers['x-content-type-options']).toBe('nosniff');
    // Whatever is no reading is asked for a session first.
    expect((await served.browser().post('/docs/', {})).location).toBe('/sign-in');
  });

  it('serves nothing but what was built', async () => {
    const outside = ['..%2f..%2fpackage.json', '..%5c..%5cpackage.json', '.hidden', 'a//b', 'a\\b'];
    const others = [...outside, 'nothing.html', 'files', 'site.css/x', 'a'.repeat(300), 'a\0b'];
    for (const path of others)
      expect((await served.browser().get(`/docs/${encodeURI(path)}`)).status, path).toBe(404);
    // These are paths outside `/docs` to every reader of a URL.
    for (const path of ['../../package.json', '%2e%2e/%2e%2e/package.json'])
      expect((await served.browser().get(`/docs/${path}`)).location, path).toMatch(/^\/sign-in/);
  });

  it('says how to build it where it is not built', async () => {
    const { status, text } = await bare.browser().get('/docs/');
    expect(status).toBe(404);
    expect(text).toContain('npm run docs');
  });
});

describe('the documentation in a browser', () => {
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  it('fits a phone and a desk, and neither it nor its policy has anything to complain of', async () => {
    const wide: string[] = [];
    for (const name of pages) {
      await page.goto(`/docs/${name}`);
      for (const width of [390, 1280]) {
        await page.setViewportSize({ width, height: 844 });
        const scrolls = await page.evaluate('document.documentElement.scrollWidth');
        if (Number(scrolls) > width) wide.push(`${name}: ${scrolls} at ${width}`);
      }
    }
    expect(wide).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it.each([
    ['light', ['index', 'concepts', 'troubleshooting', 'comparison']],
    ['dark', ['concepts', 'tokens']],
  ] as const)('is accessible (%s)', async (colorScheme, names) => {
    await page.emulateMedia({ colorScheme });
    const found: string[] = [];
    for (const name of names) {
      await page.goto(`/docs/${name}.html`);
      found.push(...(await inaccessible(page)));
    }
    expect(found).toEqual([]);
  });

  it('is led to from the page on which one signs in', async () => {
    await page.goto('/sign-in');
    await page.getByRole('link', { name: 'Documentation' }).click();
    await page.getByRole('heading', { name: 'Where to begin' }).waitFor();
    expect(complaints).toEqual([]);
  });
});
