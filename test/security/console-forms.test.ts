import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { safeNext } from '../../src/console/form-data.ts';
import {
  type Browser,
  hiddenFields,
  operator,
  PASSWORD,
  startConsole,
  type TestConsole,
} from '../support/console.ts';

/** Requests that a person did not mean, and pages that somebody else puts in front of them. */
let test: TestConsole;
let ada: Browser;

beforeAll(async () => {
  test = await startConsole();
  await test.createUser('ada', 'administrator');
  await test.administration.createServiceAccount(operator, { name: 'machine', role: 'none' });
  ada = await test.signedIn('ada');
});
afterAll(() => test.stop());

const statusOf = async (name: string) =>
  (await test.administration.showAccount(operator, { name })).status;

describe('forms that other sites send (CSRF)', () => {
  const path = '/service-accounts/machine/deactivate';

  async function form(): Promise<Record<string, string>> {
    const { text } = await ada.get('/service-accounts/machine');
    // What it would do was seen.
    return { ...hiddenFields(text, path), seen: 'yes' };
  }

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    [
      'another host of the same site',
      { 'sec-fetch-site': 'same-site', origin: 'https://other.localhost' },
    ],
    ['another port', { 'sec-fetch-site': 'same-site', origin: 'https://localhost:1' }],
    ['a page without origin', { origin: 'null' }],
    ['plain HTTP', { origin: 'http://localhost' }],
    ['a site that hides where it is', { 'sec-fetch-site': 'none' }],
  ])(
    'are refused when they come from %s, although everything else is right',
    async (_what, headers) => {
      const answer = await ada.post(path, await form(), headers);
      expect(answer.status).toBe(403);
      expect(await statusOf('machine')).toBe('active');
    },
  );

  it('are refused when nothing says where they come from', async () => {
    const body = new URLSearchParams(await form()).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await ada.send(path, { method: 'POST', headers, body })).status).toBe(403);
    expect(await statusOf('machine')).toBe('active');
  });

  it('are refused without the token of this very session', async () => {
    const other = await test.signedIn('ada');
    const { text } = await other.get('/service-accounts/machine');
    for (const fields of [{}, { form: '' }, { form: 'x'.repeat(43) }, hiddenFields(text, path)]) {
      expect((await ada.post(path, fields)).status).toBe(403);
    }
    expect(await statusOf('machine')).toBe('active');
  });

  it.each(['text/plain', 'application/json', 'multipart/form-data; boundary=x'])(
    'are refused as %s',
    async (type) => {
      expect((await ada.post(path, await form(), { 'content-type': type })).status).toBe(415);
      expect(await statusOf('machine')).toBe('active');
    },
  );

  it('change nothing by GET, nor by methods that nobody expects', async () => {
    expect((await ada.get(path)).status).toBe(404);
    for (const method of ['PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      expect([method, (await ada.send(path, { method, headers: ada.ourForm() })).status]).toEqual([
        method,
        405,
      ]);
    }
    expect(await statusOf('machine')).toBe('active');
  });

  it('are refused when they are larger than any form of the console', async () => {
    expect((await ada.post(path, { ...(await form()), more: 'x'.repeat(70_000) })).status).toBe(
      413,
    );
  });

  it('work as the page sends them', async () => {
    expect((await ada.post(path, await form())).status).toBe(200);
    expect(await statusOf('machine')).toBe('inactive');
  });

  it('cannot sign somebody in as another (login CSRF)', async () => {
    const answer = await test
      .browser()
      .post('/sign-in', { name: 'ada', password: 'x' }, { origin: 'https://evil.example' });
    expect(answer.status).toBe(403);
    expect(answer.headers['set-cookie']).toBeUndefined();
  });
});

describe('every page', () => {
  const pages = [
    '/',
    '/sign-in',
    '/service-accounts',
    '/service-accounts/machine',
    '/service-accounts/nobody',
    '/nothing/here',
    '/activity',
  ];

  it.each(pages)(
    '%s cannot be framed, runs only our script, and is kept by nobody',
    async (path) => {
      const [first, second] = [await ada.get(path), await ada.get(path)];
      const policy = String(first.headers['content-security-policy']);
      for (const rule of [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "require-trusted-types-for 'script'",
      ]) {
        expect(policy).toContain(rule);
      }
      expect(policy).not.toMatch(/unsafe|\*|https?:|data:/);
      expect(first.headers).toMatchObject({
        'x-frame-options': 'DENY',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
      const nonce = /script-src 'nonce-([^']+)'/.exec(policy)?.[1];
      expect(nonce).toMatch(/^[A-Za-z0-9+/]{22}==$/);
      expect(String(second.headers['content-security-policy'])).not.toContain(String(nonce));
    },
  );

  it('holds no handler, style or script of its own', async () => {
    for (const path of pages) {
      const { text } = await ada.get(path);
      expect(text).not.toMatch(/\son[a-z]+=|javascript:|<style|\sstyle=/i);
      for (const [tag] of text.matchAll(/<script[^>]*>/g))
        expect(tag).toMatch(/^<script src="\/assets\/[a-z]+\.[0-9a-f]{16}\.js" nonce=/);
    }
  });

  it('loads nothing from anywhere else', async () => {
    for (const path of pages) {
      const { text } = await ada.get(path);
      for (const [, target] of text.matchAll(/\s(?:src|href|action)="([^"]*)"/g))
        expect(target).toMatch(/^(\/(?!\/)|#|$)/);
    }
  });

  it('names its files by their content, so they may be kept for ever', async () => {
    const { text } = await ada.get('/');
    for (const [, path = ''] of text.matchAll(/"(\/assets\/[^"]+)"/g)) {
      const asset = await ada.get(path);
      expect([path, asset.status, asset.headers['cache-control']]).toEqual([
        path,
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
    expect((await ada.get('/assets/console.0000000000000000.js')).status).toBe(404);
    expect((await ada.get('/assets/..%2fconsole.ts')).status).toBe(404);
  });
});

describe('where signing in leads (open redirect)', () => {
  it.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/%2f%2fevil.example',
    '/service-accounts/../../evil',
    '/service-accounts//evil.example',
    'javascript:alert(1)',
    '/sign-out',
    '/users\r\nset-cookie: x=y',
    '/activity?x=//evil.example',
  ])('is the first page for %j', async (next) => {
    expect(safeNext(next)).toBe('/');
    const form = await test.browser().get(`/sign-in?next=${encodeURIComponent(next)}`);
    expect(hiddenFields(form.text, '/sign-in').next).toBe('/');
  });

  it('is the page that was wanted, when it is one of ours', async () => {
    const asked = await test.browser().get('/service-accounts/machine');
    expect(asked.location).toBe('/sign-in?next=%2Fservice-accounts%2Fmachine');
    const answer = await test.browser().signIn('ada', PASSWORD, '/service-accounts/machine');
    expect(answer.location).toBe('/service-accounts/machine');
    const elsewhere = await test.browser().signIn('ada', PASSWORD, '//evil.example');
    expect([elsewhere.status, elsewhere.location]).toEqual([303, '/']);
  });
});
