import { existsSync, readFileSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { namesAt } from '../../../src/cli/names-at.ts';
import { placeOf } from '../../../src/cli/place/place.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { owner } from '../../support/gateway.ts';
import { Shell } from '../../support/shell.ts';

const DAY_MS = 86_400_000;

/** The same questions, to the running owner of the store and to its server. */
describe('finding things on the command line', () => {
  const shell = new Shell();
  let api: ApiBench;
  let ways: Readonly<Record<'--config' | '--server', readonly string[]>>;
  let deleted: string;

  beforeAll(async () => {
    api = await openApi();
    const dataDir = api.test.dataDir;
    shell.write(
      'manage.yaml',
      JSON.stringify({ instance: { name: 'x', dataDir }, store: { kind: 'embedded' } }),
    );
    Object.assign(shell.env, { SALLYPORT_TOKEN: api.administrator.token });
    ways = {
      '--config': ['--config', 'manage.yaml'],
      '--server': ['--server', api.url, '--ca-file', api.test.caFile],
    };
    const { administration } = api.test;
    await administration.createRole(owner, { name: 'viewer', permissions: ['apps:read'] });
    await administration.createTeam(owner, { name: 'payments', applications: ['Billing'] });
    const soon = new Date(Date.now() + 3 * DAY_MS).toISOString();
    const teams = [{ team: 'payments', role: 'viewer' }];
    await administration.createServiceAccount(owner, {
      name: 'build',
      role: 'none',
      teams,
      description: 'Nightly things',
    });
    await administration.createServiceAccount(owner, {
      name: 'brief',
      role: 'viewer',
      expiresAt: soon,
    });
    await administration.createServiceAccount(owner, { name: 'asleep', role: 'none' });
    await administration.deactivateAccount(owner, { name: 'asleep' });
    await administration.createUser(owner, {
      name: 'alice',
      role: 'viewer',
      password: 'correct horse battery staple',
    });
    const gone = await administration.createServiceAccount(owner, { name: 'gone', role: 'none' });
    deleted = gone.account.id;
    await administration.deleteAccount(owner, { name: 'gone' });
  });
  afterAll(async () => {
    shell.close();
    await api.stop();
  });

  it.each(['--config', '--server'] as const)(
    'tells who has a permission where, by %s',
    async (way) => {
      const asked = ['who-can', '--matrix', 'apps:read', '--search', 'bui', '-o', 'csv'];
      const { code, out } = await shell.run(...asked, ...ways[way]);
      expect([code, out.trim().split('\r\n').slice(1)]).toEqual([
        0,
        ['build,Billing,true,viewer,team,payments,'],
      ]);
    },
  );

  it.each(['--config', '--server'] as const)('completes names by %s', async (way) => {
    vi.stubEnv('SALLYPORT_TOKEN', api.administrator.token);
    onTestFinished(() => void vi.unstubAllEnvs());
    const { url: server } = api;
    const place = placeOf(
      way === '--server'
        ? { server, caFile: api.test.caFile }
        : { config: shell.path('manage.yaml') },
    );
    const names = (kind: Parameters<typeof namesAt>[1], prefix = '') =>
      namesAt(place, kind, { prefix, most: 100 });
    expect(await names('account', 'b')).toEqual(['brief', 'build']);
    expect(await names('account')).toContain('asleep');
    expect(await names('user')).toEqual(['alice']);
    expect(await names('role')).toContain('viewer');
    expect(await names('team')).toEqual(['payments']);
    expect(await names('application')).toEqual(['Billing']);
    expect(await names('instance')).toEqual([api.test.gateway.instance]);
  });

  const ours = ['asleep', 'brief', 'build', 'alice'];

  describe.each(['--config', '--server'] as const)('by %s', (way) => {
    const names = async (...words: string[]): Promise<readonly string[]> => {
      const { accounts } = await shell.json<{ accounts: { name: string }[] }>(
        ...words,
        ...ways[way],
      );
      return accounts.map(({ name }) => name).filter((name) => ours.includes(name));
    };
    const events = async (...words: string[]): Promise<readonly string[]> => {
      const { code, out, err } = await shell.run(...words, '--json', ...ways[way]);
      expect([code, err]).toEqual([0, '']);
      return out
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { type: string }).type);
    };

    it.each<[string[], string[]]>([
      [['account', 'list', '--search', 'nightly', '--never-used', '--team', 'payments'], ['build']],
      [
        ['account', 'list', '--role', 'viewer', '--status', 'active'],
        ['brief', 'build'],
      ],
      [['account', 'list', '--expiring', '7'], ['brief']],
      [['account', 'list', '--unused', '1'], []],
      [['user', 'list', '--role', 'viewer'], ['alice']],
    ])('%j names those to which all of it applies', async (words, expected) => {
      expect(await names(...words)).toEqual(expected);
    });

    it.each<[() => string[], string[]]>([
      [() => ['activity', deleted, '--id'], ['account-created', 'account-deleted']],
      [
        () => ['audit', 'tail', '--phase', 'change', '--type', 'team-created', '--since', '1h'],
        ['team-created'],
      ],
    ])('narrows the log', async (words, expected) => {
      expect(await events(...words())).toEqual(expected);
    });

    it('follows what matches', async () => {
      const following = shell.start(
        'audit',
        'tail',
        '--follow',
        '--type',
        'team-created',
        '--json',
        ...ways[way],
      );
      await expect.poll(following.out, { timeout: 20_000 }).toContain('"team-created"');
      following.process.kill('SIGINT');
      expect(await following.ended).toBe(0);
      expect(following.out()).not.toContain('"role-created"');
    });

    it('exports the log into a new file that nobody else can read', async () => {
      const file = `changes${way}.ndjson`;
      const made = await shell.run('audit', 'export', file, '--phase', 'change', ...ways[way]);
      expect([made.code, made.out]).toEqual([0, '']);
      expect(statSync(shell.path(file)).mode & 0o777).toBe(0o600);
      const types = readFileSync(shell.path(file), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).type);
      expect(types.slice(0, 2)).toEqual(['account-deleted', 'account-created']);
      expect(made.err).toBe(`Wrote ${types.length} events to ${file}.\n`);
      const csv = ['--format', 'csv', '--gzip', '--actor', 'nobody-here'];
      const none = await shell.run('audit', 'export', `${file}.gz`, ...csv, ...ways[way]);
      expect([none.code, none.err]).toEqual([0, `Wrote 0 events to ${file}.gz.\n`]);
      const text = gunzipSync(readFileSync(shell.path(`${file}.gz`))).toString();
      expect(text).toMatch(/^time,type,.*\r\n$/);
      const again = await shell.run('audit', 'export', file, ...ways[way]);
      expect([again.code, again.err]).toEqual([2, expect.stringContaining('exists already')]);
    }, 60_000);
  });

  it.each(['--config', '--server'] as const)('shows one request, by %s', async (way) => {
    const { headers } = await api.call('GET', '/roles');
    const id = String(headers['x-request-id']);
    await api.test.events();
    const shown = await shell.run('audit', 'show', id, '--since', '1h', ...ways[way]);
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/decision +permitted\n/);
    expect(shown.out).toMatch(/request +GET \/api\/v1\/roles\n/);
    expect(shown.out).toMatch(/client got +200/);
    const json = await shell.run('audit', 'show', id, '--json', ...ways[way]);
    expect(JSON.parse(json.out)).toMatchObject({
      requestId: id,
      events: [{ phase: 'decision' }, { phase: 'outcome', status: 200 }],
    });
    const same = await shell.run('activity', '--request', id, '--json', ...ways[way]);
    expect(JSON.parse(same.out).events).toEqual(JSON.parse(json.out).events);
    const both = await shell.run('activity', 'somebody', '--request', id, ...ways[way]);
    expect([both.code, both.err]).toEqual([2, expect.stringContaining('no account is named')]);
    const asked = ['audit', 'tail', '--csv', '--method', 'GET', '--limit', '2'] as const;
    const rows = (await shell.run(...asked, ...ways[way])).out.split('\r\n');
    expect([rows.length, rows[0]]).toEqual([4, expect.stringMatching(/^time,type,phase,/)]);
    const none = await shell.run('audit', 'show', `${id}0`, ...ways[way]);
    expect(none).toMatchObject({ code: 1, out: '', err: expect.stringContaining('nothing was') });
  });

  it('says that there is nothing like that', async () => {
    const none = await shell.run('audit', 'tail', '--until', '2020-01-01', ...ways['--config']);
    expect(none).toMatchObject({ code: 0, out: '', err: 'no recorded event matches\n' });
  });

  it('leaves no export behind that is not whole', async () => {
    const words = [
      'audit',
      'export',
      'half.ndjson',
      '--since',
      '1h',
      '--server',
      'https://127.0.0.1:1',
    ];
    expect(await shell.run(...words)).toMatchObject({ code: 3, out: '' });
    expect(existsSync(shell.path('half.ndjson'))).toBe(false);
  });

  it('says that a token does not count, or is none, without repeating it', async () => {
    const { token } = await api.test.createAccount({ name: 'former', role: 'administrator' });
    await api.test.administration.deleteAccount(owner, { name: 'former' });
    const asked = async (text: string) => {
      Object.assign(shell.env, { SALLYPORT_TOKEN: text });
      const { code, out, err } = await shell.run('account', 'list', ...ways['--server']);
      Object.assign(shell.env, { SALLYPORT_TOKEN: api.administrator.token });
      expect(out + err).not.toContain(text);
      return [code, err];
    };
    expect(await asked(token)).toEqual([1, expect.stringContaining('does not accept the token')]);
    expect(await asked('some-secret')).toEqual([
      2,
      expect.stringContaining('what it holds is no token'),
    ]);
  });

  it('trusts a server by the named CA alone', async () => {
    shell.write('other.pem', 'no certificate\n');
    const wrong = await shell.run('account', 'list', '--server', api.url, '--ca-file', 'other.pem');
    expect(wrong).toMatchObject({ code: 2, out: '', err: expect.stringContaining('other.pem') });
    const missing = await shell.run(
      'account',
      'list',
      '--server',
      api.url,
      '--ca-file',
      'missing.pem',
    );
    expect(missing).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('missing.pem'),
    });
    const name = await shell.run(
      'account',
      'list',
      '--server',
      api.url.replace('localhost', '127.0.0.2'),
      '--ca-file',
      api.test.caFile,
    );
    expect(name).toMatchObject({ code: 3, out: '' });
  });
});
