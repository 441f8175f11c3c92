import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseHost } from '../../../src/http/host.ts';

describe('Host', () => {
  it.each([
    ['localhost', 'localhost'],
    ['Gate.Example:8443', 'gate.example:8443'],
    ['gate.example.', 'gate.example.'],
    ['my_service:80', 'my_service:80'],
    ['a-b.c1', 'a-b.c1'],
    ['127.0.0.1:0', '127.0.0.1:0'],
    ['gate.example:', 'gate.example'],
    ['gate.example.:', 'gate.example.'],
    ['[::1]:', '[::1]'],
    ['[::1]', '[::1]'],
    ['[2001:DB8::1]:443', '[2001:db8::1]:443'],
    ['[::ffff:127.0.0.1]:65535', '[::ffff:127.0.0.1]:65535'],
    [`${'a'.repeat(63)}.b`, `${'a'.repeat(63)}.b`],
  ])('%s is %s', (value, host) => {
    expect(parseHost(value)).toBe(host);
    // What is remembered is no other answer.
    expect(parseHost(value)).toBe(host);
  });

  it.each([
    ['nothing', ['', ' ', '.', '..', ':80', '-']],
    [
      'ports that are none',
      ['h::', 'h:65536', 'h:9000:80', 'h:+1', 'h:000080', 'h:8o', 'h: 80', '[::1]80'],
    ],
    [
      'more than a host',
      ['u@h', 'u:p@h', 'h/p', 'h?q', 'h#f', 'h,i', 'h i', 'http://h', '*', 'h\\i', "h'", 'h"'],
    ],
    [
      'empty and overlong labels',
      ['a..b', '.a', 'a...', `${'a'.repeat(64)}.b`, '-a', 'a-', 'a.-b'],
    ],
    [
      'broken IPv6',
      [
        '[',
        ']',
        '[]',
        '[::1',
        '::1',
        '[:::1]',
        '[1]',
        '[g::1]',
        '[fe80::1%25eth0]',
        '[v1.x]',
        '[::1]x',
      ],
    ],
    ['bytes outside ASCII and escapes', ['h\u00e9', '%68', 'h\t', 'h\0', 'xn--\u0130']],
    ['overlong hosts', ['a.'.repeat(131)]],
  ])('refuses %s', (_, values) => {
    expect(values.filter((value) => parseHost(value) !== null)).toEqual([]);
  });

  it('names for everyone the server that it names for us', () => {
    const hosts = fc.string({ unit: fc.constantFrom(...'aZ9.-_:[]/@%,\\ *x'), maxLength: 12 });
    for (const value of fc.sample(hosts, { numRuns: 5000, seed: 1 })) {
      const host = parseHost(value);
      // WHATWG rewrites numbers (`1` is 0.0.0.1); with a letter in the last label both must come to
      // the same.
      if (host === null || !/[a-z_][a-z0-9_-]*\.?(?::\d+)?$/.test(host)) continue;
      const port = /:(\d+)$/.exec(host)?.[1];
      const name = port === undefined ? host : host.slice(0, -port.length - 1);
      expect(new URL(`ws://${host}`).host).toBe(
        port === undefined || Number(port) === 80 ? name : `${name}:${Number(port)}`,
      );
    }
  });

  it('keeps its memory bounded and its answers right past the bound', () => {
    for (let index = 0; index < 3000; index += 1)
      expect(parseHost(`Host-${index}`)).toBe(`host-${index}`);
    expect(parseHost('Host-2999')).toBe('host-2999');
    expect(parseHost('host 1')).toBeNull();
  });
});
