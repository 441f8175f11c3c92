import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, operator, startConsole, type TestConsole } from '../support/console.ts';
import { fillUsage } from '../support/console-usage.ts';

/**
 * Text that other people wrote, on pages that an administrator looks at (stored XSS), and the one
 * text that is shown once.
 */
let test: TestConsole;
let ada: Browser;
let id: string;

const EVIL = `"><img src=x onerror=alert(1)><script>alert(2)</script>'</textarea></title></template>{{7*7}}&lt;`;

beforeAll(async () => {
  test = await startConsole();
  const { administration } = test;
  await test.createUser('ada', 'administrator');
  await administration.createRole(operator, {
    name: 'evil-role',
    description: EVIL,
    permissions: ['deployments:read'],
  });
  await administration.createTeam(operator, {
    name: 'evil-team',
    description: EVIL,
    applications: ['CRM'],
  });
  const made = await administration.createServiceAccount(operator, {
    name: 'evil',
    role: 'evil-role',
    description: EVIL,
    teams: [{ team: 'evil-team', role: 'evil-role' }],
  });
  id = made.account.id;
  await administration.createUser(operator, {
    name: 'evil-user',
    role: 'none',
    description: EVIL,
    password: 'a rather long sentence',
  });
  await test.record(
    {
      id: EVIL,
      time: new Date().toISOString(),
      type: 'call',
      phase: 'decision',
      instance: EVIL,
      account: { id, name: EVIL, kind: 'service' },
      decision: 'refusal',
      reason: EVIL,
      route: EVIL,
      permission: EVIL,
      role: EVIL,
      application: EVIL,
      method: EVIL,
      path: `/${EVIL}`,
      status: 403,
      clientAddress: EVIL,
      userAgent: EVIL,
    },
    id,
  );
  await test.record({
    id: 'x',
    time: EVIL,
    type: EVIL,
    phase: 'change',
    actor: { name: EVIL, via: EVIL },
    target: { name: EVIL },
    before: { role: EVIL },
    after: { role: 'x' },
  });
  await test.record({
    id: 'y',
    time: EVIL,
    phase: 'sign-in',
    type: 'sign-in',
    reason: EVIL,
    account: null,
    claimedAccountId: EVIL,
    userAgent: EVIL,
  });
  await test.stats.write({
    minute: Math.floor(Date.now() / 60_000),
    instance: EVIL,
    counts: { reasons: { [EVIL.slice(0, 40)]: 3 }, durations: [3], overheads: [3] },
  });
  await fillUsage(test, ['evil'], 3, EVIL.slice(0, 60));
  ada = await test.signedIn('ada');
});
afterAll(() => test.stop());

const TAGS = new Set(
  `a body br button caption code datalist dd details div dl dt fieldset footer form h1 h2 h3 head header html input label legend li line link main meta nav ol option
  output p path polyline rect script section select span strong summary svg table tbody td template text textarea th thead time title tr ul`.split(
    /\s+/,
  ),
);

/**
 * Each tag of the page is one that our templates have, once the text of `<` and `>` is escaped; and
 * no attribute is a handler.
 */
function expectHarmless(text: string): void {
  expect(text.match(/<title>/g)).toHaveLength(1);
  for (const [, slash, name = '', rest = ''] of text.matchAll(/<(\/?)([a-z0-9]*)([^<>]*)>/gi)) {
    if (`${slash}${name}${rest}`.startsWith('!doctype')) continue;
    const bare = rest.replaceAll(/"[^"<>]*"/g, '""');
    expect([
      name,
      TAGS.has(name),
      /[\s/"]on[a-z]+\s*=|srcdoc|formaction|[<>']/i.test(bare),
    ]).toEqual([name, true, false]);
    if (name === 'script' && slash === '') expect(rest).toMatch(/^ src="\/assets\//);
  }
  expect(text.replaceAll(/<[^<>]*>/g, '')).not.toMatch(/[<>]/);
}

it('the check of pages would notice', () => {
  const page = (body: string) => `<!doctype html>\n<html><title>x</title>${body}</html>`;
  expectHarmless(page('<p class="x">&lt;img onerror=1&gt;</p>'));
  for (const bad of [
    '<img src=x>',
    '<p onclick="x">',
    '<script>alert(1)</script>',
    '<a href="" onclick=x>',
    'a < b',
    '<iframe srcdoc="x">',
  ]) {
    expect(() => expectHarmless(page(bad)), bad).toThrow();
  }
});

describe('texts of others', () => {
  it.each([
    '/',
    '/?of=application',
    '/?of=route&by=p99',
    '/service-accounts',
    '/service-accounts?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%3Cscript%3Ealert(2)%3C/script%3E',
    '/service-accounts/evil',
    '/service-accounts/evil/edit',
    '/service-accounts/evil/delete',
    '/service-accounts/evil/new-token',
    '/users',
    '/users/evil-user',
    '/users/evil-user/edit',
    '/roles',
    '/roles/evil-role',
    '/roles/evil-role/edit',
    '/teams',
    '/teams/evil-team',
    '/teams/evil-team/edit',
    '/new/service-account',
    '/activity',
    '/activity?account=evil&reason=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E%3Cscript%3Ealert(2)%3C/script%3E',
  ])('stay texts on %s', async (path) => {
    const { status, text } = await ada.get(path);
    expect(status).toBe(200);
    expectHarmless(text);
  });

  it('stay texts when a form shows them again with what is wrong', async () => {
    for (const [page, fields] of [
      ['/new/service-account', { name: EVIL, description: EVIL, role: EVIL, expiresAt: EVIL }],
      ['/new/user', { name: EVIL, description: EVIL, role: EVIL, password: 'x', repeated: 'x' }],
      ['/new/role', { name: EVIL, description: EVIL, permissions: EVIL }],
      ['/new/team', { name: EVIL, description: EVIL, applications: EVIL }],
    ] as const) {
      const answer = await ada.submit(page, page, fields);
      expect([page, answer.status]).toEqual([page, 422]);
      expectHarmless(answer.text);
    }
    const wrong = await test.browser().signIn(EVIL, 'x');
    expectHarmless(wrong.text);
  });

  it('stay texts in what the script is sent', async () => {
    const { text } = await ada.get('/activity/export');
    expect(
      text
        .split('\n')
        .filter((line) => line !== '')
        .every((line) => typeof JSON.parse(line) === 'object'),
    ).toBe(true);
  });
});

describe('a token', () => {
  const TOKEN = /slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/g;

  it('is in the one answer that issued it, which nobody keeps, and on no page afterwards', async () => {
    const issued = await ada.submit('/new/service-account', '/new/service-account', {
      name: 'fresh',
      role: 'none',
    });
    const [token = ''] = issued.text.match(TOKEN) ?? [];
    expect(issued.status).toBe(200);
    expect(issued.headers['cache-control']).toBe('no-store');
    expect(token).not.toBe('');
    for (const path of [
      '/service-accounts/fresh',
      '/service-accounts',
      '/activity',
      '/activity/export',
      '/',
    ])
      expect((await ada.get(path)).text).not.toContain(token);
    expect(JSON.stringify(test.log)).not.toContain('slp_');
  });

  it('is not issued again when the form is sent again, and stays the one that counts', async () => {
    const page = '/service-accounts/fresh/new-token';
    const { text } = await ada.get(page);
    const fields = Object.fromEntries(
      [...text.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)">/g)].map(
        ([, name, value]) => [name, value],
      ),
    );
    const first = await ada.post(page, fields as Record<string, string>);
    expect(first.text.match(TOKEN)).toHaveLength(1);
    const before = await test.administration.showAccount(operator, { name: 'fresh' });
    const again = await ada.post(page, fields as Record<string, string>);
    expect([again.status, again.location]).toEqual([303, '/service-accounts/fresh?done=shown']);
    expect((await test.administration.showAccount(operator, { name: 'fresh' })).token?.id).toBe(
      before.token?.id,
    );
    expect((await ada.get('/service-accounts/fresh?done=shown')).text).toContain('shown once');
  });

  it('is not issued by a form without its mark', async () => {
    const { text } = await ada.get('/profile');
    const form = /name="form" value="([^"]*)"/.exec(text)?.[1] ?? '';
    const before = await test.administration.showAccount(operator, { name: 'fresh' });
    expect((await ada.post('/service-accounts/fresh/new-token', { form })).status).toBe(303);
    expect((await test.administration.showAccount(operator, { name: 'fresh' })).token?.id).toBe(
      before.token?.id,
    );
  });

  it('can be named in no description, so nobody leaves one lying about', async () => {
    const issued = await ada.submit('/new/service-account', '/new/service-account', {
      name: 'other',
      role: 'none',
    });
    const [token = ''] = issued.text.match(TOKEN) ?? [];
    const answer = await ada.submit('/new/team', '/new/team', {
      name: 'leaky',
      description: `the token is ${token}`,
    });
    expect(answer.status).toBe(422);
  });

  it('is not looked for, repeated or linked to where it is pasted to find something', async () => {
    const { token } = await test.administration.createServiceAccount(operator, {
      name: 'pasted',
      role: 'none',
    });
    const home = await ada.get('/profile');
    expect(home.text).toContain('<form class="find" method="post" action="/find"');
    const found = await ada.submit('/profile', '/find', { q: ` curl -H "Bearer ${token}" ` });
    expect([found.status, found.location]).toEqual([422, null]);
    expect(found.text).toContain('holds a token');
    expect(found.text).not.toContain(token.slice(0, 20));
    // By an address nothing is looked for.
    expect((await ada.get('/find?q=pasted')).text).toContain('Nothing was asked for');
    const named = await ada.submit('/profile', '/find', { q: 'pasted' });
    expect([named.status, named.location]).toEqual([303, '/service-accounts/pasted']);
    expect(JSON.stringify(test.log)).not.toContain('slp_');
  });
});
