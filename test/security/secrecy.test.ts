import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newAccountId } from '../../src/account/id.ts';
import { newToken } from '../../src/account/token.ts';
import { type GuardedUpstream, request, startGuarded } from './gate.ts';

/**
 * Tokens in every place where clients have been seen to put them, live ones and others: none is
 * found again in anything the gate writes.
 */

let guarded: GuardedUpstream;
beforeAll(async () => {
  guarded = await startGuarded();
});
afterAll(() => guarded.stop());

/** Requests with the token in odd places. */
function requestsWith(token: string): readonly string[] {
  const authorised = guarded.authorization;
  const bearer = `Authorization: Bearer ${token}`;
  const escaped = token.replaceAll('_', '%5f');
  return [
    request('GET /a HTTP/1.1', [bearer]),
    request('GET /a HTTP/1.1', [`Authorization: bearer  ${token}`]),
    request('GET /a HTTP/1.1', [`Authorization: ${token}`]),
    request('GET /a HTTP/1.1', [`Authorization: Basic ${token}`]),
    request('GET /a HTTP/1.1', [bearer, bearer]),
    request(`GET /a?token=${token} HTTP/1.1`, [authorised]),
    request(`GET /a?token=${token} HTTP/1.1`),
    request(`GET /${token}/x HTTP/1.1`, [authorised]),
    request(`GET /${token} HTTP/1.1`),
    request(`GET /x${token}${token}y HTTP/1.1`),
    request(`GET /${escaped} HTTP/1.1`),
    request(`GET /${'a'.repeat(1000)}/${token} HTTP/1.1`, [authorised]),
    request(`GET /${'a/'.repeat(480)}${token} HTTP/1.1`, [authorised]),
    request(`GET /public/${token} HTTP/1.1`, [bearer]),
    request(`CONNECT ${token}:443 HTTP/1.1`, [authorised]),
    request(`TRACE /${token} HTTP/1.1`),
    request(`${token.slice(0, 30)} / HTTP/1.1`, [authorised]),
    request('GET /a HTTP/1.1', [authorised, `User-Agent: ${token}`]),
    request('GET /a HTTP/1.1', [authorised, `User-Agent: curl (${escaped}) ${token}`]),
    request('GET /a HTTP/1.1', [`User-Agent: ${'x'.repeat(230)}${token}`]),
    request('GET /a HTTP/1.1', [
      authorised,
      `Referer: https://h/?t=${token}`,
      `Cookie: t=${token}`,
      `X-Api-Key: ${token}`,
    ]),
    request('GET /a HTTP/1.1', [
      authorised,
      `traceparent: ${token}`,
      `tracestate: t=${token}`,
      `X-Request-Id: ${token}`,
    ]),
    request('GET /a HTTP/1.1', [
      authorised,
      `X-Forwarded-For: ${token}`,
      `Forwarded: for=${token}`,
      `Via: 1.1 ${token}`,
    ]),
    request('POST /a HTTP/1.1', [authorised, `Content-Length: ${token.length}`], token),
    request(
      'POST /a HTTP/1.1',
      [authorised, 'Transfer-Encoding: chunked'],
      `2;${token.replaceAll('_', '-')}="${token}"\r\nhi\r\n0\r\nX-T: ${token}\r\n\r\n`,
    ),
    request('POST /a HTTP/1.1', [authorised, 'Transfer-Encoding: chunked'], `${token}\r\n`),
    request('GET /a HTTP/1.1', [authorised, `${token}: x`]),
    request('GET /a HTTP/1.1', [authorised, `Expect: ${token}`]),
    request('GET /a HTTP/1.1', [authorised, `Connection: ${token.replaceAll('_', '-')}`]),
    request('GET /a HTTP/1.1', [authorised, `Transfer-Encoding: ${token}`]),
    `GET /a HTTP/1.1\r\nHost: ${token}\r\n${authorised}\r\n\r\n`,
    `GET /a HTTP/1.1\r\nHost: ${token.slice(0, 60)}\r\n${authorised}\r\n\r\n`,
    `${token}\r\n\r\n`,
    `GET /${token} HTTP/1.1\r\n\r\n`,
    `GET http://u:${token}@h/ HTTP/1.1\r\nHost: h\r\n${bearer}\r\n\r\n`,
  ];
}

it('is in no answer, event, log line, metric or file', async () => {
  const live = await guarded.gate.createAccount({ name: 'talkative', role: 'tester' });
  const tokens = [live.token, newToken(live.id), newToken(newAccountId())];
  const written: string[] = [];
  for (const token of tokens) {
    for (const text of requestsWith(token)) {
      const outcome = await guarded.ask(text);
      expect(outcome.status, text).not.toBeNull();
      written.push(outcome.text);
    }
    for (const text of requestsWith(token).slice(0, 5))
      written.push((await guarded.ask(text, { plaintext: true })).text);
  }
  written.push(JSON.stringify(await guarded.gate.events()), ...guarded.gate.log);
  written.push(
    await guarded.gate.gateway.metrics.text(),
    await (await fetch(`${guarded.gate.opsUrl}/metrics`)).text(),
  );
  for (const name of readdirSync(guarded.gate.dataDir))
    written.push(fileText(join(guarded.gate.dataDir, name)));
  // What was recorded is there: this would be no proof if nothing had been written.
  expect(written.filter((text) => text.includes(live.id)).length).toBeGreaterThan(2);
  for (const token of [...tokens, guarded.gate.token]) {
    for (const secret of [token.slice(17, 35), token.slice(30, 50), token.slice(46)]) {
      expect(
        written.filter((text) => text.includes(secret)).map((text) => excerpt(text, secret)),
      ).toEqual([]);
    }
  }
});

/** Files of the data folder as text; the owner's socket has none. */
function fileText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function excerpt(text: string, secret: string): string {
  const at = text.indexOf(secret);
  return text.slice(Math.max(0, at - 150), at);
}
