import { expect, it } from 'vitest';
import { type Door, eventsOfClosed, startDoor } from '../../integration/door/door.ts';
import { startGateway } from '../../support/gateway.ts';
import { connectRaw } from '../../support/raw-client.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';

const APP = 'https://app.example.com';
const OPEN = { application: 'any', permission: 'test:all', upstream: 'raw' };
const ROUTES = [
  {
    ...OPEN,
    name: 'pages',
    path: '/pages/**',
    methods: ['GET', 'PUT', 'OPTIONS'],
    cors: { origins: [APP, 'http://localhost:3000'], headers: ['Content-Type'], maxAgeSeconds: 60 },
  },
  { ...OPEN, name: 'others', path: '/**', methods: ['GET', 'PUT', 'OPTIONS'] },
];
const WRITES_CORS = {
  answer: () => [
    {
      send:
        'HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-allow-credentials: true\r\n' +
        'Access-Control-Expose-Headers: X-Total\r\nContent-Length: 2\r\n\r\nok',
    },
  ],
};

const startPages = () => startDoor({ gateway: { routes: ROUTES }, upstream: WRITES_CORS });

/** What Chromium sends, byte for byte but for the user agent. */
const preflight = (path: string, origin = APP, method = 'PUT') =>
  `OPTIONS ${path} HTTP/1.1\r\nHost: gate.example\r\nAccept: */*\r\n` +
  `Access-Control-Request-Method: ${method}\r\nAccess-Control-Request-Headers: authorization,content-type\r\n` +
  `Origin: ${origin}\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: empty\r\nConnection: close\r\n\r\n`;

async function ask(door: Door, request: string): Promise<{ status: number; fields: string[] }> {
  const { text } = await door.talk([request], [request.slice(0, request.indexOf(' '))]);
  const [line = '', ...fields] = text.slice(0, text.indexOf('\r\n\r\n')).split('\r\n');
  return { status: Number(line.split(' ')[1]), fields };
}

const corsOf = (fields: readonly string[]) =>
  fields.filter((line) => /^(?:access-control|vary)/i.test(line));

it('answers a preflight without a token, and puts it on record', async () => {
  const door = await startPages();
  const { status, fields } = await ask(door, preflight('/pages/one'));
  expect(status).toBe(204);
  expect(corsOf(fields)).toEqual([
    `Access-Control-Allow-Origin: ${APP}`,
    'Access-Control-Allow-Methods: PUT',
    'Access-Control-Allow-Headers: Authorization, Content-Type',
    'Access-Control-Max-Age: 60',
    'Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
  ]);
  expect(fields.some((line) => /^content-length/i.test(line))).toBe(false);
  const [decision, outcome] = await door.eventsOf('/pages/one', 2);
  expect(decision).toMatchObject({
    decision: 'permit',
    method: 'OPTIONS',
    preflight: 'PUT',
    route: 'pages',
    account: null,
  });
  expect(outcome).toMatchObject({ phase: 'outcome', reason: 'permitted', status: 204 });
  expect(outcome).not.toHaveProperty('upstreamStatus');
  expect(door.upstream.requests).toHaveLength(0);
});

it.each([
  ['of another origin', preflight('/pages/no', 'https://evil.example.com')],
  ['of no origin', preflight('/pages/no', 'null')],
  ['of an origin that begins alike', preflight('/pages/no', `${APP}.evil.example`)],
  ['of an origin in capitals', preflight('/pages/no', APP.toUpperCase())],
  ['about a method that the route does not take', preflight('/pages/no', APP, 'DELETE')],
  ['about a method that nobody knows', preflight('/pages/no', APP, 'put')],
  ['for a route without cors', preflight('/other')],
  ['with two origins', preflight('/pages/no').replace('Accept: */*', `Origin: ${APP}`)],
  ['without an origin', preflight('/pages/no').replace(`Origin: ${APP}\r\n`, '')],
  ['with a body', preflight('/pages/no').replace('\r\n\r\n', '\r\nContent-Length: 1\r\n\r\nx')],
  ['that is a GET', preflight('/pages/no').replace('OPTIONS', 'GET')],
])('takes for an ordinary request a preflight %s: 401', async (_, request) => {
  const door = await startPages();
  const { status, fields } = await ask(door, request);
  expect(status).toBe(401);
  expect(corsOf(fields).join()).not.toMatch(/Allow-Methods|evil|null/i);
  expect(door.upstream.requests).toHaveLength(0);
});

it('says on answers and refusals which origin is allowed, in place of the upstream', async () => {
  const door = await startPages();
  const call = (path: string, ...fields: readonly string[]) =>
    ask(door, door.head(`GET ${path}`, 'Connection: close', ...fields));
  const allowed = [`Access-Control-Allow-Origin: ${APP}`, 'Vary: Origin'];
  const exposed = 'Access-Control-Expose-Headers: X-Total';
  const answered = await call('/pages/a', `Origin: ${APP}`);
  expect([answered.status, ...corsOf(answered.fields)]).toEqual([200, exposed, ...allowed]);
  const other = await call('/pages/a', 'Origin: https://evil.example.com');
  expect(corsOf(other.fields)).toEqual([exposed, 'Vary: Origin']);
  expect(corsOf((await call('/pages/a')).fields)).toEqual([exposed, 'Vary: Origin']);
  const refused = await ask(
    door,
    `GET /pages/b HTTP/1.1\r\nHost: h\r\nOrigin: ${APP}\r\nConnection: close\r\n\r\n`,
  );
  expect([refused.status, ...corsOf(refused.fields)]).toEqual([401, ...allowed]);
  const elsewhere = await call('/elsewhere', `Origin: ${APP}`);
  expect(corsOf(elsewhere.fields)).toEqual([
    'Access-Control-Allow-Origin: *',
    'access-control-allow-credentials: true',
    exposed,
  ]);
});

it('says it on refusals that come before the route is looked for, too', async () => {
  const door = await startDoor({
    gateway: { routes: ROUTES, limits: { bodyBytes: 10 } },
    upstream: WRITES_CORS,
  });
  const { status, fields } = await ask(
    door,
    door.head('PUT /pages/big', 'Connection: close', `Origin: ${APP}`, 'Content-Length: 11'),
  );
  expect([status, ...corsOf(fields)]).toEqual([
    413,
    `Access-Control-Allow-Origin: ${APP}`,
    'Vary: Origin',
  ]);
});

it('sends an authenticated OPTIONS on that is no preflight', async () => {
  const door = await startPages();
  const { status } = await ask(
    door,
    door.head('OPTIONS /pages/a', 'Connection: close', `Origin: ${APP}`),
  );
  expect(status).toBe(200);
  expect(door.upstream.requests).toHaveLength(1);
});

it('counts a flood of preflights instead of recording each', async () => {
  const upstream = await startRawUpstream();
  const gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    routes: ROUTES,
    plaintext: true,
    config: { audit: { foldRefusalsAfter: 3 } },
  });
  try {
    for (let number = 0; number < 8; number += 1) {
      const client = await connectRaw({ port: gate.port });
      await client.send(preflight('/pages/flood'));
      expect((await client.waitForClose()).toString('latin1')).toMatch(/^HTTP\/1.1 204 /);
    }
    await gate.gateway.close();
    const events = (await eventsOfClosed(gate)).filter(({ type }) => type === 'call');
    const folded = events.filter(({ count }) => count !== undefined);
    expect(folded).toMatchObject([{ count: 5, decision: 'permit', reasons: { permitted: 5 } }]);
    expect(events.filter(({ preflight: asked }) => asked === 'PUT')).toHaveLength(3);
  } finally {
    await gate.stop();
    await upstream.stop();
  }
});
