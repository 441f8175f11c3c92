import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { THROTTLE } from '../../src/console/throttle.ts';
import { operator, PASSWORD, startConsole, type TestConsole } from '../support/console.ts';

/** Who is let in, for how long, and what somebody learns who is not. */
let test: TestConsole;

beforeAll(async () => {
  test = await startConsole();
  for (const name of ['ada', 'grace', 'edsger', 'barbara'])
    await test.createUser(name, 'administrator');
  await test.createUser('gone', 'administrator');
  await test.administration.deactivateAccount(operator, { name: 'gone' });
  await test.administration.createServiceAccount(operator, {
    name: 'machine',
    role: 'administrator',
  });
});
afterAll(() => test.stop());

describe('the cookie', () => {
  it('is for this host alone, hidden from scripts, and sent from our own pages only', async () => {
    const answer = await test.browser().signIn('ada', PASSWORD);
    const [, cookie = ''] = [answer.headers['set-cookie']].flat().map(String).sort();
    expect(cookie).toMatch(/^__Host-sallyport=[A-Za-z0-9_-]{43}; /);
    for (const word of ['Path=/', 'HttpOnly', 'Secure', 'SameSite=Strict'])
      expect(cookie).toContain(word);
    expect(cookie).not.toMatch(/Domain|Expires|Max-Age/i);
  });

  it('is renewed at each sign-in, and the session before it ends (fixation)', async () => {
    const browser = test.browser();
    browser.cookie = `__Host-sallyport=${'A'.repeat(43)}`;
    await browser.signIn('ada', PASSWORD);
    expect(browser.cookie).not.toContain('A'.repeat(43));
    const first = browser.cookie;
    await browser.signIn('ada', PASSWORD);
    expect(browser.cookie).not.toBe(first);
    const thief = test.browser();
    thief.cookie = first;
    expect((await thief.get('/profile')).location).toContain('/sign-in');
  });

  it.each(['', 'x', 'A'.repeat(43), '../../etc/passwd', `${'A'.repeat(42)}%00`])(
    'lets nobody in as %j',
    async (value) => {
      const browser = test.browser();
      browser.cookie = `__Host-sallyport=${value}`;
      expect((await browser.get('/profile')).status).toBe(303);
    },
  );
});

describe('a session', () => {
  it('ends everywhere when the person signs out', async () => {
    const browser = await test.signedIn('ada');
    const copy = test.browser();
    copy.cookie = browser.cookie;
    expect((await copy.get('/profile')).status).toBe(200);
    await browser.submit('/profile', '/sign-out');
    expect(browser.cookie).toBe('');
    expect((await copy.get('/profile')).status).toBe(303);
  });

  it('ends in all browsers by "sign out everywhere", and no other person is touched', async () => {
    const [one, other, grace] = [
      await test.signedIn('ada'),
      await test.signedIn('ada'),
      await test.signedIn('grace'),
    ];
    await one.submit('/profile', '/profile/sign-out-everywhere');
    expect((await other.get('/profile')).status).toBe(303);
    expect((await grace.get('/profile')).status).toBe(200);
  });

  it('ends when the person is deactivated, and does not come back with them', async () => {
    const browser = await test.signedIn('grace');
    await test.administration.deactivateAccount(operator, { name: 'grace' });
    await test.administration.activateAccount(operator, { name: 'grace' });
    expect((await browser.get('/profile')).status).toBe(303);
    await test.signedIn('grace');
  });

  it('ends when the person is deleted, and when their password is set', async () => {
    const [barbara, edsger] = [await test.signedIn('barbara'), await test.signedIn('edsger')];
    await test.administration.deleteAccount(operator, { name: 'barbara' });
    await test.administration.setPassword(operator, {
      name: 'edsger',
      password: 'quite another sentence',
    });
    expect((await barbara.get('/profile')).status).toBe(303);
    expect((await edsger.get('/profile')).status).toBe(303);
  });

  it('gives what the role gives at this moment, not at sign-in', async () => {
    await test.administration.createRole(operator, {
      name: 'passing',
      permissions: ['sallyport:*'],
    });
    await test.createUser('tony', 'passing');
    const tony = await test.signedIn('tony');
    expect((await tony.get('/users')).status).toBe(200);
    await test.administration.editRole(operator, { name: 'passing', permissions: [] });
    expect((await tony.get('/users')).status).toBe(403);
  });

  it('cannot be taken over by who reads the store: only a digest of its id is kept', async () => {
    const browser = await test.signedIn('ada');
    const id = browser.cookie.split('=')[1] ?? '';
    const kept = test
      .sessionFiles()
      .map((file) => readFileSync(file, 'latin1'))
      .join('');
    expect(kept.length).toBeGreaterThan(0);
    expect(kept).not.toContain(id);
  });
});

describe('whoever is not let in', () => {
  it('gets the same answer for a wrong password, an unknown name, a machine and an inactive user (enumeration)', async () => {
    const answers = [];
    for (const [name, password] of [
      ['ada', 'wrong password here'],
      ['nobody', PASSWORD],
      ['machine', PASSWORD],
      ['gone', PASSWORD],
      ['gone', 'wrong password here'],
      ['no name!', PASSWORD],
    ] as const) {
      const answer = await test.browser().signIn(name, password);
      const text = answer.text.replaceAll(/nonce="[^"]*"/g, '').replace(`value="${name}"`, '');
      answers.push([answer.status, text, answer.headers['set-cookie']]);
    }
    expect(answers[0]?.[0]).toBe(401);
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('is recorded without what was typed, and an account is named only as claimed', async () => {
    const before = test.signIns.length;
    await test.browser().signIn('correct horse battery', 'ada');
    await test.browser().signIn('ada', 'correct horse battery');
    const [typed, claimed] = test.signIns.slice(before);
    expect(typed).toMatchObject({ reason: 'name-unknown', account: null, claimedAccountId: null });
    expect(claimed).toMatchObject({
      reason: 'password-wrong',
      account: null,
      claimedAccountId: expect.stringMatching(/^\w{12}$/),
    });
    expect(JSON.stringify([test.signIns, test.log])).not.toContain('horse');
  });

  it('sees nothing of the inside', async () => {
    for (const path of [
      '/',
      '/service-accounts',
      '/users/ada',
      '/activity/export',
      '/activity/stream',
      '/activity/requests/aaaaaaaaaaaa-000000001',
      '/find',
      '/find/ada',
      '/nothing',
    ]) {
      const answer = await test.browser().get(path);
      expect([path, answer.status, answer.location?.startsWith('/sign-in')]).toEqual([
        path,
        303,
        true,
      ]);
      expect(answer.text).toBe('');
    }
  });
});

describe('guessing (brute force)', () => {
  it('is stopped after a few wrong passwords for one name from one address, the right one included', async () => {
    await test.createUser('target', 'administrator');
    const guesser = test.browser();
    for (let guess = 0; guess < THROTTLE.perNameAndAddress; guess += 1) {
      expect((await guesser.signIn('target', `wrong password ${guess}`)).status).toBe(401);
    }
    const stopped = await guesser.signIn('target', PASSWORD);
    expect(stopped.status).toBe(429);
    expect(Number(stopped.headers['retry-after'])).toBeGreaterThan(0);
    expect(stopped.headers['set-cookie']).toBeUndefined();
    expect(test.signIns.at(-1)).toMatchObject({ reason: 'throttled', account: null });
    // Letter case and spaces are no way around.
    expect((await test.browser().signIn('TARGET', PASSWORD)).status).toBe(429);
    expect((await test.browser().signIn(' target ', PASSWORD)).status).toBe(429);
  });

  it('by many strangers slows down the name, but not the browser that its owner signs in with', async () => {
    const owner = await test.signedIn('grace');
    await owner.submit('/profile', '/sign-out');
    expect(owner.known).toMatch(/^__Host-sallyport-browser=/);
    for (let guess = 0; guess < THROTTLE.perNameAndAddress; guess += 1)
      await test.browser().signIn('grace', `wrong password ${guess}`);
    // The same network, the same name.
    expect((await test.browser().signIn('grace', PASSWORD)).status).toBe(429);
    const copy = test.browser();
    copy.known = owner.known.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    expect((await copy.signIn('grace', PASSWORD)).status).toBe(429);
    const answer = await owner.signIn('grace', PASSWORD);
    expect(answer.status).toBe(303);
    // What the browser is known by is renewed, lets nobody in, and is good for one name.
    copy.known = owner.known;
    expect((await copy.get('/profile')).status).toBe(303);
    const [known = ''] = [answer.headers['set-cookie']].flat().map(String).sort();
    expect(known).toMatch(/^__Host-sallyport-browser=[0-9a-f]{32}\.[A-Za-z0-9_-]{43}; /);
    for (const word of ['Max-Age=7776000', 'Path=/', 'HttpOnly', 'Secure', 'SameSite=Strict'])
      expect(known).toContain(word);
    expect((await copy.signIn('target', PASSWORD)).status).toBe(429);
    // A stolen one is bounded like everybody else.
    for (let guess = 0; guess < THROTTLE.perNameAndAddress; guess += 1)
      await copy.signIn('grace', `wrong password ${guess}`);
    expect((await copy.signIn('grace', PASSWORD)).status).toBe(429);
  });

  it('is not what a password is that nobody can have: it is refused, and counts for nothing', async () => {
    const browser = test.browser();
    const before = test.signIns.length;
    for (let time = 0; time <= THROTTLE.perNameAndAddress; time += 1) {
      expect((await browser.signIn('grace-hopper', 'x'.repeat(513))).status).toBe(401);
    }
    expect(test.signIns.length).toBe(before);
    expect((await browser.signIn('grace-hopper', 'x'.repeat(512))).status).toBe(401);
    expect(test.signIns.length).toBe(before + 1);
  });

  it('of the current password in an open session is stopped too', async () => {
    const browser = await test.signedIn('ada');
    const fields = { password: 'a new long sentence', repeated: 'a new long sentence' };
    let refusals = 0;
    for (let guess = 0; guess <= THROTTLE.perNameAndAddress; guess += 1) {
      const answer = await browser.submit('/profile', '/profile/password', {
        ...fields,
        current: `wrong ${guess}`,
      });
      if (answer.status === 403) refusals += 1;
      else expect(answer.status).toBe(422);
    }
    expect(refusals).toBeGreaterThan(0);
  });
});

describe('a log that does not take the sign-in', () => {
  it('lets nobody in', async () => {
    const deaf = await startConsole({ recordsSignIns: false });
    try {
      await deaf.createUser('ada', 'administrator');
      const answer = await deaf.browser().signIn('ada', PASSWORD);
      expect(answer.status).toBe(503);
      expect(answer.headers['set-cookie']).toBeUndefined();
    } finally {
      await deaf.stop();
    }
  });
});
