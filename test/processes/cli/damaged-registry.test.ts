import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { type RawUpstream, startRawUpstream } from '../../support/raw-upstream.ts';
import { owner, Shell } from '../../support/shell.ts';

const LIMIT_MS = 50_000;
const PAGE = 4_096;

describe('a gate whose embedded registry is damaged', () => {
  const shell = new Shell();
  const store = ['--config', 'sallyport.yaml'];
  const registry = shell.path('store/registry.db');
  let upstream: RawUpstream;
  let ops = 0;
  const tokens: string[] = [];
  let gate: ReturnType<Shell['start']>;
  let proxy = 0;

  beforeAll(async () => {
    upstream = await startRawUpstream({
      answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' }],
    });
    ops = await freePort();
    shell.write(
      'sallyport.yaml',
      JSON.stringify({
        instance: { name: 'test', dataDir: './store', lameDuckMs: 0, drainMs: 1000 },
        listen: {
          proxy: { address: '127.0.0.1:0', plaintext: true },
          ops: { address: `127.0.0.1:${ops}` },
        },
        store: { kind: 'embedded' },
        // What it knows already it may answer for so long.
        registry: { leaseMs: 3000 },
        upstreams: { api: { addresses: [upstream.url] } },
        routes: [
          {
            name: 'all',
            path: '/**',
            methods: ['GET'],
            application: 'any',
            permission: 'test:all',
            upstream: 'api',
          },
        ],
      }),
    );
    await shell.prepare(async (administration) => {
      const permissions = ['test:*'];
      await administration.createRole(owner, { name: 'tester', description: '', permissions });
      for (const name of ['ci', 'billing', 'nightly']) {
        const facts = { name, description: '', role: 'tester' };
        tokens.push((await administration.createServiceAccount(owner, facts)).token);
      }
    });
  });
  afterAll(async () => {
    shell.close();
    await upstream?.stop();
  });

  async function start(): Promise<void> {
    gate = shell.start('serve', ...store);
    await vi.waitFor(() => expect(gate.err()).toContain('the gate is open'), LIMIT_MS);
    const line = gate
      .err()
      .split('\n')
      .find((one) => one.includes('the gate is open'));
    proxy = (JSON.parse(line ?? '{}') as { proxy: { port: number } }).proxy.port;
  }

  const call = async (token = '') =>
    fetch(`http://127.0.0.1:${proxy}/x`, { headers: { authorization: `Bearer ${token}` } });
  const ready = async () => (await fetch(`http://127.0.0.1:${ops}/readyz`)).status;

  /** Half of each page but the first, as a disk that lies would leave them. */
  function damage(): void {
    const file = openSync(registry, 'r+');
    for (let page = 1; page < statSync(registry).size / PAGE; page += 1)
      writeSync(file, Buffer.alloc(PAGE / 2, 0xa5), 0, PAGE / 2, page * PAGE);
    closeSync(file);
  }

  it('verifies it through its owner while it runs, and tells what does not agree', async () => {
    await start();
    expect(await shell.json('registry', 'verify', ...store)).toMatchObject({
      accounts: 3,
      found: 0,
      findings: [],
    });
    gate.process.kill('SIGTERM');
    await gate.ended;
    const database = new DatabaseSync(registry);
    database.exec("UPDATE list_count SET count = count + 1 WHERE list = 's'");
    database.close();

    await start();
    const verified = await shell.run('registry', 'verify', ...store);
    expect(verified).toMatchObject({
      code: 1,
      out: 'the list of service accounts has 3 and says 4, and there are 3\n',
      err: expect.stringContaining('backup'),
    });
    // It is about lists: calls go on.
    expect((await call(tokens[0])).status).toBe(200);
  });

  it('answers 503 and not 401, is not ready, and says what to do', async () => {
    damage();
    // Known, not met before, and unknown: nobody can be told that they are not there.
    for (const token of [...tokens.slice(1), tokens[0], 'slp_nobody'])
      await vi.waitFor(async () => {
        const answer = await call(token);
        const wrong = token === 'slp_nobody' ? [200, 403] : [401, 403];
        expect(wrong).not.toContain(answer.status);
      }, LIMIT_MS);
    await vi.waitFor(async () => expect(await ready()).toBe(503), LIMIT_MS);
    for (const token of tokens) {
      const answer = await call(token);
      expect(answer.status).toBe(503);
      expect(((await answer.json()) as { reason: string }).reason).toBe('registry-unavailable');
    }
    await vi.waitFor(() => expect(gate.err()).toMatch(/is damaged.*from a backup/), LIMIT_MS);
  });

  it('ends commands with 3 through its owner and beside it, and does not start', async () => {
    const commands = [
      ['account', 'list'],
      ['account', 'show', 'ci'],
    ];
    const tellsDamage = async () => {
      for (const words of commands)
        expect(await shell.run(...words, ...store)).toMatchObject({
          code: 3,
          out: '',
          err: expect.stringContaining('from a backup'),
        });
      const verified = await shell.run('registry', 'verify', ...store);
      expect(verified).toMatchObject({ code: 1, out: expect.stringContaining('is damaged') });
    };
    await tellsDamage();
    gate.process.kill('SIGTERM');
    await gate.ended;
    await tellsDamage();
    const again = await shell.run('serve', ...store);
    expect(again).toMatchObject({ code: 3, err: expect.stringContaining('from a backup') });
  });
});
