import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startGateway, type TestGateway } from '../../support/gateway.ts';
import { type RedisServer, redisMissing, startRedis } from '../../support/redis-server.ts';
import { Shell } from '../../support/shell.ts';

/** The command line with the store alone, beside a gate that runs. */
describe('explain and who-can without a file of routes', () => {
  const missing = redisMissing();
  const shell = new Shell();
  const store = ['--config', 'manage.yaml'];
  let redis: RedisServer;
  let gate: TestGateway;

  beforeAll(async () => {
    if (missing !== null) return;
    redis = await startRedis();
    const up = { addresses: ['http://127.0.0.1:9'] };
    const at = { kind: 'redis', url: redis.url };
    gate = await startGateway({ upstreams: { up }, store: at, plaintext: true });
    await vi.waitFor(() => expect(gate.gateway.ready).toBe(true), 20_000);
    shell.write('manage.yaml', JSON.stringify({ store: at }));
  });
  afterAll(async () => {
    await gate?.stop();
    await redis?.stop();
    shell.close();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  it('go by those that the gate has published, and say so', async () => {
    const { instance } = gate.gateway;
    const question = ['explain', '--account', gate.account.name, 'GET', '/x'];
    const explained = await shell.run(...question, ...store);
    expect(explained).toMatchObject({ code: 0, out: expect.stringMatching(/^let in/) });
    expect(explained.err).toContain(`by the routes of ${instance}, in force there since `);
    const who = await shell.run('who-can', 'GET', '/x', ...store);
    expect(who.out).toContain(gate.account.name);
    expect(who.err).toContain(`by the routes of ${instance}`);
    const answer = await shell.json(...question, '--instance', instance, ...store);
    expect(answer).toMatchObject({ allowed: true, routes: { instance, differing: 0 } });
    const nobody = await shell.run(...question, '--instance', 'nobody-1', ...store);
    expect(nobody).toMatchObject({ code: 1, out: '' });
    expect(nobody.err).toContain('instance nobody-1 has published no routes');
  });
});
