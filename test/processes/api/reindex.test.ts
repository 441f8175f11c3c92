import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { storeOwner } from '../../../src/admin/actor.ts';
import { connectServer } from '../../../src/admin/remote/server-control.ts';
import { parseConfig } from '../../../src/config/load.ts';
import { type ApiBench, openApi } from '../../support/api/api.ts';
import { asAdmin } from '../../support/redis-replication.ts';
import { findRedisServer, startRedis } from '../../support/redis-server.ts';
import { openWithRegistry } from '../../support/registry.ts';
import { Shell } from '../../support/shell.ts';

const PATH = '/audit/reindex';
const actor = storeOwner('somebody', 'command-line');

function remote({ url, ca, administrator }: ApiBench) {
  const server = connectServer({ url: new URL(url), ca, token: administrator.token });
  onTestFinished(() => server.close());
  return server.control;
}

describe.runIf(findRedisServer() !== null)('activity logs over the API', () => {
  it('are made anew by the gate, of one account or of all, one at a time', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const api = await openApi({ store: { kind: 'redis', url: redis.url } });
    onTestFinished(() => api.stop());
    for (let n = 0; n < 20; n += 1) await api.call('GET', '/roles');
    await api.test.events();
    const [key = ''] = await asAdmin(redis, null, async (root) => {
      const keys = (await root.call('KEYS', '*:activity:*')) as string[];
      await root.call('DEL', ...keys);
      return keys;
    });
    const lengthOf = (name: string) =>
      asAdmin(redis, null, async (root) => Number(await root.call('XLEN', name)));
    const { administration, reindexing } = remote(api);
    expect(await administration.reindexState(actor, {})).toEqual({ running: null, last: null });
    const id = key.split(':').at(-1)!;
    const one = await reindexing.run(actor, { account: { id } });
    expect(one).toMatchObject({ needed: true, accounts: 1 });
    expect(one.events).toBeGreaterThanOrEqual(40);
    expect(await lengthOf(key)).toBeGreaterThanOrEqual(one.events);
    const answers = await Promise.all([1, 2, 3].map(() => api.call('POST', PATH)));
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409, 409]);
    const nobody = await api.call('POST', PATH, { body: { account: { name: 'nobody' } } });
    expect(nobody).toMatchObject({ status: 404 });
    await vi.waitFor(
      async () =>
        expect(await administration.reindexState(actor, {})).toMatchObject({
          running: null,
          last: { number: 2, fault: null, result: { needed: true } },
        }),
      20_000,
    );
    // Nothing unfinished is left behind.
    const left = asAdmin(redis, null, (root) => root.call('KEYS', '*activity-new*'));
    expect(await left).toEqual([]);
  });
});

describe('the embedded store', () => {
  it('has no activity logs to make anew, over the API', async () => {
    const api = await openApi();
    onTestFinished(() => api.stop());
    const nothing = { needed: false, accounts: 0, events: 0 };
    expect(await remote(api).reindexing.run(actor, { account: null })).toEqual(nothing);
  });

  it('says so on the command line', async () => {
    const shell = new Shell();
    onTestFinished(() => shell.close());
    const dataDir = shell.path('data');
    const text = JSON.stringify({ store: { kind: 'embedded' }, instance: { dataDir } });
    shell.write('manage.yaml', text);
    await (await openWithRegistry(parseConfig(text, 'manage.yaml').config)).close();
    expect(await shell.run('audit', 'reindex', '--config', 'manage.yaml')).toMatchObject({
      code: 0,
      out: expect.stringContaining('the record itself is read'),
    });
  });
});
