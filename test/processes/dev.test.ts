import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Shell } from '../support/shell.ts';
import { requireOrSkip } from '../support/system.ts';

const SALLYPORT = 'npx --no-install sallyport';
/** Not the bundle, which has the optional packages in it. */
const SOURCES = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

describe('sallyport dev', () => {
  const shell = new Shell();
  let running: ReturnType<Shell['start']>;

  async function start(): Promise<string> {
    running = shell.start('dev', '--port', '0', '--admin-port', '0', '--ops-port', '0');
    await vi.waitFor(
      () => expect(running.out() + running.err()).toContain('Ctrl-C ends it.'),
      50_000,
    );
    return running.out();
  }

  async function stop(signal: NodeJS.Signals): Promise<number | null> {
    running.process.kill(signal);
    return running.ended;
  }

  /**
   * A line of the page, pasted into a shell as a person would. Only npx is left out: it looks for
   * the command in this project. It runs on the Node of the tests: the one that the system calls
   * `node` may be older.
   */
  function paste(line: string): string {
    if (line.startsWith(SALLYPORT))
      return `"${process.execPath}" ${shell.main} ${line.slice(SALLYPORT.length)}`;
    return line;
  }

  function sh(line: string) {
    return spawnSync('sh', ['-c', paste(line)], {
      cwd: shell.folder,
      encoding: 'utf8',
      timeout: 50_000,
      env: shell.env,
    });
  }

  function linesOf(page: string): string[] {
    return page
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('curl ') || line.startsWith(SALLYPORT));
  }

  let page = '';
  beforeAll(async () => {
    page = await start();
  });
  afterAll(() => shell.close());

  it('keeps everything in a folder that only its user can enter', () => {
    expect(statSync(shell.path('data')).mode & 0o777).toBe(0o700);
    for (const name of [
      'dev-token',
      'tls.key',
      'registry.db',
      'audit.db',
      'owner.sock',
      'dev.yaml',
    ]) {
      expect([name, statSync(shell.path(`data/${name}`)).mode & 0o777]).toEqual([name, 0o600]);
    }
    expect(page).not.toContain('slp_');
    expect(page).not.toContain('\u001b');
  });

  it('prints lines that work when they are pasted', async (ctx) => {
    requireOrSkip(ctx, 'curl');
    const [letIn = '', refused = '', explain = '', rotate = '', list = ''] = linesOf(page);
    const oldToken = readFileSync(shell.path('data/dev-token'), 'utf8').trim();

    const allowed = sh(letIn);
    expect(JSON.parse(allowed.stdout)).toMatchObject({
      Status: 'running',
      StartedBy: 'ci-pipeline',
      Applications: ['CRM-1.2.0'],
    });
    expect(JSON.parse(sh(refused).stdout)).toMatchObject({
      status: 403,
      reason: 'permission-denied',
    });
    const explained = sh(explain);
    expect(explained).toMatchObject({ stderr: '', signal: null });
    expect(explained.stdout).toMatch(
      /refused: permission-denied[\s\S]*default role of ci-pipeline, viewer/,
    );

    expect(sh(rotate).status).toBe(0);
    expect(JSON.parse(sh(letIn).stdout)).toMatchObject({ Status: 'running' });
    const withOld = sh(letIn.replace(/\$\(cat [^)]*\)/, oldToken));
    expect(JSON.parse(withOld.stdout)).toMatchObject({ status: 401, reason: 'token-refused' });

    expect(sh(list).stdout).toMatch(/^ci-pipeline +active +viewer +customer-apps:deployer/m);
    const activity = sh(`${SALLYPORT} activity ci-pipeline --json`);
    const events = activity.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.filter(({ phase }) => phase === 'decision').map(({ reason }) => reason)).toEqual([
      'permitted',
      'permission-denied',
      'permitted',
    ]);
    expect(events.filter(({ phase }) => phase === 'change').map(({ type }) => type)).toEqual([
      'account-created',
      'token-rotated',
    ]);
  });

  it('shows the upstream who calls, and never the token', async (ctx) => {
    requireOrSkip(ctx, 'curl');
    const gate = /https:\/\/localhost:\d+/.exec(page)?.[0];
    const echoed = sh(
      `curl -s --cacert data/ca.pem -H "Authorization: Bearer $(cat data/dev-token)" -H "X-Account-Name: root" ${gate}/echo`,
    );
    const { headers } = JSON.parse(echoed.stdout) as { headers: Record<string, string> };
    expect(headers).toMatchObject({
      'x-account-name': 'ci-pipeline',
      'x-account-role': 'viewer',
      'x-account-teams': 'customer-apps',
    });
    expect(JSON.stringify(headers)).not.toContain('slp_');
  });

  it('does not start twice over the same folder, and does not disturb the one that runs', async () => {
    const before = readFileSync(shell.path('data/dev.yaml'), 'utf8');
    const second = await shell.run('dev', '--port', '0', '--admin-port', '0', '--ops-port', '0');
    expect(second).toMatchObject({ code: 1, out: '' });
    expect(second.err).toContain('running on ./data already');
    expect(readFileSync(shell.path('data/dev.yaml'), 'utf8')).toBe(before);
  });

  it('ends cleanly, and goes on with its accounts and its token at the next start', async () => {
    await shell.json('account', 'create', 'mine', '--role', 'viewer');
    const token = readFileSync(shell.path('data/dev-token'), 'utf8');
    expect(await stop('SIGINT')).toBe(0);
    expect(page).toMatch(
      /Console +https:\/\/localhost:\d+ +admin, password [\w-]{20} \(shown this once\)/,
    );
    page = await start();
    expect(page).toMatch(
      /Console +https:\/\/localhost:\d+ +admin, with the password shown at the first start/,
    );
    expect(readFileSync(shell.path('data/dev-token'), 'utf8')).toBe(token);
    expect((await shell.run('account', 'list')).out).toMatch(/^mine /m);
    expect(await stop('SIGTERM')).toBe(0);
    // Beside no gate the same command opens the store itself.
    expect((await shell.run('account', 'list')).out).toMatch(/^mine /m);
  });

  it('says which optional package is missing, and how to get it', () => {
    const away = `import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) {
        if (!/^(@peculiar|reflect-metadata)/.test(name)) return next(name, context);
        throw Object.assign(new Error(name), { code: 'ERR_MODULE_NOT_FOUND' });
      } });`;
    const folder = mkdtempSync(join(shell.folder, 'without-'));
    const words = ['dev', '--port', '0', '--admin-port', '0', '--ops-port', '0'];
    const said = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(away)}`, SOURCES, ...words],
      { cwd: folder, env: shell.env, encoding: 'utf8', timeout: 50_000 },
    );
    expect(said).toMatchObject({ status: 2, stdout: '' });
    expect(said.stderr).toMatch(/^sallyport: .*@peculiar\/x509.*npm install --include=optional/m);
    expect(said.stderr).not.toMatch(/^\s+at /m);
  });

  it('names a port that is taken and says how to choose another', async () => {
    const taken: Server = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as { port: number };
    const failed = await shell.run(
      'dev',
      '--port',
      String(port),
      '--admin-port',
      '0',
      '--ops-port',
      '0',
    );
    taken.close();
    expect(failed.code).toBe(2);
    expect(failed.err).toContain(`port ${port} on 127.0.0.1 is already in use`);
    expect(failed.err).toContain('--port');
  });
});
