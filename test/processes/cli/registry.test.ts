import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../support/free-port.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { EMBEDDED, Shell } from '../../support/shell.ts';

const WITHIN = { timeout: 50_000 };

describe('a registry is made and adopted', () => {
  const shell = new Shell();
  const missing = redisMissing();
  let redis: RedisServer;
  beforeAll(async () => {
    shell.write('embedded.yaml', EMBEDDED);
    if (missing !== null) return;
    redis = await startRedis();
    shell.write('manage.yaml', `store: { kind: redis, url: "${redis.url}" }\n`);
  });
  afterAll(async () => {
    shell.close();
    await redis?.stop();
  });

  /** What was done to registries, oldest first. */
  async function recorded(...store: string[]): Promise<Record<string, unknown>[]> {
    const { out } = await shell.run('audit', 'tail', '--phase', 'change', '--json', ...store);
    const events = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return events
      .filter(({ type }) => String(type).startsWith('registry-'))
      .map(({ type, actor, target, before, after }) => ({ type, actor, target, before, after }));
  }

  it('in a Redis by an explicit act only', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const store = ['--config', 'manage.yaml'];
    for (const words of [
      ['account', 'create', 'ci', '--role', 'none'],
      ['account', 'list'],
    ]) {
      const refused = await shell.run(...words, ...store);
      expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('registry init') });
    }
    const { id } = await shell.json<{ id: string }>('registry', 'init', ...store);
    expect(await recorded(...store)).toEqual([
      {
        type: 'registry-made',
        actor: expect.objectContaining({ id: null, kind: 'operator', via: 'command-line' }),
        target: { kind: 'registry', id, name: id },
        before: null,
        after: { registry: id },
      },
    ]);
    expect(await shell.run('registry', 'init', ...store)).toMatchObject({
      code: 1,
      err: expect.stringContaining(id),
    });
    expect(await shell.json('registry', 'init', '--if-none', ...store)).toEqual({
      id,
      made: false,
    });
    const words = ['user', 'create', 'alice', '--role', 'administrator', '--generate-password'];
    expect(await shell.run(...words, ...store)).toMatchObject({ code: 0 });
  });

  it('in a folder that lost its own, and not before it is confirmed', async () => {
    const store = ['--config', 'embedded.yaml'];
    // A folder that has never held one begins by itself.
    await shell.json('account', 'create', 'ci', '--role', 'none', ...store);
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(shell.path(`store/registry.db${suffix}`), { force: true });
    for (const words of [
      ['account', 'list'],
      ['account', 'show', 'ci'],
      ['account', 'create', 'other', '--role', 'none'],
    ]) {
      const refused = await shell.run(...words, ...store);
      expect(refused).toMatchObject({ code: 3, err: expect.stringContaining('registry adopt') });
    }
    const made = await shell.json<{ id: string; servedBefore: string }>(
      'registry',
      'init',
      ...store,
    );
    expect(made.servedBefore).toMatch(/^[0-9a-f-]{36}$/);
    expect((await shell.run('account', 'list', ...store)).code).toBe(3);
    const wrong = await shell.run('registry', 'adopt', made.servedBefore, '--yes', ...store);
    expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining(made.id) });
    expect((await shell.run('registry', 'adopt', 'x', '--yes', ...store)).code).toBe(1);
    expect((await shell.run('registry', 'adopt', made.id, '--yes', ...store)).code).toBe(0);
    expect((await shell.run('account', 'list', ...store)).code).toBe(0);
    expect(existsSync(shell.path('store/registry-embedded.id'))).toBe(true);
    expect(await recorded(...store)).toMatchObject([
      { type: 'registry-made', target: { kind: 'registry', id: made.id }, before: null },
      {
        type: 'registry-adopted',
        target: { kind: 'registry', id: made.id },
        before: { registry: made.servedBefore },
        after: { registry: made.id },
      },
    ]);
  });

  it('for dev, too: where the folder lost its own it answers 503, and says what to do', async () => {
    const lost = '0b1d3c5a-7e9f-4a2b-8c4d-6e8f0a1b2c3d';
    mkdirSync(shell.path('data'), { mode: 0o700 });
    writeFileSync(shell.path('data/registry-embedded.id'), `${lost}\n`, { mode: 0o600 });
    const ports = [await freePort(), await freePort(), await freePort()] as const;
    const [port, adminPort, opsPort] = ports.map(String) as [string, string, string];
    const dev = shell.start(
      ...['dev', '--port', port, '--admin-port', adminPort, '--ops-port', opsPort],
    );
    await expect.poll(() => dev.err(), WITHIN).toContain('registry init');
    expect(dev.err()).toContain(`has served the registry ${lost}`);
    const ready = await fetch(`http://127.0.0.1:${opsPort}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([
      503,
      expect.stringContaining('registry init'),
    ]);
    const { id } = await shell.json<{ id: string }>('registry', 'init');
    await expect.poll(() => dev.err(), WITHIN).toContain(`registry adopt ${id}`);
    expect((await shell.run('registry', 'adopt', id, '--yes')).code).toBe(0);
    await expect.poll(() => dev.out() + dev.err(), WITHIN).toContain('Ctrl-C ends it.');
    expect((await recorded()).map(({ type }) => type)).toContain('registry-adopted');
    dev.process.kill('SIGTERM');
    expect(await dev.ended).toBe(0);
  });
});
