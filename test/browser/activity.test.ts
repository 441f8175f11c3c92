import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startSample } from '../../src/sample/start.ts';
import { startChromium } from '../support/chromium.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { startRedis } from '../support/redis-server.ts';
import { takeOut } from '../support/redis-streams.ts';
import { have } from '../support/system.ts';

/** What a person finds in the record, and whether it is whole, with a browser. */
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
    page = await (await chromium.newContext({ ignoreHTTPSErrors: true, baseURL })).newPage();
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
    await response.arrayBuffer();
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
    ['Until', '2999-01-01', ['first', 'second', 'third']],
    ['Method', 'post', ['second']],
    ['Status', '401', ['third']],
    ['Verdict', 'refusal', ['third']],
    ['Route', 'no-such-route', []],
    ['Address or network', '127.0.0.0/8', ['first', 'second', 'third']],
    ['Address or network', '10.0.0.0/8', []],
    ['Changed by', 'ada', []],
    ['Since', '2999-01-01', []],
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
