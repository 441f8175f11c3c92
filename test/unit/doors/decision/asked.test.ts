import { describe, expect, it } from 'vitest';
import { type Asked, type AskFault, readerFor } from '../../../../src/doors/decision/asked.ts';
import { readVerify, verifyFormFault } from '../../../../src/doors/decision/verify.ts';
import { TrustedProxies } from '../../../../src/http/client-address.ts';
import type { RequestHead } from '../../../../src/http/request-head.ts';
import { isHeadFault, parseRequestHead } from '../../../../src/http1/request-parser.ts';

const FRONT = { address: '127.0.0.1', port: 1, secure: false };
const ASKING = {
  proxies: new TrustedProxies(['127.0.0.1', '10.0.0.0/8']),
  targetBytes: 100,
  keySet: () => undefined,
};

function outer(line: string, ...fields: readonly string[]): RequestHead {
  const text = [`${line} HTTP/1.1`, 'Host: front.test', ...fields, ''].join('\r\n');
  const head = parseRequestHead(text, 1000);
  if (isHeadFault(head)) throw new Error(head.detail);
  return head;
}

function ask(path: string, ...fields: readonly string[]): Asked | AskFault {
  return readerFor(path.split('?')[0]!)!(outer(`GET ${path}`, ...fields), FRONT, ASKING);
}

/** Method, host, target and client; or why not. */
function told(asked: Asked | AskFault): string {
  if ('fault' in asked) return asked.fault;
  const { head, peer } = asked;
  return `${head.method} ${head.host} ${head.target} ${peer.address}`;
}

const ORIGINAL = ['X-Original-Method: POST', 'X-Original-URI: /a?b', 'X-Original-Host: API.test'];
const URL_FORM = ['X-Original-Method: POST', 'X-Original-URL: https://API.test:8443/a?b'];
const FORWARDED = [
  'X-Forwarded-Method: PUT',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: api.test',
  'X-Forwarded-Uri: /a',
];
const without = (fields: readonly string[], at: number) =>
  fields.filter((_, index) => index !== at);

describe('what is asked about', () => {
  it.each([
    ['/auth-request', ORIGINAL, 'POST api.test /a?b 127.0.0.1'],
    ['/auth-request?x=1', ORIGINAL, 'POST api.test /a?b 127.0.0.1'],
    ['/auth-request', URL_FORM, 'POST api.test:8443 /a?b 127.0.0.1'],
    ['/forward-auth', FORWARDED, 'PUT api.test /a 127.0.0.1'],
    ['/ext-authz/a?b', [], 'GET front.test /a?b 127.0.0.1'],
    ['/ext-authz/', [], 'GET front.test / 127.0.0.1'],
  ])('is read at %s from its own fields', (path, fields, expected) => {
    expect(told(ask(path, ...fields))).toBe(expected);
  });

  it.each([
    ['/auth-request', 'X-Original-Forwarded-For', ORIGINAL],
    ['/forward-auth', 'X-Forwarded-For', FORWARDED],
    ['/ext-authz/a', 'X-Envoy-External-Address', []],
  ])('is said by %s to come from the nearest address that is no proxy', (path, name, fields) => {
    const client = (value: string) => {
      const asked = ask(path, ...fields, `${name}: ${value}`);
      return 'fault' in asked ? asked.fault : asked.peer.address;
    };
    expect(client('192.0.2.1')).toBe('192.0.2.1');
    expect(client('198.51.100.7, 192.0.2.1, 10.1.1.1')).toBe('192.0.2.1');
    expect(client('::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(client('unknown')).toBe('127.0.0.1');
  });

  it.each([
    ['/auth-request', [...FORWARDED, 'X-Rewrite-URL: /x', 'X-Original-URI: /a']],
    ['/forward-auth', [...ORIGINAL, ...without(FORWARDED, 0)]],
  ])('is never put together from two sets of fields at %s', (path, fields) => {
    expect(told(ask(path, ...fields))).toBe('request-malformed');
  });

  it.each([
    ['/auth-request', ORIGINAL],
    ['/auth-request', URL_FORM],
    ['/forward-auth', FORWARDED],
  ])('is not known at %s where a field is missing, empty or there twice', (path, fields) => {
    for (const [index, field] of fields.entries()) {
      const [name] = field.split(':');
      expect(told(ask(path, ...without(fields, index))), `no ${name}`).toBe('request-malformed');
      const empty = fields.with(index, `${name}:`);
      expect(told(ask(path, ...empty)), `empty ${name}`).toBe('request-malformed');
      expect(told(ask(path, ...fields, field)), `two of ${name}`).toBe('request-ambiguous');
      const other = field.replace(/.$/, 'x');
      expect(told(ask(path, ...fields, other)), `another ${name}`).toBe('request-ambiguous');
    }
  });

  it('is one URL, or a target and a host: never both', () => {
    for (const field of ['X-Original-URI: /a', 'X-Original-Host: api.test'])
      expect(told(ask('/auth-request', ...URL_FORM, field))).toBe('request-ambiguous');
  });

  it.each([
    'https://api.test',
    'https:///a',
    'https://api.test?/a',
    'https://api.test#/a',
    'HTTPS://api.test/a',
    'ftp://api.test/a',
    'https:/api.test/a',
    '//api.test/a',
    'https://user@api.test/a',
    'https://api.test, other.test/a',
    'https://api.test\\@other/a',
  ])('is not taken from the URL %s', (url) => {
    const [method] = URL_FORM;
    expect(told(ask('/auth-request', method!, `X-Original-URL: ${url}`))).toBe('request-malformed');
  });

  it.each(['/a/../b', '//a', '/a%2fb', '/a\\b', '/a#b', 'a', 'http://api.test/a', '*', '/%61'])(
    'is refused where the target is %s, like everywhere',
    (target) => {
      const fields = ORIGINAL.with(1, `X-Original-URI: ${target}`);
      expect(told(ask('/auth-request', ...fields))).toBe('target-ambiguous');
      const forwarded = FORWARDED.with(3, `X-Forwarded-Uri: ${target}`);
      expect(told(ask('/forward-auth', ...forwarded))).toBe('target-ambiguous');
    },
  );

  it('has a target no longer than others, and a method and a host that are such', () => {
    const long = ORIGINAL.with(1, `X-Original-URI: /${'a'.repeat(100)}`);
    expect(told(ask('/auth-request', ...long))).toBe('target-too-long');
    for (const method of ['GET /x', 'G'.repeat(33), 'GE(T'])
      expect(told(ask('/auth-request', ...ORIGINAL.with(0, `X-Original-Method: ${method}`)))).toBe(
        'request-malformed',
      );
    for (const host of ['a b', 'a/b', 'user@a', 'a, b', '[::1'])
      expect(told(ask('/auth-request', ...ORIGINAL.with(2, `X-Original-Host: ${host}`)))).toBe(
        'request-malformed',
      );
  });

  it('has other endpoints nowhere', () => {
    for (const path of ['/', '/auth-request/', '/Auth-Request', '/ext-authz', '/ext-authzx/a'])
      expect(readerFor(path), path).toBeNull();
  });

  it('has a body that nobody here knows, and the token that its client has sent', () => {
    const asked = ask('/auth-request', ...ORIGINAL, 'Authorization: Bearer x', 'Connection: a');
    expect(asked).toMatchObject({
      head: { framing: { kind: 'elsewhere' }, authorization: 'Bearer x', nominated: [] },
    });
  });
});

describe('what a program asks', () => {
  const QUESTION = { token: 't', method: 'GET', host: 'api.test', target: '/a' };
  const post = outer('POST /verify', 'Content-Type: application/json', 'Content-Length: 9');
  const verify = (body: unknown) =>
    readVerify(
      post,
      Buffer.isBuffer(body)
        ? body
        : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
      FRONT,
      ASKING,
    );

  it('is read from JSON', () => {
    const asked = verify({ ...QUESTION, clientAddress: '2001:db8::1' });
    expect(told(asked)).toBe('GET api.test /a 2001:db8::1');
    expect(asked).toMatchObject({
      head: { authorization: 'Bearer t', names: [], userAgent: null },
    });
    expect(told(verify(QUESTION))).toBe('GET api.test /a 127.0.0.1');
    const { token, ...nobody } = QUESTION;
    for (const question of [nobody, { ...nobody, token: '' }])
      expect(verify(question)).toMatchObject({ head: { authorization: null } });
    expect(token).toBe('t');
  });

  it.each([
    ['no JSON', 'x'],
    ['no object', '[]'],
    ['null', 'null'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['a key twice', '{"method":"GET","method":"PUT","host":"a","target":"/a"}'],
    ['a key twice, once in escapes', '{"method":"GET","\\u006dethod":"PUT","host":"a"}'],
    ['a key that is not known', { ...QUESTION, path: '/b' }],
    ['a value that is no string', { ...QUESTION, target: ['/a'] }],
    ['no method', { ...QUESTION, method: '' }],
    ['a token with a space', { ...QUESTION, token: ' t' }],
    ['a token with a line break', { ...QUESTION, token: 't\n' }],
    ['no address', { ...QUESTION, clientAddress: 'localhost' }],
  ])('is refused with %s', (_what, body) => {
    expect(told(verify(body))).toBe('request-malformed');
  });

  it('has a target that is judged like everywhere', () => {
    expect(told(verify({ ...QUESTION, target: '/a/../b' }))).toBe('target-ambiguous');
  });

  it('needs POST and JSON', () => {
    const fault = (line: string, ...fields: readonly string[]) =>
      verifyFormFault(outer(line, ...fields))?.fault ?? null;
    const [type, length] = ['Content-Type: application/json; charset=utf-8', 'Content-Length: 9'];
    expect(fault('POST /verify', type, length)).toBeNull();
    expect(fault('POST /verify', type, 'Transfer-Encoding: chunked')).toBeNull();
    expect(fault('GET /verify', type)).toBe('method-refused');
    expect(fault('POST /verify', length)).toBe('request-malformed');
    expect(fault('POST /verify', type)).toBe('request-malformed');
    expect(fault('POST /verify', type, type, length)).toBe('request-malformed');
    expect(fault('POST /verify', type, length, 'Content-Encoding: gzip')).toBe('request-malformed');
  });
});
