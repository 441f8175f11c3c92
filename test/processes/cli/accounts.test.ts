import { hash, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';
import { EMBEDDED, owner, Shell } from '../../support/shell.ts';
import { newAuthority, writeCertificate } from '../../unit/tls/samples.ts';

interface Listed {
  readonly accounts: readonly { readonly name: string; readonly status: string }[];
}

describe('accounts on the command line', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];

  beforeAll(async () => {
    shell.write('sallyport.yaml', EMBEDDED);
    await shell.json('role', 'create', 'viewer', '--permission', 'apps:read,apps:list', ...store);
    await shell.json(
      'team',
      'create',
      'payments',
      '--application',
      'Billing',
      '--application',
      'Ledger',
      ...store,
    );
    await shell.prepare(async (admin) => {
      for (const name of ['kept', 'brief', 'watched', 'bound', 'taken'])
        await admin.createServiceAccount(owner, { name, role: 'viewer' });
      await admin.createServiceAccount(owner, {
        name: 'asker',
        role: 'none',
        teams: [{ team: 'payments', role: 'viewer' }],
      });
      await admin.grantRole(owner, { name: 'asker', application: 'Ledger', role: 'none' });
    });
  });
  afterAll(() => shell.close());

  it('takes administration away from everybody only when that is said', async () => {
    shell.write('password', 'a rather long sentence\n');
    await shell.json(
      'user',
      'create',
      'boss',
      '--role',
      'administrator',
      '--password-file',
      'password',
      ...store,
    );
    for (const words of [
      ['deactivate', 'boss', '--yes'],
      ['delete', 'boss', '--yes'],
      ['edit', 'boss', '--role', 'none'],
    ]) {
      const refused = await shell.run('user', ...words, ...store);
      expect([refused.code, refused.err]).toEqual([
        1,
        expect.stringContaining('--leave-no-administrator'),
      ]);
    }
    expect(
      (await shell.run('user', 'delete', 'boss', '--yes', '--leave-no-administrator', ...store))
        .code,
    ).toBe(0);
  });

  it('shows the token of a new account alone on stdout, and what it is on stderr', async () => {
    const made = await shell.run(
      'account',
      'create',
      'ci',
      '--role',
      'viewer',
      '--description',
      'Builds',
      ...store,
    );
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}\n$/);
    expect(made.err).toContain('shown once');
    const shown = await shell.run('account', 'show', 'ci', ...store);
    expect(shown.out).toMatch(/Status +active/);
    expect(shown.out + shown.err).not.toContain('slp_');
  });

  it('lists accounts in a table for people and in JSON for scripts', async () => {
    await shell.json(
      'account',
      'create',
      'nightly',
      '--role',
      'none',
      '--team',
      'payments:viewer',
      '--expires',
      '2090-01-31',
      ...store,
    );
    const table = await shell.run('account', 'list', ...store);
    expect(table.out.split('\n')[0]).toMatch(
      /^NAME +STATUS +ROLE +TEAMS +GRANTS +EXPIRES +DESCRIPTION$/,
    );
    expect(table.out).toMatch(/^nightly +active +none +payments:viewer +- +2090-01-31/m);
    expect(table.out).not.toContain('\u001b');
    const { accounts } = (await shell.json('account', 'list', ...store)) as Listed;
    expect(accounts.find(({ name }) => name === 'nightly')).toMatchObject({
      expiresAt: '2090-01-31T23:59:59.000Z',
      role: 'none',
    });
  });

  it('binds an account to a certificate, and lets it in from some networks alone', async () => {
    const { certificateFile } = await writeCertificate(shell.folder, 'ci', await newAuthority());
    const { raw } = new X509Certificate(readFileSync(certificateFile));
    const thumbprint = hash('sha256', raw, 'base64url');
    const bind = (...words: string[]) => shell.run('account', 'bind', 'bound', ...words, ...store);
    expect((await bind('--certificate', certificateFile)).code).toBe(0);
    const edit = ['account', 'edit', 'bound', '--allowed-network', '10.0.0.0/8,192.0.2.7'];
    expect((await shell.run(...edit, ...store)).code).toBe(0);
    expect(await shell.json('account', 'show', 'bound', ...store)).toMatchObject({
      account: { boundTo: { thumbprint }, allowedNetworks: ['10.0.0.0/8', '192.0.2.7'] },
    });
    const seen = await shell.run('account', 'show', 'bound', ...store);
    expect(seen.out).toContain(thumbprint);
    expect((await bind('--none', '--subject', 'CN=x')).code).toBe(2);
    expect((await bind('--certificate', join(shell.folder, 'sallyport.yaml'))).code).toBe(2);
    expect((await bind('--thumbprint', 'abc')).err).toContain('64 hex digits');
    expect((await bind('--none')).out).toContain('bound to no certificate');
  });

  it('writes a token into a file that nobody else can read, and shows it nowhere', async () => {
    const made = await shell.run(
      'account',
      'create',
      'filed',
      '--role',
      'viewer',
      '--token-file',
      'filed.token',
      ...store,
    );
    expect(made).toMatchObject({ code: 0, err: '' });
    expect(made.out).not.toContain('slp_');
    expect(readFileSync(shell.path('filed.token'), 'utf8')).toMatch(/^slp_\w{62}\n$/);
    expect(statSync(shell.path('filed.token')).mode & 0o777).toBe(0o600);
  });

  it('rotates only with --yes where nobody can be asked, and never over a file unasked', async () => {
    const name = 'filed';
    const before = readFileSync(shell.path('filed.token'), 'utf8');
    const unasked = await shell.run('account', 'rotate', name, ...store);
    expect(unasked.code).toBe(2);
    expect(unasked.err).toContain('--yes');
    const over = await shell.run(
      'account',
      'create',
      'other',
      '--role',
      'viewer',
      '--token-file',
      'filed.token',
      ...store,
    );
    expect(over.code).toBe(2);
    expect(readFileSync(shell.path('filed.token'), 'utf8')).toBe(before);
    const rotated = await shell.run(
      'account',
      'rotate',
      name,
      '--yes',
      '--token-file',
      'filed.token',
      ...store,
    );
    expect(rotated.code).toBe(0);
    expect(readFileSync(shell.path('filed.token'), 'utf8')).not.toBe(before);
  });

  it('rotates nothing when the token could not be kept', async () => {
    const before = (await shell.json('account', 'show', 'kept', ...store)) as {
      account: { version: number };
    };
    const lost = await shell.run(
      'account',
      'rotate',
      'kept',
      '--yes',
      '--token-file',
      'no/such/folder/token',
      ...store,
    );
    expect(lost.code).toBe(2);
    const shown = (await shell.json('account', 'show', 'kept', ...store)) as {
      account: { version: number };
    };
    expect(shown.account.version).toBe(before.account.version);
    expect(readdirSync(shell.folder).filter((name) => /token\.[0-9a-f]{12}/.test(name))).toEqual(
      [],
    );
  });

  it('deactivates, activates, edits and deletes', async () => {
    expect(await shell.run('account', 'deactivate', 'brief', ...store)).toMatchObject({ code: 2 });
    expect(await shell.json('account', 'deactivate', 'brief', '--yes', ...store)).toMatchObject({
      account: { status: 'inactive' },
    });
    expect(await shell.json('account', 'activate', 'brief', ...store)).toMatchObject({
      changed: true,
    });
    expect((await shell.run('account', 'activate', 'brief', ...store)).out).toContain(
      'brief is active. Nothing had to be changed.',
    );
    expect(
      await shell.json('account', 'edit', 'brief', '--expires', '90d', '--role', 'none', ...store),
    ).toMatchObject({
      account: { role: 'none', expiresAt: expect.stringMatching(/^20/) },
    });
    expect((await shell.run('account', 'edit', 'brief', ...store)).code).toBe(2);
    expect((await shell.run('account', 'delete', 'brief', ...store)).code).toBe(2);
    expect((await shell.run('account', 'delete', 'brief', '--yes', ...store)).code).toBe(0);
    const gone = await shell.run('account', 'show', 'brief', ...store);
    expect(gone).toMatchObject({ code: 1, out: '' });
    expect(gone.err).toBe('sallyport: there is no service account named "brief"\n');
  });

  it('names everybody of whom a call would be let in, and says why a question has no answer', async () => {
    const who = (...args: readonly string[]) => shell.json('who-can', ...args, ...store);
    const found = (await who('get', '/apps/Billing/x?q=1')) as {
      items: readonly { account: string }[];
    };
    expect(found.items).toContainEqual(
      expect.objectContaining({ account: 'asker', role: 'viewer', application: 'Billing' }),
    );
    const unknown = await shell.run('who-can', 'GET', '/elsewhere', ...store);
    expect(unknown).toMatchObject({ code: 1 });
    expect(unknown.err).toContain('No route matches /elsewhere');
  });

  it('grants and explains by which rule a call is let in', async () => {
    const explain = (path: string) =>
      shell.json('explain', '--account', 'asker', 'get', path, ...store);
    expect(await explain('/apps/Billing/x?q=1')).toMatchObject({
      allowed: true,
      rule: 'team',
      role: 'viewer',
      route: 'read',
    });
    expect(await explain('/apps/Ledger/x')).toMatchObject({
      allowed: false,
      rule: 'grant',
      role: 'none',
    });
    expect(await explain('/elsewhere')).toMatchObject({ allowed: false, reason: 'route-unknown' });
    await shell.json('account', 'revoke', 'asker', '--application', 'Ledger', ...store);
    expect(await explain('/apps/Ledger/x')).toMatchObject({ allowed: true });
    const words = await shell.run(
      'explain',
      '--account',
      'asker',
      'GET',
      '/apps/Billing',
      ...store,
    );
    expect(words.out).toContain('Billing belongs to team payments');
  });

  it('takes the routes from another file than the one that may look accounts up', async () => {
    const [head = '', routes = ''] = EMBEDDED.split(/(?=^upstreams:)/m);
    shell.write('manage.yaml', head);
    shell.write('routes.yaml', routes);
    const question = ['--account', 'asker', 'GET', '/apps/Billing/x'];
    const manage = ['--config', 'manage.yaml'];
    const without = await shell.run('explain', ...question, ...manage);
    expect(without).toMatchObject({ code: 1, out: '' });
    expect(without.err).toContain('no routes are known here');
    expect(without.err).toContain('--routes');
    const beside = [...manage, '--routes', 'routes.yaml'];
    expect(await shell.json('explain', ...question, ...beside)).toMatchObject({ allowed: true });
    const who = await shell.json('who-can', 'GET', '/apps/Billing/x', ...beside);
    expect(JSON.stringify(who)).toContain('asker');
    const none = await shell.run('explain', ...question, ...manage, '--routes', 'manage.yaml');
    expect(none).toMatchObject({ code: 2, err: expect.stringContaining('has no routes') });
  });

  it('tells what was done to an account, and by whom', async () => {
    await shell.json('account', 'rotate', 'watched', '--yes', ...store);
    const lines = (await shell.run('activity', 'watched', '--json', ...store)).out
      .trim()
      .split('\n');
    expect(lines.map((line) => JSON.parse(line).type)).toEqual([
      'account-created',
      'token-rotated',
    ]);
    const words = await shell.run('activity', 'watched', ...store);
    expect(words.out).toMatch(
      /changed {2}token-rotated account watched {2}\(by .+, command-line\)/,
    );
    const all = await shell.run('audit', 'tail', '--limit', '1000', '--json', ...store);
    expect(all.out).toContain('role-created');
  });

  it('says no in one line, without a stack, for what the registry refuses', async () => {
    const attempts: [string[], RegExp][] = [
      [['account', 'create', 'taken', '--role', 'viewer'], /already taken/],
      [['role', 'delete', 'viewer', '--yes'], /used by .*and \d+ more/],
      [['team', 'create', 'other', '--application', 'Billing'], /Billing \(payments\)/],
      [['account', 'create', 'x', '--role', 'nonesuch'], /there is no role named "nonesuch"/],
      [['role', 'delete', 'administrator', '--yes'], /cannot be deleted/],
      [['user', 'show', 'taken'], /that is a service account/],
    ];
    for (const [words, message] of attempts) {
      const refused = await shell.run(...words, ...store);
      expect([words, refused.code, refused.out]).toEqual([words, 1, '']);
      expect(refused.err).toMatch(message);
      expect(refused.err.trim().split('\n')).toHaveLength(1);
    }
  });

  it('creates users with a password from a file, or one that it makes up and shows once', async () => {
    shell.write('pass', 'correct horse battery staple\nsecond line\n');
    expect(
      (
        await shell.run(
          'user',
          'create',
          'alice',
          '--role',
          'administrator',
          '--password-file',
          'pass',
          ...store,
        )
      ).code,
    ).toBe(0);
    const made = await shell.run(
      'user',
      'create',
      'bob',
      '--role',
      'none',
      '--generate-password',
      ...store,
    );
    expect(made.out).toMatch(/^[0-9A-Za-z]{24}\n$/);
    const unasked = await shell.run('user', 'password', 'bob', ...store);
    expect(unasked).toMatchObject({ code: 2, out: '' });
    shell.write('short', 'short\n');
    expect(
      (await shell.run('user', 'password', 'bob', '--password-file', 'short', ...store)).err,
    ).toContain('at least 12');
    const { accounts } = (await shell.json('user', 'list', ...store)) as Listed;
    expect(accounts.map(({ name }) => name)).toEqual(['alice', 'bob']);
  });

  it('looks at an empty place without leaving anything there', async () => {
    const empty = EMBEDDED.replace('./store', './nowhere');
    shell.write('empty.yaml', empty);
    const listed = await shell.run('account', 'list', '--config', 'empty.yaml');
    expect(listed.code).toBe(3);
    expect(listed.err).toContain('there is no registry');
    expect(existsSync(shell.path('nowhere'))).toBe(false);
  });

  it('says which file is in the way of the data folder', async () => {
    writeFileSync(shell.path('file'), '');
    shell.write('blocked.yaml', EMBEDDED.replace('./store', './file/store'));
    const made = await shell.run(
      'account',
      'create',
      'x',
      '--role',
      'none',
      '--config',
      'blocked.yaml',
    );
    expect(made.code).toBe(2);
    expect(made.err).toMatch(/file\/store.*cannot be made/);
  });
});

describe('accounts on the command line, with Redis', () => {
  const shell = new Shell();
  let redis: RedisServer | null = null;

  beforeAll(async () => {
    if (findRedisServer() === null) return;
    redis = await startRedis();
    shell.write(
      'redis.yaml',
      EMBEDDED.replace('{ kind: embedded }', `{ kind: redis, url: "${redis.url}" }`),
    );
  });
  afterAll(async () => {
    shell.close();
    await redis?.stop();
  });

  it('works the same, and says clearly when Redis is away', async (ctx) => {
    if (redis === null) return ctx.skip('redis-server is not installed');
    const store = ['--config', 'redis.yaml'];
    await shell.json('registry', 'init', ...store);
    await shell.json('account', 'create', 'ci', '--role', 'administrator', ...store);
    expect(await shell.json('account', 'rotate', 'ci', '--yes', ...store)).toMatchObject({
      token: expect.stringMatching(/^slp_/),
    });
    expect(
      (await shell.run('explain', '--account', 'ci', 'GET', '/apps/CRM', ...store)).out,
    ).toContain('let in');
    const lines = (await shell.run('activity', 'ci', '--json', ...store)).out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).type)).toEqual([
      'account-created',
      'token-rotated',
    ]);
    await redis.kill();
    const away = await shell.run('account', 'list', ...store);
    expect(away).toMatchObject({ code: 3, out: '' });
    expect(away.err.trim().split('\n')).toHaveLength(1);
    expect((await shell.run('check', '--config', 'redis.yaml', '--connect')).code).toBe(3);
  });
});
