import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { until } from '../../contract/registry.ts';
import { EMBEDDED, owner, Shell } from '../../support/shell.ts';

/** Of util-linux: runs a command on a terminal of its own. */
const TERMINAL = 'script';
const LIMIT_MS = 50_000;

describe('a command on a terminal', () => {
  const shell = new Shell();
  const silent = createServer();

  beforeAll(async () => {
    shell.write('sallyport.yaml', EMBEDDED);
    await shell.prepare((admin) =>
      admin.createRole(owner, { name: 'viewer', permissions: ['apps:read'] }),
    );
    const tokens = '$SALLYPORT_TOKEN$OF_CONTEXT$STRAY';
    shell.write('pager', `#!/bin/sh\necho "paged by $LESS, token ${tokens}."; cat\n`);
    shell.write('broken', '#!/bin/sh\nexec 0<&-; exit 5\n');
    for (const name of ['pager', 'broken']) chmodSync(shell.path(name), 0o755);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });
  afterAll(() => {
    silent.close();
    shell.close();
  });
  beforeEach((ctx) => {
    if (spawnSync(TERMINAL, ['--version'], { stdio: 'ignore' }).status !== 0)
      ctx.skip('script (of util-linux) is not installed');
  });

  const start = (words: string, env: Readonly<Record<string, string>> = {}) => {
    const line = `trap : INT; stty rows 10 cols 60; ${process.execPath} ${shell.main} ${words}; echo "code $?"`;
    const child = spawn(TERMINAL, ['-qec', line, '/dev/null'], {
      cwd: shell.folder,
      env: { ...shell.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    const ended = once(child, 'close');
    return {
      out: () => out,
      type: (text: string) => child.stdin.write(text),
      whole: async () => {
        await ended;
        return out.replaceAll('\r', '');
      },
    };
  };

  it('is read by the pager that was chosen, which gets no token', async () => {
    const url = 'https://gate.example:9443';
    await shell.run('context', 'add', 'far', '--server', url, '--token-env', 'OF_CONTEXT');
    const stray = `Bearer ${newToken('0123456789ab')}`;
    const secrets = { SALLYPORT_TOKEN: 'slp_x', OF_CONTEXT: 'slp_y', STRAY: stray };
    const env = { SALLYPORT_PAGER: './pager', ...secrets };
    const paged = await start('role list --config sallyport.yaml', env).whole();
    expect(paged).toContain('paged by FRX, token .\n');
    expect(paged).toMatch(/\nviewer .*\n[\s\S]*code 0/);
    const whole = await start('role list --no-pager --config sallyport.yaml', env).whole();
    expect(whole).not.toContain('paged');
    expect(whole).toMatch(/\nviewer /);
    const fitting = await start('role list --config sallyport.yaml', { PAGER: 'no-such' }).whole();
    expect(fitting).toMatch(/\nviewer [\s\S]*code 0/);
  });

  it('does not pass over that the pager is broken', async () => {
    const lost = start('role list --config sallyport.yaml', { SALLYPORT_PAGER: './broken' });
    expect(await lost.whole()).toMatch(/pager \(\.\/broken\) failed with code 5[\s\S]*code 1/);
  });

  it('draws what is watched over what it was, until Ctrl-C', async () => {
    const watching = start('role list --watch 1 --config sallyport.yaml');
    // Up again by as many lines as there are: a heading and three roles.
    await until(async () => watching.out().includes('\u001b[4A'), LIMIT_MS);
    watching.type('\u0003');
    expect(await watching.whole()).toMatch(/code 0/);
  });

  it('shows that it waits, there and not in a pipe', async () => {
    const { port } = silent.address() as AddressInfo;
    const words = ['role', 'list', '--no-pager', '--server', `https://127.0.0.1:${port}`];
    const env = { SALLYPORT_TOKEN: newToken('BHrnhEWdrFUD') };
    const waiting = start(words.join(' '), env);
    await until(async () => waiting.out().includes(`asking https://127.0.0.1:${port}`), LIMIT_MS);
    waiting.type('\u0003');
    await waiting.whole();
    const dumb = start(words.join(' '), { ...env, TERM: 'dumb' });
    const connected = once(silent, 'connection');
    await connected;
    dumb.type('\u0003');
    expect(await dumb.whole()).not.toContain('asking');
  });

  it('names the place in its question', async () => {
    await shell.run('context', 'add', 'here', '--config', 'sallyport.yaml');
    const asked = start('role delete viewer --context here');
    await until(async () => asked.out().includes('[y/N]'), LIMIT_MS);
    expect(asked.out()).toContain(`On here (${shell.path('sallyport.yaml')}): Delete the role`);
    asked.type('n\r');
    expect(await asked.whole()).toContain('nothing was changed');
    expect(existsSync(shell.path('.config/sallyport/contexts.yaml'))).toBe(true);
  });
});
