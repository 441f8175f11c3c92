import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { UsageTop } from '../../../src/admin/usage.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { Shell } from '../../support/shell.ts';

/** Of util-linux: runs a command on a terminal of its own. */
const TERMINAL = 'script';
const PATIENCE = { timeout: 20_000, interval: 50 };

/** The other screen of a terminal, and the way back with a cursor. */
const ENTER = '\u001b[?1049h';
const LEAVE = '\u001b[?25h\u001b[?1049l';

describe('sallyport top', () => {
  const shell = new Shell();
  let upstream: Server;
  let gate: TestGateway;
  let store: readonly string[];
  let reader: string;
  const terminals = new Set<ChildProcess>();

  beforeAll(async () => {
    upstream = createServer((_asked, answer) => answer.end('hello')).listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    const route = (name: string, path: string, permission: string) => ({
      ...{ name, path, permission, upstream: 'api', application: '{application}' },
      methods: ['GET'],
    });
    gate = await startGateway({
      plaintext: true,
      admin: {},
      upstreams: {
        api: { addresses: [`http://127.0.0.1:${(upstream.address() as AddressInfo).port}`] },
      },
      routes: [
        route('apps', '/apps/{application}', 'test:read'),
        route('secrets', '/secrets/{application}', 'nobody:has'),
      ],
    });
    store = ['--config', shell.write('gate.yaml', gate.text)];
    const call = async (token: string, path: string, times: number) => {
      const headers = { authorization: `Bearer ${token}` };
      for (let n = 0; n < times; n += 1)
        await (await fetch(`${gate.url}${path}`, { headers })).arrayBuffer();
    };
    const busy = await gate.createAccount({ name: 'busy-pipeline', role: 'tester' });
    const stray = await gate.createAccount({ name: 'stray-job', role: 'tester' });
    await call(busy.token, '/apps/CRM', 9);
    await call(stray.token, '/secrets/HR', 4);
    ({ token: reader } = await gate.createAccount({ name: 'reader', role: 'administrator' }));
  });
  afterEach(() => {
    for (const terminal of terminals) terminal.kill('SIGKILL');
    terminals.clear();
  });
  afterAll(async () => {
    shell.close();
    await gate?.stop();
    upstream.close();
  });

  /** What stands on the terminal in the end, beside what was on it; keys go in by `press`. */
  const onTerminal = (words: string) => {
    const line = `stty cols 110 rows 20; ${process.execPath} ${shell.main} top ${words} ${store.join(' ')}; echo "code=$?"; stty -a`;
    const terminal = spawn(TERMINAL, ['-qefc', line, '/dev/null'], {
      cwd: shell.folder,
      env: { ...shell.env, TERM: 'xterm-256color', SHELL: '/bin/sh', LANG: 'C.UTF-8' },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    terminals.add(terminal);
    let text = '';
    terminal.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    const ended = once(terminal, 'close');
    return {
      seen: () => text,
      /** What was drawn last. */
      last: () => text.slice(text.lastIndexOf('\u001b[H')),
      press: (keys: string) => void terminal.stdin.write(keys),
      ended,
    };
  };
  const needsTerminal = (ctx: { skip(why: string): void }) => {
    if (spawnSync(TERMINAL, ['--version'], { stdio: 'ignore' }).status !== 0)
      ctx.skip('script (of util-linux) is not installed');
  };

  it('prints one table into a pipe, and ends', async () => {
    const { code, out, err } = await shell.run('top', ...store);
    expect([code, err]).toEqual([0, expect.stringMatching(/: 13 calls, 4 refused \(30\.8 %\)/)]);
    const [heading, first, second, ...rest] = out.split('\n');
    expect(heading).toMatch(/^ACCOUNT +CALLS +REFUSED +IN +OUT +P50 +P99 +CALLS OVER TIME$/);
    expect(first).toMatch(/^busy-pipeline +9 +0 +0 B +45 B +[\d.]+ m?s +[\d.]+ m?s /);
    expect(second).toMatch(/^stray-job +4 +4 /);
    expect(rest).toEqual(['']);
    expect(out).not.toContain('\u001b');
  });

  it('answers in JSON and CSV, of applications and routes, in any order', async () => {
    const top = await shell.json<UsageTop>('top', 'routes', '--by', 'refused', ...store);
    expect(top.items.map(({ name, refused }) => [name, refused])).toEqual([['secrets', 4]]);
    const csv = await shell.run('top', 'applications', '--csv', '--limit', '1', ...store);
    expect(csv.out.split('\r\n')).toEqual([
      'name,id,calls,missed,refused,requestBytes,responseBytes,p50Ms,p99Ms',
      expect.stringMatching(/^CRM,CRM,9,0,0,0,45,/),
      '',
    ]);
    const nothing = await shell.run('top', '--until', '2d', '--since', '3d', ...store);
    expect(nothing).toMatchObject({ code: 0, out: '', err: expect.stringContaining('no calls') });
  });

  it('asks a gate from afar as well', async () => {
    const { port } = gate.gateway.addresses.admin!;
    const child = spawn(
      process.execPath,
      [
        ...[shell.main, 'top', '--json', '--ca-file', gate.caFile],
        ...['--server', `https://localhost:${port}`],
      ],
      { env: { ...shell.env, SALLYPORT_TOKEN: reader }, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    expect((await once(child, 'close'))[0]).toBe(0);
    const { items } = JSON.parse(Buffer.concat(pieces).toString('utf8')) as UsageTop;
    expect(items.map(({ name, calls }) => [name, calls])).toEqual([
      ['busy-pipeline', 9],
      ['stray-job', 4],
    ]);
  });

  it.each([
    [['top', 'people'], /accounts, applications, routes/],
    [['top', '--every', '10ms'], /1 s at least/],
  ])('%j is wrong usage', async (words, message) => {
    const result = await shell.run(...words, ...store);
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(result.err).toMatch(message);
  });

  it('is live on a terminal, goes by keys, and leaves the terminal as it was', async (ctx) => {
    needsTerminal(ctx);
    const { seen, last, press, ended } = onTerminal('--every 1s');
    await expect.poll(last, PATIENCE).toMatch(/top: accounts by calls, last hour[\s\S]*busy-pipe/);
    expect(last()).toMatch(/13 calls, 4 refused/);
    expect(last()).toMatch(/busy-pipeline +9.*█/);
    press('s');
    await expect.poll(last, PATIENCE).toMatch(/by refused[\s\S]*stray-job/);
    expect(last()).not.toContain('busy-pipeline');
    press('t');
    await expect.poll(last, PATIENCE).toMatch(/applications by refused[\s\S]*HR +4/);
    press('+');
    await expect.poll(last, PATIENCE).toMatch(/last 6 hours/);
    press('q');
    await ended;
    const text = seen();
    expect(text.indexOf(ENTER)).toBeLessThan(text.lastIndexOf(LEAVE));
    const after = text.slice(text.lastIndexOf(LEAVE));
    expect(after).toContain('code=0');
    expect(after).toMatch(/[^-]icanon/);
    expect(after).toMatch(/[^-]echo /);
  });

  it('leaves the terminal as it was by Ctrl-C too', async (ctx) => {
    needsTerminal(ctx);
    const { seen, last, press, ended } = onTerminal('routes');
    await expect.poll(last, PATIENCE).toMatch(/routes by calls[\s\S]*apps +9/);
    press('\u0003');
    await ended;
    const after = seen().slice(seen().lastIndexOf(LEAVE));
    expect(after).toContain('code=0');
    expect(after).toMatch(/[^-]icanon/);
  });
});
