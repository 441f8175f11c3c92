import { posix } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isUnambiguousPath, pathEnd } from '../../../src/http/target.ts';

describe('the target gate', () => {
  it.each([
    '/',
    '/a',
    '/a/b/',
    '/lifetimeapi/rest/v2/applications/3f2504e0-4f89-11d3-9a0c-0305e82c3301/versions',
    '/a.b/c..d/.well-known/jwks.json',
    '/~user/(x)/a,b;v=1/a=b&c:d@e',
    '/Orders(1)/Default.Most(Id=(2))/f((x))',
    '/M%C3%BCller/My%20App',
    '/100%25',
    '/a%3fb%23c',
    '/__proto__/constructor',
  ])('lets %s through as it is', (path) => {
    expect(pathEnd(path)).toBe(path.length);
    expect(pathEnd(`${path}?q=1`)).toBe(path.length);
  });

  it.each([
    ['no path', ['', 'a', '*', '?x', 'localhost:443']],
    ['absolute-form', ['http://h/', 'https://h', 'http:/admin', 'HTTP://h/a']],
    [
      'dot segments',
      ['/.', '/..', '/./a', '/a/../b', '/a/.', '/a/..', '/..;x/a', '/.;/a', '/a/..;'],
    ],
    [
      'dot segments behind escapes',
      [
        '/%2e',
        '/%2E%2e/a',
        '/.%2e/a',
        '/a/%2e%2e',
        '/..%3b/a',
        '/.%3Bx/a',
        '/%252e%252e/a',
        '/%25252e',
      ],
    ],
    [
      'segments of dots and blanks alone',
      [
        '/...',
        '/..../a',
        '/a/...;x',
        '/. /a'.replace(' ', '%20'),
        '/.%20.',
        '/a/%20.%3bx',
        '/..%20/a',
      ],
    ],
    ['names that end in a blank', ['/a%20', '/a%20/b', '/a.%20', '/a%20;x', '/....//a']],
    [
      'empty segments',
      ['//', '//a', '/a//b', '/a//', '/;/a', '/;x', '/a/;x/b', '/%3b/a', '/a/%3Bx'],
    ],
    ['backslashes', ['/\\a', '/a\\..\\b', '/%5c', '/a%5Cb', '/%255c']],
    ['escaped slashes', ['/%2f', '/a%2Fb', '/%252f', '/..%2fa']],
    ['controls', ['/%00', '/%09', '/%0d%0aX:%20y', '/%1f', '/%7f', '/a\tb', '/a b']],
    ['fragments', ['/a#', '/#/a', '/a?b#c']],
    ['escapes that are none', ['/%', '/%2', '/a%', '/%zz', '/%u002e', '/%g0', '/a%%20']],
    ['escaped unreserved characters', ['/%61', '/%41dmin', '/%30', '/%7e', '/%5F', '/%2D']],
    [
      'bytes that are no UTF-8',
      ['/%ff', '/%c0%af', '/%c0%ae%c0%ae/', '/%e0%80%af', '/%ed%a0%80', '/\u00e9', '/\u00ff'],
    ],
    ['characters outside the grammar', ['/a|b', '/a"b', '/<a>', '/`', '/{a}', '/a^b', '/[a]']],
    [
      'cookieless sessions',
      [
        '/(S(x))/secrets',
        '/a/(S(x))/b',
        '/a/(s(x))b',
        '/a(A(x)F(y))',
        '/(X(1)S(x))/',
        '/%28S(x))/a',
        '/(S%28x%29%29/a',
        '/(S(x',
        '/(A(a/b))/c',
      ],
    ],
    ['a query outside the grammar', ['/a?\u00e9', '/a? ', '/a?\x7f', '/a?#']],
  ])('refuses %s', (_, targets) => {
    expect(targets.filter((target) => pathEnd(target) !== -1)).toEqual([]);
  });

  it('refuses nothing in a query but controls, spaces, fragments and raw bytes', () => {
    for (const query of [
      '?',
      '??',
      '?a=///c',
      '?../..',
      '?%2f%00%zz',
      '?a[]=1&b={"x":1}',
      '?x|y\\z^`<>',
    ]) {
      expect(pathEnd(`/a${query}`)).toBe(2);
    }
  });

  it('leaves nothing for other readers to clean up, decode or resolve', () => {
    const targets = fc
      .sample(hostileTarget, { numRuns: 20_000, seed: 1 })
      .filter((target) => pathEnd(target) !== -1);
    expect(targets.length).toBeGreaterThan(500);
    for (const target of targets) {
      const path = target.slice(0, pathEnd(target));
      const url = new URL(target, 'http://gate.example');
      expect([url.host, url.pathname, url.hash]).toEqual(['gate.example', path, '']);
      let decoded = path;
      for (let round = 0; round < 3; round += 1) {
        decoded = decodedLeniently(decoded);
        expect(posix.normalize(decoded)).toBe(decoded);
        expect(decoded.split('/')).toHaveLength(path.split('/').length);
        expect(decoded.includes('\\')).toBe(false);
      }
    }
  });

  it('judges a path the same at any length', () => {
    for (const segment of ['a', 'a.b', '%20a', ';x', '..', 'a.']) {
      expect(isUnambiguousPath(`/a/${'b/'.repeat(2000)}${segment}`)).toBe(
        isUnambiguousPath(`/a/${segment}`),
      );
    }
  });

  it('needs no more than one pass over a long hostile path', () => {
    // With a grammar that backtracks these would take longer than any test may.
    for (const unit of ['/a', '/%20', '/a.b', '.', '/;', '%25', '/a!'])
      expect(pathEnd(`/${unit.repeat(50_000)}\\`)).toBe(-1);
  });
});

const PIECES = [
  '/',
  '/',
  '/',
  'a',
  'admin',
  '.',
  '..',
  ';',
  ';x',
  '%2e',
  '%2F',
  '%5c',
  '%25',
  '2e',
  '%20',
  '%3b',
  '%c3%a9',
  '%61',
  '%c0%af',
];
const RARE = ['\\', '#', '?', ' ', '%', '%00', '|', '\u0080', '//', '/../', '/./', 'http://h'];
const hostileTarget = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...PIECES) },
      { weight: 1, arbitrary: fc.constantFrom(...RARE) },
    ),
    {
      maxLength: 9,
    },
  )
  .map((pieces) => `/${pieces.join('')}`);

function decodedLeniently(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
