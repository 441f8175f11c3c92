import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createAdministration } from '../../../src/admin/administration.ts';
import { systemClock } from '../../../src/clock.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { until } from '../../contract/registry.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { openWithRegistry } from '../../support/registry.ts';
import { EMBEDDED, owner, Shell } from '../../support/shell.ts';

const LIMIT_MS = 50_000;

describe('the forms of what a command prints', () => {
  const shell = new Shell();
  const missing = redisMissing();
  let redis: RedisServer | null = null;

  const fill = async (file: string, text: string) => {
    const stores = await openWithRegistry(parseConfig(text, shell.path(file)).config);
    const admin = createAdministration({ ...stores, clock: systemClock, instance: null });
    await admin.createRole(owner, { name: 'viewer', permissions: ['apps:read'] });
    for (const name of ['ci', 'nightly'])
      await admin.createServiceAccount(owner, { name, role: 'viewer', description: 'a: b' });
    await stores.close();
    shell.write(file, text);
  };
  beforeAll(async () => {
    await fill('embedded.yaml', EMBEDDED);
    if (missing !== null) return;
    redis = await startRedis();
    await fill('redis.yaml', `store: { kind: redis, url: "${redis.url}" }\n`);
  });
  afterAll(async () => {
    shell.close();
    await redis?.stop();
  });

  it.each(['embedded', 'redis'])('are the same things in other words (%s)', async (store) => {
    if (store === 'redis' && missing !== null) return;
    const list = async (form: string) => {
      const said = ['account', 'list', '--config', `${store}.yaml`, '-o', form];
      const { code, out, err } = await shell.run(...said);
      expect([code, err]).toEqual([0, '']);
      return out;
    };
    const { accounts } = JSON.parse(await list('json')) as {
      readonly accounts: readonly { readonly name: string; readonly id: string }[];
    };
    const ids = accounts.map(({ id }) => id);
    expect(accounts.map(({ name }) => name)).toEqual(['ci', 'nightly']);
    // All further forms are made of the same values, whatever the store.
    if (store === 'redis') return;
    expect(parse(await list('yaml'))).toEqual({ accounts });
    expect(await list('name')).toBe('ci\nnightly\n');
    expect(await list('jsonpath={.accounts[*].id}')).toBe(ids.map((id) => `${id}\n`).join(''));
    const wide = (await list('wide')).trimEnd().split('\n');
    expect(wide[0]).toMatch(/^NAME +ID +KIND .* DESCRIPTION$/);
    expect(wide.slice(1).map((row) => row.split(/ {2,}/)[1])).toEqual(ids);
    const csv = (await list('csv')).split('\r\n');
    expect(csv.slice(1, -1).map((row) => row.split(',')[1])).toEqual(ids);
  });

  it('are names of what can be shown by them', async () => {
    for (const group of ['account', 'role']) {
      const names = await shell.run(group, 'list', '-o', 'name', '--config', 'embedded.yaml');
      const [last = ''] = names.out.trimEnd().split('\n').slice(-1);
      const shown = await shell.run(group, 'show', last, '-o', 'name', '--config', 'embedded.yaml');
      expect(shown).toEqual({ code: 0, out: `${last}\n`, err: '' });
    }
  });

  it('are refused where a command has no such form, and where two are said', async () => {
    for (const [words, message] of [
      [['-o', 'csv'], /knows json, yaml, name, jsonpath=PATH/],
      [['-o', 'jsonpath={range .roles}'], /Say a path such as/],
      [['-o', 'yaml', '--json'], /--json' cannot be used with/],
    ] as const) {
      const said = await shell.run('role', 'show', 'viewer', ...words);
      expect([said.code, said.out]).toEqual([2, '']);
      expect(said.err).toMatch(message);
    }
  });

  it('are printed again while they are watched, when something has changed', async (ctx) => {
    if (missing !== null) return ctx.skip(missing);
    const place = ['--config', 'redis.yaml'];
    const watching = shell.start('role', 'list', '-o', 'name', '--watch', '1', ...place);
    await until(async () => watching.out().includes('viewer'), LIMIT_MS);
    expect((await shell.run('role', 'create', 'new', '--permission', 'a:b', ...place)).code).toBe(
      0,
    );
    await until(async () => watching.out().includes('new'), LIMIT_MS);
    watching.process.kill('SIGINT');
    expect(await watching.ended).toBe(0);
    expect(watching.err()).toBe('');
    const [, first, second, ...more] = watching.out().split(/^--- \d{4}-\d\d-\d\dT[\d:.]+Z\n/m);
    const names = [first, second].map((text = '') => text.trim().split('\n').sort());
    expect(names).toEqual([
      ['administrator', 'none', 'viewer'],
      ['administrator', 'new', 'none', 'viewer'],
    ]);
    expect(more).toEqual([]);
  });
});
