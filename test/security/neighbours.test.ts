import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { valuesOf } from '../support/http-bytes.ts';
import { fieldsOf, type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * What stands beside each other and must not be reached through each other: a wide route and a
 * narrow one below it, the console and the gate on one host.
 */

const protectedRoute = (name: string, path: string, permission: string) =>
  ({
    name,
    path,
    methods: ['GET'],
    application: 'any',
    permission,
    upstream: 'recorder',
  }) as const;

let guarded: GuardedUpstream;

beforeAll(async () => {
  guarded = await startGuarded({
    routes: [
      // The account may use the first and not the second.
      protectedRoute('api', '/api/**', 'test:all'),
      protectedRoute('secrets', '/api/secrets', 'admin:all'),
    ],
    upstream: {
      answer: () => [
        {
          send: [
            'HTTP/1.1 103 Early Hints',
            'Set-Cookie: __Host-sallyport=evil; Path=/; Secure',
            '',
            'HTTP/1.1 200 OK',
            'Content-Length: 2',
            'Set-Cookie: theirs=1',
            'Set-Cookie: __Host-sallyport=evil; Path=/; Secure',
            'set-cookie: __Host-sallyport-browser=evil; Path=/; Secure',
            '',
            'ok',
          ].join('\r\n'),
        },
      ],
    },
  });
});
afterAll(() => guarded.stop());

const get = (target: string, ...fields: string[]) =>
  guarded.ask(request(`GET ${target} HTTP/1.1`, [guarded.authorization, ...fields]));

describe('a narrow route', () => {
  it.each([
    ['/api/secrets', 403],
    ['/api/secrets;x', 404],
    ['/api/secrets/', 404],
    ['/api/secrets;x/', 404],
    ['/api/secrets;/', 404],
    ['/api/secrets%3bx/', 404],
    ['/api/secrets;x/y', 404],
    ['/(S(x))/api/secrets', 400],
    ['/api/(S(x))/secrets', 400],
  ])('is not reached through the wide one by %s', async (target, status) => {
    const outcome = await get(target);
    expect([outcome.status, outcome.forwarded]).toEqual([status, []]);
  });

  it('leaves to the wide one what no server takes for it', async () => {
    for (const target of ['/api/other;x/', '/api/secrets/one', '/api/secretsx'])
      expect((await get(target)).forwarded.map(({ line }) => line)).toEqual([
        `GET ${target} HTTP/1.1`,
      ]);
  });
});

describe('the console’s cookies', () => {
  it('do not reach an upstream, and cannot be set by one', async () => {
    const outcome = await get('/api/a', 'Cookie: a=b; __Host-sallyport=secret', 'Proxy: evil');
    expect(fieldsOf(outcome.forwarded[0]!, /^(cookie|proxy)$/i)).toEqual(['cookie: a=b']);
    expect(valuesOf(outcome.answer!, 'set-cookie')).toEqual(['theirs=1']);
    expect(outcome.text).not.toMatch(/sallyport=evil|sallyport-browser/);
  });
});
