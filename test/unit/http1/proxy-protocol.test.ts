import { describe, expect, it } from 'vitest';
import { beginsPreface, readPreface } from '../../../src/http1/proxy-protocol.ts';

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
const read = (text: string) => readPreface(Buffer.from(text, 'latin1'));

function v2(command: number, family: number, rest: Buffer, length = rest.length): Buffer {
  const head = Buffer.alloc(16);
  head.write(SIGNATURE, 'latin1');
  head[12] = command;
  head[13] = family;
  head.writeUInt16BE(length, 14);
  return Buffer.concat([head, rest]);
}

const PAIR4 = Buffer.from([198, 51, 100, 7, 10, 0, 0, 1, 0x11, 0x5c, 0x01, 0xbb]);
const PAIR6 = Buffer.concat([
  Buffer.from('20010db8000000000000000000000007', 'hex'),
  Buffer.alloc(16),
  Buffer.from([0, 80, 1, 187]),
]);

describe('a PROXY preface of version 1', () => {
  it.each([
    ['PROXY TCP4 198.51.100.7 10.0.0.1 4444 443\r\n', { address: '198.51.100.7', port: 4444 }],
    ['PROXY TCP6 2001:DB8::7 ::1 0 65535\r\n', { address: '2001:db8::7', port: 0 }],
    ['PROXY TCP6 ::ffff:198.51.100.7 ::1 1 2\r\n', { address: '198.51.100.7', port: 1 }],
    ['PROXY UNKNOWN\r\n', null],
    ['PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n', null],
  ])('says whose connection it is: %j', (line, client) => {
    const bytes = line.length;
    expect(read(`${line}GET / HTTP/1.1\r\n`)).toEqual({ state: 'complete', client, bytes });
    for (let cut = 0; cut < bytes; cut += 1)
      expect(read(line.slice(0, cut))).toEqual({ state: 'incomplete' });
  });

  it.each([
    'PROXY TCP4 198.51.100.7 10.0.0.1 4444\r\n',
    'PROXY TCP4 198.51.100.7 10.0.0.1 4444 443 \r\n',
    'PROXY  TCP4 198.51.100.7 10.0.0.1 4444 443\r\n',
    'PROXY TCP4 198.51.100.7 10.0.0.1 04444 443\r\n',
    'PROXY TCP4 198.51.100.7 10.0.0.1 65536 443\r\n',
    'PROXY TCP4 198.51.100.007 10.0.0.1 1 443\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 198.51.100.7 10.0.0.1 1 2\r\n',
    'PROXY UDP4 198.51.100.7 10.0.0.1 1 2\r\n',
    'PROXY TCP4 198.51.100.7 10.0.0.1 1 2\n\r\n',
    'PROXY UNKNOWNS\r\n',
    'proxy TCP4 198.51.100.7 10.0.0.1 1 2\r\n',
    'GET / HTTP/1.1\r\n',
    ' PROXY UNKNOWN\r\n',
    `PROXY UNKNOWN ${'x'.repeat(107)}`,
    '\x16\x03\x01',
  ])('is not %j', (text) => {
    expect(read(text)).toMatchObject({ state: 'broken' });
  });
});

describe('a PROXY preface of version 2', () => {
  const TLVS = Buffer.from([0x04, 0, 2, 1, 2, 0xea, 0, 0]);

  it.each([
    ['IPv4', v2(0x21, 0x11, PAIR4), { address: '198.51.100.7', port: 0x115c }],
    ['IPv6', v2(0x21, 0x21, PAIR6), { address: '2001:db8::7', port: 80 }],
    [
      'IPv4 with additions',
      v2(0x21, 0x11, Buffer.concat([PAIR4, TLVS])),
      { address: '198.51.100.7', port: 0x115c },
    ],
    ['the balancer itself', v2(0x20, 0x00, Buffer.alloc(0)), null],
    ['the balancer itself, with addresses', v2(0x20, 0x11, PAIR4), null],
    ['nobody known', v2(0x21, 0x00, Buffer.alloc(5)), null],
  ])('says whose connection it is: %s', (_who, bytes, client) => {
    const followed = Buffer.concat([bytes, Buffer.from('\x16\x03')]);
    expect(readPreface(followed)).toEqual({ state: 'complete', client, bytes: bytes.length });
    for (let cut = 0; cut < bytes.length; cut += 1)
      expect(readPreface(bytes.subarray(0, cut))).toEqual({ state: 'incomplete' });
  });

  it.each([
    ['another version', v2(0x11, 0x11, PAIR4)],
    ['an unknown command', v2(0x22, 0x11, PAIR4)],
    ['datagrams', v2(0x21, 0x12, PAIR4)],
    ['a UNIX socket', v2(0x21, 0x31, Buffer.alloc(216))],
    ['addresses cut short', v2(0x21, 0x21, PAIR4)],
    ['an addition cut short', v2(0x21, 0x11, Buffer.concat([PAIR4, TLVS.subarray(0, 4)]))],
    ['half an addition', v2(0x21, 0x11, Buffer.concat([PAIR4, Buffer.from([1, 0])]))],
    ['more than anybody adds, before it comes', v2(0x21, 0x11, PAIR4, 2049)],
    ['a broken signature', Buffer.from('\r\n\r\n\r\n')],
  ])('is not %s', (_what, bytes) => {
    expect(readPreface(bytes)).toMatchObject({ state: 'broken' });
  });
});

it('is recognised at the beginning of what is no request', () => {
  for (const text of ['PROXY TCP4 ', 'PROXY UNKNOWN\r\n', SIGNATURE])
    expect(beginsPreface(Buffer.from(text, 'latin1'))).toBe(true);
  for (const text of ['', 'PROXY', 'GET / HTTP/1.1', '\r\n\r\n'])
    expect(beginsPreface(Buffer.from(text, 'latin1'))).toBe(false);
});
