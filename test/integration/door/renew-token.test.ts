import { describe, expect, it } from 'vitest';
import { owner, type RouteText } from '../../support/gateway.ts';
import { readResponses, statusOf, valuesOf } from '../../support/http-bytes.ts';
import { redisMissing, startRedis } from '../../support/redis-server.ts';
import { makeRedisUsers } from '../../support/redis-users.ts';
import { type Door, startDoor } from './door.ts';

/** `action: renew-token`: a caller exchanges its own token at the gate itself. */

const missing = redisMissing();
const PATH = '/lifetimeapi/rest/v2/auth/tokens/';
const ROUTES: readonly RouteText[] = [
  { name: 'renew', path: PATH, methods: ['POST'], action: 'renew-token', errors: 'lifetime' },
  {
    name: 'all',
    path: '/**',
    methods: ['GET', 'POST'],
    application: 'any',
    permission: 'test:all',
    upstream: 'raw',
  },
];
const startRenewing = (gateway = {}) => startDoor({ gateway: { routes: ROUTES, ...gateway } });

const ask = (door: Door, token: string, body = '{"timePeriod":3,"unit":"M"}') =>
  request(door, 'POST', PATH, token, body);

async function request(door: Door, method: string, path: string, token: string, body = '') {
  const length = method === 'POST' ? `Content-Length: ${body.length}\r\n` : '';
  const { text } = await door.talk(
    [
      `${method} ${path} HTTP/1.1\r\nHost: api.test\r\nAuthorization: Bearer ${token}\r\n${length}Connection: close\r\n\r\n${body}`,
    ],
    [method],
  );
  const [response] = readResponses(Buffer.from(text, 'latin1'));
  return {
    status: statusOf(response!),
    response: response!,
    json: JSON.parse(response!.body.toString() || 'null') as Record<string, unknown>,
  };
}

const reach = async (door: Door, token: string) =>
  (await request(door, 'GET', '/x', token).catch(() => ({ status: 200 }))).status;

describe('a route that exchanges tokens', () => {
  it('answers in the form of LifeTime, and the former token is refused from then on', async () => {
    const door = await startRenewing();
    const { token } = door.gate;
    const { status, json, response } = await ask(door, token);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      token: expect.stringMatching(/^slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/),
      expiresAt: '9999-12-31T23:59:59Z',
      revocation: { effective: true, assurance: 'proven', instances: 1, acknowledged: 1 },
    });
    expect(json.token).not.toBe(token);
    expect(valuesOf(response, 'cache-control')).toEqual(['no-store']);
    expect(valuesOf(response, 'content-type')).toEqual(['application/json']);
    expect(await ask(door, token)).toMatchObject({
      status: 401,
      json: { StatusCode: 401, Errors: [expect.stringContaining('token-refused')] },
    });
    expect(await reach(door, String(json.token))).toBe(200);
    expect(door.upstream.requests).toHaveLength(1);
  });

  it('tells when the account ends, and takes a call without a body', async () => {
    const door = await startRenewing();
    const expiresAt = new Date(Date.now() + 86_400_000).toISOString();
    const { id } = door.gate.account;
    await door.gate.administration.editAccount(owner, { id, expiresAt });
    const { json } = await ask(door, door.gate.token, '');
    expect(json.expiresAt).toBe(expiresAt);
  });

  it('is on record as a call and as a change, without a token in either or in the log', async () => {
    const door = await startRenewing();
    const { token, account } = door.gate;
    const { json } = await ask(door, token);
    const events = await door.events();
    expect(events.find(({ type }) => type === 'token-renewed')).toMatchObject({
      phase: 'change',
      actor: { id: account.id, name: account.name, kind: 'service', via: 'proxy' },
      target: { kind: 'account', id: account.id },
    });
    expect(events.filter((event) => event.route === 'renew')).toMatchObject([
      { phase: 'decision', decision: 'permit', method: 'POST', path: PATH },
      { phase: 'outcome', status: 200 },
    ]);
    const kept = `${JSON.stringify(events)}${door.gate.log.join('')}`;
    for (const secret of [token, String(json.token)]) expect(kept).not.toContain(secret.slice(17));
  });

  it('lets one of several exchanges at once win', async () => {
    const door = await startRenewing();
    const { token } = door.gate;
    const answers = await Promise.all(Array.from({ length: 8 }, () => ask(door, token)));
    const renewed = answers.filter(({ status }) => status === 200);
    expect(renewed).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(7);
    expect(await reach(door, String(renewed[0]!.json.token))).toBe(200);
  });

  it('cuts what else is open with the former token, and not its own answer', async () => {
    const door = await startDoor({
      gateway: { routes: ROUTES },
      upstream: { answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf' }] },
    });
    const open = await door.connect();
    await open.send(door.head('GET /stream'));
    await open.waitFor('half an answer', (bytes) => bytes.includes('half'));
    expect((await ask(door, door.gate.token)).status).toBe(200);
    await open.waitForClose();
    expect(open.closed).toBe('reset');
  });

  it('does not exchange the token before the live one, in its overlap', async () => {
    const door = await startRenewing();
    const { token, account } = door.gate;
    const { id } = account;
    await door.gate.administration.rotateToken(owner, { id, overlapMs: 600_000 });
    const { status, json } = await ask(door, token);
    expect(status).toBe(403);
    expect(JSON.stringify(json)).toContain('only the live token can be exchanged');
    expect(await reach(door, token)).toBe(200);
  });

  it('refuses who may not come in at all', async () => {
    const door = await startRenewing();
    const { account, token } = door.gate;
    await door.gate.administration.deactivateAccount(owner, { id: account.id });
    expect((await ask(door, token)).status).toBe(401);
    expect((await ask(door, 'slp_x')).status).toBe(401);
    expect((await door.events()).some(({ type }) => type === 'token-renewed')).toBe(false);
  });

  it('exchanges nothing for a client that has gone before it is on record', async () => {
    const door = await startRenewing();
    const client = await door.connect(['POST']);
    await client.send(door.head(`POST ${PATH}`, 'Content-Length: 2'), '{}');
    client.close();
    const ended = async () => (await door.events()).filter(({ phase }) => phase === 'outcome');
    await expect.poll(async () => (await ended()).length).toBe(1);
    const changed = (await door.events()).some(({ type }) => type === 'token-renewed');
    expect(await reach(door, door.gate.token)).toBe(changed ? 401 : 200);
  });

  it('is put in by a reload', async () => {
    const door = await startDoor();
    const { gateway, config, token } = door.gate;
    const { text: before } = await door.talk(
      [door.head('POST /x', 'Content-Length: 0', 'Connection: close')],
      ['POST'],
    );
    expect(before).toMatch(/^HTTP\/1\.1 200 /);
    const route = { ...config.routes[0]!, path: PATH, methods: ['POST'] as const };
    const acting = { ...route, action: 'renew-token', upstream: '', permission: null } as const;
    gateway.reload({ ...config, routes: [acting] } as typeof config);
    expect((await ask(door, token)).json.token).toMatch(/^slp_/);
  });

  it('cannot be added by a reload where the registry cannot be written', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const users = await makeRedisUsers();
    const redis = await startRedis({ aclFile: users.aclFile });
    const servers = [redis, { stop: users.remove }];
    const store = { url: redis.url, ...users.gate };
    const administratorStore = { url: redis.url, ...users.manager };
    const door = await startDoor({ gateway: { store, administratorStore }, servers });
    const { gateway, config } = door.gate;
    const routes = [{ ...config.routes[0]!, action: 'renew-token', upstream: '' }];
    expect(() => gateway.reload({ ...config, routes } as unknown as typeof config)).toThrow(
      /counts only after a restart/,
    );
  });
});

describe('with Redis', () => {
  it('works for the user manager without an admin listener; the user gate gets 503', async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const users = await makeRedisUsers();
    const redis = await startRedis({ aclFile: users.aclFile });
    const servers = [redis, { stop: users.remove }];
    const administratorStore = { url: redis.url, ...users.manager };
    const weak = await startRenewing({
      store: { url: redis.url, ...users.gate },
      administratorStore,
    });
    const refused = await ask(weak, weak.gate.token);
    expect(refused).toMatchObject({ status: 503, json: { StatusCode: 503 } });
    expect(await reach(weak, weak.gate.token)).toBe(200);
    expect(weak.gate.log.join('')).toContain('a token could not be exchanged');
    const strong = await startDoor({
      gateway: { routes: ROUTES, store: administratorStore },
      servers,
    });
    const { status, json } = await ask(strong, weak.gate.token);
    expect(status).toBe(200);
    expect(json.revocation).toMatchObject({ effective: true, instances: 2, acknowledged: 2 });
    for (const door of [weak, strong]) {
      expect(await reach(door, weak.gate.token)).toBe(401);
      expect(await reach(door, String(json.token))).toBe(200);
    }
  });
});
