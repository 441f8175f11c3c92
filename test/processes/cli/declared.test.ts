import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { owner, startGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/raw-client.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';
import { findRedisServer, type RedisServer, startRedis } from '../../support/redis-server.ts';
import { EMBEDDED, Shell } from '../../support/shell.ts';

const DECLARED = `
accounts:
  roles:
    - { name: deployer, description: Deploys, permissions: ["deployments:*"] }
    - { name: viewer, permissions: ["deployments:read"] }
  teams:
    - { name: crm, applications: [CRM] }
  serviceAccounts:
    - { name: pipeline, role: none, teams: [{ team: crm, role: deployer }], grants: [{ application: Billing, role: viewer }] }
    - name: board
      role: viewer
      expiresAt: "2099-01-01T00:00:00Z"
      allowedNetworks: ["2001:DB8::/32", 10.0.0.0/8]
      boundTo: { subject: "cn=board, o=Example" }
`;

interface Applied {
  readonly applied: boolean;
  readonly changes: readonly {
    readonly what: string;
    readonly target: string;
    readonly differences: readonly string[];
  }[];
}

describe('a declaration', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];
  const apply = (...words: string[]): Promise<Applied> =>
    shell.json('apply', '-f', 'accounts.yaml', ...words, ...store);

  beforeAll(() => {
    shell.write('sallyport.yaml', EMBEDDED);
    shell.write('accounts.yaml', DECLARED);
  });
  afterAll(() => shell.close());

  it('shows what it would do and does nothing, then does it, and then has nothing left to do', async () => {
    await shell.run('role', 'create', 'viewer', '--permission', 'apps:read', ...store);
    const planned = await apply('--dry-run');
    expect(planned.applied).toBe(false);
    expect(planned.changes).toEqual([
      { what: 'create', target: 'role deployer', differences: [] },
      {
        what: 'change',
        target: 'role viewer',
        differences: ['permissions: apps:read → deployments:read'],
      },
      { what: 'create', target: 'team crm', differences: [] },
      { what: 'create', target: 'service account pipeline', differences: [] },
      { what: 'create', target: 'service account board', differences: [] },
    ]);
    expect((await apply('--yes')).changes).toEqual(planned.changes);
    expect((await apply('--yes')).changes).toEqual([]);
  });

  it('neither needs nor makes a token, and leaves one that was issued alone', async () => {
    const issued = await shell.run('account', 'rotate', 'pipeline', '--yes', ...store);
    expect(issued.out).toMatch(/^slp_/);
    writeFileSync(
      shell.path('accounts.yaml'),
      DECLARED.replace('role: none, teams', 'role: viewer, teams'),
    );
    const changed = await shell.run('apply', '-f', 'accounts.yaml', '--yes', ...store);
    expect(changed.out).toContain('~ service account pipeline');
    expect(changed.out).toContain('role: none → viewer');
    expect(changed.out + changed.err).not.toContain('slp_');
    const shown = await shell.json<{ account: { role: string; token: object } }>(
      'account',
      'show',
      'pipeline',
      ...store,
    );
    expect(shown.account).toMatchObject({ role: 'viewer', token: { id: expect.any(String) } });
  });

  it('is refused whole when a part of it cannot be: nothing was changed, dry or not', async () => {
    shell.write(
      'broken.yaml',
      `accounts:
  roles: [{ name: half, permissions: ["apps:read"] }]
  serviceAccounts: [{ name: lone, role: ghost }]
`,
    );
    for (const how of ['--dry-run', '--yes']) {
      const said = await shell.run('apply', '-f', 'broken.yaml', how, ...store);
      expect(said.code).toBe(1);
      expect(said.err).toContain('accounts.serviceAccounts[0].role: there is no role named ghost');
    }
    const { roles } = await shell.json<{ roles: { name: string }[] }>('role', 'list', ...store);
    expect(roles.map(({ name }) => name)).not.toContain('half');
  });

  it('asks before it changes anything, and says where a file is wrong', async () => {
    writeFileSync(shell.path('accounts.yaml'), DECLARED.replace('Deploys', 'Deploys all'));
    expect(await shell.run('apply', '-f', 'accounts.yaml', ...store)).toMatchObject({ code: 2 });
    writeFileSync(
      shell.path('accounts.yaml'),
      DECLARED.replace('role: viewer\n      expiresAt', 'rolle: viewer\n      expiresAt'),
    );
    const wrong = await shell.run('apply', '-f', 'accounts.yaml', ...store);
    expect(wrong.code).toBe(2);
    expect(wrong.err).toContain('accounts.serviceAccounts[1].rolle');
  });
});

describe('a declaration that whoever applies it may not apply whole', () => {
  const shell = new Shell();
  let api: ApiBench;

  beforeAll(async () => {
    api = await openApi();
    const { administration } = api.test;
    const permissions = ['apps:read', 'sallyport:registry:read', 'sallyport:registry:write'];
    await administration.createRole(owner, { name: 'keeper', permissions });
    const { token } = await administration.createServiceAccount(owner, {
      name: 'keeper',
      role: 'keeper',
    });
    Object.assign(shell.env, { SALLYPORT_TOKEN: token });
    shell.write(
      'late.yaml',
      `accounts:
  roles:
    - { name: early, permissions: ["apps:read"] }
    - { name: beyond, permissions: ["deployments:*"] }
  teams: [{ name: third, applications: [CRM] }]
`,
    );
  });
  afterAll(async () => {
    shell.close();
    await api.stop();
  });

  const apply = (...words: string[]) => {
    const server = ['--server', api.url, '--ca-file', api.test.caFile];
    return shell.run('apply', '-f', 'late.yaml', ...server, ...words);
  };

  it('is not begun over --server, and a dry run says the same', async () => {
    for (const how of ['--yes', '--dry-run']) {
      const { code, err } = await apply(how);
      expect([code, err]).toEqual([
        1,
        expect.stringContaining('nothing was changed: role beyond: the role beyond may do more'),
      ]);
    }
    const roles = await api.test.administration.listRoles(owner, {});
    expect(roles.map(({ name }) => name)).not.toContain('early');
  });

  it('is applied over --server where all of it may be', async () => {
    const early = 'accounts:\n  roles: [{ name: early, permissions: ["apps:read"] }]\n';
    shell.write('late.yaml', early);
    expect((await apply('--dry-run')).code).toBe(0);
    expect((await apply('--yes')).code).toBe(0);
    const roles = await api.test.administration.listRoles(owner, {});
    expect(roles.map(({ name }) => name)).toContain('early');
  });

  it('changes nothing where a part of it cannot be done over --server', async () => {
    shell.write(
      'late.yaml',
      `accounts:
  roles: [{ name: fresh, permissions: ["apps:read"] }]
  serviceAccounts: [{ name: bot, role: fresh }]
`,
    );
    expect(await apply('--yes')).toMatchObject({ code: 2 });
    const roles = await api.test.administration.listRoles(owner, {});
    expect(roles.map(({ name }) => name)).not.toContain('fresh');
  });
});

describe('a declaration that names no store', () => {
  const shell = new Shell();
  afterAll(() => shell.close());

  it('goes where every other command goes, and begins no store beside the file', async () => {
    shell.write('sub.yaml', 'accounts: { roles: [{ name: viewer, permissions: ["apps:read"] }] }');
    const nowhere = await shell.run('apply', '-f', 'sub.yaml', '--yes');
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringContaining('which store?')]);
    expect(existsSync(shell.path('data'))).toBe(false);
  });
});

describe('a registry that moves', () => {
  const shell = new Shell();
  let redis: RedisServer | null = null;

  beforeAll(async () => {
    shell.write('here.yaml', EMBEDDED);
    if (findRedisServer() === null) return;
    redis = await startRedis();
    shell.write('there.yaml', `store: { kind: redis, url: "${redis.url}" }\n`);
    shell.write('back.yaml', 'instance: { dataDir: ./back }\nstore: { kind: embedded }\n');
  });
  afterAll(async () => {
    await redis?.stop();
    shell.close();
  });

  it('keeps every token working: embedded to Redis and back', { timeout: 60_000 }, async (ctx) => {
    if (redis === null) return ctx.skip('redis-server is not here');
    const token = await fill(shell);
    const out = await shell.run('registry', 'export', 'registry.ndjson', '--config', 'here.yaml');
    expect(out).toMatchObject({ code: 0 });
    expect(statSync(shell.path('registry.ndjson')).mode & 0o777).toBe(0o600);
    expect(readFileSync(shell.path('registry.ndjson'), 'utf8')).not.toContain('slp_');
    const into = ['registry', 'import', 'registry.ndjson', '--yes', '--config'];
    await shell.json('registry', 'init', '--config', 'there.yaml');
    expect(await shell.run(...into, 'there.yaml')).toMatchObject({ code: 0 });
    expect((await shell.run(...into, 'there.yaml')).err).toContain('Imported 0 records');
    await shell.run('registry', 'export', 'again.ndjson', '--config', 'there.yaml');
    expect(
      await shell.run('registry', 'import', 'again.ndjson', '--yes', '--config', 'back.yaml'),
    ).toMatchObject({ code: 0 });
    const before = await shell.json<object>('account', 'list', '--config', 'here.yaml');
    expect(withoutVersions(await shell.json('account', 'list', '--config', 'back.yaml'))).toEqual(
      withoutVersions(before),
    );
    // Last: the gate of the test brings an account of its own.
    expect(await statusFor(redis, token)).toBe(200);
  });

  it('is not imported from a file that was cut short, nor over other records', async (ctx) => {
    if (redis === null) return ctx.skip('redis-server is not here');
    const whole = readFileSync(shell.path('registry.ndjson'), 'utf8');
    shell.write('short.ndjson', whole.slice(0, whole.lastIndexOf('{"end"')));
    const short = await shell.run(
      'registry',
      'import',
      'short.ndjson',
      '--yes',
      '--config',
      'there.yaml',
    );
    expect([short.code, short.err]).toEqual([2, expect.stringContaining('cut short')]);
    await shell.run(
      'role',
      'edit',
      'tester',
      '--permission',
      'other:all',
      '--config',
      'there.yaml',
    );
    const other = await shell.run(
      'registry',
      'import',
      'registry.ndjson',
      '--yes',
      '--config',
      'there.yaml',
    );
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('another role tester')]);
    // Line and count of the record that stands in the way, so that a long import can be taken up.
    expect(other.err).toMatch(/line \d+: .*; \d+ of \d+ records are in the registry/);
  });

  it('says before it writes what it would bring back to life, and does that only when told to', async (ctx) => {
    if (redis === null) return ctx.skip('redis-server is not here');
    const back = ['--yes', '--config', 'back.yaml'];
    const names = async () =>
      (
        await shell.json<{ accounts: { name: string }[] }>(
          'account',
          'list',
          '--config',
          'back.yaml',
        )
      ).accounts.map(({ name }) => name);
    await shell.run('account', 'delete', 'mover', ...back);
    const refused = await shell.run('registry', 'import', 'again.ndjson', ...back);
    expect(refused).toMatchObject({ code: 1, out: '' });
    expect(refused.err).toMatch(/line \d+: account mover: was deleted/);
    expect(refused.err).toMatch(/1 of \d+ records .* nothing was imported.*--revive-revoked/);
    expect(await names()).not.toContain('mover');
    const done = await shell.run('registry', 'import', 'again.ndjson', '--revive-revoked', ...back);
    expect(done).toMatchObject({ code: 0 });
    expect(done.err).toMatch(/line \d+: account mover: was deleted/);
    expect(await names()).toContain('mover');
    const activity = await shell.run('activity', 'mover', '--json', '--config', 'back.yaml');
    expect(activity.out).toContain('"account-revived"');
  });
});

async function fill(shell: Shell): Promise<string> {
  await shell.run('role', 'create', 'tester', '--permission', 'test:*', '--config', 'here.yaml');
  await shell.run('team', 'create', 'one', '--application', 'CRM', '--config', 'here.yaml');
  const made = await shell.run(
    'account',
    'create',
    'mover',
    '--role',
    'tester',
    '--config',
    'here.yaml',
  );
  await shell.run(
    'account',
    'join',
    'mover',
    '--team',
    'one',
    '--role',
    'tester',
    '--config',
    'here.yaml',
  );
  return made.out.trim();
}

/** What a gate on this Redis answers to the token. */
async function statusFor(redis: RedisServer, token: string): Promise<number> {
  const upstream = await startRawUpstream();
  const gate = await startGateway({
    upstreams: { api: { addresses: [upstream.url] } },
    store: { url: redis.url },
    plaintext: true,
  });
  try {
    const request = `GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`;
    const { text } = await exchange({ port: gate.port, pieces: [request] });
    return Number(text.slice(9, 12));
  } finally {
    await gate.stop();
    await upstream.stop();
  }
}

function withoutVersions(listed: object): unknown {
  return JSON.parse(
    JSON.stringify(listed, (key, value) =>
      key === 'version' || key === 'updatedAt' ? undefined : value,
    ),
  );
}
