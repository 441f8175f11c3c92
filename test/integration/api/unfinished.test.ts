import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type AuditEvent, owner, startGateway, type TestGateway } from '../../support/gateway.ts';
import { answerToWhoLeaves } from '../../support/leaving.ts';

/**
 * Requests to the admin listener that do not come whole, and bytes behind those that do: one
 * decision for each request, and an outcome that says what the client got.
 */
let gate: TestGateway;
let port: number;
let account: string;
let authorization: string;
let before: number;
let logged: number;

beforeAll(async () => {
  gate = await startGateway({
    upstreams: { api: { addresses: ['http://127.0.0.1:9'] } },
    admin: {},
  });
  port = gate.gateway.addresses.admin!.port;
  const made = await gate.createAccount({ name: 'keeper', role: 'administrator' });
  await gate.createAccount({ name: 'second', role: 'administrator' });
  account = (await gate.administration.showAccount(owner, { name: 'keeper' })).id;
  authorization = `Authorization: Bearer ${made.token}\r\n`;
});
afterAll(() => gate?.stop());
beforeEach(async () => {
  before = (await gate.events()).length;
  logged = gate.log.length;
});

/** Everything that comes back until the connection ends. */
async function ask(bytes: string, leaves = false): Promise<string> {
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk;
  });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  socket.write(bytes, 'latin1');
  if (leaves) socket.end();
  await new Promise((resolve) => socket.once('close', resolve));
  return text;
}

const statusesOf = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
const idsOf = (text: string) => [...text.matchAll(/^x-request-id: (\S+)/gim)].map(([, id]) => id);

/** Decisions and outcomes of what was asked since, once there are so many. */
async function recorded(count: number): Promise<readonly AuditEvent[]> {
  const events = async () =>
    (await gate.events()).slice(before).filter(({ type }) => type === 'admin-call');
  await expect.poll(async () => (await events()).length, { timeout: 10_000 }).toBe(count);
  return events();
}

function expectNoError(): void {
  expect(
    gate.log.slice(logged).filter((line) => line.includes('"error"') || line.includes('stack')),
  ).toEqual([]);
}

const CHUNKED = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n';
const FORM =
  'Host: a\r\nOrigin: https://a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n';

it('a body that is no chunk is told so once, under the id of its request', async () => {
  const text = await ask(
    `POST /api/v1/roles HTTP/1.1\r\nHost: a\r\n${CHUNKED}${authorization}\r\nzz\r\n`,
  );
  expect(statusesOf(text)).toEqual([400]);
  const events = await recorded(2);
  expect(events).toMatchObject([
    { phase: 'decision', decision: 'permit', id: idsOf(text)[0] },
    { phase: 'outcome', status: 400, reason: 'permitted', id: idsOf(text)[0] },
  ]);
  expectNoError();
});

it('a body that may be left out does nothing when it breaks off', async () => {
  const { token } = await gate.administration.showAccount(owner, { name: 'keeper' });
  const line = `POST /api/v1/service-accounts/${account}/token HTTP/1.1\r\nHost: a\r\n`;
  const text = await ask(`${line}${CHUNKED}${authorization}\r\nzz\r\n`);
  expect(statusesOf(text)).toEqual([400]);
  await ask(`${line}${CHUNKED}${authorization}\r\n`, true);
  await recorded(4);
  expect((await gate.administration.showAccount(owner, { name: 'keeper' })).token?.id).toBe(
    token?.id,
  );
});

it('a client that leaves in its upload is on record as gone', async () => {
  const text = await ask(
    `PATCH /api/v1/roles/user HTTP/1.1\r\nHost: a\r\nContent-Length: 999\r\nContent-Type: application/json\r\n${authorization}\r\n{`,
    true,
  );
  expect(text).toBe('');
  const events = await recorded(2);
  expect(events).toMatchObject([
    { phase: 'decision', decision: 'permit' },
    { phase: 'outcome', reason: 'client-aborted' },
  ]);
  expect(events[1]).not.toHaveProperty('status');
  expectNoError();
});

it('what is asked by a client that leaves is not read on, and is on record as gone', async () => {
  const answer = answerToWhoLeaves(gate.gateway.control!.administration, () => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', () => {});
    const line = 'GET /api/v1/who-can/matrix?permission=a:read HTTP/1.1';
    socket.write(`${line}\r\nHost: a\r\n${authorization}\r\n`);
    return { leave: () => socket.destroy() };
  });
  await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
  expect((await recorded(2))[1]).toMatchObject({ phase: 'outcome', reason: 'client-aborted' });
  expectNoError();
});

it('a form of a stranger that does not come whole is refused once, and no fault of ours', async () => {
  const text = await ask(
    `POST /sign-in HTTP/1.1\r\n${FORM}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
  );
  expect(statusesOf(text)).toEqual([400]);
  expect(await recorded(1)).toMatchObject([
    { phase: 'decision', decision: 'refusal', reason: 'request-malformed', status: 400 },
  ]);
  await ask(`POST /sign-in HTTP/1.1\r\n${FORM}Content-Length: 100\r\n\r\na=`, true);
  const [, left] = await recorded(2);
  expect(left).toMatchObject({ phase: 'decision', decision: 'refusal', reason: 'client-aborted' });
  expect(left).not.toHaveProperty('status');
  expectNoError();
});

const create = (name: string, more = '') => {
  const body = `{"name":"${name}","role":"none"}`;
  return `POST /api/v1/service-accounts HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${more}${authorization}\r\n${body}`;
};

it.each([
  ['what is no HTTP', '\x01\x02 garbage\r\n\r\n', 400, 'request-malformed'],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 405, 'method-refused'],
])(
  '%s behind a request never takes the place of its answer',
  async (what, bytes, status, reason) => {
    const name = `behind-${what.length}`;
    const text = await ask(`${create(name)}${bytes}`);
    expect(statusesOf(text)).toEqual([201, status]);
    expect(text).toContain('"token":"');
    const events = await recorded(3);
    const [first, second] = idsOf(text);
    expect(events.filter(({ id }) => id === first)).toMatchObject([
      { phase: 'decision', decision: 'permit' },
      { phase: 'outcome', status: 201 },
    ]);
    expect(events.filter(({ id }) => id === second)).toMatchObject([
      { phase: 'decision', decision: 'refusal', reason, status },
    ]);
  },
);

it('a request that breaks off behind another is answered in its turn', async () => {
  const first = `GET /api/v1/roles HTTP/1.1\r\nHost: a\r\n${authorization}\r\n`;
  const second = `POST /api/v1/roles HTTP/1.1\r\nHost: a\r\n${CHUNKED}${authorization}\r\nzz\r\n`;
  const text = await ask(`${first}${second}`);
  expect(statusesOf(text)).toEqual([200, 400]);
  const events = await recorded(4);
  for (const [index, status] of [200, 400].entries())
    expect(events.filter(({ id }) => id === idsOf(text)[index])).toMatchObject([
      { phase: 'decision' },
      { phase: 'outcome', status },
    ]);
});

it('what is answered before its body has broken off is answered once', async () => {
  const text = await ask(`POST /api/v1/roles HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\nzz\r\n`);
  expect(statusesOf(text)).toEqual([401]);
  expect(await recorded(1)).toMatchObject([{ reason: 'token-missing', status: 401 }]);
});

it('half a head of a client that has left is no request', async () => {
  expect(await ask('GET /api/v1/roles HTTP/1.1\r\nHo', true)).toBe('');
  // On record after it, and alone.
  await ask(`GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  expect(await recorded(2)).toMatchObject([
    { path: '/api/v1/openapi.json' },
    { path: '/api/v1/openapi.json' },
  ]);
});

it('nothing is said behind an answer that is the last one', async () => {
  const text = await ask(`${create('last-one', 'Connection: close\r\n')}\x01\x02`);
  expect(statusesOf(text)).toEqual([201]);
  await recorded(2);
});
