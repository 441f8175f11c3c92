import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { THROTTLE } from '../../src/console/throttle.ts';
import { Browser, PASSWORD } from '../support/console.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';

/** Two gates that share a Redis, each with a console, as the user that may administer. */
describe('consoles of two gates over one Redis', () => {
  const missing = redisMissing();
  let redis: RedisServer;
  let users: RedisUsers;
  let gates: readonly TestGateway[] = [];

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    redis = await startRedis({ aclFile: users.aclFile });
    gates = [await start(), await start()];
    await gates[0]!.administration.createUser(owner, {
      name: 'ada',
      role: 'administrator',
      password: PASSWORD,
    });
  });
  afterAll(async () => {
    for (const gate of gates) await gate.stop();
    if (missing !== null) return;
    await redis.stop();
    await users.remove();
  });
  beforeEach((ctx) => {
    if (missing !== null) ctx.skip(missing);
  });

  const start = () =>
    startGateway({
      upstreams: { nowhere: { addresses: ['http://127.0.0.1:9'] } },
      store: { url: redis.url, ...users.manager },
      admin: {},
    });
  const at = (index: number) => new Browser(gates[index]!.gateway.addresses.admin!.port);

  it('share their sessions, and end them together', async () => {
    const [first, second] = [at(0), at(1)];
    expect((await first.signIn('ada', PASSWORD)).status).toBe(303);
    second.cookie = first.cookie;
    const page = async () => {
      const { status, text } = await second.get('/instances');
      return [status, text.match(/Up to date/g)?.length];
    };
    // The last change may still be on its way to one of them.
    await expect.poll(page).toEqual([200, 2]);
    await second.submit('/profile', '/sign-out');
    expect((await first.get('/instances')).status).toBe(303);
  });

  it('record who signed in, and who only tried', async () => {
    await at(1).signIn('ada', 'not the password');
    await expect
      .poll(async () =>
        (await gates[0]!.events())
          .filter(({ phase }) => phase === 'sign-in')
          .map(({ reason }) => reason),
      )
      .toEqual(expect.arrayContaining(['signed-in', 'signed-out', 'password-wrong']));
  });

  it('say in what is shown of a rotation that both gates have applied it', async () => {
    const browser = at(0);
    await browser.signIn('ada', PASSWORD);
    const path = `/service-accounts/${gates[0]!.account.name}/new-token`;
    const { text, status } = await browser.submit(path, path);
    expect(status).toBe(200);
    expect(text).toMatch(/In force on all 2 running gates after \d/);
  });

  it('count wrong passwords together, and a restart forgets none', async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < THROTTLE.perNameAndAddress; guess += 1)
      statuses.push((await at(guess % 2).signIn('grace', `wrong password ${guess}`)).status);
    expect(statuses).toEqual(statuses.map(() => 401));
    expect((await at(0).signIn('grace', PASSWORD)).status).toBe(429);
    expect((await at(1).signIn('grace', PASSWORD)).status).toBe(429);
    const third = await start();
    const { status, headers } = await new Browser(third.gateway.addresses.admin!.port).signIn(
      'grace',
      PASSWORD,
    );
    await third.stop();
    expect(status).toBe(429);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
  });

  it('let nobody try a password while the store is away', async () => {
    redis.pause();
    const answer = await at(0).signIn('ada', PASSWORD);
    redis.resume();
    expect([answer.status, answer.text]).toEqual([
      503,
      expect.stringContaining('The store cannot be reached now'),
    ]);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    expect(answer.headers['set-cookie']).toBeUndefined();
    await expect
      .poll(async () => (await at(0).signIn('ada', PASSWORD)).status, { timeout: 10_000 })
      .toBe(303);
  });

  it('say that the store is away instead of that nobody may enter', async () => {
    const browser = at(0);
    await browser.signIn('ada', PASSWORD);
    redis.pause();
    const answer = await browser.get('/profile');
    redis.resume();
    expect(answer.status).toBe(503);
    expect(answer.text).toContain('The store cannot be reached now');
    await expect
      .poll(async () => (await browser.get('/profile')).status, { timeout: 10_000 })
      .toBe(200);
  });
});
