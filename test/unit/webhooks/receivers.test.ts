import type { LookupFunction } from 'node:net';
import { describe, expect, it } from 'vitest';
import { assertReceiver, guardedLookup, mayReceive } from '../../../src/webhooks/receivers.ts';

/** Addresses to which nothing is sent unless the file says so, in the ways to write them. */
const PRIVATE = [
  '10.0.0.1',
  '127.0.0.1',
  '127.255.255.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '100.64.0.1',
  '192.0.0.8',
  '192.0.2.1',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.7',
  '::1',
  'fc00::1',
  'fd12:3456:789a::1',
  'fec0::1',
  '2001:db8::1',
  '2001::1',
  '100::1',
  '5f00::1',
  '3fff::1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:c0a8:0101',
  '64:ff9b::10.0.0.1',
  '64:ff9b::7f00:1',
  '64:ff9b:1::808:808',
  '2002:0a00:0001::1',
  '2002:7f00:1::',
  '::127.0.0.1',
];

/** Not even when the file says so: this link, with its metadata, nobody and everybody. */
const NEVER = [
  '169.254.169.254',
  '169.254.0.1',
  '0.0.0.0',
  '0.1.2.3',
  '224.0.0.1',
  '255.255.255.255',
  '240.0.0.1',
  '100.100.100.200',
  '168.63.129.16',
  '192.0.0.192',
  '::',
  'fe80::1',
  'ff02::1',
  'fd00:ec2::254',
  '::ffff:169.254.169.254',
  '::ffff:a9fe:a9fe',
  '64:ff9b::169.254.169.254',
  '64:ff9b::a9fe:a9fe',
  '2002:a9fe:a9fe::1',
];

const PUBLIC = [
  '8.8.8.8',
  '172.32.0.1',
  '100.128.0.1',
  '198.20.0.1',
  '2606:4700::1111',
  '2a00:1450:4001::1',
  '64:ff9b::8.8.8.8',
  '::ffff:8.8.8.8',
];

const NO_ADDRESS = [
  'localhost',
  '',
  '8.8.8',
  '0x7f000001',
  '2130706433',
  '017700000001',
  'fe80::1%lo',
];

describe('a receiver without networks', () => {
  it.each([...PRIVATE, ...NEVER, ...NO_ADDRESS])('is not at %j', (address) => {
    expect(mayReceive(address, null)).toBe(false);
  });

  it.each(PUBLIC)('is at %s', (address) => {
    expect(mayReceive(address, null)).toBe(true);
  });
});

describe('a receiver in networks', () => {
  it('is in these alone', () => {
    const networks = ['10.0.0.0/8', 'fd12::/16'];
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', 'fd12::1'])
      expect(mayReceive(address, networks), address).toBe(true);
    for (const address of [...PUBLIC, '127.0.0.1', '64:ff9b::10.0.0.1', 'fd13::1'])
      expect(mayReceive(address, networks), address).toBe(false);
  });

  it.each(NEVER)('is not at %s, however wide they are', (address) => {
    expect(mayReceive(address, ['0.0.0.0/0', '::/0'])).toBe(false);
  });
});

describe('the look-up of a receiver', () => {
  const answering =
    (...addresses: string[]): LookupFunction =>
    (_host, _options, done) =>
      done(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
  const looked = (lookup: LookupFunction, all: boolean) =>
    new Promise<unknown>((resolve) =>
      lookup('hooks.test', { all }, (error, address) => resolve(error?.message ?? address)),
    );

  it('gives the connection the addresses that were judged', async () => {
    const lookup = guardedLookup(answering('8.8.8.8', '2606:4700::1'), null);
    expect(await looked(lookup, false)).toBe('8.8.8.8');
    expect(await looked(lookup, true)).toEqual([
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1', family: 6 },
    ]);
  });

  it('refuses a name that stands for one private address among public ones', async () => {
    for (const address of ['10.0.0.1', '::1', '169.254.169.254', '64:ff9b::7f00:1'])
      for (const all of [true, false])
        expect(await looked(guardedLookup(answering('8.8.8.8', address), null), all)).toContain(
          'not public',
        );
  });

  it('judges each look-up: a name that moves leads nowhere', async () => {
    const answers = [['8.8.8.8'], ['127.0.0.1']];
    const moving: LookupFunction = (host, options, done) =>
      answering(...answers.shift()!)(host, options, done);
    const lookup = guardedLookup(moving, null);
    expect(await looked(lookup, false)).toBe('8.8.8.8');
    expect(await looked(lookup, false)).toContain('not public');
  });

  it('is not needed for an address that the URL names, in whatever way', () => {
    for (const host of ['127.1', '0x7f.1', '2130706433', '0177.0.0.1', '[::1]', '[::ffff:7f00:1]'])
      expect(() => assertReceiver(new URL(`https://${host}/x`), null), host).toThrow('not public');
    expect(() => assertReceiver(new URL('https://8.8.8.8/x'), null)).not.toThrow();
    expect(() => assertReceiver(new URL('https://[::1]/x'), ['::1'])).not.toThrow();
  });
});
