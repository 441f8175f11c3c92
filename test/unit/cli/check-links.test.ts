import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { findOwnLinks } from '../../../src/cli/check-links.ts';
import { parseConfig } from '../../../src/config/load.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(answer: (origin: string) => RequestListener): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', answer(origin));
  closers.push(() => server.close());
  return origin;
}

async function foundAt(origin: string, keys: object = {}, ofRoute: object = {}) {
  const route = {
    name: 'all',
    path: '/**',
    methods: ['GET'],
    application: 'any',
    permission: 'a:b',
    upstream: 'up',
    ...ofRoute,
  };
  const upstreams = { up: { addresses: [origin], connectTimeoutMs: 2000, ...keys } };
  const { config } = parseConfig(JSON.stringify({ upstreams, routes: [route] }), 'test.yaml');
  return findOwnLinks(config);
}

const itself: Parameters<typeof serve>[0] = (origin) => (_request, response) =>
  void response
    .writeHead(302, { location: `${origin}/login`, link: `</a>; rel=b` })
    .end(`<a href="${origin}/login">`);

describe('an upstream that names itself in its answer', () => {
  it('is found, by the field and in the body', async () => {
    const origin = await serve(itself);
    expect(await foundAt(origin)).toEqual([
      {
        severity: 'note',
        server: 'upstream up',
        found: `its answer names itself, ${origin}, in location`,
        means: expect.stringContaining('X-Forwarded-Host'),
      },
      expect.objectContaining({ found: `its answer names itself, ${origin}, in the body` }),
    ]);
  });

  it('is not told of fields that are rewritten, but of its body', async () => {
    const origin = await serve(itself);
    const found = await foundAt(origin, {}, { rewriteOrigin: [origin] });
    expect(found.map((one) => one.found)).toEqual([
      `its answer names itself, ${origin}, in the body`,
    ]);
  });

  it('is one that writes the Host it is asked by, where that is its own', async () => {
    const reflecting = await serve(() => ({ headers }, response) => {
      response.writeHead(302, { location: `http://${headers.host}/login` }).end();
    });
    expect(await foundAt(reflecting, { host: 'upstream' })).toHaveLength(1);
    expect(await foundAt(reflecting, { host: 'preserve' })).toEqual([]);
  });
});

describe('an upstream is left alone', () => {
  it.each<[string, Parameters<typeof serve>[0]]>([
    [
      'that believes what it is told',
      () =>
        ({ headers }, response) => {
          const host = headers['x-forwarded-host'];
          response.writeHead(302, { location: `${headers['x-forwarded-proto']}://${host}/` }).end();
        },
    ],
    [
      'that names another port',
      (origin) => (_request, response) => void response.end(`${origin}1/x`),
    ],
    ['that hangs up', () => (request) => void request.socket.destroy()],
    ['that never ends', () => (_request, response) => void response.write('x')],
  ])('%s', async (_, answer) => {
    const found = await foundAt(await serve(answer), { connectTimeoutMs: 200 });
    for (const close of closers.splice(0)) close();
    expect(found).toEqual([]);
  });

  it('that is not there', async () => {
    expect(await foundAt('http://127.0.0.1:1')).toEqual([]);
  });
});

it('is asked for the path of its health check, without a credential', async () => {
  const seen: string[] = [];
  const origin = await serve(() => (request, response) => {
    seen.push(`${request.url} ${request.headers.authorization}`);
    response.end();
  });
  await foundAt(origin, { healthCheck: { path: '/healthz' } });
  expect(seen).toEqual(['/healthz undefined']);
});
