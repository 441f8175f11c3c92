import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeadReader, type HeadResult } from '../../../src/http1/head-reader.ts';
import { cut, readRequests, singleBytes } from './reading.ts';

const LIMIT = 200;

/**
 * What the pieces come to: the first result that is not `incomplete`, with everything that follows
 * the head.
 */
function pushAll(
  pieces: readonly Buffer[],
  reader = new HeadReader(LIMIT),
): HeadResult | { state: 'incomplete' } {
  for (const [index, piece] of pieces.entries()) {
    const result = reader.push(piece);
    if (result.state === 'incomplete') continue;
    if (result.state !== 'complete') return result;
    const rest = Buffer.concat([result.rest ?? Buffer.alloc(0), ...pieces.slice(index + 1)]);
    return { ...result, rest: rest.length === 0 ? null : rest };
  }
  return { state: 'incomplete' };
}

const latin1 = (text: string) => Buffer.from(text, 'latin1');

const SAMPLES: readonly (readonly [name: string, text: string, result: HeadResult])[] = [
  [
    'a head',
    'GET / HTTP/1.1\r\nA: b\r\n\r\n',
    { state: 'complete', text: 'GET / HTTP/1.1\r\nA: b\r\n', rest: null },
  ],
  [
    'a head and what follows',
    'A\r\n\r\n\r\n\r\nB',
    { state: 'complete', text: 'A\r\n', rest: latin1('\r\n\r\nB') },
  ],
  [
    'one empty line before a head',
    '\r\nA\r\n\r\nB',
    { state: 'complete', text: 'A\r\n', rest: latin1('B') },
  ],
  [
    'two empty lines before a head',
    '\r\n\r\nA\r\n\r\n',
    { state: 'complete', text: '\r\nA\r\n', rest: null },
  ],
  ['three empty lines', '\r\n\r\n\r\nA', { state: 'complete', text: '\r\n', rest: latin1('A') }],
  [
    'bytes above ASCII',
    'A: \u00e9\u00ff\r\n\r\n',
    { state: 'complete', text: 'A: \u00e9\u00ff\r\n', rest: null },
  ],
  ['no end', 'GET / HTTP/1.1\r\nA: b\r\n', { state: 'incomplete' }],
  ['half an end', 'A\r\nB: c\r\n\r', { state: 'incomplete' }],
  ['nothing but an empty line', '\r\n', { state: 'incomplete' }],
  ['a bare LF', 'A\nB', { state: 'hopeless', detail: 'line not ended by CRLF' }],
  ['a LF first', '\nA', { state: 'hopeless', detail: 'line not ended by CRLF' }],
  ['a bare CR', 'A\rB', { state: 'hopeless', detail: 'line not ended by CRLF' }],
  ['two CR', 'A\r\r\n', { state: 'hopeless', detail: 'line not ended by CRLF' }],
  ['NUL', 'A\0', { state: 'hopeless', detail: 'control character in the head' }],
  ['DEL', 'A\x7f', { state: 'hopeless', detail: 'control character in the head' }],
  [
    'a TLS handshake',
    '\x16\x03\x01\x02',
    { state: 'hopeless', detail: 'control character in the head' },
  ],
  [
    'a head of exactly the limit',
    `${'a'.repeat(LIMIT - 4)}\r\n\r\nB`,
    { state: 'complete', text: `${'a'.repeat(LIMIT - 4)}\r\n`, rest: latin1('B') },
  ],
  ['a first line past the limit', 'a'.repeat(LIMIT + 9), { state: 'too-large', inFirstLine: true }],
  [
    'a first line that ends past the limit',
    `${'a'.repeat(LIMIT)}\r\n`,
    { state: 'too-large', inFirstLine: true },
  ],
  [
    'fields past the limit',
    `A\r\n${'a'.repeat(LIMIT)}`,
    { state: 'too-large', inFirstLine: false },
  ],
  [
    'an end past the limit',
    `A\r\nB: ${'b'.repeat(LIMIT - 8)}\r\n\r\n`,
    { state: 'too-large', inFirstLine: false },
  ],
];

describe('the head reader', () => {
  it.each(SAMPLES)('finds in %s the same, wherever it is cut', (_, text, expected) => {
    const bytes = latin1(text);
    expect(pushAll([bytes])).toEqual(expected);
    expect(pushAll(singleBytes(bytes))).toEqual(expected);
    for (let at = 1; at < bytes.length; at += 1)
      expect(pushAll(cut(bytes, [at]))).toEqual(expected);
    for (let at = 2; at < bytes.length; at += 1)
      expect(pushAll(cut(bytes, [at, at - 1]))).toEqual(expected);
  });

  it('begins anew after each head', () => {
    const reader = new HeadReader(LIMIT);
    for (const name of ['A', 'B', 'C']) {
      expect(reader.begun).toBe(false);
      expect(reader.push(latin1('\r')).state).toBe('incomplete');
      expect(reader.push(latin1(`\n${name}\r\n`)).state).toBe('incomplete');
      expect(reader.begun).toBe(true);
      expect(reader.push(latin1('\r\n'))).toEqual({
        state: 'complete',
        text: `${name}\r\n`,
        rest: null,
      });
    }
  });

  it('has not begun with an empty line alone: an idle client may send one', () => {
    const reader = new HeadReader(LIMIT);
    reader.push(latin1('\r\n'));
    expect(reader.begun).toBe(false);
  });

  it('forgives no empty line where none may be', () => {
    const reader = new HeadReader(LIMIT, false);
    expect(pushAll([latin1('\r\nHTTP/1.1 200 OK\r\n\r\n')], reader)).toMatchObject({
      state: 'complete',
      text: '\r\nHTTP/1.1 200 OK\r\n',
    });
  });

  it('lets the same requests through, however a stream of them is cut', async () => {
    const parts = fc.constantFrom(
      'GET /a HTTP/1.1\r\nHost: h\r\n\r\n',
      'POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello',
      'POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x="y"\r\nabc\r\n0\r\nT: r\r\n\r\n',
      '\r\n',
      'GET /d HTTP/1.0\r\n\r\n',
      'GET /e HTTP/1.1\nHost: h\n\n',
      'GET /f HTTP/1.1\r\nHost: h\r\n x\r\n\r\n',
      'POST /g HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n',
      'x',
    );
    const cuts = fc.array(fc.nat(300), { maxLength: 12 });
    await fc.assert(
      fc.property(fc.array(parts, { minLength: 1, maxLength: 4 }), cuts, (texts, offsets) => {
        const bytes = latin1(texts.join(''));
        const whole = readRequests([bytes]);
        expect(readRequests(cut(bytes, offsets))).toEqual(whole);
        expect(readRequests(singleBytes(bytes))).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });
});
