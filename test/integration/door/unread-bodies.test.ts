import { afterEach, describe, expect, it, type TestContext } from 'vitest';
import { type RouteText, startGateway, type TestGateway } from '../../support/gateway.ts';
import { exchange } from '../../support/raw-client.ts';
import { requireOrSkip } from '../../support/system.ts';
import { type IgnoringUpstream, startIgnoringUpstream } from '../../support/upstreams/ignoring.ts';

/** What a caller would have executed in another's name. */
const SMUGGLED =
  'DELETE /smuggled HTTP/1.1\r\nHost: a\r\nX-Account-Name: administrator\r\nConnection: close\r\n\r\n';
const FRAMINGS = [
  ['Content-Length', [`Content-Length: ${SMUGGLED.length}`], SMUGGLED],
  [
    'Transfer-Encoding',
    ['Transfer-Encoding: chunked'],
    `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n0\r\n\r\n`,
  ],
] as const;

const route = (name: string, path: string, bodyOn: readonly string[]): RouteText => ({
  name,
  path,
  methods: ['GET', 'HEAD', 'OPTIONS', 'DELETE'],
  application: 'any',
  permission: 'test:all',
  upstream: 'python',
  bodyOn,
});

const ROUTES: readonly RouteText[] = [
  { name: 'probe', path: '/healthz', access: 'public', upstream: 'python' },
  route('plain', '/plain', []),
  route('with-body', '/with-body', ['GET', 'DELETE']),
];

let upstream: IgnoringUpstream | null = null;
let gate: TestGateway | null = null;
afterEach(async () => {
  await gate?.stop();
  await upstream?.stop();
  gate = null;
  upstream = null;
});

async function start(ctx: TestContext): Promise<{ gate: TestGateway; upstream: IgnoringUpstream }> {
  requireOrSkip(ctx, 'python3');
  upstream = await startIgnoringUpstream();
  gate = await startGateway({
    upstreams: { python: { addresses: [upstream.url] } },
    routes: ROUTES,
    plaintext: true,
  });
  return { gate, upstream };
}

/** Sends one request and what follows it, and waits until the gate closes the connection. */
async function send(line: string, fields: readonly string[], body: string): Promise<string> {
  const head = [`${line} HTTP/1.1`, 'Host: api.test', ...fields].join('\r\n');
  const { text } = await exchange({ port: gate!.port, pieces: [`${head}\r\n\r\n${body}`] });
  return text;
}

const bearer = () => `Authorization: Bearer ${gate!.token}`;

describe('an upstream that reads no body where it expects none', () => {
  it('takes the body of a GET for a request, when it is asked directly', async (ctx) => {
    const { upstream } = await start(ctx);
    const get = `GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: ${SMUGGLED.length}\r\n\r\n`;
    await exchange({ port: upstream.port, pieces: [get + SMUGGLED] });
    expect(await upstream.executed()).toContainEqual(['DELETE', '/smuggled', 'administrator']);
  });

  it('gets none from a stranger on a public route', async (ctx) => {
    const { gate, upstream } = await start(ctx);
    for (const [framing, fields, body] of FRAMINGS) {
      for (const method of ['GET', 'HEAD']) {
        const text = await send(`${method} /healthz`, fields, body);
        expect(text, framing).toMatch(/^HTTP\/1\.1 400 /);
        expect(text, framing).toContain('Connection: close');
        expect(text.match(/HTTP\/1\.1 /g), framing).toHaveLength(1);
      }
    }
    expect(await send('GET /healthz', ['Content-Length: 0', 'Connection: close'], '')).toMatch(
      /^HTTP\/1\.1 200 /,
    );
    expect(await upstream.executed()).toEqual([['GET', '/healthz', '']]);
    const refused = (await gate.events()).filter(({ reason }) => reason === 'body-refused');
    expect(refused.map(({ route, status, account }) => [route, status, account])).toEqual(
      Array.from({ length: 4 }, () => ['probe', 400, null]),
    );
  });

  it('gets none from an account on a route that does not say so', async (ctx) => {
    const { upstream } = await start(ctx);
    for (const [framing, fields, body] of FRAMINGS) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
        const text = await send(`${method} /plain`, [bearer(), ...fields], body);
        expect(text, `${method} ${framing}`).toMatch(/^HTTP\/1\.1 400 /);
        expect(text.match(/HTTP\/1\.1 /g), `${method} ${framing}`).toHaveLength(1);
        // Whether the route takes a body is for known callers to learn.
        const stranger = await send(`${method} /plain`, fields, body);
        expect(stranger, `${method} ${framing}`).toMatch(/^HTTP\/1\.1 401 /);
      }
    }
    expect(await upstream.executed()).toEqual([]);
  });

  it('executes none where the route says so: it is told that no request follows', async (ctx) => {
    const { upstream } = await start(ctx);
    for (const [framing, fields, body] of FRAMINGS) {
      for (const method of ['GET', 'DELETE']) {
        const line = `${method} /with-body`;
        const text = await send(line, [bearer(), 'Connection: close', ...fields], body);
        expect(text, `${line} ${framing}`).toMatch(/^HTTP\/1\.1 200 /);
      }
    }
    expect(await send('OPTIONS /with-body', [bearer(), 'Content-Length: 1'], 'x')).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    expect((await upstream.executed()).map(([method, path]) => `${method} ${path}`)).toEqual([
      'GET /with-body',
      'DELETE /with-body',
      'GET /with-body',
      'DELETE /with-body',
    ]);
  });
});
