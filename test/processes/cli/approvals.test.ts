import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { owner, Shell } from '../../support/shell.ts';

const CONFIG = `
instance: { name: test, dataDir: ./store }
store: { kind: embedded }
console: { approvals: { roles: [administrator, release] } }
`;

describe('dangerous acts on the command line', () => {
  const shell = new Shell();
  const store = ['--config', 'held.yaml'];

  beforeAll(async () => {
    shell.write('held.yaml', CONFIG);
    await shell.prepare(async (admin) => {
      await admin.createRole(owner, { name: 'release', permissions: ['releases:*'] });
      await admin.createRole(owner, { name: 'viewer', permissions: ['a:read'] });
      await admin.createServiceAccount(owner, { name: 'ci', role: 'viewer' });
    });
  });
  afterAll(() => shell.close());

  it('wait for a second administrator, are told of, and withdrawn', async () => {
    const held = await shell.run('account', 'edit', 'ci', '--role', 'release', ...store);
    expect(held).toMatchObject({ code: 1, out: '' });
    const [id = ''] = /[0-9a-f]{12}/.exec(held.err) ?? [];
    expect(held.err).toContain('nothing is changed yet');
    const listed = await shell.run('approval', 'list', ...store);
    expect(listed.out).toMatch(new RegExp(`${id} .* release .*account ci`));
    const shown = await shell.run('approval', 'show', id, ...store);
    expect(shown.out).toContain('role: viewer → release');
    const own = await shell.run('approval', 'approve', id, '--yes', ...store);
    expect([own.code, own.err]).toEqual([1, expect.stringContaining('proposed this yourself')]);
    expect(await shell.run('approval', 'withdraw', id, ...store)).toMatchObject({ code: 2 });
    expect(await shell.run('approval', 'withdraw', id, '--yes', ...store)).toMatchObject({
      code: 0,
    });
  });

  it('are made without approval where that is said', async () => {
    const wanted = ['account', 'create', 'boss', '--role', 'administrator', ...store];
    const refused = await shell.run(...wanted);
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('--without-approval')]);
    expect(await shell.run(...wanted, '--without-approval')).toMatchObject({ code: 0 });
  });

  it('are looked into by check: who could approve what, and which role is not there', async () => {
    shell.write('odd.yaml', CONFIG.replace('release]', 'release, lost]'));
    const { findings } = await shell.json<{ findings: readonly { found: string }[] }>(
      ...['check', '--config', 'odd.yaml', '--connect'],
    );
    expect(findings.map(({ found }) => found)).toEqual([
      expect.stringContaining('one account alone could approve a change to administrator'),
      expect.stringContaining('one account alone could approve a change to release'),
      expect.stringContaining('there is no role lost'),
    ]);
  });

  it('say what they would do, and do nothing, with --dry-run', async () => {
    const dry = await shell.run('account', 'deactivate', 'ci', '--dry-run', ...store);
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toContain('status: active → inactive');
    expect(dry.out).toContain('ci (0 calls in 24 h, never let in): everything');
    const told = await shell.json<{ applied: boolean; preview: object }>(
      ...['role', 'edit', 'viewer', '--permission', 'b:read', '--dry-run', ...store],
    );
    expect(told).toMatchObject({
      applied: false,
      preview: { accounts: 1, losers: [{ name: 'ci', loses: ['a:read by default'] }] },
    });
    const shown = await shell.json<{ account: object }>('account', 'show', 'ci', ...store);
    expect(shown.account).toMatchObject({ status: 'active' });
  });

  it('show on a terminal what they would do, ahead of the question', (ctx) => {
    const line = `${process.execPath} ${shell.main} account deactivate ci --config held.yaml`;
    const asked = spawnSync('script', ['-qec', line, '/dev/null'], {
      ...{ cwd: shell.folder, env: { ...shell.env, TERM: 'dumb' } },
      ...{ input: 'n\n', encoding: 'utf8', timeout: 50_000 },
    });
    if (asked.error !== undefined) return ctx.skip('script(1) is not installed');
    const text = asked.stdout;
    expect(text.indexOf('everything: it is let in nowhere')).toBeGreaterThan(-1);
    expect(text.indexOf('Deactivate ci?')).toBeGreaterThan(text.indexOf('everything'));
    expect(text).toContain('nothing was changed');
    expect(asked.status).toBe(1);
  });
});
