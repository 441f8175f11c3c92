import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { newToken } from '../../src/account/token.ts';
import { type MessageHead, valuesOf } from '../support/http-bytes.ts';
import type { Step } from '../support/raw-upstream.ts';
import type { DoorRequest } from './door-under-test.ts';

/** What the suite of doors sends and gets. The upstreams speak HTTP/1.1, whatever the door does. */

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'];
const KNOWN = { application: 'any', permission: 'test:all', upstream: 'raw' } as const;
const LIMIT = { requests: 1, windowSeconds: 3600, per: 'account' } as const;
export const ROUTES = [
  { name: 'app', path: '/app/**', methods: METHODS, ...KNOWN },
  { name: 'readonly', path: '/readonly', methods: ['GET'], ...KNOWN },
  { name: 'limited', path: '/limited', methods: ['GET'], ...KNOWN, rateLimit: LIMIT },
  { name: 'denied', path: '/denied', methods: ['GET'], ...KNOWN, permission: 'other:thing' },
  { name: 'public', path: '/public', access: 'public', upstream: 'raw' },
];
export const BODY_BYTES = 1_000_000;

export const OK = 'HTTP/1.1 200 OK\r\nX-Own: 1\r\n';
export const HALF = `${OK}Content-Length: 1000\r\n\r\nhalf`;

export const pathOf = ({ line }: MessageHead) => line.split(' ')[1]!;

/** Says whose it is, so that a mix-up is seen. */
export function answerTo(request: MessageHead): readonly Step[] {
  const content = `for ${valuesOf(request, 'x-request-id')[0]} at ${pathOf(request)}`;
  const head = `${OK}Content-Length: ${content.length}\r\n\r\n`;
  return [{ send: request.line.startsWith('HEAD') ? head : head + content }];
}

/** Some of the names that only the gate may say to an upstream. */
export const RESERVED = [
  'X-Account-Id',
  'X-ACCOUNT-NAME',
  'x-account-role',
  'X-Account-Teams',
  'X-Account-Applications',
  'X-Account-Anything',
  'X-Request-Id',
  'Forwarded',
  'X-Forwarded-For',
  'X-Forwarded-Host',
  'X-Forwarded-Proto',
  'X-Real-Ip',
  'Client-Ip',
  'X-Http-Method-Override',
  'Proxy-Authorization',
];

export const REFUSED: readonly (readonly [
  reason: string,
  status: number,
  target: string,
  changes?: Partial<DoorRequest>,
  fields?: Readonly<Record<string, RegExp | string>>,
])[] = [
  [
    'token-missing',
    401,
    '/app/1',
    { fields: [] },
    { 'www-authenticate': /^Bearer realm="[^"]*"$/ },
  ],
  ['token-malformed', 401, '/app/2', bearer('nonsense'), { 'www-authenticate': /invalid_token/ }],
  [
    'token-unknown',
    401,
    '/app/3',
    bearer(newToken('AAAAAAAAAAAA')),
    { 'www-authenticate': /invalid_token/ },
  ],
  ['route-unknown', 404, '/nowhere'],
  ['method-refused', 405, '/readonly', { method: 'DELETE' }, { allow: /^GET$/ }],
  ['permission-denied', 403, '/denied', {}, { 'www-authenticate': /insufficient_scope/ }],
  ['body-refused', 400, '/app/4', { length: 4 }],
  ['target-ambiguous', 400, '/app/%2e%2e/4'],
  ['body-too-large', 413, '/app/5', { method: 'POST', length: BODY_BYTES + 1 }],
  ['rate-limited', 429, '/limited', {}, { 'retry-after': /^\d+$/ }],
  ['method-unknown', 501, '/app/6', { method: 'BREW' }],
];

function bearer(token: string): Partial<DoorRequest> {
  return { fields: [['authorization', `Bearer ${token}`]] };
}

export const RESPONSES: readonly (readonly [
  what: string,
  method: string,
  steps: readonly Step[],
  expected: readonly [status: number, content: string],
])[] = [
  ['with a length', 'GET', [{ send: `${OK}Content-Length: 4\r\n\r\nbody` }], [200, 'body']],
  [
    'without a length',
    'GET',
    [{ send: `${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n` }],
    [200, 'body'],
  ],
  ['that its connection ends', 'GET', [{ send: `${OK}\r\nbody` }, { end: true }], [200, 'body']],
  ['without content', 'GET', [{ send: `${OK}Content-Length: 0\r\n\r\n` }], [200, '']],
  ['204', 'DELETE', [{ send: 'HTTP/1.1 204 No Content\r\nX-Own: 1\r\n\r\n' }], [204, '']],
  ['304', 'GET', [{ send: 'HTTP/1.1 304 Not Modified\r\nX-Own: 1\r\n\r\n' }], [304, '']],
  ['to HEAD', 'HEAD', [{ send: `${OK}Content-Length: 4\r\n\r\n` }], [200, '']],
  [
    'after an interim one, 103',
    'GET',
    [
      {
        send: `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 4\r\n\r\nbody`,
      },
    ],
    [200, 'body'],
  ],
];

export const FAILURES: readonly (readonly [when: string, steps: readonly Step[]])[] = [
  ['before its head', []],
  ['in its head', [{ send: 'HTTP/1.1 200 OK\r\nContent-' }]],
  ['with what is no response', [{ send: 'nonsense\r\n\r\n' }]],
];

const CHUNK = `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`;
export const BREAKS: readonly (readonly [when: string, steps: readonly Step[], last: Step])[] = [
  ['within its length, by a reset', [{ send: HALF }], { reset: true }],
  ['within its length, by an end', [{ send: HALF }], { end: true }],
  ['before its end, by a reset', [{ send: CHUNK }], { reset: true }],
  ['before its end, by an end', [{ send: CHUNK }], { end: true }],
];

/** Of a request with a body: what its client has sent of it, and what its upstream has seen. */
export const PHASES: readonly (readonly [
  when: string,
  length: number,
  pieces: readonly string[],
  seen: string,
])[] = [
  ['before its body', 4, [], ''],
  ['in its body', 1000, ['part'], 'part'],
  ['while its upstream thinks', 4, ['body'], 'body'],
];

export const PIECE = Buffer.alloc(100_000, 'x');
export const MUCH_BYTES = 40_000_000;
/** What the kernel and the gate may hold at most; a gate that kept all would be far past it. */
export const ON_ITS_WAY_BYTES = 30_000_000;

/** An upstream that answers with as much as it gets rid of. */
export async function startSpring() {
  const sockets = new Set<Socket>();
  const spring = { sent: 0, url: '', stop: async () => {} };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(`${OK}Content-Length: ${MUCH_BYTES}\r\n\r\n`);
      const pour = () => {
        while (spring.sent < MUCH_BYTES) {
          spring.sent += PIECE.length;
          if (!socket.write(PIECE)) return;
        }
      };
      socket.on('drain', pour);
      pour();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  spring.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  spring.stop = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return spring;
}
