import { describe, expect, it } from 'vitest';
import { calledBy, withPublicOrigin } from '../../../src/forwarding/public-origin.ts';
import type { ResponseHead } from '../../../src/http/response-head.ts';
import { parseResponseHead } from '../../../src/http1/response-parser.ts';

const ORIGINS = ['http://10.0.0.7:8080', 'https://lifetime.internal', 'http://[::1]'];
const CALLED = { scheme: 'https', host: 'gate.example:8443' } as const;

function head(...fields: readonly string[]): ResponseHead {
  const text = ['HTTP/1.1 302 Found', ...fields].map((line) => `${line}\r\n`).join('');
  const parsed = parseResponseHead(text, true);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

const location = (value: string, called: typeof CALLED | { scheme: 'https'; host: '' } = CALLED) =>
  withPublicOrigin(head(`Location: ${value}`), ORIGINS, called).values[0];

describe('a link of the upstream to itself', () => {
  it.each([
    ['https://lifetime.internal/a/b?c=d#e', '/a/b?c=d#e'],
    ['HTTPS://LifeTime.Internal/A', '/A'],
    ['https://lifetime.internal:443/a', '/a'],
    ['http://10.0.0.7:8080/a', '/a'],
    ['http://[::1]/a', '/a'],
    ['//lifetime.internal/a', '/a'],
    ['https://lifetime.internal', ''],
    ['https://lifetime.internal?x', '?x'],
  ])('becomes one to the gate: %s', (value, rest) => {
    expect(location(value)).toBe(`https://gate.example:8443${rest}`);
  });

  it.each([
    '/a',
    'a/b',
    '',
    'http://lifetime.internal/a',
    'https://lifetime.internal:444/a',
    'https://lifetime.internal.evil/a',
    'https://evil/?https://lifetime.internal/a',
    'https://user@lifetime.internal/a',
    'https://lifetime.internal\\@evil/a',
    'ftp://lifetime.internal/a',
    'https:/lifetime.internal/a',
    'http://10.0.0.7/a',
  ])('is left as it is where it is none: %s', (value) => {
    expect(location(value)).toBe(value);
  });

  it('loses its origin where the request names no host', () => {
    const nobody = { scheme: 'https', host: '' } as const;
    expect(location('https://lifetime.internal/a', nobody)).toBe('/a');
    expect(location('https://lifetime.internal', nobody)).toBe('/');
    expect(location('https://lifetime.internal?x', nobody)).toBe('/?x');
  });

  it('is found in Location, Content-Location and Link, in each, and nowhere else', () => {
    const link =
      '<https://lifetime.internal/2>; rel="next"; title="<https://lifetime.internal/t>", </3>; rel=a,<HTTP://10.0.0.7:8080/4>;rel=b';
    const before = head(
      'Content-Location: https://lifetime.internal/1',
      `Link: ${link}`,
      'LINK: <https://elsewhere/5>',
      'X-Link: https://lifetime.internal/6',
      'Refresh: 1; url=https://lifetime.internal/7',
    );
    expect(withPublicOrigin(before, ORIGINS, CALLED).values).toEqual([
      'https://gate.example:8443/1',
      '<https://gate.example:8443/2>; rel="next"; title="<https://lifetime.internal/t>", </3>; rel=a,<https://gate.example:8443/4>;rel=b',
      '<https://elsewhere/5>',
      'https://lifetime.internal/6',
      '1; url=https://lifetime.internal/7',
    ]);
    expect(before.values[0]).toBe('https://lifetime.internal/1');
  });

  it('costs a head without one nothing', () => {
    const plain = head('Location: /a', 'Server: x');
    expect(withPublicOrigin(plain, ORIGINS, CALLED)).toBe(plain);
  });
});

it('the client has called what trusted proxies say, else this gate', () => {
  const own = { host: 'gate:1' };
  expect(calledBy({ proto: '', host: '' }, own, true)).toEqual({ scheme: 'https', host: 'gate:1' });
  expect(calledBy({ proto: '', host: '' }, own, false).scheme).toBe('http');
  expect(calledBy({ proto: 'https', host: 'public' }, own, false)).toEqual({
    scheme: 'https',
    host: 'public',
  });
});
