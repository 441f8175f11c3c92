import { describe, expect, it } from 'vitest';
import type { ResponseHead } from '../../../src/http/response-head.ts';
import { parseResponseHead } from '../../../src/http1/response-parser.ts';
import { headText } from './reading.ts';

const parse = (...lines: readonly string[]) => parseResponseHead(headText(...lines), false);
const withFields = (...fields: readonly string[]) => parse('HTTP/1.1 200 OK', ...fields);

describe('a response head', () => {
  it('is taken apart as it came', () => {
    const head = parse(
      'HTTP/1.1 404 Not  Found ',
      'Set-Cookie: a',
      'set-cookie:\tb ',
      'X_Odd.Name|: caf\u00e9',
      'Empty:',
    ) as ResponseHead;
    expect(head).toMatchObject({
      status: 404,
      reason: 'Not  Found ',
      values: ['a', 'b', 'caf\u00e9', ''],
    });
    expect(head.names.map((name) => name.text)).toEqual([
      'Set-Cookie',
      'set-cookie',
      'X_Odd.Name|',
      'Empty',
    ]);
  });

  it.each(['HTTP/1.1 200', 'HTTP/1.1 200 ', 'HTTP/1.0 599 x', 'HTTP/1.1 200 \u00e9\t!'])(
    'may begin with %j',
    (line) => {
      expect(parse(line, 'Content-Length: 0')).toBeTypeOf('object');
    },
  );

  it.each([
    '',
    'HTTP/1.1',
    'HTTP/1.1 20',
    'HTTP/1.1 2000',
    'HTTP/1.1 099 x',
    'HTTP/1.1 600 x',
    'HTTP/1.1 999',
    'HTTP/1.1  200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/1.2 200 OK',
    'http/1.1 200 OK',
    'HTTP/1.1 200OK',
    ' HTTP/1.1 200 OK',
    'HTTP/1.1 200 a\x7f',
    'HTTP/1.1 -12 x',
    'ICY 200 OK',
  ])('may not begin with %j', (line) => {
    expect(parse(line)).toBeTypeOf('string');
  });

  it.each([
    'A',
    ': b',
    ' A: b',
    'A\u00e9: b',
    'A: b\0',
    'A: b\x0bc',
    'A: b\rc',
    'A: b\nc',
    'A: b\r',
    'A(: b',
  ])('may not hold the line %j', (line) => {
    expect(withFields(line, 'Content-Length: 0')).toBeTypeOf('string');
  });

  it('has five hundred fields at most', () => {
    const many = (count: number) => Array.from({ length: count }, () => 'A: b');
    expect(withFields(...many(500))).toBeTypeOf('object');
    expect(withFields(...many(501))).toBeTypeOf('string');
  });

  it('loses white space before a colon (RFC 9112 §5.1), in framing fields as well', () => {
    const head = withFields('Server : a', 'X-A\t : b', 'Content-Length \t: 5') as ResponseHead;
    expect(head.names.map((name) => name.text)).toEqual(['Server', 'X-A', 'Content-Length']);
    expect(head.framing).toEqual({ kind: 'length', bytes: 5 });
    expect(withFields('Content-Length : 5', 'Content-Length: 5')).toBeTypeOf('string');
    expect(withFields('Transfer-Encoding : chunked', 'Content-Length: 5')).toBeTypeOf('string');
  });

  it.each([' : b', '\t: b', 'A B: c', 'A\u00a0: b', ' A : b'])(
    'has no name in %j, white space removed or not',
    (line) => {
      expect(withFields(line, 'Content-Length: 0')).toBeTypeOf('string');
    },
  );
});

describe('the end of a response', () => {
  it.each([
    [['Content-Length: 5'], { kind: 'length', bytes: 5 }],
    [['Content-Length: 0'], { kind: 'none' }],
    [['Transfer-Encoding: Chunked'], { kind: 'chunked' }],
    [['Transfer-Encoding:\t chunked \t'], { kind: 'chunked' }],
    [[], { kind: 'close' }],
  ])('is known from %j', (fields, framing) => {
    expect(withFields(...fields)).toMatchObject({ framing, keepAlive: framing.kind !== 'close' });
  });

  it.each([
    [['Content-Length: 5', 'Content-Length: 5']],
    [['Content-Length: 5, 5']],
    [['Content-Length: -1']],
    [['Content-Length: +1']],
    [['Content-Length:']],
    [['Content-Length: \u00a05']],
    [['Content-Length: 1234567890123456']],
    [['Transfer-Encoding: chunked', 'Content-Length: 5']],
    [['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    [['Transfer-Encoding: gzip, chunked']],
    [['Transfer-Encoding: chunked\u00a0']],
    [['Transfer-Encoding: chun\tked']],
    [['Transfer-Encoding: identity']],
    [['Transfer-Encoding:']],
  ])('is not known from %j: the response is broken', (fields) => {
    expect(withFields(...fields)).toBeTypeOf('string');
  });

  it('is not chunked in HTTP/1.0', () => {
    expect(parse('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')).toBeTypeOf('string');
  });

  it('is the head for 1xx, 204, 304 and answers to HEAD, whatever their fields say', () => {
    for (const status of [204, 304]) {
      for (const fields of [[], ['Content-Length: 0'], ['Content-Length: 5']]) {
        expect(parse(`HTTP/1.1 ${status} x`, ...fields)).toMatchObject({
          framing: { kind: 'none' },
          // A body that is announced may come, late.
          keepAlive: fields[0] !== 'Content-Length: 5',
        });
      }
    }
    for (const field of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'A: b']) {
      expect(parseResponseHead(headText('HTTP/1.1 200 OK', field), true)).toMatchObject({
        framing: { kind: 'none' },
      });
    }
  });
});

describe('an interim response', () => {
  it('is its head alone, and may say that the connection ends later', () => {
    for (const status of [100, 103]) {
      for (const field of ['A: b', 'Content-Length: 0'])
        expect(parse(`HTTP/1.1 ${status} x`, field)).toMatchObject({
          framing: { kind: 'none' },
          keepAlive: true,
        });
      expect(parse(`HTTP/1.1 ${status} x`, 'Connection: close')).toMatchObject({
        keepAlive: false,
      });
    }
  });

  it.each([
    ['HTTP/1.1 103 x', 'Content-Length: 5'],
    ['HTTP/1.1 103 x', 'Transfer-Encoding: chunked'],
    ['HTTP/1.0 103 x', 'Connection: keep-alive'],
  ])('is broken with a body, and in HTTP/1.0: %s, %s', (line, field) => {
    expect(parse(line, field)).toBeTypeOf('string');
  });
});

describe('the connection after a response', () => {
  it.each([
    ['HTTP/1.1 200 OK', [], true],
    ['HTTP/1.1 200 OK', ['Connection: close'], false],
    ['HTTP/1.1 200 OK', ['Connection: X-A, CLOSE'], false],
    ['HTTP/1.1 200 OK', ['Connection: X-A', 'Connection: close'], false],
    ['HTTP/1.0 200 OK', [], false],
    ['HTTP/1.0 200 OK', ['Connection: Keep-Alive'], true],
  ])('%s with %j', (line, fields, keepAlive) => {
    expect(parse(line, 'Content-Length: 1', ...fields)).toMatchObject({ keepAlive });
  });

  it('has the fields that were for it alone named', () => {
    expect(withFields('Connection: X-A, x-B', 'Content-Length: 1')).toMatchObject({
      nominated: ['x-a', 'x-b'],
    });
    // RFC 9110 §5.6.1.2.
    expect(withFields('Connection: ,X-A,\t, ,close,', 'Content-Length: 1')).toMatchObject({
      nominated: ['x-a', 'close'],
      keepAlive: false,
    });
  });
});
