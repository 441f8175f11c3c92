import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import { ClientAddresses } from '../../../src/audit/event/client-address.ts';
import { addressKeyIn } from '../../../src/audit/log/embedded/address-key.ts';

it.each([
  ['203.0.113.77', '203.0.113.0/24'],
  ['2001:db8:12:34:5:6:7:8', '2001:db8:12::/48'],
  ['2001:db8::1', '2001:db8:0::/48'],
  // The network of a flood.
  ['2001:db8:12:34::/64', '2001:db8:12::/48'],
  // An IPv4 address stands behind it, which /48 would show whole or in part.
  ['2002:cb00:714d::1', '203.0.113.0/24'],
  ['64:ff9b::cb00:714d', '203.0.113.0/24'],
  ['::ffff:203.0.113.77', '203.0.113.0/24'],
  ['fe80::1%eth0', 'fe80:0:0::/48'],
  ['unknown', null],
  ['', null],
])('%s is cut to %s', (address, said) => {
  expect(new ClientAddresses('truncated').recorded(address)).toBe(said);
});

it('says nothing of an address as long as there is no key', () => {
  const addresses = new ClientAddresses('hashed');
  expect(addresses.recorded('203.0.113.77')).toBe(null);
  addresses.useKey(Buffer.alloc(32, 1));
  expect(addresses.recorded('203.0.113.77')).toMatch(/^hmac:[0-9a-f]{32}$/);
  expect(addresses.recorded('unknown')).toBe(null);
});

it('has one hash for an address however it is written, and another one by another key', () => {
  const [one, same, other] = [1, 1, 2].map((key) => {
    const addresses = new ClientAddresses('hashed');
    addresses.useKey(Buffer.alloc(32, key));
    return addresses;
  }) as [ClientAddresses, ClientAddresses, ClientAddresses];
  expect(one.recorded('2001:DB8::0001')).toBe(same.recorded('2001:db8:0:0:0:0:0:1'));
  expect(one.recorded('::ffff:203.0.113.77')).toBe(same.recorded('::ffff:cb00:714d'));
  expect(one.recorded('203.0.113.77')).not.toBe(other.recorded('203.0.113.77'));
  expect(one.recorded('203.0.113.77')).not.toBe(one.recorded('203.0.113.78'));
});

it('never says a whole address, but where it is asked to', () => {
  const hashed = new ClientAddresses('hashed');
  hashed.useKey(Buffer.alloc(32, 7));
  const truncated = new ClientAddresses('truncated');
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      for (const addresses of [hashed, truncated]) {
        const said = addresses.recorded(address);
        expect(said).not.toBe(address);
        expect(said).toMatch(/^(?:hmac:[0-9a-f]{32}|[0-9.]+\.0\/24|[0-9a-f:]+::\/48)$/);
      }
      expect(new ClientAddresses('full').recorded(address)).toBe(address);
    }),
  );
});

it('keeps the key in a file that only its owner reads, and uses no other', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-address-key-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'address-key');
  const made = addressKeyIn(file);
  expect(made.length).toBe(32);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(addressKeyIn(file)).toEqual(made);
  writeFileSync(file, 'short\n');
  expect(() => addressKeyIn(file)).toThrow(/holds no key of 32 bytes/);
});

it('says in every form that somebody came by a socket, where there is no address to hide', () => {
  for (const form of ['full', 'truncated', 'hashed'] as const)
    expect(new ClientAddresses(form).recorded('unix')).toBe('unix');
});
