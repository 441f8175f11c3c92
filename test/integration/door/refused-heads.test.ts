import { connect } from 'node:tls';
import { expect, it } from 'vitest';
import type { AuditEvent } from '../../support/gateway.ts';
import { exchange } from '../../support/raw-client.ts';
import { type Door, startDoor } from './door.ts';

/** Why a head was refused: in the answer, in the record, and in the log. */

const decisions = async (door: Door): Promise<readonly AuditEvent[]> =>
  (await door.events()).filter(({ phase }) => phase === 'decision');

const logged = (door: Door, detail: string) =>
  door.gate.log.filter((line) => line.includes(`"detail":"${detail}"`));

const REFUSED = [
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['more than one Host', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['field name outside [A-Za-z0-9-]', 'GET / HTTP/1.1\r\nHost: a\r\nX_Y: 1\r\n\r\n', 400],
  ['target is not an unambiguous origin-form', 'GET /a/../b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['control character in the head', 'GET / HTTP/1.1\r\nHost: a\r\nX: \x01', 400],
  ['line not ended by CRLF', 'GET / HTTP/1.1\r\nHost: a\r\nX: y\n', 400],
  ['request line too long', `GET /${'a'.repeat(40_000)}`, 414],
  ['unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n', 417],
  ['HTTP version is neither 1.0 nor 1.1', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n', 505],
] as const;

it('is told, each in its own phrase', async () => {
  const door = await startDoor();
  for (const [detail, bytes, status] of REFUSED) {
    const { text } = await exchange({ port: door.gate.port, pieces: [bytes] });
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toContain(`"detail":${JSON.stringify(detail)}`);
    expect(logged(door, detail)).toEqual([expect.stringContaining('"level":"debug"')]);
  }
  const recorded = (await decisions(door)).map(({ detail, status }) => [detail, status]);
  expect(recorded).toEqual(REFUSED.map(([detail, , status]) => [detail, status]));
});

it('says it in the form of the route where errors are those of LifeTime', async () => {
  const door = await startDoor({ gateway: { config: { errors: 'lifetime' } } });
  const { text } = await exchange({ port: door.gate.port, pieces: ['GET / HTTP/1.1\r\n\r\n'] });
  expect(text).toMatch(/"Errors":\[".*: no Host \(request-malformed, request .*\]/);
});

it.each([
  ['a line feed', (token: string) => `Host: a\r\nAuthorization: Bearer ${token}\n\r\n`],
  [
    'a whole line break',
    (token: string) => `Authorization: Bearer ${token}\r\n\r\nHost: a\r\n\r\n`,
  ],
])('a token that was read from a file with %s is told apart', async (_, fields) => {
  const door = await startDoor();
  const { token, port } = door.gate;
  const { text } = await exchange({ port, pieces: [`GET / HTTP/1.1\r\n${fields(token)}`] });
  expect(text).toContain('"detail":"the token ends with a line break"');
  const [decision] = await decisions(door);
  expect(decision).toMatchObject({ detail: 'the token ends with a line break', account: null });
  expect(`${text}${JSON.stringify(decision)}${door.gate.log.join('')}`).not.toContain(token);
});

it('is said of the head behind one that ended too early', async () => {
  const door = await startDoor();
  const pieces = [`${door.head('GET /first')}Accept: */*\r\n\r\n`];
  const { text } = await exchange({ port: door.gate.port, pieces });
  expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 400 [\s\S]*ended too early/);
});

it('TLS on the port for plain HTTP is named', async () => {
  const door = await startDoor();
  const client = connect({ port: door.gate.port, host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise<void>((resolve) => client.once('error', () => resolve()));
  const detail = 'the connection begins with TLS, and the port is for plain HTTP';
  await expect
    .poll(() => logged(door, detail))
    .toEqual([expect.stringContaining('"level":"warn"')]);
  expect(await decisions(door)).toEqual([
    expect.objectContaining({ detail, reason: 'request-malformed' }),
  ]);
});

it.each([
  ['in the clear', false, 505],
  ['to a port of TLS', true, 403],
])('HTTP/2 with prior knowledge is named: %s', async (_, tls, status) => {
  const door = await startDoor({ tls, gateway: { http2: { enabled: false } } });
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
  const { text } = await exchange({ port: door.gate.port, pieces: [preface] });
  expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  const detail = 'the connection begins with the preface of HTTP/2, which is not spoken here';
  expect(await decisions(door)).toEqual([expect.objectContaining({ detail, status })]);
  expect(logged(door, detail)).toEqual([expect.stringContaining('"level":"warn"')]);
});
