import { connect as connectPlain } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newToken } from '../../src/account/token.ts';
import { type AuditEvent, owner, startGateway, type TestGateway } from '../support/gateway.ts';

/** Every answer of the admin listener is in the audit, whoever gives it. */

let gate: TestGateway;
let port: number;

beforeAll(async () => {
  gate = await startGateway({
    upstreams: { api: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
    config: { audit: { foldRefusalsAfter: 30 } },
  });
  port = gate.gateway.addresses.admin!.port;
});
afterAll(() => gate?.stop());

/** Sends exactly this and reads to the end of the connection. */
async function ask(bytes: string): Promise<{ readonly status: number; readonly text: string }> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  // The end may come as a reset where bytes were left unread.
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  socket.write(bytes, 'latin1');
  await new Promise((resolve) => socket.once('close', resolve));
  return { status: Number(text.slice(9, 12)), text };
}

function idOf(text: string): string {
  return /^x-request-id: (\S+)/im.exec(text)?.[1] ?? '';
}

const CLOSE = 'Connection: close\r\n\r\n';

it.each([
  ['no Host', `GET /api/v1/roles HTTP/1.1\r\n${CLOSE}`, 400, 'request-malformed'],
  ['two Hosts', `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n${CLOSE}`, 400, 'request-ambiguous'],
  ['a Host that is none', `GET / HTTP/1.1\r\nHost: a b/c\r\n${CLOSE}`, 400, 'request-malformed'],
  ['a Host of another form', `GET / HTTP/1.1\r\nHost: 1.1\r\n${CLOSE}`, 400, 'request-malformed'],
  ['no path', `OPTIONS * HTTP/1.1\r\nHost: a\r\n${CLOSE}`, 400, 'target-ambiguous'],
  [
    'another host',
    `GET https://evil/api/v1/roles HTTP/1.1\r\nHost: a\r\n${CLOSE}`,
    400,
    'target-ambiguous',
  ],
  ['dots', `GET /x/%2e./api/v1/roles HTTP/1.1\r\nHost: a\r\n${CLOSE}`, 400, 'target-ambiguous'],
  ['a fragment', `GET /api/v1/roles#x HTTP/1.1\r\nHost: a\r\n${CLOSE}`, 400, 'target-ambiguous'],
  ['a Host without its port', `GET / HTTP/1.1\r\nHost: a:\r\n${CLOSE}`, 400, 'request-malformed'],
  ['Expect', `GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n${CLOSE}`, 417, 'expectation-failed'],
  [
    'a large head',
    `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(20_000)}\r\n${CLOSE}`,
    431,
    'headers-too-large',
  ],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.9\r\n\r\n', 400, 'request-malformed'],
  ['CONNECT', `CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n${CLOSE}`, 405, 'method-refused'],
  ['an unknown path', `GET /api/else HTTP/1.1\r\nHost: a\r\n${CLOSE}`, 404, 'route-unknown'],
  [
    'an unknown method',
    `PATCH /api/v1/roles HTTP/1.1\r\nHost: a\r\n${CLOSE}`,
    405,
    'method-refused',
  ],
  [
    'the console without a session',
    `GET /roles HTTP/1.1\r\nHost: a\r\n${CLOSE}`,
    303,
    'token-missing',
  ],
])('a request with %s is answered and on record', async (_what, bytes, status, reason) => {
  const before = (await gate.events()).length;
  const answer = await ask(bytes);
  expect(answer.status).toBe(status);
  const events = (await gate.events()).slice(before);
  const decisions = events.filter(({ phase }) => phase === 'decision');
  expect(decisions).toMatchObject([
    { type: 'admin-call', decision: 'refusal', reason, status, clientAddress: '127.0.0.1' },
  ]);
  if (status !== 303 && !/\/api\/else/.test(bytes))
    expect(idOf(answer.text)).toBe(decisions[0]!.id);
});

it.each([
  'GET *',
  'OPTIONS *',
  'GET /api\\v1\\roles',
  'GET ftp://x/',
  'GET http://[',
  'GET https://evil/api/v1/openapi.json',
  'GET /./sign-in',
])('a request of HTTP/1.0 without Host takes a path alone, and is on record: %s', async (line) => {
  const before = (await gate.events()).length;
  const answer = await ask(`${line} HTTP/1.0\r\n\r\n`);
  const events = (await gate.events()).slice(before);
  expect([answer.status, events]).toMatchObject([
    400,
    [{ phase: 'decision', reason: 'target-ambiguous', status: 400, id: idOf(answer.text) }],
  ]);
});

it.each([
  ['GET /api/v1/openapi.json', 200],
  ['GET /api/v1/docs', 200],
  ['GET /docs', 308],
  ['GET /sign-in', 200],
])('%s needs nobody, and is on record with its end', async (line, status) => {
  const before = (await gate.events()).length;
  expect((await ask(`${line} HTTP/1.1\r\nHost: a\r\n${CLOSE}`)).status).toBe(status);
  const events = (await gate.events()).slice(before);
  const path = line.split(' ')[1];
  expect(events.map(({ phase, reason }) => [phase, reason])).toEqual([
    ['decision', 'permitted'],
    ['outcome', 'permitted'],
  ]);
  for (const event of events)
    expect(event).toMatchObject({ type: 'admin-call', account: null, path });
});

it('a handshake that fails gets no answer and leaves no record', async () => {
  const before = (await gate.events()).length;
  const socket = connectPlain({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk) => {
    text += String(chunk);
  });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  expect(text).not.toContain('HTTP/1.1');
  expect(await gate.events()).toHaveLength(before);
});

it('a request of HTTP/1.0 without Host is answered like any other', async () => {
  const answer = await ask('GET /api/v1/openapi.json HTTP/1.0\r\n\r\n');
  expect(answer.status).toBe(200);
});

it('reads of the console are on record with the person who read, the whole log among them', async () => {
  const password = 'correct-horse-battery-staple';
  await gate.administration.createUser(owner, { name: 'reader', role: 'administrator', password });
  const form = new URLSearchParams({ name: 'reader', password, next: '/' }).toString();
  const signedIn = await ask(
    `POST /sign-in HTTP/1.1\r\nHost: a\r\nOrigin: https://a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: ${form.length}\r\nConnection: close\r\n\r\n${form}`,
  );
  const cookie = /^set-cookie: (__Host-sallyport=[^;]+)/im.exec(signedIn.text)?.[1] ?? '';
  expect(cookie).not.toBe('');
  const before = (await gate.events()).length;
  for (const path of ['/activity', '/activity/export', '/service-accounts'])
    expect(
      (await ask(`GET ${path} HTTP/1.1\r\nHost: a\r\nCookie: ${cookie}\r\n${CLOSE}`)).status,
    ).toBe(200);
  const events = (await gate.events()).slice(before);
  const of = (path: string) => events.filter((event) => event.path === path);
  for (const path of ['/activity', '/activity/export', '/service-accounts'])
    expect(of(path)).toMatchObject([
      {
        phase: 'decision',
        decision: 'permit',
        account: { name: 'reader', kind: 'user' },
        actor: { via: 'console' },
      },
      { phase: 'outcome', status: 200, account: { name: 'reader' } },
    ]);
  // Who reads the record cannot become who read.
  expect(JSON.stringify(events)).not.toContain(cookie.split('=')[1]);
});

it('a token in a path is masked, however it is escaped', async () => {
  const token = newToken('A'.repeat(12));
  for (const written of [token, `%73${token.slice(1)}`, `%2573${token.slice(1)}`]) {
    const before = (await gate.events()).length;
    await ask(`GET /api/v1/service-accounts/${written} HTTP/1.1\r\nHost: a\r\n${CLOSE}`);
    const events = (await gate.events()).slice(before);
    expect(events).toMatchObject([
      { path: `/api/v1/service-accounts/slp_${'A'.repeat(12)}_(removed)` },
    ]);
  }
});

it('a flood of them is counted', async () => {
  const token = newToken('A'.repeat(12));
  const sent = 100;
  const before = standingFor(await gate.events());
  for (let n = 0; n < sent; n += 1)
    await ask(
      `GET /api/v1/roles HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${CLOSE}`,
    );
  await expect
    .poll(async () => standingFor(await gate.events()) - before, { timeout: 30_000 })
    .toBeGreaterThanOrEqual(sent);
  const folded = (await gate.events()).filter(({ count }) => count !== undefined);
  expect(folded.length).toBeGreaterThan(0);
  for (const event of folded)
    expect(event).toMatchObject({ type: 'admin-call', clientAddress: '127.0.0.1' });
});

function standingFor(events: readonly AuditEvent[]): number {
  return events
    .filter(({ phase }) => phase === 'decision')
    .reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
}
