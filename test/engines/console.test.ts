import { request } from 'node:https';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { THROTTLE } from '../../src/console/throttle.ts';
import { startSample } from '../../src/sample/start.ts';
import { slotOf } from '../../src/store/redis-slot.ts';
import { Browser, PASSWORD } from '../support/console.ts';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type RedisCluster, startCluster } from '../support/redis-cluster.ts';
import { asAdmin } from '../support/redis-replication.ts';
import { redisMissing } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';

// Six servers that find one another, on a crowded machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

const missing = redisMissing();

/**
 * A console over a real Cluster as `manager`, beside a gate without administration as `gate`: what
 * each keeps is on whichever node has the slot.
 */
describe('the console over a cluster', () => {
  let users: RedisUsers;
  let cluster: RedisCluster;
  let sample: Awaited<ReturnType<typeof startSample>>;
  let managing: TestGateway;
  let serving: TestGateway;
  let token = '';

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    cluster = await startCluster({ aclFile: users.aclFile, admin: users.root });
    sample = await startSample();
    const addresses = cluster.addresses.slice(0, 2).map(({ host, port }) => `${host}:${port}`);
    const asManager = { cluster: addresses, ...users.manager };
    const upstreams = { sample: { addresses: [sample.url] } };
    managing = await startGateway({ upstreams, store: asManager, admin: { foundTokens: true } });
    serving = await startGateway({
      upstreams,
      store: { cluster: addresses, ...users.gate },
      administratorStore: asManager,
    });
    await managing.administration.createUser(owner, {
      name: 'ada',
      role: 'administrator',
      password: PASSWORD,
    });
  });
  afterAll(async () => {
    await serving?.stop();
    await managing?.stop();
    await sample?.close();
    await cluster?.stop();
    await users?.remove();
  });
  beforeEach((context) => {
    if (missing !== null) context.skip(missing);
  });

  const browser = () => new Browser(managing.gateway.addresses.admin!.port);
  const signedIn = async () => {
    const one = browser();
    expect((await one.signIn('ada', PASSWORD)).status).toBe(303);
    return one;
  };

  function ask(
    port: number,
    path: string,
    { bearer, body }: { bearer?: string; body?: object } = {},
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const method = body === undefined ? 'GET' : 'POST';
      const options = {
        host: '127.0.0.1',
        port,
        path,
        method,
        headers,
        rejectUnauthorized: false,
        agent: false,
      };
      const sent = request(options, (response) =>
        response.resume().once('end', () => resolve(response.statusCode ?? 0)),
      );
      sent.once('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Names of all keys, on whichever primary they are. */
  async function keysLike(
    pattern: string,
  ): Promise<readonly { readonly key: string; readonly node: number }[]> {
    const found = await Promise.all(
      cluster.nodes
        .slice(0, 3)
        .map((node, at) =>
          asAdmin(node, users.root, async (root) =>
            ((await root.call('KEYS', pattern)) as string[]).map((key) => ({ key, node: at })),
          ),
        ),
    );
    return found.flat();
  }

  it('keeps sessions wherever their slots are, and ends them everywhere', async () => {
    const sessions = await Promise.all(Array.from({ length: 6 }, signedIn));
    for (const one of sessions) expect((await one.get('/instances')).status).toBe(200);
    const [first, second] = sessions;
    await first!.submit('/profile', '/sign-out');
    expect((await first!.get('/instances')).status).toBe(303);
    await second!.submit('/profile', '/profile/sign-out-everywhere');
    for (const one of sessions) expect((await one.get('/instances')).status).toBe(303);
    expect(await keysLike('sallyport:sessions:browsers:*')).toHaveLength(1);
  });

  it('creates an account whose token both gates let in, and rotates it everywhere', async () => {
    const one = await signedIn();
    const form = { name: 'on-cluster', description: '', role: 'tester' };
    const created = await one.submit('/new/service-account', '/new/service-account', form);
    token = /slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}/.exec(created.text)?.[0] ?? '';
    expect([created.status, token]).toEqual([200, expect.stringMatching(/^slp_/)]);
    for (const gate of [managing, serving])
      await expect
        .poll(() => ask(gate.port, '/healthz', { bearer: token }), { timeout: 10_000 })
        .toBe(200);
    const rotated = await one.submit(
      '/service-accounts/on-cluster/new-token',
      '/service-accounts/on-cluster/new-token',
    );
    expect(rotated.text).toMatch(/In force on all 2 running gates/);
    for (const gate of [managing, serving])
      expect(await ask(gate.port, '/healthz', { bearer: token })).toBe(401);
    for (const page of [
      '/service-accounts/on-cluster',
      '/activity',
      '/roles/tester',
      '/teams',
      '/users',
    ])
      expect([page, (await one.get(page)).status]).toEqual([page, 200]);
  });

  it('shows in the overview what both gates have counted', async () => {
    const one = await signedIn();
    for (const gate of [managing, serving])
      for (let n = 0; n < 5; n += 1) await ask(gate.port, '/refused');
    const refused = async () => {
      const { text } = await one.get('/?range=24h');
      expect(text).not.toContain('cannot be read now');
      return Number(/<dt>Refused<\/dt><dd>(\d+)</.exec(text)?.[1]);
    };
    // The two calls with the token that was rotated, and these.
    await expect.poll(refused, { timeout: 30_000, interval: 500 }).toBeGreaterThanOrEqual(12);
  });

  it('tells who called either of them', async () => {
    const calls = async () => {
      const { items } = await managing.administration.topUsage(owner, { of: 'account' });
      return items.find(({ name }) => name === 'on-cluster')?.calls ?? 0;
    };
    // One with the first token at each gate, at least.
    await expect.poll(calls, { timeout: 30_000, interval: 500 }).toBeGreaterThanOrEqual(2);
    const one = await signedIn();
    expect((await one.get('/')).text).toContain('href="/find/on-cluster"');
    expect((await one.get('/service-accounts/on-cluster')).text).toContain('Calls of on-cluster');
  });

  it('answers the API, and takes found tokens, counted on one node', async () => {
    const { port } = managing.gateway.addresses.admin!;
    const { token: bearer } = await managing.createAccount({
      name: 'api-account',
      role: 'administrator',
    });
    for (const path of [
      '/service-accounts',
      '/users',
      '/roles',
      '/teams',
      '/instances',
      '/activity',
      '/explain?account=api-account&method=GET&path=/x',
    ])
      await expect
        .poll(async () => [path, await ask(port, `/api/v1${path}`, { bearer })], {
          timeout: 10_000,
        })
        .toEqual([path, 200]);
    expect(await ask(port, '/api/v1/tokens/found', { body: { token } })).toBe(202);
  });

  it('counts wrong passwords in one slot', async () => {
    for (let guess = 0; guess < THROTTLE.perNameAndAddress; guess += 1)
      expect((await browser().signIn('nobody', `wrong password ${guess}`)).status).toBe(401);
    expect((await browser().signIn('nobody', PASSWORD)).status).toBe(429);
    const counts = await keysLike('sallyport:{tries}:*');
    // Of the name, the address, and both together; the one over all is forgotten after 45 ms for
    // each try.
    expect(counts.length).toBeGreaterThanOrEqual(3);
    expect(new Set(counts.map(({ key }) => slotOf(key))).size).toBe(1);
  });
});
