import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Browser } from '../support/console.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  CLIENT,
  startIdentityProvider,
  type TestIdentityProvider,
  type Visited,
  WebBrowser,
} from '../support/identity.ts';

/**
 * Sign-in to the console of a real gate by a real identity provider. Every browser here sends
 * cookies as browsers do.
 */
const PASSWORD = 'a rather long sentence';
const SESSION = '__Host-sallyport';
const ada = {
  sub: 'u-1',
  preferred_username: 'ada',
  groups: ['everybody', 'platform-admins', 'readers'],
};

let provider: TestIdentityProvider;
let test: TestGateway;
let folder: string;

beforeAll(async () => {
  provider = await startIdentityProvider();
  folder = mkdtempSync(join(tmpdir(), 'sallyport-oidc-'));
  writeFileSync(join(folder, 'client-secret'), `${CLIENT.secret}\n`, { mode: 0o600 });
  test = await startGate({});
});
afterAll(async () => {
  await test?.stop();
  await provider?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  provider.person = ada;
});

function startGate(more: Readonly<Record<string, unknown>>): Promise<TestGateway> {
  const identity = {
    issuer: provider.issuer,
    clientId: CLIENT.id,
    clientSecretFile: join(folder, 'client-secret'),
    scopes: ['openid', 'profile', 'groups'],
    roles: { 'platform-admins': 'administrator', readers: 'tester', ghosts: 'no-such-role' },
    ...more,
  };
  return startGateway({
    upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: { identity },
  });
}

const origin = () => `https://localhost:${test.gateway.addresses.admin!.port}`;
const at = (path: string) => new URL(path, origin());
const isCallback = (url: URL) => url.pathname === '/sign-in/callback';

/**
 * To the provider, where somebody signs in, and back as far as the address that the provider sends
 * the browser to.
 */
function toCallback(
  browser: WebBrowser,
  next = '/',
  change: (url: URL) => void = () => {},
): Promise<URL> {
  return browser
    .visit(at(`/sign-in/identity?next=${encodeURIComponent(next)}`), origin())
    .then(({ location, status }) => {
      expect(status).toBe(303);
      change(location!);
      return browser.follow(location!, isCallback, origin());
    });
}

async function signIn(browser = new WebBrowser(), next = '/'): Promise<Visited> {
  return browser.visit(await toCallback(browser, next), provider.issuer);
}

async function lastSignIn(): Promise<Readonly<Record<string, unknown>> | undefined> {
  return (await test.events()).findLast(({ phase }) => phase === 'sign-in');
}

async function users(): Promise<readonly string[]> {
  const { items } = await test.administration.listAccounts(owner, { kind: 'user' });
  return items.map(({ name }) => name).sort();
}

describe('a provider that is away', () => {
  it('stops neither the gate nor the sign-in page, and is asked again later', async () => {
    expect(test.gateway.ready).toBe(true);
    const browser = new WebBrowser();
    const { text } = await browser.visit(at('/sign-in'));
    expect(text).toContain(`Sign in with ${new URL(provider.issuer).host}`);
    expect(text).toContain('type="password"');
    const { status, text: words } = await browser.visit(at('/sign-in/identity'), origin());
    expect([status, words]).toEqual([
      503,
      expect.stringContaining('The identity provider cannot be reached now'),
    ]);
    provider.open(at('/sign-in/callback').href);
    await expect
      .poll(async () => (await browser.visit(at('/sign-in/identity'), origin())).status, {
        timeout: 10_000,
        interval: 250,
      })
      .toBe(303);
  });

  it('lets nobody in while it is away in the middle of a sign-in', async () => {
    const browser = new WebBrowser();
    const callback = await toCallback(browser);
    provider.leave();
    expect((await browser.visit(callback, provider.issuer)).status).toBe(503);
    expect(browser.cookie(origin(), SESSION)).toBeUndefined();
    provider.open(at('/sign-in/callback').href);
  });
});

describe('somebody whom the provider vouches for', () => {
  it('has a user account without a password, made at the first sign-in, and a session like any other', async () => {
    const browser = new WebBrowser();
    const { status, text, headers } = await signIn(browser, '/service-accounts');
    expect([status, text]).toEqual([
      200,
      expect.stringContaining('content="0; url=/service-accounts"'),
    ]);
    expect(headers['cache-control']).toBe('no-store');
    const page = await browser.visit(at('/service-accounts'), origin());
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('ada')]);
    const events = await test.events();
    const created = events.find(
      (event) => (event.target as { name?: string } | undefined)?.name === 'ada',
    );
    expect(created).toMatchObject({
      type: 'account-created',
      actor: { kind: 'system', name: 'identity-provider', via: 'console' },
      after: { kind: 'user', role: 'administrator', subject: `${provider.issuer}#u-1` },
    });
    expect(await lastSignIn()).toMatchObject({
      reason: 'signed-in',
      method: 'oidc',
      account: { name: 'ada' },
    });
    expect(test.log.join('\n')).not.toContain(CLIENT.secret);
  });

  it('has one account, however many first sign-ins there are at once', async () => {
    provider.person = { sub: 'u-3', preferred_username: 'linus', groups: ['readers'] };
    const browsers = Array.from({ length: 4 }, () => new WebBrowser());
    const callbacks = await Promise.all(browsers.map((browser) => toCallback(browser)));
    const visits = await Promise.all(
      callbacks.map((callback, index) => browsers[index]!.visit(callback, provider.issuer)),
    );
    expect(visits.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await users()).filter((name) => name === 'linus')).toHaveLength(1);
  });

  it('gets another session id each time, and the role of the first group that fits now', async () => {
    const browser = new WebBrowser();
    await signIn(browser);
    const before = browser.cookie(origin(), SESSION);
    provider.person = { ...ada, groups: 'readers' };
    const again = new WebBrowser();
    await signIn(again);
    expect(again.cookie(origin(), SESSION)).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(again.cookie(origin(), SESSION)).not.toBe(before);
    expect((await test.administration.showAccount(owner, { name: 'ada' })).role).toBe('tester');
    // The session from before may no more than the account.
    expect((await browser.visit(at('/new/user'), origin())).status).toBe(403);
    provider.person = ada;
    await signIn();
    expect((await test.administration.showAccount(owner, { name: 'ada' })).role).toBe(
      'administrator',
    );
  });

  it.each([
    'https://elsewhere.test/',
    '//elsewhere.test',
    '/\\elsewhere.test',
    '/sign-out',
    '/api/v1/users',
  ])('goes on to our own pages only: %s', async (next) => {
    expect((await signIn(new WebBrowser(), next)).text).toContain('content="0; url=/"');
  });

  it('is refused while the account is not active, and stays as it is', async () => {
    await test.administration.deactivateAccount(owner, { name: 'ada', leaveNoAdministrator: true });
    provider.person = { ...ada, groups: ['readers'] };
    const browser = new WebBrowser();
    const { status, text } = await signIn(browser);
    expect([status, text]).toEqual([403, expect.stringContaining('not active')]);
    expect(browser.cookie(origin(), SESSION)).toBeUndefined();
    expect(await test.administration.showAccount(owner, { name: 'ada' })).toMatchObject({
      status: 'inactive',
      role: 'administrator',
    });
    expect(await lastSignIn()).toMatchObject({
      reason: 'account-inactive',
      method: 'oidc',
      account: null,
    });
    // Another name at the provider is no way around.
    provider.person = { ...ada, preferred_username: 'ada2' };
    expect((await signIn()).text).toContain('under another name');
    expect(await users()).not.toContain('ada2');
    await test.administration.activateAccount(owner, { name: 'ada' });
  });
});

describe('somebody who is refused', () => {
  async function expectRefused(person: object, words: string, reason: string): Promise<void> {
    const before = await users();
    provider.person = {
      sub: 'u-2',
      preferred_username: 'eve',
      groups: ['platform-admins'],
      ...person,
    };
    const browser = new WebBrowser();
    const { status, text } = await signIn(browser);
    expect([status, text]).toEqual([403, expect.stringContaining(words)]);
    expect(browser.cookie(origin(), SESSION)).toBeUndefined();
    expect(await lastSignIn()).toMatchObject({
      reason,
      method: 'oidc',
      account: null,
      decision: 'refusal',
    });
    expect(await users()).toEqual(before);
  }

  it.each([
    [['everybody']],
    [[]],
    [undefined],
    [{ 'platform-admins': true }],
    ['platform-admins,readers'],
    [[['platform-admins']]],
  ])('is in no group that has a role: %j', (groups) =>
    expectRefused({ groups }, 'none of the groups', 'identity-without-role'),
  );

  it('has a group whose role does not exist', () =>
    expectRefused({ groups: ['ghosts'] }, 'does not exist', 'identity-without-role'));

  it.each([undefined, '', 'eve@example.com', '<b>eve</b>', 7, ['eve']])(
    'has a name that no user can have: %j',
    (name) =>
      expectRefused(
        { preferred_username: name },
        'a name that cannot be used here',
        'identity-refused',
      ),
  );

  it('has the name of a service account', async () => {
    await expectRefused(
      { preferred_username: test.account.name },
      'not theirs',
      'identity-name-taken',
    );
    expect(await lastSignIn()).toMatchObject({ claimedAccountId: test.account.id });
  });

  it('has the name of a user with a password', async () => {
    await test.administration.createUser(owner, {
      name: 'grace',
      role: 'administrator',
      password: PASSWORD,
    });
    await expectRefused({ preferred_username: 'grace' }, 'not theirs', 'identity-name-taken');
  });

  it('has the name of somebody else at the provider', () =>
    expectRefused({ preferred_username: 'ada' }, 'not theirs', 'identity-name-taken'));

  it('was refused by the provider', async () => {
    provider.person = null;
    const browser = new WebBrowser();
    expect((await signIn(browser)).status).toBe(403);
    expect(await lastSignIn()).toMatchObject({ reason: 'identity-refused', method: 'oidc' });
  });
});

describe('a way back that somebody has tampered with', () => {
  async function expectNobody(browser: WebBrowser, callback: URL): Promise<void> {
    const { status, text } = await browser.visit(callback, provider.issuer);
    expect([status, text]).toEqual([403, expect.stringContaining('did not let you in')]);
    expect(browser.cookie(origin(), SESSION)).toBeUndefined();
  }

  it('has another state', async () => {
    const browser = new WebBrowser();
    const callback = await toCallback(browser);
    const [mac = '', next = ''] = callback.searchParams.get('state')!.split('.');
    callback.searchParams.set(
      'state',
      `${mac.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))}.${next}`,
    );
    await expectNobody(browser, callback);
    expect(await lastSignIn()).toMatchObject({ reason: 'identity-refused', method: 'oidc' });
  });

  it('has a state with another page to go on to', async () => {
    const browser = new WebBrowser();
    const callback = await toCallback(browser);
    callback.searchParams.set(
      'state',
      callback.searchParams.get('state')!.replace(/\..*/, './users'),
    );
    await expectNobody(browser, callback);
  });

  it('comes in a browser that has begun no sign-in, or another one', async () => {
    await expectNobody(new WebBrowser(), await toCallback(new WebBrowser()));
    const other = new WebBrowser();
    await other.visit(at('/sign-in/identity'), origin());
    await expectNobody(other, await toCallback(new WebBrowser()));
  });

  it('comes a second time', async () => {
    const browser = new WebBrowser();
    const callback = await toCallback(browser);
    expect((await browser.visit(callback, provider.issuer)).status).toBe(200);
    const { status } = await browser.visit(callback, provider.issuer);
    expect(status).toBe(403);
  });

  it('has an ID token for another nonce', async () => {
    const browser = new WebBrowser();
    await expectNobody(
      browser,
      await toCallback(browser, '/', (url) => url.searchParams.set('nonce', 'another')),
    );
  });

  it('has a code that was issued to another challenge', async () => {
    const browser = new WebBrowser();
    const stolen = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';
    await expectNobody(
      browser,
      await toCallback(browser, '/', (url) => url.searchParams.set('code_challenge', stolen)),
    );
  });

  it('names another issuer', async () => {
    const browser = new WebBrowser();
    const callback = await toCallback(browser);
    callback.searchParams.set('iss', 'https://elsewhere.test');
    await expectNobody(browser, callback);
  });
});

it('is begun on our own page only', async () => {
  const { status, location } = await new WebBrowser().visit(
    at('/sign-in/identity'),
    'https://elsewhere.test',
  );
  expect([status, location?.pathname]).toEqual([303, '/sign-in']);
});

it('is refused for a while to an address from which too much came back wrong', async () => {
  const outcomes: number[] = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    const browser = new WebBrowser();
    await browser.visit(at('/sign-in/identity'), origin());
    outcomes.push(
      (await browser.visit(at('/sign-in/callback?code=guessed&state=guessed'), provider.issuer))
        .status,
    );
  }
  expect(outcomes.slice(0, 2)).toEqual([403, 403]);
  expect(outcomes.at(-1)).toBe(429);
  expect(await lastSignIn()).toMatchObject({ reason: 'throttled', method: 'oidc' });
});

it('is the only way in where passwords are not allowed', async () => {
  const gate = await startGate({ allowPasswords: false });
  try {
    await gate.administration.createUser(owner, {
      name: 'grace',
      role: 'administrator',
      password: PASSWORD,
    });
    const browser = new Browser(gate.gateway.addresses.admin!.port);
    const { text } = await browser.get('/sign-in');
    expect(text).toContain('Sign in with');
    expect(text).not.toContain('type="password"');
    expect((await browser.signIn('grace', PASSWORD)).status).toBe(403);
    expect(browser.cookie).toBe('');
  } finally {
    await gate.stop();
  }
});
