import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startSample } from '../../src/sample/start.ts';
import { startChromium } from '../support/chromium.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis } from '../support/redis-server.ts';
import { takeOut } from '../support/redis-streams.ts';
import { have } from '../support/system.ts';
import { inaccessible } from './axe.ts';

/** What a person finds in the record, and whether it is whole, with a browser. */
const TOKYO_MS = 9 * 3_600_000;
const PASSWORD = 'a rather long sentence';
const MISSING = ['chromium', 'redis-server'].some((part) => !have(part as 'chromium'))
  ? 'not installed: chromium, redis-server'
  : null;

describe('the page of all activity', () => {
  let sample: Awaited<ReturnType<typeof startSample>>;
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let test: TestGateway;
  let chromium: Browser;
  let page: Page;
  let requestId = '';
  const complaints: string[] = [];

  beforeAll(async () => {
    if (MISSING !== null) return;
    sample = await startSample();
    const upstreams = { sample: { addresses: [sample.url] } };
    redis = await startRedis();
    const store = { kind: 'redis', url: redis.url };
    test = await startGateway({ upstreams, plaintext: true, admin: {}, store });
    await vi.waitFor(() => expect(test.gateway.ready).toBe(true), 20_000);
    const ada = { name: 'ada', role: 'administrator', password: PASSWORD };
    await test.administration.createUser(owner, ada);
    await call('GET', '/echo/first');
    await call('POST', '/echo/second');
    requestId = (await call('GET', '/echo/third', 'nonsense')).headers.get('x-request-id') ?? '';
    await test.events();
    chromium = await startChromium();
    const baseURL = `https://localhost:${test.gateway.addresses.admin?.port}`;
    const looks = { ignoreHTTPSErrors: true, baseURL, timezoneId: 'Asia/Tokyo' };
    page = await (await chromium.newContext(looks)).newPage();
    page.on('console', (message) => {
      // A page that says that nothing is there is a 404, which the browser tells as well.
      if (message.type() === 'error' && !message.text().includes('404'))
        complaints.push(message.text());
    });
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
    await sample?.close();
    await redis?.stop();
  });
  beforeEach((ctx) => {
    if (MISSING !== null) ctx.skip(MISSING);
  });

  async function call(method: string, path: string, token = test.token): Promise<Response> {
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${test.url}${path}`, { method, headers });
    await response.clone().arrayBuffer();
    return response;
  }

  /** Which of the three calls are shown; `field` null: of the page as it is. */
  async function shown(field: string, value: string): Promise<readonly string[]> {
    await page.goto('/activity');
    const form = page.getByRole('search');
    const choice = form.getByRole('combobox', { name: field, exact: true });
    if ((await choice.count()) > 0) await choice.selectOption(value);
    else await form.getByLabel(field, { exact: true }).fill(value);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByRole('link', { name: 'Follow everything' }).waitFor();
    const rows = await page.locator('table.log tbody tr .what').allTextContents();
    return ['first', 'second', 'third'].filter((name) =>
      rows.some((row) => row.includes(`/echo/${name}`)),
    );
  }

  it('finds a request by the id that its caller was told', async () => {
    expect(await shown('Request', requestId)).toEqual(['third']);
    await page.getByRole('heading', { name: `Request ${requestId}` }).waitFor();
    expect(await page.locator('dl.facts').textContent()).toContain('token-malformed');
  });

  it.each([
    ['Until', '2999-01-01T00:00', ['first', 'second', 'third']],
    ['Method', 'post', ['second']],
    ['Status', '401', ['third']],
    ['Verdict', 'refusal', ['third']],
    ['Route', 'no-such-route', []],
    ['Address or network', '127.0.0.0/8', ['first', 'second', 'third']],
    ['Address or network', '10.0.0.0/8', []],
    ['Changed by', 'ada', []],
    ['Since', '2999-01-01T00:00', []],
  ])('is narrowed by %s to %s', async (field, value, calls) => {
    expect(await shown(field, value)).toEqual(calls);
  });

  it('is narrowed by a kind of status', async () => {
    await shown('Status', '2xx');
    const answers = await page.locator('td[data-slot="result"]').allTextContents();
    expect(answers.length).toBeGreaterThan(0);
    expect(answers.filter((answer) => !/^2\d\d/.test(answer))).toEqual([]);
  });

  it('is narrowed by the route of a call', async () => {
    const events = (await test.events()) as readonly { path?: string; route?: string }[];
    const route = events.find(({ path }) => path === '/echo/first')?.route ?? '';
    expect(await shown('Route', route)).toContain('first');
  });

  it('leads from a refusal, pasted as it came, to the story of its request', async () => {
    const refusal = await (await call('GET', '/echo/fourth', 'nonsense')).json();
    await call('GET', '/echo/fifth');
    await test.events();
    await page.goto('/profile');
    await page.getByLabel('Name or request id').fill(JSON.stringify(refusal));
    await page.keyboard.press('Enter');
    const { requestId: id } = refusal as { readonly requestId: string };
    await page.getByRole('heading', { name: `Request ${id}` }).waitFor();
    expect(new URL(page.url()).pathname).toBe(`/activity/requests/${id}`);
    await page.getByText('token-malformed', { exact: false }).first().waitFor();
    // Of a stranger: what came from the same address, its own row among them.
    await page.getByRole('heading', { name: 'Before and after' }).waitFor();
    expect(await page.locator('tr[aria-current] .what').textContent()).toContain('/echo/fourth');
    expect(await inaccessible(page)).toEqual([]);
    await page.getByRole('link', { name: '/echo/fifth' }).click();
    await page.getByText('Upstream, until it responded').waitFor();
    expect(await page.locator('.timing rect').count()).toBe(3);
    await page.getByText('decided by role').waitFor();
    expect(await inaccessible(page)).toEqual([]);
    await page.getByRole('link', { name: 'Try It Now' }).click();
    await page.getByRole('heading', { name: 'Try It', level: 1 }).waitFor();
    expect(await page.getByLabel('Path').inputValue()).toBe('/echo/fifth');
  });

  it('tells of what was only looked for that it is not there', async () => {
    await page.goto('/profile');
    const find = async (text: string) => {
      await page.getByLabel('Name or request id').fill(text);
      await page.keyboard.press('Enter');
    };
    await find('no-such-name');
    await page.getByText('Nothing is called').waitFor();
    await page.getByRole('link', { name: 'Look for an event with this id' }).click();
    await page.getByText('Nothing is recorded under this id').waitFor();
    await find('ada');
    await page.getByRole('heading', { name: 'ada', level: 1 }).waitFor();
  });

  it('lets nothing move that is read, and waits when it is told to', async () => {
    await page.goto('/activity');
    await page.locator('#live[data-state="on"]').waitFor();
    await page.mouse.move(0, 0);
    const rows = page.locator('table.log tbody tr');
    const first = () => rows.first().locator('.what').textContent();
    await call('GET', '/echo/moving');
    await page.getByRole('link', { name: '/echo/moving' }).waitFor();
    await page.getByRole('button', { name: 'Pause' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('Paused').waitFor();
    await call('GET', '/echo/held-by-hand');
    const show = page.getByRole('button', { name: 'Show 1 new' });
    await show.waitFor();
    expect(await first()).toContain('/echo/moving');
    expect(await inaccessible(page)).toEqual([]);
    await page.getByRole('button', { name: 'Resume' }).press('Enter');
    await page.getByRole('link', { name: '/echo/held-by-hand' }).waitFor();
    await rows.first().hover();
    await call('GET', '/echo/held-by-eye');
    await show.waitFor();
    await page.locator('#live', { hasText: 'Waiting' }).waitFor();
    expect(await first()).toContain('/echo/held-by-hand');
    await page.mouse.move(0, 0);
    await page.getByRole('link', { name: '/echo/held-by-eye' }).waitFor();
    await rows.first().locator('a.what').focus();
    await call('GET', '/echo/held-by-focus');
    await show.press('Enter');
    await page.getByRole('link', { name: '/echo/held-by-focus' }).waitFor();
  });

  it('stands still at first for whoever wants less motion', async () => {
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.goto('/activity');
    await page.getByText('Paused').waitFor();
    await call('GET', '/echo/still');
    await expect
      .poll(async () => {
        await page.getByRole('button', { name: /^Show \d+ new$/ }).click();
        return page.getByRole('link', { name: '/echo/still' }).count();
      })
      .toBe(1);
    await page.getByRole('link', { name: '/echo/still' }).waitFor();
    await page.emulateMedia({ reducedMotion: null });
  });

  it('keeps in the browser how rows and times are shown, and applies it before anything is drawn', async () => {
    await page.goto('/activity');
    const id = (await page.locator('table.log tbody tr').first().getAttribute('data-id')) ?? '';
    const time = page.locator(`tr[data-id="${id}"] time`);
    const height = () =>
      page.evaluate<number>('document.querySelector("table.log tbody tr").clientHeight');
    const utc = (await time.textContent()) ?? '';
    const tall = await height();
    await page.getByRole('button', { name: 'Dense' }).click();
    await page.getByRole('button', { name: 'Local time' }).click();
    const isLocal = async (ms: number) => {
      // Tokyo has no summer time.
      const local = new Date(Date.parse(`${utc.replace(' ', 'T')}Z`) + ms).toISOString();
      await expect.poll(() => time.textContent()).toBe(local.slice(0, 19).replace('T', ' '));
    };
    await isLocal(TOKYO_MS);
    expect(await height()).toBeLessThan(tall);
    expect(await inaccessible(page)).toEqual([]);
    await page.reload();
    await isLocal(TOKYO_MS);
    expect(await height()).toBeLessThan(tall);
    await page.getByRole('columnheader', { name: 'Time (local time)' }).waitFor();
    // What is asked in local time is asked of the server in UTC.
    await page
      .getByRole('search', { name: 'Activity' })
      .getByLabel('Since')
      .fill('2020-01-01T09:00');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText(/Calls are on record from/).waitFor();
    expect(new URL(page.url()).searchParams.get('since')).toBe('2020-01-01T00:00');
    expect(await page.getByLabel('Since').inputValue()).toBe('2020-01-01T09:00');
    await page.goto('/profile');
    await page.getByRole('button', { name: 'UTC' }).click();
    await page.getByRole('button', { name: 'Comfortable' }).click();
    await page.goto('/activity');
    await isLocal(0);
  });

  it('reaches 90 days back, and says from when on calls are on record', async () => {
    await page.goto('/activity');
    await page.getByRole('link', { name: '90 days' }).click();
    await page.getByText(/Calls are on record from/).waitFor();
    expect(await page.locator('.ranges a[aria-current]').textContent()).toBe('90 days');
    await page.getByRole('link', { name: 'Last hour' }).click();
    await page.locator('table.log tbody tr').first().waitFor();
  });

  it('is taken away as the page is narrowed, as CSV and as NDJSON', async () => {
    await page.goto('/activity?method=POST');
    for (const [name, mark] of [
      ['CSV', /^time,type,.*\r\n/],
      ['NDJSON', /^\{"/],
    ] as const) {
      const path = await page.getByRole('link', { name, exact: true }).getAttribute('href');
      const text = await (await page.request.get(path ?? '')).text();
      expect(text).toMatch(mark);
      expect(text).toContain('/echo/second');
      expect(text).not.toContain('/echo/first');
    }
  });

  it('fits a telephone', async () => {
    await page.setViewportSize({ width: 390, height: 800 });
    for (const path of ['/activity', `/activity/requests/${requestId}`, '/profile', '/find']) {
      await page.goto(path);
      await page.getByLabel('Name or request id').waitFor();
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect([path, width]).toEqual([path, 390]);
      expect(await inaccessible(page)).toEqual([]);
    }
    await page.setViewportSize({ width: 1280, height: 720 });
  });

  it('was warned by the browser about nothing', () => {
    expect(complaints).toEqual([]);
  });

  it('says whether the record is whole, verifies it, and names what was taken out', async () => {
    await page.goto('/activity');
    await page.getByText('not verified since this gate was started').waitFor();
    await page.getByRole('button', { name: 'Verify now' }).click();
    await page.getByRole('heading', { name: 'The last verification' }).waitFor();
    await page.getByText('0 gaps, 0 edits', { exact: true }).waitFor();
    await page.getByText('Without a trust file').waitFor();
    await takeOut(redis.url, 4);
    await page.getByRole('button', { name: 'Verify now' }).click();
    await page.getByText('1 gaps, 0 edits', { exact: true }).waitFor();
    await page.getByText(/^event 4 of .* is missing/).waitFor();
    await page.getByRole('link', { name: 'Activity' }).first().click();
    await page.getByText(/Audit trail: 1 gaps, 0 edits, .* checked at/).waitFor();
  });
});
