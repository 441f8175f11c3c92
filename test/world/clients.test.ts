import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { CLIENTS, type Client, call } from '../support/clients/client.ts';
import { compileJavaClient } from '../support/clients/java.ts';
import { have } from '../support/system.ts';
import { type GitServer, startGitServer } from '../support/upstreams/git.ts';
import { outsideWhy } from '../support/world/namespace.ts';
import { FRONTS, NAMES } from '../support/world/places.ts';
import { requireWorld } from '../support/world/require.ts';
import { startWorld, type World } from '../support/world/world.ts';

const PARTS = ['redis-server', 'nginx', 'haproxy'] as const;
const JAVA = "Java's HttpClient";
const NAMES_OF_CLIENTS = [...CLIENTS.map(({ name }) => name), JAVA];

let world: World;
let git: GitServer;
let java: Client | null = null;
let folder = '';

beforeAll(async () => {
  if (outsideWhy() !== null || !PARTS.every(have)) return;
  folder = mkdtempSync(join(tmpdir(), 'sallyport-callers-'));
  writeFileSync(join(folder, 'body'), 'a small body');
  java = compileJavaClient(folder);
  git = await startGitServer();
  const route = { name: 'git', path: '/sample.git/**', methods: ['GET', 'POST'], upstream: 'git' };
  world = await startWorld({
    upstreams: { git: { addresses: [git.url] } },
    routes: [{ ...route, application: 'any', permission: 'test:all', acceptBasic: true }],
  });
}, 90_000);
afterAll(async () => {
  await world?.stop();
  await git?.stop();
  if (folder !== '') rmSync(folder, { recursive: true, force: true });
});

function clientOf(ctx: TestContext, name: string): Client {
  const found = name === JAVA ? java : CLIENTS.find((client) => client.name === name);
  if (found === undefined || found === null) return ctx.skip('there is no JDK here');
  requireWorld(ctx, ...(found.part === null ? [] : [found.part]));
  return found;
}

describe.each(FRONTS)('%s by its name', (front) => {
  const url = (path: string) => `https://${NAMES[front]}${path}`;

  for (const name of NAMES_OF_CLIENTS)
    it(`lets ${name} read and write, and refuses it without a token`, async (ctx) => {
      requireWorld(ctx);
      const client = clientOf(ctx, name);
      const { token, caFile } = world;
      const headers = { authorization: `Bearer ${token}` };
      const read = await call(client, { method: 'GET', url: url('/who'), caFile, headers });
      expect([read.status, read.text]).toEqual([200, expect.stringContaining(' caller ')]);
      const bodyFile = join(folder, 'body');
      const written = { method: 'PUT', url: url('/who'), caFile, headers, bodyFile } as const;
      expect((await call(client, written)).status).toBe(200);
      expect((await call(client, { method: 'GET', url: url('/who'), caFile })).status).toBe(401);
    });

  it('lets git clone and push with the token as its password', async (ctx) => {
    requireWorld(ctx, 'git');
    const work = join(folder, front);
    const who = ['-c', 'user.name=Sample', '-c', 'user.email=sample@example.com'];
    const own = ['-c', `http.sslCAInfo=${world.caFile}`, ...who];
    const asked = async (...words: readonly string[]) => {
      const env = { PATH: process.env.PATH, HOME: folder, GIT_TERMINAL_PROMPT: '0' };
      const child = spawn('git', [...own, ...words], { env, stdio: 'ignore' });
      return (await once(child, 'close'))[0];
    };
    const at = `https://any-user:${world.token}@${NAMES[front]}/sample.git`;
    expect(await asked('clone', at, work)).toBe(0);
    writeFileSync(join(work, front), 'text');
    expect(await asked('-C', work, 'add', front)).toBe(0);
    expect(await asked('-C', work, 'commit', '--quiet', '-m', front)).toBe(0);
    expect(await asked('-C', work, 'push', 'origin', `HEAD:${front}`)).toBe(0);
    const log = spawnSync('git', ['-C', git.repository, 'log', '--format=%s', '-1', front]);
    expect(log.stdout.toString()).toBe(`${front}\n`);
  });
});
