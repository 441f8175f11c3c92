import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { countsOf, keysOf } from '../../src/config/reloading.ts';
import { configSchema } from '../../src/config/schema.ts';
import { closeStage, type Http2Allowance, openStage, type Stage, type Tree } from './stage.ts';

/** Of a key: what is configured before and after, and what is seen from outside. */
interface Probe {
  /** `{ 'a.b': value }` over the stage's own configuration. Default: none. */
  readonly before?: Tree;
  readonly after: Tree;
  look(stage: Stage): Promise<unknown>;
  /** Undefined: nothing can be seen before, such as a wait that does not end. */
  readonly was?: unknown;
  readonly is: unknown;
}

const route = (keys: Tree): Tree => ({ 'routes.0': keys });
const up = (keys: Tree): Tree => ({ 'upstreams.up': keys });
const secure = (keys: Tree): Tree => ({ 'upstreams.secure.tls': keys });
const status =
  (path: string, options = {}) =>
  async (stage: Stage) =>
    (await stage.call(path, options)).status;
const RATE = { requests: 5, windowSeconds: 60 };
const policy = async (stage: Stage) =>
  (await stage.call('/echo')).headers['ratelimit-policy']?.toString().replace(/^[^;]*/, '');
const healthy = (name: string, value: number) => async (stage: Stage) =>
  stage.eventually(async () => (await stage.healthy(name)) === value);
const EJECTION = { afterFailures: 1, baseMs: 3_600_000, maxMs: 3_600_000 };
const failing = (path: string) => async (stage: Stage) => {
  await stage.call(path);
  return stage.healthy('up');
};
const CHECK = { path: '/check', intervalMs: 100, unhealthyAfter: 1, healthyAfter: 1 };

const PUBLIC = {
  ...up({ maxConnections: 2 }),
  ...route({ access: 'public', methods: null, application: null, permission: null }),
};
/** A body of which nothing comes. */
const slowBody = async (stage: Stage) => {
  const fields = `Host: localhost\r\nAuthorization: Bearer ${stage.otherToken}\r\nContent-Length: 9`;
  return (await stage.raw(`POST /echo HTTP/1.1\r\n${fields}\r\n\r\n`)).split('\r\n', 1)[0];
};

const asserted = (wish: Tree) => up({ assertion: { audience: 'a', ...wish } });
const claims = async (stage: Stage) => {
  const { 'x-account-assertion': assertion } = await stage.echo();
  return assertion === undefined ? undefined : decodeJwt(String(assertion));
};

const mine = async (stage: Stage) => (await stage.echo({ headers: { 'x-mine': '1' } }))['x-mine'];
const CORS = { origins: ['https://a.test'], headers: ['x-a'], maxAgeSeconds: 5 };
/** A field of the answer to a browser's preflight of a page of `https://b.test`. */
const preflight = (field: string) => async (stage: Stage) => {
  const headers = {
    origin: 'https://b.test',
    'access-control-request-method': 'GET',
    'access-control-request-headers': 'x-b',
  };
  return (await stage.call('/echo', { method: 'OPTIONS', token: null, headers })).headers[field];
};

const decidedByBody = (json: string, bodyVariableBytes: number) =>
  route({
    methods: ['POST'],
    application: '{app}',
    variables: { app: { json } },
    bodyVariableBytes,
  });
const postApp = status('/echo', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: '{"app":"x"}',
});

/** Whether clients may come without a certificate. */
function clientCertificates(listener: 'proxy' | 'admin' | 'decision'): Probe {
  const asking = (how: string): Tree => ({
    [`listen.${listener}.tls.clientCaFile`]: 'ca',
    [`listen.${listener}.tls.clientCertificates`]: how,
  });
  return {
    before: asking('optional'),
    after: asking('required'),
    look: (stage) => stage.letsIn(listener),
    was: true,
    is: false,
  };
}

/** What a new connection is allowed, as the key says. */
function http2(key: string, allowed: keyof Http2Allowance, was: number, is: number): Probe {
  return {
    before: { 'listen.proxy.http2': { enabled: true, [key]: was } },
    after: { 'listen.proxy.http2': { enabled: true, [key]: is } },
    look: async (stage) => (await stage.http2())?.[allowed],
    was,
    is,
  };
}

const PROBES: Readonly<Record<string, Probe>> = {
  realm: {
    after: { realm: 'elsewhere' },
    look: async (stage) => [
      (await stage.call('/echo', { token: null })).headers['www-authenticate'],
      (await stage.callAdmin()).headers['www-authenticate'],
    ],
    was: ['Bearer realm="sallyport"', 'Bearer realm="sallyport"'],
    is: ['Bearer realm="elsewhere"', 'Bearer realm="elsewhere"'],
  },
  errors: {
    after: { errors: 'lifetime' },
    look: async (stage) => (await stage.call('/nowhere')).headers['content-type'],
    was: 'application/problem+json',
    is: 'application/json',
  },
  'listen.proxy.trustedProxies': {
    after: { 'listen.proxy.trustedProxies': ['127.0.0.1'] },
    look: async (stage) =>
      (await stage.echo({ headers: { 'x-forwarded-for': '203.0.113.9' } }))['x-forwarded-for'],
    was: '127.0.0.1',
    is: '203.0.113.9, 127.0.0.1',
  },
  'listen.proxy.proxyProtocol.peers': {
    after: { 'listen.proxy.proxyProtocol.peers': ['127.0.0.1'] },
    look: (stage) =>
      stage.raw('GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n').then(
        (text) => text.split('\r\n', 1)[0],
        () => 'closed',
      ),
    was: 'HTTP/1.1 401 Unauthorized',
    is: 'closed',
  },
  'listen.proxy.http2.enabled': {
    after: { 'listen.proxy.http2': { enabled: false } },
    look: async (stage) => (await stage.http2()) !== null,
    was: true,
    is: false,
  },
  'listen.proxy.http2.maxConcurrentStreams': http2('maxConcurrentStreams', 'streams', 7, 8),
  'listen.proxy.http2.streamWindowBytes': http2('streamWindowBytes', 'streamWindow', 1e5, 2e5),
  'listen.proxy.http2.connectionWindowBytes': http2(
    'connectionWindowBytes',
    'connectionWindow',
    3e5,
    4e5,
  ),
  'listen.proxy.via': {
    after: { 'listen.proxy.via': false },
    look: async (stage) => (await stage.echo()).via,
    was: '1.1 sallyport',
    is: undefined,
  },
  'listen.proxy.clientAddressFrom': {
    before: { 'listen.proxy.trustedProxies': ['127.0.0.1'] },
    after: {
      'listen.proxy.trustedProxies': ['127.0.0.1'],
      'listen.proxy.clientAddressFrom': 'forwarded',
    },
    look: async (stage) => {
      const { forwarded } = await stage.echo({ headers: { forwarded: 'for=203.0.113.9' } });
      return String(forwarded).includes('203.0.113.9');
    },
    was: false,
    is: true,
  },
  'limits.connectionsPerAddress': {
    after: { 'limits.connectionsPerAddress': 1 },
    look: (stage) => stage.crowds('/echo'),
    was: false,
    is: true,
  },
  'limits.minBodyBytesPerSecond': {
    before: { 'limits.minBodyBytesPerSecond': 0, 'limits.bodyGraceMs': 100 },
    after: { 'limits.minBodyBytesPerSecond': 1000, 'limits.bodyGraceMs': 100 },
    look: slowBody,
    is: 'HTTP/1.1 408 Request Timeout',
  },
  'limits.bodyGraceMs': {
    before: { 'limits.bodyGraceMs': 600_000 },
    after: { 'limits.bodyGraceMs': 100 },
    look: slowBody,
    is: 'HTTP/1.1 408 Request Timeout',
  },
  'limits.tunnelsPerAccount': {
    before: { ...route({ upgrade: ['x-echo'] }), 'limits.tunnelsPerAccount': 2 },
    after: { ...route({ upgrade: ['x-echo'] }), 'limits.tunnelsPerAccount': 1 },
    look: (stage) => stage.upgrades(1),
    was: '101',
    is: '503',
  },
  'limits.tunnelIdleMs': {
    before: { ...route({ upgrade: ['x-echo'] }), 'limits.tunnelIdleMs': 3_600_000 },
    after: { ...route({ upgrade: ['x-echo'] }), 'limits.tunnelIdleMs': 1000 },
    look: (stage) => stage.silentTunnelEnds(),
    is: true,
  },
  'routes.*.upgrade': {
    before: route({}),
    after: route({ upgrade: ['x-echo'] }),
    look: (stage) => stage.upgrades(),
    was: '200',
    is: '101',
  },
  'limits.publicShare': {
    before: { ...PUBLIC, 'limits.publicShare': 1 },
    after: { ...PUBLIC, 'limits.publicShare': 0.5 },
    look: (stage) => stage.besideHanging('/echo'),
    was: 200,
    is: 503,
  },
  'limits.accountShare': {
    before: { ...up({ maxConnections: 2 }), 'limits.accountShare': 1 },
    after: { ...up({ maxConnections: 2 }), 'limits.accountShare': 0.5 },
    look: (stage) => stage.besideHanging('/echo'),
    was: 200,
    is: 503,
  },
  'routes.*.bodyOn': {
    before: route({ methods: ['GET', 'DELETE'] }),
    after: route({ methods: ['GET', 'DELETE'], bodyOn: ['DELETE'] }),
    look: async (stage) =>
      (await stage.call('/echo', { token: stage.otherToken, method: 'DELETE', body: 'x' })).status,
    was: 400,
    is: 200,
  },
  'telemetry.serverTiming': {
    after: { telemetry: { serverTiming: 'authenticated' } },
    look: async (stage) => (await stage.call('/echo')).headers['server-timing'] !== undefined,
    was: false,
    is: true,
  },
  'telemetry.topAccounts': {
    after: { telemetry: { topAccounts: 3 } },
    look: async (stage) =>
      /^sallyport_top_account_requests\{account="other"\}/m.test(await stage.metrics()),
    was: false,
    is: true,
  },
  'telemetry.traces': {
    after: { telemetry: { traces: 'none' } },
    look: async (stage) => (await stage.echo()).traceparent !== undefined,
    was: true,
    is: false,
  },
  'listen.proxy.tls.certificates.*.certificateFile': {
    after: { 'listen.proxy.tls.certificates': 'second pair' },
    look: (stage) => stage.serial('proxy'),
    was: 1,
    is: 2,
  },
  'listen.proxy.tls.clientCaFile': {
    after: { 'listen.proxy.tls.clientCaFile': 'ca' },
    look: (stage) => stage.letsIn('proxy'),
    was: true,
    is: false,
  },
  'listen.proxy.tls.clientCertificates': clientCertificates('proxy'),
  'listen.admin.tls.certificates.*.certificateFile': {
    after: { 'listen.admin.tls.certificates': 'second pair' },
    look: (stage) => stage.serial('admin'),
    was: 1,
    is: 2,
  },
  'listen.admin.tls.clientCaFile': {
    after: { 'listen.admin.tls.clientCaFile': 'ca' },
    look: (stage) => stage.letsIn('admin'),
    was: true,
    is: false,
  },
  'listen.admin.tls.clientCertificates': clientCertificates('admin'),
  'listen.decision.peers': {
    after: { 'listen.decision.peers': ['127.0.0.9'] },
    look: (stage) => stage.letsIn('decision'),
    was: true,
    is: false,
  },
  'listen.decision.tls.certificates.*.certificateFile': {
    after: { 'listen.decision.tls.certificates': 'second pair' },
    look: (stage) => stage.serial('decision'),
    was: 1,
    is: 2,
  },
  'listen.decision.tls.clientCaFile': {
    after: { 'listen.decision.tls.clientCaFile': 'ca' },
    look: (stage) => stage.letsIn('decision'),
    was: true,
    is: false,
  },
  'listen.decision.tls.clientCertificates': clientCertificates('decision'),
  'limits.headBytes': {
    after: { 'limits.headBytes': 1024 },
    look: status('/echo', { headers: { x: 'y'.repeat(1500) } }),
    was: 200,
    is: 431,
  },
  'limits.targetBytes': {
    after: { 'limits.targetBytes': 128 },
    look: status(`/echo/${'y'.repeat(200)}`),
    was: 200,
    is: 414,
  },
  'limits.headTimeoutMs': {
    before: { 'limits.headTimeoutMs': 600_000 },
    // Enough for the handshakes of the look itself.
    after: { 'limits.headTimeoutMs': 3000 },
    look: async (stage) => [
      (await stage.raw('GET / HTTP/1.1\r\n')).split('\r\n', 1)[0],
      await stage.silentHandshakeEnds(),
    ],
    is: ['HTTP/1.1 408 Request Timeout', true],
  },
  'limits.idleTimeoutMs': {
    before: { 'limits.idleTimeoutMs': 3_600_000 },
    after: { 'limits.idleTimeoutMs': 100 },
    look: async (stage) =>
      (await stage.raw('GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n')).split('\r\n', 1)[0],
    is: 'HTTP/1.1 401 Unauthorized',
  },
  'limits.bodyBytes': {
    after: { 'limits.bodyBytes': 3 },
    look: async (stage) =>
      (await stage.call('/echo', { token: stage.otherToken, method: 'POST', body: 'four' })).status,
    was: 200,
    is: 413,
  },
  'limits.accountRate.requests': {
    before: { 'limits.accountRate': RATE },
    after: { 'limits.accountRate': { ...RATE, requests: 9 } },
    look: policy,
    was: ';q=5;w=60',
    is: ';q=9;w=60',
  },
  'limits.accountRate.windowSeconds': {
    before: { 'limits.accountRate': RATE },
    after: { 'limits.accountRate': { ...RATE, windowSeconds: 90 } },
    look: policy,
    was: ';q=5;w=60',
    is: ';q=5;w=90',
  },
  'routes.*.name': {
    after: route({ name: 'renamed' }),
    look: async (stage) => {
      await stage.call('/echo');
      return (await stage.metrics()).includes('route="renamed"');
    },
    was: false,
    is: true,
  },
  'routes.*.host': { after: route({ host: 'a.test' }), look: status('/echo'), was: 200, is: 404 },
  'routes.*.path': { after: route({ path: '/other' }), look: status('/echo'), was: 200, is: 404 },
  'routes.*.methods': {
    after: route({ methods: ['POST'] }),
    look: status('/echo'),
    was: 200,
    is: 405,
  },
  'routes.*.access': {
    after: route({ access: 'public', methods: null, application: null, permission: null }),
    look: status('/echo', { token: null }),
    was: 401,
    is: 200,
  },
  'routes.*.application': {
    after: route({ application: 'CRM' }),
    look: status('/echo'),
    was: 200,
    is: 403,
  },
  'routes.*.permission': {
    after: route({ permission: 'other:read' }),
    look: status('/echo'),
    was: 200,
    is: 403,
  },
  'routes.*.variables.*.json': {
    before: decidedByBody('/app', 100),
    after: decidedByBody('/other', 100),
    look: postApp,
    was: 200,
    is: 403,
  },
  'routes.*.bodyVariableBytes': {
    before: decidedByBody('/app', 100),
    after: decidedByBody('/app', 10),
    look: postApp,
    was: 200,
    is: 413,
  },
  'routes.*.upstream': {
    after: route({ upstream: 'secure' }),
    look: async (stage) => (await stage.echo()).upstream,
    was: 'plain',
    is: 'secure',
  },
  'routes.*.stripPrefix': {
    after: route({ stripPrefix: '/echo' }),
    look: async (stage) => (await stage.echo({}, '/echo/a')).url,
    was: '/echo/a',
    is: '/a',
  },
  'routes.*.caseInsensitive': {
    after: route({ caseInsensitive: true }),
    look: status('/ECHO'),
    was: 404,
    is: 200,
  },
  'routes.*.acceptBareToken': {
    after: route({ acceptBareToken: true }),
    look: async (stage) =>
      (await stage.call('/echo', { token: null, headers: { authorization: stage.token } })).status,
    was: 401,
    is: 200,
  },
  'routes.*.acceptBasic': {
    after: route({ acceptBasic: true }),
    look: async (stage) => {
      const authorization = `Basic ${Buffer.from(`any:${stage.token}`).toString('base64')}`;
      return (await stage.call('/echo', { token: null, headers: { authorization } })).status;
    },
    was: 401,
    is: 200,
  },
  'routes.*.rewriteOrigin': {
    after: route({ rewriteOrigin: ['http://inside.test'] }),
    look: async (stage) =>
      (await stage.call('/echo/moved')).headers.location?.replace(/:[0-9]+/, ''),
    was: 'http://inside.test/there',
    is: 'https://localhost/there',
  },
  'routes.*.cors.origins': {
    before: route({ cors: CORS }),
    after: route({ cors: { ...CORS, origins: ['https://b.test'] } }),
    look: preflight('access-control-allow-origin'),
    is: 'https://b.test',
  },
  'routes.*.cors.headers': {
    before: route({ cors: { ...CORS, origins: ['https://b.test'] } }),
    after: route({ cors: { ...CORS, origins: ['https://b.test'], headers: ['x-b'] } }),
    look: preflight('access-control-allow-headers'),
    was: 'Authorization, x-a',
    is: 'Authorization, x-b',
  },
  'routes.*.cors.maxAgeSeconds': {
    before: route({ cors: { ...CORS, origins: ['https://b.test'] } }),
    after: route({ cors: { ...CORS, origins: ['https://b.test'], maxAgeSeconds: 9 } }),
    look: preflight('access-control-max-age'),
    was: '5',
    is: '9',
  },
  'routes.*.headers.remove': {
    after: route({ headers: { remove: ['X-Mine'] } }),
    look: mine,
    was: '1',
    is: undefined,
  },
  'upstreams.*.assertion.audience': {
    after: asserted({ audience: 'b' }),
    look: async (stage) => (await claims(stage))?.aud,
    was: undefined,
    is: 'b',
  },
  'upstreams.*.assertion.lifetimeSeconds': {
    before: asserted({}),
    after: asserted({ lifetimeSeconds: 7 }),
    look: async (stage) => {
      const { exp, iat } = (await claims(stage))!;
      return exp! - iat!;
    },
    was: 60,
    is: 7,
  },
  'upstreams.*.assertion.bind': {
    before: asserted({}),
    after: asserted({ bind: 'request' }),
    look: async (stage) => (await claims(stage))?.htm,
    was: undefined,
    is: 'GET',
  },
  'upstreams.*.headers.remove': {
    after: up({ headers: { remove: ['X-Mine'] } }),
    look: mine,
    was: '1',
    is: undefined,
  },
  'routes.*.forwardAuthorization': {
    after: route({ forwardAuthorization: true }),
    look: async (stage) => (await stage.echo()).authorization !== undefined,
    was: false,
    is: true,
  },
  'routes.*.errors': {
    before: route({ permission: 'other:read' }),
    after: route({ permission: 'other:read', errors: 'lifetime' }),
    look: async (stage) => (await stage.call('/echo')).headers['content-type'],
    was: 'application/problem+json',
    is: 'application/json',
  },
  'routes.*.rateLimit.requests': {
    before: route({ rateLimit: { ...RATE, per: 'route' } }),
    after: route({ rateLimit: { ...RATE, requests: 9, per: 'route' } }),
    look: policy,
    was: ';q=5;w=60',
    is: ';q=9;w=60',
  },
  'routes.*.rateLimit.windowSeconds': {
    before: route({ rateLimit: { ...RATE, per: 'route' } }),
    after: route({ rateLimit: { ...RATE, windowSeconds: 90, per: 'route' } }),
    look: policy,
    was: ';q=5;w=60',
    is: ';q=5;w=90',
  },
  'routes.*.rateLimit.per': {
    before: route({ rateLimit: { ...RATE, requests: 1, windowSeconds: 3600, per: 'route' } }),
    after: route({ rateLimit: { ...RATE, requests: 1, windowSeconds: 3600, per: 'account' } }),
    look: async (stage) => {
      await stage.call('/echo', { token: stage.otherToken });
      return (await stage.call('/echo')).status;
    },
    was: 429,
    is: 200,
  },
  'upstreams.*.addresses': {
    after: up({ addresses: ['other'] }),
    look: async (stage) => (await stage.echo()).upstream,
    was: 'plain',
    is: 'other',
  },
  'upstreams.*.host': {
    after: up({ host: 'fixed.test' }),
    look: async (stage) => (await stage.echo()).host,
    was: 'localhost',
    is: 'fixed.test',
  },
  'upstreams.*.tls.caFile': {
    before: secure({ caFile: null }),
    after: secure({}),
    look: status('/secure'),
    was: 502,
    is: 200,
  },
  'upstreams.*.tls.serverName': {
    after: secure({ serverName: 'elsewhere.test' }),
    look: status('/secure'),
    was: 200,
    is: 502,
  },
  'upstreams.*.tls.certificateFile': {
    after: secure({ certificateFile: 'crt', keyFile: 'key' }),
    look: async (stage) => (await stage.echo({}, '/secure')).certificate,
    was: false,
    is: true,
  },
  'upstreams.*.tls.verify': {
    before: secure({ serverName: 'elsewhere.test' }),
    after: secure({ serverName: 'elsewhere.test', verify: false }),
    look: status('/secure'),
    was: 502,
    is: 200,
  },
  'upstreams.*.connectTimeoutMs': {
    before: { 'upstreams.silent': { connectTimeoutMs: 120_000 } },
    after: { 'upstreams.silent': { connectTimeoutMs: 50 } },
    look: status('/silent'),
    is: 502,
  },
  'upstreams.*.responseTimeoutMs': {
    after: up({ responseTimeoutMs: 100 }),
    look: status('/echo/hang'),
    is: 504,
  },
  'upstreams.*.streamIdleTimeoutMs': {
    after: up({ streamIdleTimeoutMs: 100 }),
    look: (stage) =>
      stage.call('/echo/pauses').then(
        () => 'whole',
        () => 'cut',
      ),
    was: 'whole',
    is: 'cut',
  },
  'upstreams.*.protocol': {
    after: up({ protocol: 'h2c' }),
    look: status('/echo'),
    was: 200,
    is: 502,
  },
  'upstreams.*.maxConnections': {
    after: up({ maxConnections: 1 }),
    look: (stage) => stage.besideHanging('/echo'),
    was: 200,
    is: 503,
  },
  'upstreams.*.maxConnectionAgeMs': {
    after: up({ maxConnectionAgeMs: 1000 }),
    look: async (stage) => {
      const { port } = await stage.echo();
      return stage.eventually(async () => (await stage.echo()).port !== port, 3000);
    },
    was: false,
    is: true,
  },
  'upstreams.*.ejection.afterFailures': {
    before: up({ ejection: { ...EJECTION, afterFailures: 1000 } }),
    after: up({ ejection: EJECTION }),
    look: failing('/echo/reset'),
    was: 1,
    is: 0,
  },
  'upstreams.*.ejection.baseMs': {
    before: up({ ejection: EJECTION }),
    after: up({ ejection: { ...EJECTION, baseMs: 100 } }),
    look: async (stage) => {
      await stage.call('/echo/reset');
      return stage.eventually(async () => (await stage.healthy('up')) === 1, 1500);
    },
    was: false,
    is: true,
  },
  'upstreams.*.ejection.maxMs': {
    before: up({ ejection: EJECTION }),
    after: up({ ejection: { ...EJECTION, maxMs: 100 } }),
    look: async (stage) => {
      await stage.call('/echo/reset');
      return stage.eventually(async () => (await stage.healthy('up')) === 1, 1500);
    },
    was: false,
    is: true,
  },
  'upstreams.*.ejection.countServerErrors': {
    before: up({ ejection: EJECTION }),
    after: up({ ejection: { ...EJECTION, countServerErrors: true } }),
    look: failing('/echo/503'),
    was: 1,
    is: 0,
  },
  'upstreams.*.healthCheck.path': {
    after: up({ healthCheck: CHECK }),
    look: (stage) => stage.eventually(async () => stage.seen('/check') > 0, 1500),
    was: false,
    is: true,
  },
  'upstreams.*.healthCheck.intervalMs': {
    before: up({ healthCheck: { ...CHECK, intervalMs: 3_600_000 } }),
    after: up({ healthCheck: CHECK }),
    look: (stage) => {
      const begun = stage.seen('/check');
      return stage.eventually(async () => stage.seen('/check') > begun + 2, 1500);
    },
    was: false,
    is: true,
  },
  'upstreams.*.healthCheck.timeoutMs': {
    before: up({ healthCheck: { ...CHECK, path: '/hang', timeoutMs: 120_000 } }),
    after: up({ healthCheck: { ...CHECK, path: '/hang', timeoutMs: 10 } }),
    look: healthy('up', 0),
    is: true,
  },
  'upstreams.*.healthCheck.unhealthyAfter': {
    before: up({ healthCheck: { ...CHECK, path: '/503', unhealthyAfter: 100 } }),
    after: up({ healthCheck: { ...CHECK, path: '/503', unhealthyAfter: 1 } }),
    look: healthy('up', 0),
    is: true,
  },
  'upstreams.*.healthCheck.healthyAfter': {
    before: up({ healthCheck: { ...CHECK, path: '/503-then-200' } }),
    after: up({ healthCheck: { ...CHECK, path: '/503-then-200', healthyAfter: 2 } }),
    look: async (stage) => (await healthy('up', 0)(stage)) && (await healthy('up', 1)(stage)),
    is: true,
  },
};

/** Keys that are shown together with another one, or elsewhere, and where. */
const SHOWN: Readonly<Record<string, string>> = {
  'listen.proxy.tls.certificates.*.keyFile': 'a pair is taken over as a whole',
  'listen.admin.tls.certificates.*.keyFile': 'a pair is taken over as a whole',
  'listen.decision.tls.certificates.*.keyFile': 'a pair is taken over as a whole',
  'upstreams.*.tls.keyFile': 'a pair is taken over as a whole',
  'instance.lameDuckMs': 'test/reload/lame-duck.test.ts',
  'instance.drainMs': 'the last test of this file',
  ...Object.fromEntries(
    ['', '.value', '.valueFile', '.prefix'].flatMap((part) => [
      [`upstreams.*.headers.set.*${part}`, 'test/integration/door/upstream-credentials.test.ts'],
      [`routes.*.headers.set.*${part}`, 'compiled from the same rules as those of an upstream'],
    ]),
  ),
  ...Object.fromEntries(
    ['username', 'password', 'passwordFile'].flatMap((part) => [
      [`store.${part}`, 'test/engines/rotated-passwords.test.ts'],
      [`store.sentinels.${part}`, 'test/engines/rotated-many.test.ts'],
      [`audit.store.${part}`, 'test/engines/audit-store.test.ts'],
      [`audit.store.sentinels.${part}`, 'taken over by the same code as those of `store`'],
    ]),
  ),
  ...Object.fromEntries(
    ['caFile', 'certificateFile', 'keyFile', 'serverName', 'verify'].flatMap((part) => [
      [`store.tls.${part}`, 'test/engines/rotated-certificates.test.ts'],
      [`audit.store.tls.${part}`, 'taken over by the same code as those of `store`'],
    ]),
  ),
  'telemetry.otlp.ratio': 'test/processes/traces.test.ts',
  'telemetry.otlp.askedPerSecond': 'test/processes/traces.test.ts',
  'console.approvals.roles': 'test/security/approvals.test.ts',
  'console.approvals.waitHours': 'test/security/approvals.test.ts',
  'identity.clientSecret': 'test/security/rotated-secret.test.ts',
  'identity.clientSecretFile': 'test/security/rotated-secret.test.ts',
  'upstreams.*.healthCheck.grpcService': 'asked instead of `path`, and taken over with it',
  'routes.*.action': 'test/integration/door/renew-token.test.ts',
  'webhooks.*.name': 'test/processes/webhooks/delivery.test.ts',
  'webhooks.*.url': 'test/processes/webhooks/delivery.test.ts',
  'webhooks.*.events': 'test/processes/webhooks/delivery.test.ts',
  'webhooks.*.secretFile': 'test/processes/webhooks/delivery.test.ts',
  'webhooks.*.secret': 'test/processes/webhooks/delivery.test.ts',
  'webhooks.*.caFile': 'test/processes/webhooks/delivery.test.ts',
  'webhooks.*.networks': 'test/processes/webhooks/delivery.test.ts',
  'routes.*.upstreamChecksApplications': 'says which files are accepted, and nothing of a call',
  'routes.*.audit': 'read beside `errors`, from the same route, by each call',
};

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => closeStage(stage));

const live = keysOf(configSchema).filter(
  (key) => countsOf(configSchema, key.split('.')) === 'live',
);

it('has a look for every key that a reload is said to change', () => {
  expect(live.filter((key) => !(key in PROBES) && !(key in SHOWN))).toEqual([]);
  const known = [...Object.keys(PROBES), ...Object.keys(SHOWN)];
  expect(known.filter((key) => !live.includes(key))).toEqual([]);
});

it.each(Object.keys(PROBES))('takes over %s by a reload', async (key) => {
  const { before = {}, after, look, was, is } = PROBES[key]!;
  stage.reload(before);
  if (was !== undefined) expect(await look(stage)).toEqual(was);
  stage.reload(after);
  expect(await look(stage)).toEqual(is);
});

it('ends by the deadlines that the last reload gave', async () => {
  stage.reload({ 'instance.lameDuckMs': 3_600_000, 'instance.drainMs': 3_600_000 });
  stage.reload({ 'instance.lameDuckMs': 0, 'instance.drainMs': 100 });
  const hanging = stage.call('/echo/hang').catch(() => null);
  await stage.eventually(async () => stage.seen('/echo/hang') > 0);
  await stage.close();
  await hanging;
});
