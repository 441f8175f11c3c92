import { describe, expect, it } from 'vitest';
import { HTTP2_DETAILS } from '../../../src/http2/head-fault.ts';
import { FieldSection } from '../../../src/http2/hpack-decoder.ts';
import { isHttp2Fault, readRequestHead, readTrailers } from '../../../src/http2/request-head.ts';
import { fieldsOf, type RawField } from '../../support/http2-frames.ts';

function sectionOf(fields: readonly RawField[], maxBytes = 16_384): FieldSection {
  const section = new FieldSection(maxBytes, 128);
  for (const [name, value] of fields) section.add(name, value);
  return section;
}

const read = (fields: readonly RawField[], end = true, maxBytes?: number) =>
  readRequestHead(sectionOf(fields, maxBytes), end, 100);

const without = (name: string) => fieldsOf().filter(([known]) => known !== name);
const replaced = (name: string, value: string) =>
  fieldsOf().map(([known, old]) => [known, known === name ? value : old] as const);

/** `stream`: no HTTP/2, and a stream error; `response`: refused as HTTP/1.1 refuses it. */
const FAULTY: readonly (readonly [string, 'stream' | 'response', string, readonly RawField[]])[] = [
  ['no :method', 'stream', 'request-malformed', without(':method')],
  ['no :scheme', 'stream', 'request-malformed', without(':scheme')],
  ['no :path', 'stream', 'request-malformed', without(':path')],
  ['neither :authority nor Host', 'stream', 'request-malformed', without(':authority')],
  ['two :path', 'stream', 'request-malformed', [...fieldsOf(), [':path', '/']]],
  ['an unknown pseudo-header field', 'stream', 'request-malformed', fieldsOf({}, [':x', '1'])],
  [':protocol', 'stream', 'request-malformed', fieldsOf({}, [':protocol', 'websocket'])],
  [':status', 'stream', 'request-malformed', fieldsOf({}, [':status', '200'])],
  ['one behind a field', 'stream', 'request-malformed', [['x-a', '1'], ...fieldsOf()]],
  ['an empty :path', 'stream', 'request-malformed', replaced(':path', '')],
  ['a path without its slash', 'stream', 'request-malformed', replaced(':path', 'a')],
  ['a whole URL', 'stream', 'request-malformed', replaced(':path', 'https://api.test/a')],
  ['* without OPTIONS', 'stream', 'request-malformed', replaced(':path', '*')],
  ['a method with a space', 'stream', 'request-malformed', replaced(':method', 'GET /x HTTP/1.1')],
  ['a method with a line', 'stream', 'request-malformed', replaced(':method', 'GET\r\nX: y')],
  ['a path with a line', 'stream', 'request-malformed', replaced(':path', '/ HTTP/1.1\r\nX: y')],
  ['an authority with a line', 'stream', 'request-malformed', replaced(':authority', 'a\r\nX: y')],
  ['an authority with a user', 'stream', 'request-malformed', replaced(':authority', 'u@api.test')],
  ['an authority with a path', 'stream', 'request-malformed', replaced(':authority', 'api.test/x')],
  ['another scheme', 'stream', 'request-malformed', replaced(':scheme', 'ftp')],
  ['a scheme with a path', 'stream', 'request-malformed', replaced(':scheme', 'https://x/?')],
  ['CONNECT with a path', 'stream', 'request-malformed', replaced(':method', 'CONNECT')],
  ['another Host', 'stream', 'request-ambiguous', fieldsOf({}, ['host', 'other.test'])],
  ['two Hosts', 'stream', 'request-ambiguous', fieldsOf({}, ['host', 'api.test'], ['host', 'x'])],
  ['an upper-case name', 'stream', 'request-malformed', fieldsOf({}, ['X-A', '1'])],
  ['a name with a space', 'stream', 'request-malformed', fieldsOf({}, ['x a', '1'])],
  ['a name with a colon', 'stream', 'request-malformed', fieldsOf({}, ['x:a', '1'])],
  ['a name with a line', 'stream', 'request-malformed', fieldsOf({}, ['x: y\r\nz', '1'])],
  ['an empty name', 'stream', 'request-malformed', fieldsOf({}, ['', '1'])],
  ['a value with CR', 'stream', 'request-malformed', fieldsOf({}, ['x-a', 'a\rb'])],
  ['a value with LF', 'stream', 'request-malformed', fieldsOf({}, ['x-a', 'a\nb'])],
  ['a value with NUL', 'stream', 'request-malformed', fieldsOf({}, ['x-a', 'a\0b'])],
  ['a value with DEL', 'stream', 'request-malformed', fieldsOf({}, ['x-a', 'a\x7fb'])],
  ['a method behind a space', 'stream', 'request-malformed', replaced(':method', ' GET')],
  ['a path before a space', 'stream', 'request-malformed', replaced(':path', '/a ')],
  ['TE with a space', 'stream', 'request-malformed', fieldsOf({}, ['te', 'trailers '])],
  ['Connection', 'stream', 'request-malformed', fieldsOf({}, ['connection', 'close'])],
  ['Keep-Alive', 'stream', 'request-malformed', fieldsOf({}, ['keep-alive', '1'])],
  ['Proxy-Connection', 'stream', 'request-malformed', fieldsOf({}, ['proxy-connection', 'x'])],
  [
    'Transfer-Encoding',
    'stream',
    'request-malformed',
    fieldsOf({}, ['transfer-encoding', 'chunked']),
  ],
  ['Upgrade', 'stream', 'request-malformed', fieldsOf({}, ['upgrade', 'h2c'])],
  ['TE other than trailers', 'stream', 'request-malformed', fieldsOf({}, ['te', 'gzip'])],
  ['no number for a length', 'stream', 'request-malformed', fieldsOf({}, ['content-length', '+1'])],
  [
    'two lengths',
    'stream',
    'request-ambiguous',
    fieldsOf({}, ['content-length', '0'], ['content-length', '0']),
  ],
  ['a length and no content', 'stream', 'request-malformed', fieldsOf({}, ['content-length', '1'])],
  ['a space before a value', 'response', 'request-malformed', fieldsOf({}, ['x-a', ' a'])],
  ['a tab behind a value', 'response', 'request-malformed', fieldsOf({}, ['x-a', 'a\t'])],
  ['nothing but a space', 'response', 'request-malformed', fieldsOf({}, ['x-a', ' '])],
  [
    'a length with a space',
    'response',
    'request-malformed',
    fieldsOf({}, ['content-length', '0 ']),
  ],
  [
    'a token that is an empty variable',
    'response',
    'request-malformed',
    fieldsOf({}, ['authorization', 'Bearer ']),
  ],
  ['an underscore', 'response', 'request-malformed', fieldsOf({}, ['x_account_id', '1'])],
  [
    'two Authorizations',
    'response',
    'request-ambiguous',
    fieldsOf({}, ['authorization', 'a'], ['authorization', 'b']),
  ],
  ['a dot segment', 'response', 'target-ambiguous', replaced(':path', '/a/../b')],
  ['a backslash', 'response', 'target-ambiguous', replaced(':path', '/a\\b')],
  ['a fragment', 'response', 'target-ambiguous', replaced(':path', '/a#b')],
  ['bytes past ASCII', 'response', 'target-ambiguous', replaced(':path', '/\u00e9')],
  ['a long target', 'response', 'target-too-long', replaced(':path', `/${'a'.repeat(100)}`)],
  ['another expectation', 'response', 'expectation-failed', fieldsOf({}, ['expect', 'x'])],
];

describe('the head of a request in HTTP/2', () => {
  it.each(FAULTY)('is refused with %s', (_what, how, reason, fields) => {
    const head = read(fields);
    expect(isHttp2Fault(head) && [head.fault, head.malformed ? 'stream' : 'response']).toEqual([
      reason,
      how,
    ]);
  });

  it('is read as it is', () => {
    const fields = fieldsOf(
      { method: 'POST', path: '/a?b=c', authority: 'API.test:443' },
      ['authorization', 'Bearer x'],
      ['te', 'trailers'],
      ['host', 'api.TEST:443'],
      ['user-agent', 'test/1'],
      ['content-length', '5'],
      ['x-a', '1'],
      ['x-a', '2'],
    );
    const head = read(fields, false);
    expect(head).toMatchObject({
      method: 'POST',
      target: '/a?b=c',
      path: '/a',
      version: '2',
      host: 'api.test:443',
      authorization: 'Bearer x',
      userAgent: 'test/1',
      framing: { kind: 'length', bytes: 5 },
      nominated: [],
      takesTrailers: true,
    });
    if (isHttp2Fault(head)) return;
    expect(head.names.map(({ lower }, index) => [lower, head.values[index]])).toEqual(
      fields.slice(4),
    );
  });

  it.each([
    [true, [], { kind: 'none', declared: false }],
    [true, [['content-length', '0']], { kind: 'none', declared: true }],
    [false, [], { kind: 'chunked' }],
    [false, [['content-length', '7']], { kind: 'length', bytes: 7 }],
  ] as const)('knows how its content ends (%s, %j)', (end, fields, framing) => {
    expect(read(fieldsOf({}, ...fields), end)).toMatchObject({ framing });
  });

  it('joins the crumbs of cookies, and nothing else', () => {
    const crumbs = [
      ['cookie', 'a=1'],
      ['x-b', '1'],
      ['cookie', 'c=2'],
    ] as const;
    const head = read(fieldsOf({}, ...crumbs));
    if (isHttp2Fault(head)) throw new Error(head.detail);
    expect(head.names.map(({ lower }) => lower)).toEqual(['cookie', 'x-b']);
    expect(head.values).toEqual(['a=1; c=2', '1']);
  });

  it('takes Host in place of :authority, and CONNECT without a path', () => {
    expect(read([...without(':authority'), ['host', 'API.test']])).toMatchObject({
      host: 'api.test',
    });
    const connect: RawField[] = [
      [':method', 'CONNECT'],
      [':authority', 'x.test:443'],
    ];
    expect(read(connect)).toMatchObject({ method: 'CONNECT', path: 'x.test:443' });
  });

  it('asks for a tunnel, and tells no length of what follows', () => {
    const tunnel: RawField[] = [...replaced(':method', 'CONNECT'), [':protocol', 'websocket']];
    const none = { kind: 'none', declared: false };
    expect(read(tunnel, false)).toMatchObject({
      method: 'GET',
      upgrade: 'websocket',
      framing: none,
    });
    // A body, which no upgrade has in HTTP/1.1 either.
    const framing = { kind: 'length', bytes: 5 };
    expect(read([...tunnel, ['content-length', '5']], false)).toMatchObject({ framing });
    expect(read([...tunnel, ['content-length', 'x']], false)).toMatchObject({ malformed: true });
  });

  it('is refused as too large past its limit, as in HTTP/1.1', () => {
    const head = read(fieldsOf({}, ['x-a', 'a'.repeat(1000)]), true, 900);
    expect(head).toMatchObject({ fault: 'headers-too-large', malformed: false });
    const many = Array.from({ length: 200 }, () => ['x-a', '1'] as const);
    expect(read(fieldsOf({}, ...many))).toMatchObject({ fault: 'headers-too-large' });
  });

  it('says nothing of a request, only fixed phrases', () => {
    expect(new Set(HTTP2_DETAILS).size).toBe(HTTP2_DETAILS.length);
    for (const [, , , fields] of FAULTY) {
      const head = read(fields);
      if (!isHttp2Fault(head)) throw new Error('it was taken');
      expect(head.detail).toMatch(/^[\w :,./[\]-]+$/);
    }
  });
});

describe('fields behind the content', () => {
  it.each([
    [true, ['x-checksum', '1']],
    [false, [':path', '/']],
    [false, ['X-Upper', '1']],
    [false, ['x-a', 'a\r\nb']],
    [false, ['transfer-encoding', 'chunked']],
    [false, ['content-length', '1']],
    [false, ['x_account_id', 'root']],
    [false, ['x-a', ' b']],
  ] as const)('are valid: %s of %j', (valid, field) => {
    expect(readTrailers(sectionOf([field])) !== null).toBe(valid);
  });
});
