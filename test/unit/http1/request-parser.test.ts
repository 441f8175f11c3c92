import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RequestHead } from '../../../src/http/request-head.ts';
import type { WireFault } from '../../../src/http1/head-detail.ts';
import { isHeadFault, parseRequestHead } from '../../../src/http1/request-parser.ts';
import { headText } from './reading.ts';

const MAX_TARGET = 100;

function parse(...lines: readonly string[]): RequestHead | WireFault {
  const result = parseRequestHead(headText(...lines), MAX_TARGET);
  return isHeadFault(result) ? result.fault : result;
}

/** A request that is right but for these fields. */
const withFields = (...fields: readonly string[]) => parse('POST / HTTP/1.1', 'Host: h', ...fields);

describe('a request head', () => {
  it('is taken apart, and nothing of it is changed but the case of Host', () => {
    const head = parse(
      'PATCH /a%20b/c?d=e?f HTTP/1.1',
      'hOST: Gate:8443',
      'X-A: 1',
      'x-a:2',
      'X-B:',
      'User-Agent:\tone  two\t ',
      'Authorization: Bearer x',
    );
    expect(head).toMatchObject({
      method: 'PATCH',
      target: '/a%20b/c?d=e?f',
      path: '/a%20b/c',
      version: '1.1',
      host: 'gate:8443',
      values: ['Gate:8443', '1', '2', '', 'one  two', 'Bearer x'],
      authorization: 'Bearer x',
      userAgent: 'one  two',
      framing: { kind: 'none', declared: false },
      nominated: [],
      takesTrailers: false,
      expectsContinue: false,
      keepAlive: true,
    });
    expect((head as RequestHead).names.map((name) => name.text)).toEqual([
      'hOST',
      'X-A',
      'x-a',
      'X-B',
      'User-Agent',
      'Authorization',
    ]);
  });

  it.each([
    ['no version', 'GET /', 'request-malformed'],
    ['HTTP/0.9', 'GET / HTTP/0.9', 'version-unsupported'],
    ['HTTP/2.0', 'GET / HTTP/2.0', 'version-unsupported'],
    ['HTTP/1.2', 'GET / HTTP/1.2', 'version-unsupported'],
    ['another protocol', 'GET / RTSP/1.0', 'request-malformed'],
    ['a lower-case version', 'GET / http/1.1', 'request-malformed'],
    ['two spaces after the method', 'GET  / HTTP/1.1', 'request-malformed'],
    ['two spaces before the version', 'GET /  HTTP/1.1', 'request-malformed'],
    ['a tab for a space', 'GET\t/ HTTP/1.1', 'request-malformed'],
    ['a space at the end', 'GET / HTTP/1.1 ', 'request-malformed'],
    ['a space in front', ' GET / HTTP/1.1', 'request-malformed'],
    ['four parts', 'GET / x HTTP/1.1', 'request-malformed'],
    ['no method', '/ HTTP/1.1', 'request-malformed'],
    ['a method that is no token', 'GE(T / HTTP/1.1', 'request-malformed'],
    ['a method with a byte above ASCII', 'G\u00c9T / HTTP/1.1', 'request-malformed'],
    ['an overlong method', `${'A'.repeat(33)} / HTTP/1.1`, 'request-malformed'],
    ['an overlong target', `GET /${'a'.repeat(MAX_TARGET)} HTTP/1.1`, 'target-too-long'],
    ['an absolute target', 'GET http://h/ HTTP/1.1', 'target-ambiguous'],
    ['an authority as target', 'GET h:443 HTTP/1.1', 'target-ambiguous'],
    ['an asterisk', 'GET * HTTP/1.1', 'target-ambiguous'],
    ['a dot segment', 'GET /a/../b HTTP/1.1', 'target-ambiguous'],
    ['a control in the target', 'GET /\x01 HTTP/1.1', 'request-malformed'],
  ])('with %s is refused', (_, line, fault) => {
    expect(parse(line, 'Host: h')).toBe(fault);
  });

  it('may have a target of exactly the limit, and CONNECT any target at all: it is refused for what it is', () => {
    expect(parse(`GET /${'a'.repeat(MAX_TARGET - 1)} HTTP/1.1`, 'Host: h')).toBeTypeOf('object');
    expect(parse('CONNECT h:443 HTTP/1.1', 'Host: h')).toMatchObject({ method: 'CONNECT' });
  });

  it('keeps the letter case of the method', () => {
    for (const method of ['get', 'Get', 'TRACE', 'REPORT', "!#$%&'*+-.^_`|~"])
      expect(parse(`${method} / HTTP/1.1`, 'Host: h')).toMatchObject({ method });
  });
});

describe('field lines', () => {
  it.each([
    ['folded', 'A: b', ' c'],
    ['folded with a tab', 'A: b', '\tc'],
    ['folded at the very start', ' A: b'],
    ['without a colon', 'A'],
    ['empty names', ': b'],
    ['white space before the colon', 'A : b'],
    ['a tab before the colon', 'A\t: b'],
    ['underscores in the name', 'X_Account_Id: b'],
    ['dots in the name', 'X.Account.Id: b'],
    ['names above ASCII', 'X-\u00c4: b'],
    ['NUL', 'A: b\0c'],
    ['DEL', 'A: b\x7f'],
    ['a vertical tab', 'A: b\x0bc'],
    ['a bare CR', 'A: b\rX-B: c'],
    ['a bare LF', 'A: b\nX-B: c'],
    ['a bare LF at the end', 'A: b\n'],
    ['a CR before the CR LF', 'A: b\r'],
    ['an escape', 'A: \x1b[2J'],
  ])('are refused: %s', (_, ...fields) => {
    expect(withFields(...fields)).toBe('request-malformed');
  });

  it('keep tabs inside and bytes above ASCII, and lose only SP and TAB around the value', () => {
    expect(withFields('A: \t b\tc \t', 'B: \u00a0d\u00a0', 'C: caf\u00c3\u00a9')).toMatchObject({
      values: ['h', 'b\tc', '\u00a0d\u00a0', 'caf\u00c3\u00a9'],
    });
  });

  it('are a hundred at most', () => {
    const many = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: y`);
    expect(withFields(...many(99))).toBeTypeOf('object');
    expect(withFields(...many(100))).toBe('headers-too-large');
  });

  it('with names that JavaScript knows are fields like any other', () => {
    const head = withFields(
      'constructor: a',
      'toString: b',
      'hasOwnProperty: c',
      'prototype: d',
    ) as RequestHead;
    expect(head.values).toEqual(['h', 'a', 'b', 'c', 'd']);
    expect(withFields('__proto__: x')).toBe('request-malformed');
  });

  it.each([
    'Host: i',
    'Authorization: a',
    'Content-Length: 1',
    'Transfer-Encoding: chunked',
    'Expect: 100-continue',
  ])('%s may stand only once', (field) => {
    expect(
      withFields(
        field,
        field.replace(/^[A-Za-z-]+/, (name) => name.toUpperCase()),
      ),
    ).toBe('request-ambiguous');
    expect(withFields(`${field.split(':')[0]}:`, field)).toBe('request-ambiguous');
  });
});

describe('Host', () => {
  it('must stand in HTTP/1.1 and may be left out in HTTP/1.0', () => {
    expect(parse('GET / HTTP/1.1')).toBe('request-malformed');
    expect(parse('GET / HTTP/1.0')).toMatchObject({ host: '', keepAlive: false, version: '1.0' });
  });

  it.each(['', 'a,b', 'a b', 'u@h', 'h:99999', 'h/p', '..'])('may not be %j', (value) => {
    for (const version of ['1.0', '1.1'])
      expect(parse(`GET / HTTP/${version}`, `Host: ${value}`)).toBe('request-malformed');
  });
});

describe('the end of the body', () => {
  it.each([
    [[], { kind: 'none', declared: false }],
    [['Content-Length: 0'], { kind: 'none', declared: true }],
    [['Content-Length: 000'], { kind: 'none', declared: true }],
    [['Content-Length: 5'], { kind: 'length', bytes: 5 }],
    [['Content-Length: 0005'], { kind: 'length', bytes: 5 }],
    [['Content-Length: 999999999999999'], { kind: 'length', bytes: 999_999_999_999_999 }],
    [['Transfer-Encoding: chunked'], { kind: 'chunked' }],
    [['Transfer-Encoding:  ChUnKeD '], { kind: 'chunked' }],
  ])('is known from %j', (fields, framing) => {
    expect(withFields(...fields)).toMatchObject({ framing });
  });

  it.each([
    [
      'request-malformed',
      [
        '',
        '-1',
        '+1',
        '1.0',
        '0x1',
        '1e3',
        '1 2',
        '\u00b2',
        '1a',
        '9'.repeat(16),
        '\u00a05',
        'chunked',
      ],
    ],
    ['request-ambiguous', ['1,1', '1, 1', '0,0', ',1']],
  ])('is not known: %s for these lengths', (fault, values) => {
    expect(values.filter((value) => withFields(`Content-Length: ${value}`) !== fault)).toEqual([]);
  });

  it.each([
    [
      'request-malformed',
      [
        '',
        'identity, ',
        ',chunked',
        'chunked,',
        'chunked, identity',
        'chunked, chunked',
        'gzip',
        'x chunked',
        'chunked;q=1',
        '"chunked"',
        "'chunked'",
        'chunked\u00a0',
        'chunked\t',
        '\tchunked',
        'chunked \t ',
        '\u000bchunked',
        'identity',
      ],
    ],
    ['coding-unknown', ['gzip, chunked', 'identity,chunked', 'xchunked, chunked']],
  ])('is not known: %s for these codings', (fault, values) => {
    expect(values.filter((value) => withFields(`Transfer-Encoding: ${value}`) !== fault)).toEqual(
      [],
    );
  });

  it('is not told twice, nor in a way that HTTP/1.0 does not have', () => {
    expect(withFields('Content-Length: 1', 'Transfer-Encoding: chunked')).toBe('request-ambiguous');
    expect(withFields('Transfer-Encoding: gzip', 'Content-Length: 1')).toBe('request-ambiguous');
    expect(withFields('Transfer-Encoding:', 'Content-Length: 1')).toBe('request-ambiguous');
    expect(parse('POST / HTTP/1.0', 'Transfer-Encoding: chunked')).toBe('request-ambiguous');
  });
});

describe('Connection and Expect', () => {
  it.each([
    ['', true, []],
    ['keep-alive', true, []],
    ['Close', false, []],
    ['close , X-A,\tKeep-Alive', false, ['x-a']],
    ['X-Account-Id, upgrade', true, ['x-account-id', 'upgrade']],
    // Empty elements (RFC 9110 §5.6.1.2).
    [',', true, []],
    [', ,\tX-A,, close,', false, ['x-a']],
    [`close${','.repeat(63)}`, false, []],
  ])('Connection: %j', (value, keepAlive, nominated) => {
    expect(withFields(`Connection: ${value}`)).toMatchObject({ keepAlive, nominated });
  });

  it('all Connection fields count together', () => {
    expect(withFields('Connection: X-A', 'connection: close')).toMatchObject({
      keepAlive: false,
      nominated: ['x-a'],
    });
  });

  it('Connection may not be anything but tokens, nor name what a message cannot be read without', () => {
    for (const value of [
      'a b',
      'a,\u00a0,b',
      'a;b',
      '"close"',
      'a\u00e9',
      `close${','.repeat(64)}`,
    ])
      expect(withFields(`Connection: ${value}`)).toBe('request-malformed');
    for (const value of [
      'host',
      'Content-Length',
      'close, transfer-encoding',
      'Authorization',
      'Max-Forwards',
    ]) {
      expect(withFields(`Connection: ${value}`)).toBe('request-ambiguous');
    }
  });

  it('HTTP/1.0 never keeps the connection and never waits for 100', () => {
    expect(
      parse('POST / HTTP/1.0', 'Connection: keep-alive', 'Expect: 100-continue'),
    ).toMatchObject({
      keepAlive: false,
      expectsContinue: false,
    });
  });

  it('Expect is 100-continue in any case, or refused', () => {
    for (const value of ['100-continue', '100-Continue'])
      expect(withFields(`Expect: ${value}`)).toMatchObject({ expectsContinue: true });
    for (const value of ['', '200-ok', '100-continue, x', '100-continue;q=1', 'x 100-continue'])
      expect(withFields(`Expect: ${value}`)).toBe('expectation-failed');
  });
});

it('any text at all is a head or a refusal, never a fault of ours, and never a head with a forbidden byte', async () => {
  const line = fc.string({
    unit: fc.constantFrom(...'GET /HTP1.0:aZ-_,;%\t\0\r\n\u00e9\u00a0'),
    maxLength: 40,
  });
  const lines = fc.array(
    fc.oneof(line, fc.constantFrom('GET / HTTP/1.1', 'Host: h', 'Content-Length: 1')),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.property(lines, (all) => {
      const result = parse(...all);
      if (typeof result === 'string') return;
      const text = [result.method, result.target, result.host, ...result.values].join('');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
      expect(text).not.toMatch(/[\0-\x08\x0a-\x1f\x7f]/);
      expect(result.names).toHaveLength(result.values.length);
    }),
    { numRuns: 5000 },
  );
});

describe('OPTIONS', () => {
  it('alone may be about the whole server (RFC 9112 §3.2.4)', () => {
    expect(parse('OPTIONS * HTTP/1.1', 'Host: h')).toMatchObject({ target: '*', path: '*' });
    for (const line of ['GET * HTTP/1.1', 'OPTIONS ** HTTP/1.1', 'OPTIONS *?a HTTP/1.1'])
      expect(parse(line, 'Host: h')).toBe('target-ambiguous');
  });

  it('says how far it may go in one number, or not at all (RFC 9110 §7.6.2)', () => {
    const options = (...fields: readonly string[]) =>
      parse('OPTIONS /a HTTP/1.1', 'Host: h', ...fields);
    for (const value of ['0', '12', '007', '9'.repeat(400)])
      expect(options(`Max-Forwards: ${value}`)).toBeTypeOf('object');
    for (const value of ['', '-1', '+1', '1.0', '0x1', '1, 1', '\u00b2'])
      expect(options(`Max-Forwards: ${value}`)).toBe('request-malformed');
    expect(options('Max-Forwards: 1', 'max-forwards: 1')).toBe('request-malformed');
    // Elsewhere it means nothing.
    expect(parse('GET /a HTTP/1.1', 'Host: h', 'Max-Forwards: x')).toBeTypeOf('object');
  });
});
