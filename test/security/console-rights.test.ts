import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Browser,
  hiddenFields,
  operator,
  PASSWORD,
  startConsole,
  type TestConsole,
} from '../support/console.ts';

/** What somebody with fewer rights tries, by the pages and past them. */
let test: TestConsole;
let manager: Browser;
let reader: Browser;

beforeAll(async () => {
  test = await startConsole();
  const { administration } = test;
  await administration.createRole(operator, { name: 'deployer', permissions: ['deployments:*'] });
  await administration.createRole(operator, {
    name: 'manager',
    permissions: ['sallyport:registry:read', 'sallyport:registry:write', 'deployments:*'],
  });
  await administration.createRole(operator, {
    name: 'reader',
    permissions: ['sallyport:registry:read'],
  });
  await administration.createTeam(operator, { name: 'core', applications: ['CRM'] });
  await administration.createServiceAccount(operator, { name: 'strong', role: 'administrator' });
  await administration.createServiceAccount(operator, {
    name: 'weak',
    role: 'deployer',
    teams: [{ team: 'core', role: 'deployer' }],
  });
  for (const [name, role] of [
    ['ada', 'administrator'],
    ['ada2', 'administrator'],
    ['watcher', 'administrator'],
    ['mallory', 'manager'],
    ['rita', 'reader'],
    ['nix', 'none'],
  ] as const)
    await test.createUser(name, role);
  manager = await test.signedIn('mallory');
  reader = await test.signedIn('rita');
});
afterAll(() => test.stop());

const account = (name: string) => test.administration.showAccount(operator, { name });

/** The hidden fields of any form of the session, for a form that its page would not show. */
async function forged(
  browser: Browser,
  fields: Record<string, string> = {},
): Promise<Record<string, string>> {
  const { form = '' } = hiddenFields((await browser.get('/profile')).text, '/sign-out');
  return { form, once: randomBytes(16).toString('base64url'), ...fields };
}

describe('a manager who is not an administrator', () => {
  it.each([
    ['rotates the token of a stronger account', '/service-accounts/strong/new-token', {}],
    ['lowers a stronger account', '/service-accounts/strong/edit', { role: 'none', version: '0' }],
    ['deactivates a stronger account', '/service-accounts/strong/deactivate', {}],
    ['deletes a stronger account', '/service-accounts/strong/delete', { confirm: 'strong' }],
    [
      'grants a stronger role',
      '/service-accounts/weak/grants',
      { application: 'CRM', role: 'administrator' },
    ],
    [
      'joins with a stronger role',
      '/service-accounts/weak/teams',
      { team: 'core', role: 'administrator' },
    ],
    [
      'sets the password of an administrator',
      '/users/ada/password',
      { password: 'mine now, thank you', repeated: 'mine now, thank you' },
    ],
    ['deactivates an administrator', '/users/ada/deactivate', {}],
    [
      'creates an administrator',
      '/new/user',
      {
        name: 'eve',
        role: 'administrator',
        password: 'mine now, thank you',
        repeated: 'mine now, thank you',
      },
    ],
    ['creates a strong machine', '/new/service-account', { name: 'eve', role: 'administrator' }],
    ['raises themselves', '/users/mallory/edit', { role: 'administrator', version: '0' }],
    ['makes a role beyond their own', '/new/role', { name: 'more', permissions: 'sallyport:*' }],
    [
      'widens their own role',
      '/roles/manager/edit',
      { permissions: 'sallyport:*\ndeployments:*', version: '0' },
    ],
    [
      'widens the role of administrators',
      '/roles/administrator/edit',
      { description: 'mine', version: '0' },
    ],
  ])('is refused when the manager %s', async (_what, path, fields) => {
    const before = JSON.stringify([
      await account('strong'),
      await account('weak'),
      await account('ada'),
      await account('mallory'),
    ]);
    const answer = await manager.post(path, await forged(manager, fields));
    expect([403, 409]).toContain(answer.status);
    expect(answer.text).not.toMatch(/slp_[0-9A-Za-z]{12}_/);
    expect(
      JSON.stringify([
        await account('strong'),
        await account('weak'),
        await account('ada'),
        await account('mallory'),
      ]),
    ).toBe(before);
    await expect(test.administration.showRole(operator, { name: 'more' })).rejects.toThrow(
      'no role',
    );
  });

  it('is refused for the reason of rights when the version is right too', async () => {
    const { version } = await account('strong');
    const answer = await manager.post(
      '/service-accounts/strong/edit',
      await forged(manager, { role: 'none', version: String(version) }),
    );
    expect(answer.status).toBe(403);
    const own = await account('mallory');
    const raised = await manager.post(
      '/users/mallory/edit',
      await forged(manager, { role: 'administrator', version: String(own.version) }),
    );
    expect(raised.status).toBe(403);
  });

  it('may do what lies within their own rights', async () => {
    const answer = await manager.post('/service-accounts/weak/new-token', await forged(manager));
    expect(answer.status).toBe(200);
    expect(answer.text).toMatch(/slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/);
  });
});

describe('somebody who may only look', () => {
  it('is shown no button that changes anything', async () => {
    for (const path of [
      '/service-accounts',
      '/service-accounts/weak',
      '/users/ada',
      '/roles/deployer',
      '/teams/core',
    ]) {
      const { status, text } = await reader.get(path);
      expect([path, status]).toEqual([path, 200]);
      const actions = [...text.matchAll(/action="([^"]*)"/g)].map(([, action]) => action);
      expect(
        actions.filter((action) => !['/sign-out', '/service-accounts', '/find'].includes(action!)),
      ).toEqual([]);
      expect(text).not.toMatch(/href="(\/new\/|[^"]*\/(edit|delete|new-token|password)")/);
    }
  });

  it('is refused when they send the forms all the same', async () => {
    for (const path of [
      '/service-accounts/weak/deactivate',
      '/service-accounts/weak/new-token',
      '/users/ada/deactivate',
      '/roles/deployer/delete',
      '/teams/core/delete',
      '/new/team',
    ]) {
      expect([
        path,
        (await reader.post(path, await forged(reader, { name: 'x', confirm: 'weak' }))).status,
      ]).toEqual([path, 403]);
    }
    expect((await account('weak')).status).toBe('active');
  });

  it('is not shown the log, neither as a page nor as a stream nor as a file', async () => {
    for (const path of [
      '/activity',
      '/activity/stream',
      '/activity/export',
      '/activity/export?format=csv',
      '/activity/requests/aaaaaaaaaaaa-000000001',
      '/service-accounts/weak/stream',
    ]) {
      expect([path, (await reader.get(path)).status]).toEqual([path, 403]);
    }
    expect((await reader.get('/service-accounts/weak')).text).not.toContain('data-stream');
  });
});

describe('somebody without any right', () => {
  it('may look after their own account and see nothing else', async () => {
    const nix = await test.signedIn('nix');
    expect((await nix.get('/')).location).toBe('/profile');
    const { text } = await nix.get('/profile');
    expect(text).toContain('opens no page of this console');
    expect(text).not.toContain('href="/users"');
    for (const path of [
      '/service-accounts',
      '/users/nix',
      '/roles',
      '/teams',
      '/instances',
      '/find/ada',
    ])
      expect([path, (await nix.get(path)).status]).toEqual([path, 403]);
    const changed = await nix.submit('/profile', '/profile/password', {
      current: PASSWORD,
      password: 'a sentence of my own',
      repeated: 'a sentence of my own',
    });
    expect(changed.location).toBe('/sign-in?note=password');
    expect((await test.browser().signIn('nix', 'a sentence of my own')).status).toBe(303);
  });
});

describe('logs that are followed', () => {
  it('are bounded for one person, so that many windows keep nobody else out', async () => {
    const ada = await test.signedIn('ada');
    const opened = await Promise.all(
      Array.from({ length: 14 }, () => ada.open('/activity/stream')),
    );
    try {
      expect(opened.filter(({ status }) => status === 200)).toHaveLength(12);
      expect(opened.filter(({ status }) => status === 503)).toHaveLength(2);
      const second = await test.signedIn('ada2');
      const other = await second.open('/activity/stream');
      expect(other.status).toBe(200);
      other.close();
      expect((await ada.send('/activity/stream', { method: 'HEAD' })).status).toBe(200);
    } finally {
      for (const one of opened) one.close();
    }
    // Closed ones make room again.
    await expect
      .poll(async () => {
        const again = await ada.open('/activity/stream');
        again.close();
        return again.status;
      })
      .toBe(200);
  });
});

describe('a log that is followed', () => {
  it.each<[string, (browser: Browser) => Promise<unknown>]>([
    ['they sign out', (browser) => browser.submit('/profile', '/sign-out')],
    [
      'they may no longer',
      () => test.administration.editAccount(operator, { name: 'watcher', role: 'none' }),
    ],
    [
      'they are deactivated',
      () => test.administration.deactivateAccount(operator, { name: 'watcher' }),
    ],
  ])('shows nothing more to somebody once %s', async (_, end) => {
    const browser = await test.signedIn('watcher');
    const { status, text, ended } = await browser.follow('/activity/stream');
    expect(status).toBe(200);
    const call = (path: string) =>
      test.record({
        id: `${path} ${browser.cookie}`,
        time: new Date().toISOString(),
        phase: 'decision',
        decision: 'permit',
        path,
      });
    await call('/before-it-ended');
    await expect.poll(text, { timeout: 10_000 }).toContain('/before-it-ended');
    await sleep(500);
    await end(browser);
    await call('/after-it-ended');
    await ended;
    expect(text()).toContain('event: over');
    expect(text()).not.toContain('/after-it-ended');
    await test.administration.editAccount(operator, {
      name: 'watcher',
      role: 'administrator',
      status: 'active',
    });
  });
});

describe('the last who administers', () => {
  it('cannot shut themselves out, nor can two do it to each other', async () => {
    await test.administration.deleteAccount(operator, { name: 'watcher' });
    const [ada, ada2] = [await test.signedIn('ada'), await test.signedIn('ada2')];
    const answers = await Promise.all([
      ada.submit('/users/ada2', '/users/ada2/deactivate', { seen: 'yes' }),
      ada2.submit('/users/ada', '/users/ada/deactivate', { seen: 'yes' }),
    ]);
    expect(answers.map(({ status }) => status).sort()).not.toEqual([200, 200]);
    const [left, browser] =
      (await account('ada')).status === 'active' ? ['ada', ada] : ['ada2', ada2];
    const refused = await browser.submit(`/users/${left}`, `/users/${left}/deactivate`);
    expect([refused.status, refused.text]).toEqual([
      409,
      expect.stringContaining('make another administrator first'),
    ]);
    expect(await account(left)).toMatchObject({ status: 'active' });
  });
});
