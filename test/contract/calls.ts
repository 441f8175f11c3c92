import { newToken } from '../../src/account/token.ts';
import type { Step } from '../support/raw-upstream.ts';
import { BODY_BYTES, HALF, OK, RESERVED } from './door-cases.ts';
import type { DoorExchange, DoorRequest, DoorResponse, FieldList } from './door-under-test.ts';

/** Who calls: tokens of accounts that every gate of the test knows. */
export type Caller =
  | 'tester'
  | 'teamed'
  | 'two-teams'
  | 'inactive'
  | 'rotated'
  | 'expired'
  | 'bound'
  | 'elsewhere'
  | 'own'
  | 'nobody'
  | 'nonsense'
  | 'none';

/** One call under way through one door. */
export interface Under {
  readonly exchange: DoorExchange;
  /** Until its upstream has these bytes of it. */
  reached(bytes: string): Promise<void>;
  /** What its upstream waits for. */
  goOn(): void;
  /** The client gives it up. */
  leave(): void;
  /** Its caller's token counts no more: a caller of its own. */
  revoke(): Promise<void>;
}

/** One call: what is sent, and what must come of it through whichever door. */
export interface CallCase {
  readonly what: string;
  readonly method?: string;
  readonly target: string;
  readonly authority?: string;
  /** Default `tester`. */
  readonly as?: Caller;
  readonly fields?: FieldList;
  /** Pieces of its body; absent: it has none. */
  readonly body?: readonly (string | Buffer)[];
  /** Of the body; default: as long as its pieces. Null: it is not told. */
  readonly length?: number | null;
  readonly expects?: boolean;
  readonly upstream?: (goOn: Promise<void>) => readonly Step[];
  /** Default: sends the body, and reads the response. */
  readonly play?: (under: Under) => Promise<DoorResponse | null>;
  /** Of the decision. */
  readonly decided: string;
  /** Of the outcome; default: `permitted` after a permit, and none after a refusal. */
  readonly ended?: string | null;
  /** 0: no whole response came. */
  readonly status: number;
  /** Default: the whole request after a permit, and nothing of it after a refusal. */
  readonly saw?: 'whole' | 'part' | 'nothing';
  /** How many bytes there are of it differs each time. */
  readonly varies?: true;
  /** How a question about it is decided, where otherwise; null: nobody can ask about it. */
  readonly asked?: string | null;
  /** Another protocol that is asked for. */
  readonly upgrade?: string;
  /** Where it ends otherwise with an upstream of HTTP/2. */
  readonly upstreams?: 'http1';
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const KNOWN = { application: 'any', permission: 'test:all', upstream: 'raw' } as const;
export const ROUTES = [
  { name: 'app', path: '/app/**', methods: METHODS, ...KNOWN },
  { name: 'own', path: '/own/{app}/**', methods: ['GET'], ...KNOWN, application: '{app}' },
  { name: 'some', path: '/some', methods: ['GET'], ...KNOWN, application: 'some' },
  { name: 'readonly', path: '/readonly', methods: ['GET'], ...KNOWN },
  {
    name: 'limited',
    path: '/limited',
    methods: ['GET'],
    ...KNOWN,
    rateLimit: { requests: 1, windowSeconds: 3600, per: 'account' },
  },
  { name: 'denied', path: '/denied', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  {
    name: 'lifetime',
    path: '/lifetime',
    methods: ['GET'],
    ...KNOWN,
    permission: 'other:thing',
    errors: 'lifetime',
  },
  { name: 'public', path: '/public/**', access: 'public', upstream: 'raw' },
  { name: 'basic', path: '/basic', methods: ['GET'], ...KNOWN, acceptBasic: true },
  { name: 'bare', path: '/bare', methods: ['GET'], ...KNOWN, acceptBareToken: true },
  { name: 'kept', path: '/kept', methods: ['GET'], ...KNOWN, forwardAuthorization: true },
  { name: 'strip', path: '/api/strip/**', methods: ['GET'], ...KNOWN, stripPrefix: '/api' },
  { name: 'host', host: 'other.test', path: '/host', methods: ['GET'], ...KNOWN },
  { name: 'search', path: '/search', methods: ['GET'], ...KNOWN, bodyOn: ['GET'] },
  {
    name: 'body',
    path: '/body',
    methods: ['POST'],
    ...KNOWN,
    application: '{app}',
    variables: { app: { json: '/app' } },
  },
  { name: 'renew', path: '/renew', methods: ['POST'], action: 'renew-token' },
  {
    name: 'pages',
    path: '/pages',
    methods: ['GET'],
    ...KNOWN,
    cors: { origins: ['https://a.test'] },
  },
  { name: 'early', path: '/early/**', methods: ['POST'], ...KNOWN, upstream: 'early' },
  { name: 'dead', path: '/dead', methods: ['GET'], ...KNOWN, upstream: 'dead' },
  {
    name: 'chat',
    path: '/chat',
    methods: ['GET'],
    ...KNOWN,
    upgrade: ['websocket'],
    upstream: 'tunnels',
  },
  { name: 'slow', path: '/slow/**', methods: ['GET'], ...KNOWN, upstream: 'slow' },
];

const MUCH = Buffer.alloc(600_000, 'much ');
const CHUNKS = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const once = (send: string | Buffer) => (): readonly Step[] => [{ send }];
const JSON_BODY = [['content-type', 'application/json']] as const;
const isHalf = (content: Buffer) => content.toString() === 'half';
const NONE = { as: 'none' } as const;

/** Half of a response, and then the step. */
async function afterHalf({ exchange }: Under, step: () => unknown): Promise<DoorResponse> {
  await exchange.content('half', isHalf);
  await step();
  return exchange.response();
}

/** Half of the request, then the step, then some more that nobody may get. */
async function inBody(under: Under, step: () => unknown): Promise<DoorResponse> {
  await under.exchange.send('part');
  await under.reached('part');
  await step();
  await under.exchange.send('more').catch(() => {});
  return under.exchange.response();
}

const LET_IN: readonly CallCase[] = [
  { what: 'a role of its own', target: '/app/a?q=1&r=%2f', decided: 'permitted', status: 200 },
  {
    what: 'a role in a team',
    target: '/own/crm/x',
    as: 'teamed',
    decided: 'permitted',
    status: 200,
  },
  { what: 'two teams', target: '/own/shop/x', as: 'two-teams', decided: 'permitted', status: 200 },
  {
    what: 'the applications of its teams',
    target: '/some',
    as: 'two-teams',
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'nobody on a public route',
    target: '/public/a',
    ...NONE,
    decided: 'permitted',
    status: 200,
  },
  { what: 'a token on a public route', target: '/public/b', decided: 'permitted', status: 200 },
  {
    what: 'a host of its own, with a port',
    target: '/host',
    authority: 'OTHER.test:8443',
    decided: 'permitted',
    status: 200,
  },
  { what: 'Basic', target: '/basic', as: 'tester', decided: 'permitted', status: 200, asked: null },
  {
    what: 'a bare token',
    target: '/bare',
    as: 'tester',
    decided: 'permitted',
    status: 200,
    asked: null,
  },
  { what: 'a token that goes on', target: '/kept', decided: 'permitted', status: 200 },
  { what: 'a prefix that is taken off', target: '/api/strip/x', decided: 'permitted', status: 200 },
  {
    what: 'names that only the gate may say',
    target: '/app/forged',
    fields: RESERVED.map((name) => [name, 'forged'] as const),
    decided: 'permitted',
    status: 200,
    asked: null,
  },
  { what: 'an encoded path', target: '/app/%C3%BC/a%20b', decided: 'permitted', status: 200 },
  { what: 'HEAD', method: 'HEAD', target: '/app/head', decided: 'permitted', status: 200 },
  { what: 'DELETE', method: 'DELETE', target: '/app/gone', decided: 'permitted', status: 200 },
  {
    what: 'POST without a body',
    method: 'POST',
    target: '/app/post',
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'an empty body',
    method: 'POST',
    target: '/app/empty',
    body: [],
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a body',
    method: 'PUT',
    target: '/app/put',
    body: ['one', 'two'],
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a body of unknown length',
    method: 'PATCH',
    target: '/app/patch',
    body: ['one', 'two'],
    length: null,
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a big body',
    method: 'POST',
    target: '/app/big',
    body: [MUCH],
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a big response',
    target: '/app/much',
    upstream: once(
      Buffer.concat([Buffer.from(`${OK}Content-Length: ${MUCH.length}\r\n\r\n`), MUCH]),
    ),
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a body that waits until it is wanted',
    method: 'POST',
    target: '/app/asks',
    body: ['body'],
    expects: true,
    play: async ({ exchange }) => {
      await exchange.interim(100);
      await exchange.send('body');
      await exchange.endBody();
      return exchange.response();
    },
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a body on GET where the route has one',
    target: '/search',
    body: ['query'],
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a body that decides',
    method: 'POST',
    target: '/body',
    as: 'teamed',
    fields: JSON_BODY,
    body: ['{"app":', '"crm"}'],
    decided: 'permitted',
    status: 200,
    asked: 'permission-denied',
  },
  { what: 'OPTIONS', method: 'OPTIONS', target: '/app/options', decided: 'permitted', status: 200 },
  {
    what: 'OPTIONS that goes no further',
    method: 'OPTIONS',
    target: '/app/options',
    fields: [['max-forwards', '0']],
    decided: 'permitted',
    status: 200,
    saw: 'nothing',
  },
  {
    what: 'OPTIONS *',
    method: 'OPTIONS',
    target: '*',
    decided: 'permitted',
    status: 200,
    saw: 'nothing',
    asked: null,
  },
  {
    what: 'a preflight',
    method: 'OPTIONS',
    target: '/pages',
    ...NONE,
    fields: [
      ['origin', 'https://a.test'],
      ['access-control-request-method', 'GET'],
    ],
    decided: 'permitted',
    status: 204,
    saw: 'nothing',
    asked: 'token-missing',
  },
  {
    what: 'a page of another origin',
    target: '/pages',
    fields: [['origin', 'https://a.test']],
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a token that is renewed',
    method: 'POST',
    target: '/renew',
    as: 'own',
    decided: 'permitted',
    status: 200,
    saw: 'nothing',
    varies: true,
    asked: 'permission-denied',
  },
];

const RESPONSES: readonly CallCase[] = [
  {
    what: '204',
    method: 'DELETE',
    target: '/app/204',
    upstream: once('HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n'),
    decided: 'permitted',
    status: 204,
  },
  {
    what: '304 with the length that it would have',
    target: '/app/304',
    upstream: once('HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: "1"\r\n\r\n'),
    decided: 'permitted',
    status: 304,
  },
  {
    what: 'a response in pieces',
    target: '/app/pieces',
    upstream: once(`${CHUNKS}2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n`),
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a response that its connection ends',
    target: '/app/closes',
    upstream: () => [{ send: `${OK}\r\nbody` }, { end: true }],
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'an interim response',
    target: '/app/103',
    upstream: once(
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 4\r\n\r\nbody`,
    ),
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'fields of one connection, and of nobody but the gate',
    target: '/app/hop',
    upstream: once(
      `${OK}Connection: x-hop\r\nX-Hop: 1\r\nX-Request-Id: theirs\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n`,
    ),
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a response that comes before the body, which is sent all the same',
    method: 'POST',
    target: '/early/done',
    body: ['part', 'rest'],
    upstream: (goOn) => [
      { send: `${OK}Content-Length: 8\r\n\r\nhalf` },
      { until: goOn },
      { send: 'done' },
    ],
    play: async ({ exchange, goOn, reached }) => {
      await exchange.send('part');
      await exchange.content('half', isHalf);
      await exchange.send('rest');
      await exchange.endBody();
      await reached('partrest');
      goOn();
      return exchange.response();
    },
    decided: 'permitted',
    status: 200,
  },
  {
    what: 'a response that comes whole before the body is here',
    method: 'POST',
    target: '/early/refused',
    body: ['part'],
    length: 1000,
    upstream: once('HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno'),
    play: async ({ exchange }) => {
      await exchange.send('part');
      return exchange.response();
    },
    decided: 'permitted',
    status: 409,
    saw: 'part',
  },
  {
    what: 'an upstream that is away',
    target: '/dead',
    decided: 'permitted',
    ended: 'upstream-unreachable',
    status: 502,
    saw: 'nothing',
  },
  {
    what: 'an upstream that breaks before its head',
    method: 'POST',
    target: '/app/breaks',
    upstream: () => [{ send: 'HTTP/1.1 200 OK\r\nCont' }, { reset: true }],
    decided: 'permitted',
    ended: 'upstream-broken',
    status: 502,
  },
  {
    what: 'an upstream that breaks in its response',
    method: 'POST',
    target: '/app/half',
    upstream: (goOn) => [{ send: HALF }, { until: goOn }, { reset: true }],
    play: (under) => afterHalf(under, under.goOn),
    decided: 'permitted',
    ended: 'upstream-broken',
    status: 0,
  },
  {
    what: 'an upstream that says nothing',
    target: '/slow/silent',
    upstream: () => [],
    decided: 'permitted',
    ended: 'upstream-timeout',
    status: 504,
  },
];

const REFUSED: readonly CallCase[] = [
  { what: 'no token', target: '/app/a', ...NONE, decided: 'token-missing', status: 401 },
  {
    what: 'nonsense for a token',
    target: '/app/a',
    as: 'nonsense',
    decided: 'token-malformed',
    status: 401,
  },
  {
    what: 'a token of nobody',
    target: '/app/a',
    as: 'nobody',
    decided: 'token-unknown',
    status: 401,
  },
  {
    what: 'a token that was rotated',
    target: '/app/a',
    as: 'rotated',
    decided: 'token-revoked',
    status: 401,
  },
  {
    what: 'an account that has expired',
    target: '/app/a',
    as: 'expired',
    decided: 'token-expired',
    status: 401,
  },
  {
    what: 'an account out of use',
    target: '/app/a',
    as: 'inactive',
    decided: 'account-inactive',
    status: 401,
  },
  {
    what: 'a token that is bound to a certificate',
    target: '/app/a',
    as: 'bound',
    decided: 'token-unbound',
    status: 401,
  },
  {
    what: 'an account that is let in from elsewhere',
    target: '/app/a',
    as: 'elsewhere',
    decided: 'address-refused',
    status: 401,
  },
  { what: 'no route', target: '/nowhere', decided: 'route-unknown', status: 404 },
  {
    what: 'no route, for a stranger',
    target: '/nowhere',
    ...NONE,
    decided: 'token-missing',
    status: 401,
  },
  { what: 'another host', target: '/host', decided: 'route-unknown', status: 404 },
  {
    what: 'another method',
    method: 'DELETE',
    target: '/readonly',
    decided: 'method-refused',
    status: 405,
  },
  { what: 'TRACE', method: 'TRACE', target: '/app/a', decided: 'method-refused', status: 405 },
  {
    what: 'a method of nobody',
    method: 'BREW',
    target: '/app/a',
    decided: 'method-unknown',
    status: 501,
  },
  { what: 'no permission', target: '/denied', decided: 'permission-denied', status: 403 },
  {
    what: 'no permission, in another form',
    target: '/lifetime',
    decided: 'permission-denied',
    status: 403,
  },
  {
    what: 'an application of others',
    target: '/own/erp/x',
    as: 'teamed',
    decided: 'permission-denied',
    status: 403,
  },
  {
    what: 'a body that decides otherwise',
    method: 'POST',
    target: '/body',
    as: 'teamed',
    fields: JSON_BODY,
    body: ['{"app":"erp"}'],
    decided: 'permission-denied',
    status: 403,
    asked: 'permission-denied',
  },
  {
    what: 'a body that says it twice',
    method: 'POST',
    target: '/body',
    as: 'teamed',
    fields: JSON_BODY,
    body: ['{"app":"crm","app":"erp"}'],
    decided: 'body-refused',
    status: 400,
    asked: 'permission-denied',
  },
  {
    what: 'a rate that is used up',
    target: '/limited',
    as: 'own',
    decided: 'rate-limited',
    status: 429,
  },
  {
    what: 'a body on GET',
    target: '/app/a',
    body: ['body'],
    decided: 'body-refused',
    status: 400,
    asked: null,
  },
  {
    what: 'a body on a public route',
    target: '/public/a',
    body: ['body'],
    ...NONE,
    decided: 'body-refused',
    status: 400,
    asked: null,
  },
  { what: 'dots', target: '/app/../denied', decided: 'target-ambiguous', status: 400 },
  { what: 'encoded dots', target: '/app/%2e%2e/denied', decided: 'target-ambiguous', status: 400 },
  { what: 'an encoded slash', target: '/app/%2fdenied', decided: 'target-ambiguous', status: 400 },
  { what: 'two slashes', target: '/app//a', decided: 'target-ambiguous', status: 400 },
  { what: 'a backslash', target: '/app/\\a', decided: 'target-ambiguous', status: 400 },
  {
    what: 'a long target',
    target: `/app/${'a'.repeat(9000)}`,
    decided: 'target-too-long',
    status: 414,
  },
  {
    what: 'a large head',
    target: '/app/a',
    fields: [['x-large', 'a'.repeat(20_000)]],
    decided: 'headers-too-large',
    status: 431,
    asked: null,
  },
  {
    what: 'an expectation that nobody knows',
    target: '/app/a',
    fields: [['expect', 'a-miracle']],
    decided: 'expectation-failed',
    status: 417,
    asked: null,
  },
  {
    what: 'a length that is too long',
    method: 'POST',
    target: '/app/a',
    body: ['x'],
    length: BODY_BYTES + 1,
    play: async ({ exchange }) => exchange.response(),
    decided: 'body-too-large',
    status: 413,
    asked: null,
  },
  {
    what: 'a body that turns out too long',
    method: 'POST',
    target: '/app/long',
    body: [],
    length: null,
    play: async ({ exchange }) => {
      await exchange.send(Buffer.alloc(BODY_BYTES), 'x').catch(() => {});
      return exchange.response();
    },
    decided: 'permitted',
    ended: 'body-too-large',
    status: 413,
    saw: 'part',
    varies: true,
  },
  {
    what: 'a body that does not come',
    // A stream of HTTP/2 may rest on its way to one.
    upstreams: 'http1',
    method: 'POST',
    target: '/app/waits',
    body: ['part'],
    length: 1000,
    play: async ({ exchange }) => {
      await exchange.send('part');
      return exchange.response();
    },
    decided: 'permitted',
    ended: 'request-timeout',
    status: 408,
    saw: 'part',
  },
];

const VERSION_13 = [['sec-websocket-version', '13']] as const;
const CHAT = { target: '/chat', upgrade: 'websocket', fields: VERSION_13 } as const;

const UPGRADES: readonly CallCase[] = [
  { what: 'an upgrade without a token', ...CHAT, ...NONE, decided: 'token-missing', status: 401 },
  {
    what: 'an upgrade without permission',
    ...CHAT,
    target: '/denied',
    decided: 'permission-denied',
    status: 403,
  },
  {
    what: 'an upgrade of another version',
    ...CHAT,
    fields: [['sec-websocket-version', '8']],
    decided: 'upgrade-refused',
    status: 400,
    asked: null,
  },
  {
    what: 'an upgrade with a token that was rotated',
    ...CHAT,
    as: 'rotated',
    decided: 'token-revoked',
    status: 401,
  },
  {
    what: 'an upgrade that its upstream refuses',
    ...CHAT,
    upstream: once('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno'),
    decided: 'permitted',
    status: 403,
    asked: null,
  },
];

const ENDS: readonly CallCase[] = [
  {
    what: 'a client that leaves before its body',
    method: 'POST',
    target: '/app/leaves/1',
    body: ['part'],
    length: 1000,
    play: async ({ exchange, reached, leave }) => {
      await exchange.send('part');
      await reached('part');
      leave();
      return null;
    },
    decided: 'permitted',
    ended: 'client-aborted',
    status: 0,
    saw: 'part',
  },
  {
    what: 'a client that leaves while its upstream thinks',
    target: '/app/leaves/2',
    upstream: () => [],
    play: async ({ reached, leave }) => {
      await reached('\r\n\r\n');
      leave();
      return null;
    },
    decided: 'permitted',
    ended: 'client-aborted',
    status: 0,
  },
  {
    what: 'a client that leaves in its response',
    target: '/app/leaves/3',
    upstream: once(HALF),
    play: async ({ exchange, leave }) => {
      await exchange.content('half', isHalf);
      leave();
      return null;
    },
    decided: 'permitted',
    ended: 'client-aborted',
    status: 0,
  },
  {
    what: 'a token that is revoked in its body',
    method: 'POST',
    target: '/app/revoked/1',
    as: 'own',
    body: ['part'],
    length: 1000,
    play: (under) => inBody(under, under.revoke),
    decided: 'permitted',
    ended: 'token-revoked',
    status: 401,
    saw: 'part',
  },
  {
    what: 'a token that is revoked while its upstream thinks',
    target: '/app/revoked/2',
    as: 'own',
    upstream: () => [],
    play: async ({ exchange, reached, revoke }) => {
      await reached('\r\n\r\n');
      await revoke();
      return exchange.response();
    },
    decided: 'permitted',
    ended: 'token-revoked',
    status: 401,
  },
  {
    what: 'a token that is revoked in its response',
    target: '/app/revoked/3',
    as: 'own',
    upstream: once(HALF),
    play: (under) => afterHalf(under, under.revoke),
    decided: 'permitted',
    ended: 'token-revoked',
    status: 0,
  },
];

export const CALLS: readonly CallCase[] = [
  ...LET_IN,
  ...RESPONSES,
  ...REFUSED,
  ...UPGRADES,
  ...ENDS,
];

/** Calls that are under way when something befalls their gate, and how they end by it. */
export const underWay = (ended: string): readonly CallCase[] => [
  {
    what: 'in a response',
    target: '/app/end/1',
    upstream: once(HALF),
    decided: 'permitted',
    ended,
    status: 0,
  },
  {
    what: 'while its upstream thinks',
    method: 'POST',
    target: '/app/end/2',
    upstream: () => [],
    decided: 'permitted',
    ended,
    status: 503,
  },
];

/** A token, as a client says it. */
export function authorization(token: string | null, { target }: CallCase): FieldList {
  if (token === null) return [];
  if (target === '/bare') return [['authorization', token]];
  if (target !== '/basic') return [['authorization', `Bearer ${token}`]];
  return [['authorization', `Basic ${Buffer.from(`x:${token}`).toString('base64')}`]];
}

export function requestOf(call: CallCase, token: string | null, tag: string): DoorRequest {
  const { method = 'GET', target, authority, fields = [], body, expects, upgrade } = call;
  const all = (body ?? []).reduce((sum, piece) => sum + piece.length, 0);
  return {
    method,
    target,
    ...(authority === undefined ? {} : { authority }),
    fields: [['user-agent', tag], ...authorization(token, call), ...fields],
    ...(body === undefined ? {} : { length: call.length === undefined ? all : call.length }),
    ...(expects === undefined ? {} : { expects }),
    ...(upgrade === undefined ? {} : { upgrade }),
  };
}

/** Of nobody: a token as it could be. */
export const NOBODYS = newToken('AAAAAAAAAAAA');
