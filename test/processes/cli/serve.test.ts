import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { Shell } from '../../support/shell.ts';

/** Holds each answer back until it is told to go on. */
const held: (() => void)[] = [];
const upstream = createServer((_request, response) => void held.push(() => response.end('done')));

describe('a gate that is served', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];
  let running: ReturnType<Shell['start']>;
  let port = 0;
  let token = '';

  const config = (routes: string) => `
instance: { name: test, dataDir: ./store, lameDuckMs: 0, drainMs: 10000 }
listen:
  proxy: { address: "127.0.0.1:0", plaintext: true }
  ops: { address: "127.0.0.1:${ops}" }
store: { kind: embedded }
upstreams: { api: { addresses: ["http://127.0.0.1:${(upstream.address() as AddressInfo).port}"] } }
routes:
${routes}`;
  const route = (name: string) =>
    `  - { name: ${name}, path: "/${name}/**", methods: [GET], application: any, permission: ${name}:read, upstream: api }\n`;
  let ops = 0;

  async function start(): Promise<void> {
    running = shell.start('serve', ...store);
    await vi.waitFor(() => expect(running.err()).toContain('the gate is open'), 50_000);
    const opened = running
      .err()
      .split('\n')
      .find((line) => line.includes('the gate is open'));
    port = (JSON.parse(opened ?? '{}') as { proxy: { port: number } }).proxy.port;
  }

  function call(path: string): Promise<{ status: number; body: string }> {
    return new Promise((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port,
        path,
        headers: { authorization: `Bearer ${token}` },
        agent: false,
      });
      asked.once('error', reject).once('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text;
        });
        response
          .once('end', () => resolve({ status: response.statusCode ?? 0, body }))
          .once('error', reject);
      });
      asked.end();
    });
  }

  beforeAll(async () => {
    upstream.listen(0, '127.0.0.1');
    await once(upstream, 'listening');
    ops = await freePort();
    shell.write('sallyport.yaml', config(route('first')));
    await start();
    await shell.json(
      'role',
      'create',
      'reader',
      '--permission',
      'first:read,second:read',
      ...store,
    );
    token = (
      (await shell.json('account', 'create', 'ci', '--role', 'reader', ...store)) as {
        token: string;
      }
    ).token;
  });
  afterAll(async () => {
    for (const go of held) go();
    shell.close();
    upstream.close();
    upstream.closeAllConnections();
  });

  it('is asked whether it is ready', async () => {
    expect(await shell.run('healthcheck', ...store)).toMatchObject({ code: 0, out: 'ready\n' });
  });

  it('takes changes from the command line at once', async () => {
    const rotated = (await shell.json('account', 'rotate', 'ci', '--yes', ...store)) as {
      token: string;
    };
    expect((await call('/first')).status).toBe(401);
    token = rotated.token;
    const answer = call('/first');
    await expect.poll(() => held.length, { timeout: 30_000 }).toBe(1);
    held.shift()?.();
    expect(await answer).toEqual({ status: 200, body: 'done' });
  });

  it('follows its activity while calls come in', async () => {
    const following = shell.start('activity', 'ci', '--follow', '--json', ...store);
    await expect.poll(() => following.out(), { timeout: 30_000 }).toContain('token-rotated');
    expect((await call('/second')).status).toBe(404);
    await expect.poll(() => following.out(), { timeout: 30_000 }).toContain('route-unknown');
    following.process.kill('SIGINT');
    expect(await following.ended).toBe(0);
  });

  it('reads its configuration again on SIGHUP, and keeps the last good one', async () => {
    shell.write('sallyport.yaml', config('  - { name: broken }\n'));
    running.process.kill('SIGHUP');
    await expect.poll(() => running.err(), { timeout: 30_000 }).toContain('routes[0]');
    shell.write('sallyport.yaml', config(route('first') + route('second')));
    running.process.kill('SIGHUP');
    await expect
      .poll(() => running.err(), { timeout: 30_000 })
      .toContain('the configuration was reloaded');
    expect(
      await shell.json('explain', '--account', 'ci', 'GET', '/second', ...store),
    ).toMatchObject({ allowed: true });
  });

  it('finishes the call under way on SIGTERM and exits with 0', async () => {
    const answer = call('/first');
    await expect.poll(() => held.length, { timeout: 30_000 }).toBe(1);
    running.process.kill('SIGTERM');
    await expect.poll(() => running.err(), { timeout: 30_000 }).toContain('asked to stop');
    held.shift()?.();
    expect(await answer).toEqual({ status: 200, body: 'done' });
    expect(await running.ended).toBe(0);
    expect((await shell.run('healthcheck', ...store)).code).toBe(3);
  });

  it('ends at once on a second signal, and not with 0', async () => {
    await start();
    const answer = call('/first').catch((error: Error) => error);
    await expect.poll(() => held.length, { timeout: 30_000 }).toBe(1);
    running.process.kill('SIGTERM');
    await expect.poll(() => running.err(), { timeout: 30_000 }).toContain('asked to stop');
    running.process.kill('SIGTERM');
    expect(await running.ended).toBe(143);
    expect(await answer).toBeInstanceOf(Error);
    held.shift()?.();
  });

  it('names the port that is in use', async () => {
    const other = createServer().listen(ops, '127.0.0.1');
    await once(other, 'listening');
    const failed = await shell.run('serve', ...store);
    other.close();
    expect(failed.code).toBe(2);
    expect(failed.err).toMatch(new RegExp(`127\\.0\\.0\\.1:${ops}.*another process`));
  });

  it('does not begin with a data folder that it cannot use', async () => {
    mkdirSync(shell.path('blocked'));
    shell.write('blocked/store', '');
    shell.write('blocked/sallyport.yaml', config(route('first')));
    const failed = await shell.run('serve', '--config', 'blocked/sallyport.yaml');
    expect(failed.code).toBe(2);
    expect(failed.err).toContain('blocked/store');
  });
});
