import { expect, it } from 'vitest';
import {
  type Occupant,
  Places,
  type PlacesOptions,
  type PlaceUse,
} from '../../../src/limits/places.ts';

class Connection implements Occupant {
  use: PlaceUse;
  open = true;
  constructor(use: PlaceUse) {
    this.use = use;
  }
  makeRoom(): void {
    this.open = false;
  }
}

function opened(options: Partial<PlacesOptions> = {}) {
  const told: unknown[] = [];
  const places = new Places({
    total: () => 100,
    perAddress: () => 3,
    isExempt: () => false,
    full: (what) => void told.push(what),
    ...options,
  });
  const enter = (address: string, use: PlaceUse = 'busy') => {
    const connection = new Connection(use);
    connection.open = places.enter(address, connection);
    return connection;
  };
  return { places, enter, told };
}

it('gives one address so many places, and others theirs', () => {
  const { places, enter } = opened();
  const held = [enter('192.0.2.1'), enter('192.0.2.1'), enter('192.0.2.1')];
  expect(enter('192.0.2.1').open).toBe(false);
  expect(enter('192.0.2.2').open).toBe(true);
  places.left(held[0]!);
  places.left(held[0]!);
  expect([enter('192.0.2.1').open, enter('192.0.2.1').open]).toEqual([true, false]);
  expect(places.taken).toBe(4);
});

it('takes a /64 of IPv6 for one address', () => {
  const { enter } = opened({ perAddress: () => 1 });
  expect(enter('2001:db8::1').open).toBe(true);
  expect(enter('2001:db8::2').open).toBe(false);
  expect(enter('2001:db8:0:1::2').open).toBe(true);
});

it('lets a silent connection make room, the oldest first, else an idle one, never a busy one', () => {
  const { enter, places } = opened();
  const [idle, busy, silent] = [
    enter('192.0.2.1', 'idle'),
    enter('192.0.2.1', 'busy'),
    enter('192.0.2.1', 'silent'),
  ];
  expect(enter('192.0.2.1').open).toBe(true);
  expect([idle.open, busy.open, silent.open]).toEqual([true, true, false]);
  expect(enter('192.0.2.1').open).toBe(true);
  expect([idle.open, busy.open]).toEqual([false, true]);
  expect(enter('192.0.2.1').open).toBe(false);
  expect(places.taken).toBe(3);
});

it('keeps whoever is silent from keeping anybody out, at one address or at many', () => {
  for (const addressOfStranger of [() => '192.0.2.1', (n: number) => `198.51.100.${n % 250}`]) {
    const { enter, places } = opened({ total: () => 20, perAddress: () => 10 });
    for (let n = 0; n < 500; n += 1) enter(addressOfStranger(n), 'silent');
    const honest = [enter('192.0.2.1'), enter('203.0.113.1')];
    for (let n = 0; n < 500; n += 1) enter(addressOfStranger(n), 'silent');
    expect(honest.map(({ open }) => open)).toEqual([true, true]);
    expect(places.taken).toBeLessThanOrEqual(20);
  }
});

it('finds the silent one among many busy ones, a search at a time', () => {
  const { enter } = opened({ perAddress: () => 1000, total: () => 1000 });
  for (let n = 0; n < 999; n += 1) enter('192.0.2.1', 'busy');
  const silent = enter('192.0.2.1', 'silent');
  const tries = Array.from({ length: 20 }, () => enter('192.0.2.1').open);
  expect(silent.open).toBe(false);
  expect(tries.filter((open) => open)).toHaveLength(1);
});

it('exempts proxies in front from the limit of one address, not from that of all', () => {
  const { enter } = opened({ total: () => 5, isExempt: (address) => address === '192.0.2.1' });
  const entered = Array.from({ length: 6 }, () => enter('192.0.2.1').open);
  expect(entered).toEqual([true, true, true, true, true, false]);
});

it('follows a changed limit, and says each time that it is reached', () => {
  let most = 1;
  const { enter, told } = opened({ perAddress: () => most });
  enter('192.0.2.1');
  for (let n = 0; n < 5; n += 1) expect(enter('192.0.2.1').open).toBe(false);
  most = 2;
  expect(enter('192.0.2.1').open).toBe(true);
  expect(told).toEqual(Array(5).fill({ address: '192.0.2.1', connections: 1 }));
});
