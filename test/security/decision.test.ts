import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newToken } from '../../src/account/token.ts';
import { eventsOfClosed } from '../integration/door/door.ts';
import { guesses } from '../limits/caller.ts';
import { type AuditEvent, owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { type AskedRequest, Asker, ENDPOINTS, type Told } from '../support/questions.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';

/**
 * The decision endpoint beside the door of the proxied APIs: of the same request the verdict, what
 * is said of it and what is recorded of it are the same, whichever way it is asked about.
 */
const KNOWN = { application: 'any', permission: 'test:all', upstream: 'raw' } as const;
const LIMIT = { requests: 1, windowSeconds: 3600, per: 'account' } as const;
const ROUTES = [
  { name: 'app', path: '/app/**', methods: ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS'], ...KNOWN },
  { name: 'own', path: '/own/{app}/**', methods: ['GET'], ...KNOWN, application: '{app}' },
  { name: 'some', path: '/some', methods: ['GET'], ...KNOWN, application: 'some' },
  { name: 'readonly', path: '/readonly', methods: ['GET'], ...KNOWN },
  { name: 'limited', path: '/limited/{n}', methods: ['GET'], ...KNOWN, rateLimit: LIMIT },
  { name: 'denied', path: '/denied', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  { name: 'lifetime', path: '/lifetime', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  { name: 'public', path: '/public', access: 'public', upstream: 'raw' },
  { name: 'basic', path: '/basic', methods: ['GET'], ...KNOWN, acceptBasic: true },
  { name: 'bare', path: '/bare', methods: ['GET'], ...KNOWN, acceptBareToken: true },
  { name: 'host', host: 'other.test', path: '/host', methods: ['GET'], ...KNOWN },
  {
    name: 'body',
    path: '/body',
    methods: ['POST'],
    ...KNOWN,
    application: '{app}',
    variables: { app: { json: '/app' } },
  },
  { name: 'tunnel', path: '/tunnel', methods: ['GET'], ...KNOWN, upgrade: ['websocket'] },
  { name: 'renew', path: '/renew', methods: ['POST'], action: 'renew-token' },
  {
    name: 'pages',
    path: '/pages',
    methods: ['GET'],
    ...KNOWN,
    cors: { origins: ['https://a.test'] },
  },
];
const NAMES = ['id', 'name', 'role', 'teams', 'applications', 'assertion'] as const;

let gate: TestGateway;
let upstream: RawUpstream;
let redis: RedisServer | null = null;
let open: Asker[] = [];

beforeEach(async () => {
  upstream = await startRawUpstream({
    answer: () => [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }],
  });
});

afterEach(async () => {
  for (const asker of open) asker.close();
  open = [];
  await gate.stop();
  await upstream.stop();
  await redis?.stop();
  redis = null;
});

async function start(options: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<void> {
  gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    routes: ROUTES.map((route) =>
      route.name === 'lifetime' ? { ...route, errors: 'lifetime' } : route,
    ),
    plaintext: true,
    decision: { peers: ['127.0.0.1'] },
    ...options,
  });
  await expect.poll(() => gate.gateway.ready, { timeout: 30_000, interval: 10 }).toBe(true);
}

async function asker(): Promise<Asker> {
  const one = await Asker.open(gate.gateway.addresses.decision!.port);
  open.push(one);
  return one;
}

async function caller(): Promise<Asker> {
  const one = await Asker.open(gate.port);
  open.push(one);
  return one;
}

/** As its client sends it to the door of the proxied APIs. */
function direct({ method, target, host = 'api.test', fields = [] }: AskedRequest): string {
  return `${[`${method} ${target} HTTP/1.1`, `Host: ${host}`, ...fields].join('\r\n')}\r\n\r\n`;
}

const bearer = (token: string) => [`Authorization: Bearer ${token}`];
const mine = () => bearer(gate.token);

/** What is said to a client but for what differs each time. */
function said(told: Told) {
  const id = told.field('x-request-id')!;
  const fields = Object.fromEntries(
    ['www-authenticate', 'allow', 'retry-after', 'ratelimit-policy', 'cache-control'].map(
      (name) => [
        name,
        told.message.fields
          .filter(([field]) => field.toLowerCase() === name)
          .map(([, value]) => value),
      ],
    ),
  );
  return { status: told.status, fields, body: told.body.replaceAll(id, 'ID') };
}

/** What is recorded of it but for what differs each time, and the door. */
async function recorded(told: Told) {
  const id = told.field('x-request-id');
  const events = (await gate.events()).filter((event) => event.id === id && event.type === 'call');
  const decision = events.find(({ phase }) => phase === 'decision')!;
  const { id: _i, time: _t, seq: _s, chain: _c, requestId: _r, traceId: _d, ...rest } = decision;
  return { decision: rest as Partial<AuditEvent>, events };
}

const REQUESTS: readonly (readonly [
  what: string,
  reason: string,
  request: () => AskedRequest | Promise<AskedRequest>,
])[] = [
  ['a call', 'permitted', () => ({ method: 'GET', target: '/app/1?a=b', fields: mine() })],
  ['a change', 'permitted', () => ({ method: 'POST', target: '/app/1', fields: mine() })],
  ['a removal', 'permitted', () => ({ method: 'DELETE', target: '/app/1', fields: mine() })],
  [
    'a host of its own',
    'permitted',
    () => ({ method: 'GET', target: '/host', host: 'OTHER.test:8443', fields: mine() }),
  ],
  ['an application', 'permitted', () => ({ method: 'GET', target: '/own/crm/x', fields: mine() })],
  ['a public route', 'permitted', () => ({ method: 'GET', target: '/public' })],
  ['no token', 'token-missing', () => ({ method: 'GET', target: '/app/1' })],
  [
    'nonsense for a token',
    'token-malformed',
    () => ({ method: 'GET', target: '/app/1', fields: bearer('nonsense') }),
  ],
  [
    'a token of nobody',
    'token-unknown',
    () => ({ method: 'GET', target: '/app/1', fields: bearer(newToken('AAAAAAAAAAAA')) }),
  ],
  [
    'a token that was rotated',
    'token-revoked',
    async () => {
      const { id, token } = await gate.createAccount({ name: 'rotated', role: 'tester' });
      await gate.administration.rotateToken(owner, { id });
      return { method: 'GET', target: '/app/1', fields: bearer(token) };
    },
  ],
  [
    'an account that is out of use',
    'account-inactive',
    async () => {
      const { id, token } = await gate.createAccount({ name: 'inactive', role: 'tester' });
      await gate.administration.deactivateAccount(owner, { id });
      return { method: 'GET', target: '/app/1', fields: bearer(token) };
    },
  ],
  ['no route', 'route-unknown', () => ({ method: 'GET', target: '/nowhere', fields: mine() })],
  ['no route for a stranger', 'token-missing', () => ({ method: 'GET', target: '/nowhere' })],
  ['another host', 'route-unknown', () => ({ method: 'GET', target: '/host', fields: mine() })],
  [
    'another method',
    'method-refused',
    () => ({ method: 'DELETE', target: '/readonly', fields: mine() }),
  ],
  ['TRACE', 'method-refused', () => ({ method: 'TRACE', target: '/app/1', fields: mine() })],
  [
    'a method that nobody knows',
    'method-unknown',
    () => ({ method: 'BREW', target: '/app/1', fields: mine() }),
  ],
  [
    'no permission',
    'permission-denied',
    () => ({ method: 'GET', target: '/denied', fields: mine() }),
  ],
  [
    'no permission, in another form',
    'permission-denied',
    () => ({ method: 'GET', target: '/lifetime', fields: mine() }),
  ],
];

describe('a request that is asked about', () => {
  it.each(Object.keys(ENDPOINTS))(
    'at %s is decided, told and recorded like one that is made',
    { timeout: 120_000 },
    async (endpoint) => {
      await start();
      const question = ENDPOINTS[endpoint]!;
      for (const [what, reason, make] of REQUESTS) {
        const request = await make();
        const made = await (await caller()).ask(direct(request), request.method);
        const asked = await (await asker()).ask(question(request), methodOf(endpoint, request));
        const [one, other] = [await recorded(made), await recorded(asked)];
        expect(other.decision.reason, what).toBe(reason);
        const { userAgent: _u, ...plain } = one.decision;
        expect(other.decision, what).toEqual({ ...plain, door: 'decision' });
        expect(
          other.events.map(({ phase }) => phase),
          `${what}: no outcome`,
        ).toEqual(['decision']);
        if (reason === 'permitted') {
          expect(asked.status, what).toBe(200);
        } else if (endpoint === '/verify') {
          const { status, fields } = said(made);
          expect(said(asked), what).toMatchObject({ status, fields });
          const shown =
            (reason.startsWith('token-') && reason !== 'token-missing') ||
            reason === 'account-inactive'
              ? 'token-refused'
              : reason;
          expect(JSON.parse(asked.body), what).toMatchObject({ permitted: false, reason: shown });
        } else {
          expect(said(asked), what).toEqual(said(made));
        }
        expect(asked.field('cache-control'), what).toBe('no-store');
        expect(asked.field('connection'), `${what}: others use this connection`).toBeUndefined();
      }
    },
  );

  it('is answered with every name there is, once each, and empty where there is nothing', async () => {
    await start();
    await gate.administration.createTeam(owner, {
      name: 'sales',
      description: '',
      applications: ['crm', 'shop'],
    });
    const made = await gate.administration.createServiceAccount(owner, {
      name: 'teamed',
      description: '',
      role: 'none',
      teams: [{ team: 'sales', role: 'tester' }],
    });
    const { id } = made.account;
    const one = await asker();
    const forged = NAMES.map((name) => `X-Account-${name}: forged`);
    for (const [endpoint, question] of Object.entries(ENDPOINTS)) {
      const about = async (target: string, fields: readonly string[]) => {
        const request = { method: 'GET', target, fields: [...fields, ...forged] };
        const told = await one.ask(question(request));
        expect(told.status, `${endpoint} ${target}`).toBe(200);
        return NAMES.map((name) => told.field(`x-account-${name}`));
      };
      expect(await about('/own/crm/1', bearer(made.token))).toEqual([
        id,
        'teamed',
        'tester',
        'sales',
        '',
        '',
      ]);
      expect(await about('/some', bearer(made.token))).toEqual([
        id,
        'teamed',
        'tester',
        'sales',
        'crm,shop',
        '',
      ]);
      expect(await about('/app/1', mine())).toEqual([
        gate.account.id,
        gate.account.name,
        'tester',
        '',
        '',
        '',
      ]);
      expect(await about('/public', mine())).toEqual(['', '', '', '', '', '']);
    }
    const verify = ENDPOINTS['/verify']!;
    const told = await one.ask(
      verify({ method: 'GET', target: '/own/crm/1', fields: bearer(made.token) }),
    );
    expect(JSON.parse(told.body)).toEqual({
      permitted: true,
      reason: 'permitted',
      account: { id, name: 'teamed', kind: 'service' },
      role: 'tester',
      teams: ['sales'],
      application: 'crm',
      expiresAt: null,
      requestId: told.field('x-request-id'),
    });
  });

  it('takes from the rate of its caller like every other', async () => {
    await start();
    const one = await asker();
    for (const [index, question] of Object.values(ENDPOINTS).entries()) {
      const { token } = await gate.createAccount({ name: `limited-${index}`, role: 'tester' });
      const request = { method: 'GET', target: '/limited/1', fields: bearer(token) };
      const first = await (await caller()).ask(direct(request));
      expect([first.status, first.field('ratelimit')?.includes('r=0')]).toEqual([200, true]);
      const told = await one.ask(question(request));
      expect([told.status, JSON.parse(told.body).reason]).toEqual([429, 'rate-limited']);
      expect(told.field('retry-after')).toMatch(/^\d+$/);
    }
  });

  it('is refused where the gate alone could say yes', async () => {
    await start();
    const one = await asker();
    const refusals = [
      ['POST', '/body', 'a body decides'],
      ['POST', '/renew', 'the gate itself does what the call asks for'],
      ['GET', '/tunnel', 'tunnels'],
    ] as const;
    const page = ['Origin: https://a.test', 'Access-Control-Request-Method: GET'];
    for (const question of Object.values(ENDPOINTS)) {
      for (const [method, target, detail] of refusals) {
        const told = await one.ask(question({ method, target, fields: mine() }));
        expect([told.status, JSON.parse(told.body).reason]).toEqual([403, 'permission-denied']);
        expect(JSON.parse(told.body).detail).toContain(detail);
      }
      const about = { method: 'OPTIONS', target: '/pages', fields: page };
      const preflight = await one.ask(question(about));
      expect([preflight.status, JSON.parse(preflight.body).reason]).toEqual([401, 'token-missing']);
    }
  });

  it('has the token in another form only where the route takes it so', async () => {
    await start();
    const one = await asker();
    const basic = `Authorization: Basic ${Buffer.from(`x:${gate.token}`).toString('base64')}`;
    const bare = `Authorization: ${gate.token}`;
    for (const endpoint of ['/auth-request', '/forward-auth', '/ext-authz/']) {
      const status = async (target: string, ...fields: string[]) =>
        (await one.ask(ENDPOINTS[endpoint]!({ method: 'GET', target, fields }))).status;
      expect(await status('/basic', basic)).toBe(200);
      expect(await status('/bare', bare)).toBe(200);
      expect(await status('/app/1', basic)).toBe(401);
      expect(await status('/app/1', bare)).toBe(401);
      const twice = await (await asker()).ask(
        ENDPOINTS[endpoint]!({ method: 'GET', target: '/app/1', fields: [...mine(), bare] }),
      );
      expect([twice.status, JSON.parse(twice.body).reason]).toEqual([400, 'request-ambiguous']);
    }
  });

  it('is recorded under the address that was said, of a caller who has used the token there', async () => {
    await start();
    const one = await asker();
    for (const question of Object.values(ENDPOINTS)) {
      const request = { method: 'GET', target: '/app/1', fields: mine(), client: '192.0.2.77' };
      const told = await one.ask(question(request));
      expect((await recorded(told)).decision.clientAddress).toBe('192.0.2.77');
    }
  });
});

describe('who guesses', () => {
  it('is slowed down and counted by the address that was said, and nobody else is', async () => {
    await start();
    const one = await asker();
    const ask = async (client: string, token = guesses(1)[0]!) => {
      const about = { method: 'GET', target: '/app/1', fields: bearer(token), client };
      const told = await one.ask(ENDPOINTS['/auth-request']!(about));
      return told.status === 200 ? 'permitted' : JSON.parse(told.body).reason;
    };
    const reasons = new Set<string>();
    for (let guess = 0; guess < 400 && !reasons.has('guessing-throttled'); guess += 1)
      reasons.add(await ask('203.0.113.7'));
    expect(reasons).toEqual(new Set(['token-refused', 'guessing-throttled']));
    expect(await ask('203.0.113.8')).toBe('token-refused');
    expect(await ask('203.0.113.7', gate.token)).toBe('permitted');
    await gate.gateway.close();
    const counted = (await eventsOfClosed(gate)).filter((event) => 'count' in event);
    expect(counted.map(({ clientAddress }) => clientAddress)).toContain('203.0.113.7');
  });
});

describe('who asks', () => {
  it('is closed unread where it is not listed, and heard where it is', async () => {
    await start({ decision: { peers: ['127.0.0.2', '127.1.0.0/16'] } });
    const { port } = gate.gateway.addresses.decision!;
    const question = ENDPOINTS['/auth-request']!({
      method: 'GET',
      target: '/app/1',
      fields: mine(),
    });
    expect(await heardBy('127.0.0.1', port, question)).toBe('');
    for (const address of ['127.0.0.2', '127.1.2.3']) {
      const listed = await Asker.open(port, address);
      expect((await listed.ask(question)).status).toBe(200);
      listed.close();
    }
    expect(gate.log.some((line) => line.includes('not in listen.decision.peers'))).toBe(true);
    expect((await gate.events()).filter(({ type }) => type === 'call')).toHaveLength(2);
  });

  it('is heard no more on any connection once it is listed no more', async () => {
    await start({ decision: { peers: ['127.0.0.1', '127.0.0.2'] } });
    const { config } = gate;
    const { port } = gate.gateway.addresses.decision!;
    const about = { method: 'GET', target: '/app/1', fields: mine() };
    const question = ENDPOINTS['/auth-request']!(about);
    const [listed, unlisted] = [await asker(), await Asker.open(port, '127.0.0.2')];
    open.push(unlisted);
    for (const one of [listed, unlisted]) expect((await one.ask(question)).status).toBe(200);
    const decision = { ...config.listen.decision!, peers: ['127.0.0.1'] };
    gate.gateway.reload({ ...config, listen: { ...config.listen, decision } });
    expect((await listed.ask(question)).status).toBe(200);
    await expect(unlisted.ask(question)).rejects.toThrow();
  });

  it('is told where no such endpoint is, and that a question has no body', async () => {
    await start();
    const nowhere = await (await asker()).ask('GET /auth HTTP/1.1\r\nHost: a\r\n\r\n');
    expect([nowhere.status, JSON.parse(nowhere.body).reason]).toEqual([404, 'route-unknown']);
    const bytes = ENDPOINTS['/auth-request']!({
      method: 'POST',
      target: '/app/1',
      fields: [...mine(), 'Content-Length: 4'],
    });
    const told = await (await asker()).ask(bytes);
    expect([told.status, JSON.parse(told.body).reason]).toEqual([400, 'body-refused']);
    const get = await (await asker()).ask('GET /verify HTTP/1.1\r\nHost: a\r\n\r\n');
    expect([get.status, get.field('allow')]).toEqual([405, 'POST']);
    const much = 'POST /verify HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n';
    const piece = `${(40_000).toString(16)}\r\n${'x'.repeat(40_000)}\r\n0\r\n\r\n`;
    const long = await (await asker()).ask(`${much}Transfer-Encoding: chunked\r\n\r\n${piece}`);
    expect([long.status, JSON.parse(long.body).reason]).toEqual([413, 'body-too-large']);
    const said = await (await asker()).ask(`${much}Content-Length: 40000\r\n\r\n`);
    expect([said.status, JSON.parse(said.body).reason]).toEqual([413, 'body-too-large']);
    expect(upstream.requests).toEqual([]);
  });

  it('may ask again and again on one connection, whatever was asked about', async () => {
    await start();
    const one = await asker();
    for (let round = 0; round < 3; round += 1) {
      for (const question of Object.values(ENDPOINTS)) {
        const told = await one.ask(question({ method: 'GET', target: '/app/1', fields: mine() }));
        expect(told.status).toBe(200);
      }
      const bad = { method: 'GET', target: '/app/%2e%2e/x', fields: mine() };
      for (const endpoint of ['/auth-request', '/forward-auth', '/verify']) {
        const told = await one.ask(ENDPOINTS[endpoint]!(bad));
        expect([told.status, JSON.parse(told.body).reason]).toEqual([400, 'target-ambiguous']);
      }
    }
    expect(upstream.requests).toEqual([]);
  });
});

describe('a verdict', () => {
  it('is no once the account is out of use, from the moment that this was acknowledged', async () => {
    await start();
    const { id, token } = await gate.createAccount({ name: 'soon', role: 'tester' });
    const one = await asker();
    const statuses = async () => {
      const found: number[] = [];
      for (const question of Object.values(ENDPOINTS))
        found.push(
          (await one.ask(question({ method: 'GET', target: '/app/1', fields: bearer(token) })))
            .status,
        );
      return found;
    };
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    await gate.administration.deactivateAccount(owner, { id });
    expect(await statuses()).toEqual([401, 401, 401, 401]);
  });

  it('is not given while it cannot be recorded, nor by a gate that may be out of date', async (ctx) => {
    requireOrSkip(ctx, 'redis-server');
    redis = await startRedis();
    await start({ store: { url: redis.url }, spool: false, leaseMs: 5000 });
    const one = await asker();
    const questions = Object.values(ENDPOINTS);
    const reason = async (question = questions[0]!) => {
      const told = await one.ask(question({ method: 'GET', target: '/app/1', fields: mine() }));
      return told.status === 200 ? 'permitted' : JSON.parse(told.body).reason;
    };
    expect(await reason()).toBe('permitted');
    redis.pause();
    expect(await reason()).toBe('audit-unavailable');
    await expect.poll(() => reason(), { timeout: 30_000 }).toBe('registry-unavailable');
    for (const question of questions) expect(await reason(question)).toBe('registry-unavailable');
    redis.resume();
    await expect.poll(() => reason(), { timeout: 30_000 }).toBe('permitted');
  });
});

/** What comes back on a connection from this address, until it is closed. */
async function heardBy(localAddress: string, port: number, bytes: string): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, localAddress });
  let heard = '';
  socket.on('error', () => {}).on('data', (chunk) => (heard += String(chunk)));
  socket.write(bytes);
  await new Promise((resolve) => socket.once('close', resolve));
  return heard;
}

/** Of the question, for its response's framing: only Envoy's has the method that is asked about. */
function methodOf(endpoint: string, { method }: AskedRequest): string {
  return endpoint === '/ext-authz/' ? method : 'GET';
}
