import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { projectFiles, ROOT } from '../house/tree.ts';
import { Shell } from '../support/shell.ts';

/** What is read or started at run time, from beside the file that names it. */
const BESIDE =
  /new URL\(\s*['`]\.\/([^'`$]+?)(?:\.[tj]s)?(?:\/?\$\{[^'`]*)?['`],\s*import\.meta\.url/g;

const home = mkdtempSync(join(tmpdir(), 'sallyport-bundle-'));
const app = join(home, 'dist/app');
const upstream = createServer((_request, response) => response.end('done'));

beforeAll(async () => {
  execFileSync(process.execPath, [join(ROOT, 'bin/bundle.ts'), app]);
  copyFileSync(join(ROOT, 'package.json'), join(home, 'package.json'));
  upstream.listen(0, '127.0.0.1');
  await once(upstream, 'listening');
});

afterAll(() => {
  upstream.close();
  rmSync(home, { recursive: true, force: true });
});

describe('the bundle', () => {
  it('holds what the sources read or start from beside them', () => {
    const named = projectFiles('src')
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(ROOT, file), 'utf8'))
      .flatMap((text) => [...text.matchAll(BESIDE)].map((match) => match[1]!));
    const there = (name: string) =>
      existsSync(join(app, name)) || existsSync(join(app, `${name}.js`));
    expect(new Set(named.map((name) => name.split('/')[0]!))).toContain('scripts');
    expect(named.filter((name) => !there(name.split('/')[0]!))).toEqual([]);
  });

  it('serves, administers, reloads and records without a source or a library beside it', async () => {
    const shell = new Shell(join(app, 'main.js'));
    try {
      await serves(shell);
    } finally {
      shell.close();
    }
  });

  it('reads what a process before compiled, and starts where nothing can be kept', () => {
    const compiled = join(app, 'compiled');
    rmSync(compiled, { recursive: true });
    mkdirSync(compiled);
    expect([readsCompiled(), readsCompiled()]).toEqual([false, true]);
    rmSync(compiled, { recursive: true });
    writeFileSync(compiled, '');
    expect([readsCompiled(), readsCompiled()]).toEqual([false, false]);
  });
});

/** Runs it once. @returns whether it took compiled code from the folder */
function readsCompiled(): boolean {
  const { status, stderr } = spawnSync(process.execPath, [join(app, 'main.js'), '--version'], {
    env: { ...process.env, NODE_COMPILE_CACHE: undefined, NODE_DEBUG_NATIVE: 'COMPILE_CACHE' },
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  return /commander-\S+\.js was accepted/.test(stderr);
}

async function serves(shell: Shell): Promise<void> {
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const config = (path: string) => `
instance: { name: test, dataDir: ./store, lameDuckMs: 0, drainMs: 10000 }
listen:
  proxy: { address: "127.0.0.1:0", plaintext: true }
store: { kind: embedded }
upstreams: { api: { addresses: ["http://127.0.0.1:${upstreamPort}"] } }
routes: [{ name: r, path: "${path}/**", methods: [GET], application: any, permission: "r:read", upstream: api }]
`;
  const store = ['--config', 'sallyport.yaml'];
  shell.write('sallyport.yaml', config('/first'));
  const gate = shell.start('serve', ...store);
  await vi.waitFor(() => expect(gate.err()).toContain('the gate is open'), 50_000);
  const opened = gate
    .err()
    .split('\n')
    .find((line) => line.includes('the gate is open'));
  const { port } = (JSON.parse(opened!) as { proxy: { port: number } }).proxy;
  await shell.json('role', 'create', 'reader', '--permission', 'r:read', ...store);
  const { token } = await shell.json<{ token: string }>(
    'account',
    'create',
    'ci',
    '--role',
    'reader',
    ...store,
  );
  expect(await statusOf(port, '/first/x', token)).toBe(200);
  shell.write('sallyport.yaml', config('/second'));
  gate.process.kill('SIGHUP');
  await vi.waitFor(async () => expect(await statusOf(port, '/second/x', token)).toBe(200), 50_000);
  expect((await shell.run('activity', 'ci', ...store)).out).toContain('/second/x');
  gate.process.kill('SIGTERM');
  expect(await gate.ended).toBe(0);
}

async function statusOf(port: number, path: string, token: string): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${token}` };
  const asked = request({ host: '127.0.0.1', port, path, headers, agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}
