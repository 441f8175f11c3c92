import { existsSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { EMBEDDED, Shell } from '../../support/shell.ts';

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
  });
});
