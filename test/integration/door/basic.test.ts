import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newToken } from '../../../src/account/token.ts';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { requireOrSkip } from '../../support/system.ts';
import { startGitServer } from '../../support/upstreams/git.ts';
import { startDoor } from './door.ts';

const ROUTE = {
  name: 'git',
  path: '/**',
  methods: ['GET', 'POST', 'OPTIONS'],
  application: 'any',
  permission: 'test:all',
  upstream: 'raw',
};
const BASIC = { ...ROUTE, acceptBasic: true };
const pair = (user: string, password: string) =>
  `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

async function run(folder: string, program: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(program, args, {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, GIT_TERMINAL_PROMPT: '0' },
  });
  let text = '';
  child.stdout.on('data', (piece) => {
    text += piece;
  });
  child.stderr.on('data', (piece) => {
    text += piece;
  });
  const [code] = await once(child, 'close');
  return `${text}exit ${code}`;
}

it('lets git clone and push with the token as its password, and says in the record how', async (ctx) => {
  requireOrSkip(ctx, 'git');
  const server = await startGitServer();
  const gate = await startGateway({
    upstreams: { git: { addresses: [server.url] } },
    routes: [{ ...BASIC, upstream: 'git' }],
  });
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-clone-'));
  try {
    const work = join(folder, 'work');
    const git = (...args: readonly string[]) =>
      run(existsSync(work) ? work : folder, 'git', '-c', `http.sslCAInfo=${gate.caFile}`, ...args);
    const url = (password: string) =>
      `https://any-user:${password}@localhost:${gate.port}/sample.git`;
    expect(await git('clone', url(newToken('AAAAAAAAAAAA')), work)).toMatch(/exit 128$/);
    expect(await git('clone', url(gate.token), work)).toMatch(/exit 0$/);
    writeFileSync(join(work, 'file'), 'text');
    const who = ['-c', 'user.name=Sample', '-c', 'user.email=sample@example.com'];
    await git('add', 'file');
    await git(...who, 'commit', '--quiet', '-m', 'A file');
    expect(await git('push', 'origin', 'HEAD:main')).toMatch(/exit 0$/);
    const { stdout } = spawnSync('git', ['-C', server.repository, 'log', '--format=%s', 'main']);
    expect(stdout.toString()).toBe('A file\n');
    await expectRecorded(gate);
  } finally {
    await gate.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

async function expectRecorded(gate: TestGateway): Promise<void> {
  const events = await gate.events();
  const decisions = events.filter(({ phase, type }) => phase === 'decision' && type === 'call');
  const seen = new Set(decisions.map(({ reason, scheme }) => `${reason} ${scheme}`));
  expect(seen).toEqual(
    new Set(['token-missing undefined', 'token-unknown basic', 'permitted basic']),
  );
  const text = JSON.stringify(events) + gate.log.join('');
  expect(text).not.toContain(gate.token);
  expect(text).not.toContain('any-user');
}

it.for([
  ['--http1.1', '1\\.1'],
  ['--http2', '2'],
] as const)(
  'challenges for Basic beside Bearer, on such routes alone (%s)',
  async ([http, version], ctx) => {
    requireOrSkip(ctx, 'curl');
    const door = await startDoor({
      tls: true,
      gateway: {
        http2: { enabled: true },
        routes: [
          { ...BASIC, path: '/git/**' },
          { ...ROUTE, name: 'other' },
        ],
      },
    });
    const curl = async (path: string, ...args: readonly string[]) => {
      const words = ['-si', http, '--cacert', door.gate.caFile, `${door.gate.url}${path}`, ...args];
      return run('/tmp', 'curl', ...words);
    };
    const ends = (status: number) => new RegExp(`^HTTP/${version} ${status} `, 'm');
    const asked = await curl('/git/x');
    expect(asked).toMatch(ends(401));
    expect(asked).toMatch(/^WWW-Authenticate: Bearer realm="sallyport"\r$/im);
    expect(asked).toMatch(/^WWW-Authenticate: Basic realm="sallyport", charset="UTF-8"\r$/im);
    expect(await curl('/git/x', '--anyauth', '-u', `me:${door.gate.token}`)).toMatch(ends(200));
    expect(await curl('/x')).not.toContain('Basic');
    expect(await curl('/x', '-u', `me:${door.gate.token}`)).toMatch(ends(401));
    expect(door.upstream.bytes.toString()).not.toContain(door.gate.token);
  },
);

it('says that a token came with a line break, to the caller and in the record, and nothing of it', async () => {
  const door = await startDoor({ gateway: { routes: [BASIC] } });
  const { text } = await door.talk([
    `GET /broken HTTP/1.1\r\nHost: h\r\n${pair('me', `${door.gate.token}\n`)}\r\nConnection: close\r\n\r\n`,
  ]);
  expect(text).toMatch(/^HTTP\/1.1 401 /);
  expect(text).toContain('"detail":"the token ends with a line break"');
  expect(text).toContain('"reason":"token-refused"');
  const [decision] = await door.eventsOf('/broken', 1);
  expect(decision).toMatchObject({
    reason: 'token-malformed',
    detail: 'the token ends with a line break',
    scheme: 'basic',
  });
  expect(door.upstream.requests).toHaveLength(0);
});
