import { createLocalJWKSet, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectRedis, type RedisConnection } from '../../src/store/redis.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { valuesOf } from '../support/http-bytes.ts';
import { Asker } from '../support/questions.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, redisMissing, startRedis } from '../support/redis-server.ts';
import { makeRedisUsers, type RedisUsers } from '../support/redis-users.ts';

const SECRET = 'sealing-secret-of-more-than-32-characters';
const KEYS = 'sallyport:assertion:keys';
const KNOWN = { methods: ['GET'], application: 'any', permission: 'test:all' } as const;
const ROUTES = [
  { name: 'signed', path: '/signed', ...KNOWN, upstream: 'signed' },
  { name: 'plain', path: '/plain', ...KNOWN, upstream: 'plain' },
];

/** Gates that share a Redis, each as the user that may not write the registry. */
describe('gates over one Redis', () => {
  const missing = redisMissing();
  let redis: RedisServer;
  let root: RedisConnection;
  let users: RedisUsers;
  let upstream: RawUpstream;
  const gates: TestGateway[] = [];

  beforeAll(async () => {
    if (missing !== null) return;
    users = await makeRedisUsers();
    redis = await startRedis({ aclFile: users.aclFile });
    root = connectRedis({ url: redis.url, ...users.root, tls: null, name: 'test' });
    upstream = await startRawUpstream({
      answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }],
    });
    for (const secret of [SECRET, SECRET, `${SECRET}-another`]) gates.push(await start(secret));
  }, 60_000);
  afterAll(async () => {
    if (missing !== null) return;
    for (const gate of gates) await gate.stop();
    await upstream.stop();
    root.close();
    await redis.stop();
    await users.remove();
  });
  beforeEach((ctx) => {
    if (missing !== null) ctx.skip(missing);
  });

  function start(secret: string): Promise<TestGateway> {
    process.env.TEST_SEALING_KEY = secret;
    const addresses = [upstream.url];
    return startGateway({
      upstreams: {
        signed: { addresses, assertion: { audience: 'signed', lifetimeSeconds: 5 } },
        plain: { addresses },
      },
      routes: ROUTES,
      plaintext: true,
      decision: {},
      store: { url: redis.url, ...users.gate },
      administratorStore: { url: redis.url, ...users.manager },
      config: { assertion: { sealingKey: '$' + '{TEST_SEALING_KEY}' } },
    });
  }

  async function ask(port: number, bytes: string) {
    const asker = await Asker.open(port);
    try {
      return await asker.ask(bytes);
    } finally {
      asker.close();
    }
  }

  async function call(gate: TestGateway, path = '/signed') {
    upstream.clear();
    const fields = `Host: api.test\r\nAuthorization: Bearer ${gate.token}`;
    const told = await ask(gate.port, `GET ${path} HTTP/1.1\r\n${fields}\r\n\r\n`);
    const [request] = upstream.requests;
    return { told, assertion: request && valuesOf(request, 'x-account-assertion')[0] };
  }

  const keySet = async ({ gateway }: TestGateway) =>
    ask(
      gateway.addresses.decision!.port,
      'GET /.well-known/jwks.json HTTP/1.1\r\nHost: gate\r\n\r\n',
    );

  it('sign with one key, which each of them tells', async () => {
    const [one, other] = gates as [TestGateway, TestGateway];
    const kids: unknown[] = [];
    for (const [signs, tells] of [
      [one, other],
      [other, one],
    ] as const) {
      const { assertion } = await call(signs);
      const set = JSON.parse((await keySet(tells)).body) as JSONWebKeySet;
      const options = { algorithms: ['ES256'], issuer: 'sallyport', audience: 'signed' };
      const { payload } = await jwtVerify(assertion!, createLocalJWKSet(set), options);
      expect(payload.sub).toBe(signs.account.id);
      kids.push(decodeProtectedHeader(assertion!).kid);
    }
    expect(kids[1]).toBe(kids[0]);
  });

  it('keep it in Redis where it says nothing to whoever reads it', async () => {
    const sealed = (await root.call('GET', KEYS)) as string;
    const bytes = Buffer.from(sealed, 'base64url').toString('latin1');
    expect(`${sealed}${bytes}`).not.toMatch(/privateKey|signsFromMs|"keys"/);
    expect(sealed.length).toBeGreaterThan(100);
  });

  it('let nobody in where their secret opens no key, and forward nothing: other services go on', async () => {
    const stranger = gates[2]!;
    const before = await root.call('GET', KEYS);
    const { told, assertion } = await call(stranger);
    expect([told.status, JSON.parse(told.body).reason, assertion]).toEqual([
      503,
      'assertion-unavailable',
      undefined,
    ]);
    expect(upstream.requests).toEqual([]);
    expect((await call(stranger, '/plain')).told.status).toBe(200);
    expect((await keySet(stranger)).status).toBe(503);
    expect(stranger.gateway.readiness.ready).toBe(false);
    expect(stranger.gateway.readiness.checks.find(({ name }) => name === 'assertion')).toEqual({
      name: 'assertion',
      state: 'failed',
      why: expect.stringContaining('sealing key'),
    });
    expect(stranger.log.join('')).not.toContain(SECRET);
    const [refused] = (await stranger.events()).filter(
      ({ reason }) => reason === 'assertion-unavailable',
    );
    expect(refused).toMatchObject({ phase: 'decision', account: { id: stranger.account.id } });
    expect(await root.call('GET', KEYS)).toBe(before);
  });

  it('go on while Redis has lost it, put it back, and change to none that others do not know', async () => {
    const [one] = gates as [TestGateway];
    const { kid } = decodeProtectedHeader((await call(one)).assertion!);
    await root.call('DEL', KEYS);
    expect(decodeProtectedHeader((await call(one)).assertion!).kid).toBe(kid);
    await expect
      .poll(() => root.call('GET', KEYS), { timeout: 30_000, interval: 100 })
      .toEqual(expect.any(String));
    const set = JSON.parse((await keySet(one)).body) as JSONWebKeySet;
    expect(set.keys.map((key) => key.kid)).toContain(kid);
  }, 60_000);
});
