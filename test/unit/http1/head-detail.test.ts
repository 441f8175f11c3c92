import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { brokenToken, foreignProtocol, HEAD_DETAILS } from '../../../src/http1/head-detail.ts';
import { isHeadFault, parseRequestHead } from '../../../src/http1/request-parser.ts';
import { headText } from './reading.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');
const TOKEN_DETAIL = 'the token ends with a line break';

describe('another protocol', () => {
  it.each([
    ['TLS', '\x16\x03\x01\x02\x00\x01', /TLS/],
    ['TLS, of which one byte came', '\x16', /TLS/],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', /HTTP\/2/],
    ['the PROXY protocol', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n', /PROXY/],
    ['its version 2', '\r\n\r\n\0\r\nQUIT\n\x21', /PROXY/],
  ])('is named: %s', (_, bytes, expected) => {
    expect(foreignProtocol(latin1(bytes))).toMatch(expected);
  });

  it.each(['GET / HTTP/1.1', '\x16\x01', 'PRI / HTTP/2.0\r\n', 'PROX', '', '\r\n\r\n'])(
    'is not seen in %j',
    (bytes) => expect(foreignProtocol(latin1(bytes))).toBe(null),
  );
});

describe('a token with its line break', () => {
  const BREAKS = 'line not ended by CRLF';

  it.each([
    ['a line feed', 'GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\n\r\n', BREAKS],
    ['a bare one', 'GET / HTTP/1.1\r\nauthorization:t\n\r\nHost: h\r\n\r\n', BREAKS],
    ['a carriage return', 'GET / HTTP/1.1\r\nAUTHORIZATION: Bearer t\r\r\n\r\n', BREAKS],
    [
      'both, before Host',
      'GET / HTTP/1.1\r\nAuthorization: Bearer t\r\n\r\nHost: h\r\n\r\n',
      'no Host',
    ],
  ] as const)('is seen: %s', (_, bytes, detail) => {
    expect(brokenToken(latin1(bytes), detail)).toBe(TOKEN_DETAIL);
  });

  it('is guessed where a head goes on behind its end', () => {
    expect(brokenToken(latin1('Accept: */*\r\n\r\n'), 'method is not a token')).toMatch(
      /too early/,
    );
  });

  it.each([
    ['GET / HTTP/1.1\r\nHost: h\r\nX: y\n\r\n', BREAKS],
    ['GET / HTTP/1.1\r\nX-Authorization: y\n\r\n', BREAKS],
    [
      'GET / HTTP/1.1\r\nAuthorization: Bearer t\r\nX: \x01\r\n\r\n',
      'control character in the head',
    ],
    ['GET / HTTP/1.1\r\nAuthorization: t\r\nX: y\r\n\r\n', 'no Host'],
  ] as const)('is not seen in %j', (bytes, detail) => {
    expect(brokenToken(latin1(bytes), detail)).toBe(null);
  });
});

describe('the list of phrases', () => {
  it('holds nothing of a request', () => {
    const secret = 'slp_secretsecret';
    for (const lines of [
      [`GET /${secret}/../x HTTP/1.1`, 'Host: h'],
      [`${secret}( / HTTP/1.1`, 'Host: h'],
      ['GET / HTTP/1.1', `Host: ${secret}/`],
      ['GET / HTTP/1.1', 'Host: h', `${secret}: x`],
      ['GET / HTTP/1.1', 'Host: h', `Expect: ${secret}`],
      ['GET / HTTP/1.1', 'Host: h', `Transfer-Encoding: ${secret}`],
      ['GET / HTTP/1.1', 'Host: h', `Content-Length: ${secret}`],
      ['GET / HTTP/1.1', 'Host: h', `Connection: (${secret})`],
    ]) {
      const result = parseRequestHead(headText(...lines), 100);
      expect(isHeadFault(result) && HEAD_DETAILS.includes(result.detail), lines[0]).toBe(true);
      expect(JSON.stringify(result)).not.toContain(secret);
    }
  });

  it('is used to its last one, each once', () => {
    expect(new Set(HEAD_DETAILS).size).toBe(HEAD_DETAILS.length);
    const files = [
      'http/single-fields',
      'http1/head-detail',
      'http1/request-parser',
      'http1/head-reader',
      'doors/http1/request-reader',
    ];
    // What stands in a list is not used by that.
    const uses = files
      .map((file) => readFileSync(`src/${file}.ts`, 'utf8').replace(/ = \[[^\]]*\] as const;/, ''))
      .join('');
    expect(HEAD_DETAILS.filter((detail) => !uses.includes(`'${detail}'`))).toEqual([]);
  });
});
