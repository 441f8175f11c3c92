import { expect, it } from 'vitest';
import { groupsOf, ipv4Behind, plainAddress } from '../../../src/http/ip-address.ts';

it.each([
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::ffff:cb00:7107', '203.0.113.7'],
  ['::FFFF:CB00:7107', '203.0.113.7'],
  ['0:0:0:0:0:ffff:cb00:7107', '203.0.113.7'],
  ['0000:0000:0000:0000:0000:ffff:203.0.113.7', '203.0.113.7'],
  ['::ffff:0:0', '0.0.0.0'],
  ['203.0.113.7', '203.0.113.7'],
  ['::1', '::1'],
  ['::ffff:0:203.0.113.7', '::ffff:0:203.0.113.7'],
  ['64:ff9b::203.0.113.7', '64:ff9b::203.0.113.7'],
  ['::ffff:x', '::ffff:x'],
  ['', ''],
])('%s in its own form is %s', (address, plain) => {
  expect(plainAddress(address)).toBe(plain);
});

it.each([
  ['::ffff:cb00:7107', '203.0.113.7'],
  ['64:ff9b::cb00:7107', '203.0.113.7'],
  ['64:ff9b:1:2:3:4:203.0.113.7', '203.0.113.7'],
  ['2002:cb00:7107::1', '203.0.113.7'],
  ['64:ff9b:0:0:1::203.0.113.7', null],
  ['2001:db8::203.0.113.7', null],
  ['203.0.113.7', null],
  ['::g', null],
])('behind %s stands %s', (address, behind) => {
  expect(ipv4Behind(address)).toBe(behind);
});

it('has eight groups, however it is written', () => {
  expect(groupsOf('::')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  expect(groupsOf('fe80::1%eth0')).toEqual([0xfe80, 0, 0, 0, 0, 0, 0, 1]);
  expect(groupsOf('1:2:3:4:5:6:7:8')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(groupsOf('1:2:3:4:5:6:7::')).toEqual([1, 2, 3, 4, 5, 6, 7, 0]);
  expect(groupsOf('host:80')).toBe(null);
});
