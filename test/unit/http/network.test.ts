import { describe, expect, it } from 'vitest';
import { isInNetworks, readNetwork } from '../../../src/http/network.ts';

describe('a network', () => {
  it.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['192.0.2.7', '192.0.2.7'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255/32', '255.255.255.255/32'],
    ['2001:DB8:0:0::/32', '2001:db8::/32'],
    ['2001:db8::1', '2001:db8::1'],
    ['::/0', '::/0'],
    ['2001:db8:8000::/33', '2001:db8:8000::/33'],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
    ['::ffff:c000:0207', '192.0.2.7'],
  ])('has one spelling: %s', (text, network) => {
    expect(readNetwork(text)).toEqual({ network });
  });

  it.each([
    ['10.0.0.7/8', 'write 10.0.0.0/8'],
    ['192.0.2.129/25', 'write 192.0.2.128/25'],
    ['2001:db8::1/64', 'write 2001:db8::/64'],
    ['2001:db8:ffff::/33', 'write 2001:db8:8000::/33'],
    ['::ffff:10.0.0.7/104', 'write 10.0.0.0/8'],
  ])('whose address has bits behind its length could be another: %s', (text, words) => {
    expect(readNetwork(text)).toEqual({ fault: expect.stringContaining(words) });
  });

  it.each([
    '',
    'a',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '010.0.0.1',
    '::/129',
    'fe80::1%eth0',
    '::ffff:10.0.0.0/8',
    '10.0.0.0/8 ',
  ])('is none: %j', (text) => {
    expect(readNetwork(text)).toHaveProperty('fault');
  });

  it('has an IPv4 address in all its forms, and no other address for one behind it', () => {
    const both = ['192.0.2.0/24', '2001:db8::/32'];
    for (const inside of ['192.0.2.7', '::ffff:192.0.2.7', '::ffff:c000:207', '2001:db8::1'])
      expect([inside, isInNetworks(both, inside)]).toEqual([inside, true]);
    for (const outside of [
      '192.0.3.7',
      '64:ff9b::c000:207',
      '64:ff9b::192.0.2.7',
      '64:ff9b:1::c000:207',
      '2002:c000:207::1',
      '::c000:207',
      '2001:db9::1',
      '',
      'unix',
      '192.0.2.7:80',
      '192.0.2.7, 192.0.2.8',
    ])
      expect([outside, isInNetworks(both, outside)]).toEqual([outside, false]);
  });

  it('that cannot be read lets nobody in', () => {
    expect(isInNetworks(['nonsense', '10.0.0.0/99', '0.0.0.1/0'], '10.0.0.1')).toBe(false);
    expect(isInNetworks([], '10.0.0.1')).toBe(false);
  });
});
