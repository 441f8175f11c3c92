import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameFollower } from '../../../src/calls/tunnel/frame-follower.ts';
import { Tunnel } from '../../../src/calls/tunnel/tunnel.ts';
import { TunnelPlaces } from '../../../src/limits/tunnels.ts';
import { closeFrame, frame } from '../../support/websocket.ts';

describe('whoever follows frames', () => {
  it('stands between two of them exactly where one ends, however they are cut into pieces', async () => {
    const sizes = fc.constantFrom(0, 1, 125, 126, 127, 65_535, 65_536, 70_000);
    const frames = fc.array(fc.tuple(sizes, fc.constantFrom(0, 1, 2, 9, 10), fc.boolean()), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 6 }), (specs, cuts) => {
        const all = specs.map(([size, opcode, fin]) =>
          frame(Buffer.alloc(size, 0xff), opcode, fin),
        );
        const bytes = Buffer.concat(all);
        let sum = 0;
        const ends = new Set(all.map(({ length }) => (sum += length)));
        const places = [...new Set([...cuts.map((cut) => cut % bytes.length), bytes.length])];
        const follower = new FrameFollower();
        let from = 0;
        for (const place of places.sort((a, b) => a - b)) {
          follower.push(bytes.subarray(from, place));
          from = place;
          expect(follower.atBoundary).toBe(place === 0 || ends.has(place));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('counts the mask that a client puts before its payload', () => {
    const follower = new FrameFollower();
    follower.push(Buffer.of(0x81, 0x82, 1, 2, 3, 4, 5));
    expect(follower.atBoundary).toBe(false);
    follower.push(Buffer.of(6));
    expect(follower.atBoundary).toBe(true);
  });

  it('knows of no place behind a Close frame', () => {
    const follower = new FrameFollower();
    follower.push(closeFrame(1000));
    expect(follower.atBoundary).toBe(false);
    follower.push(frame('more'));
    expect(follower.atBoundary).toBe(false);
  });
});

describe('a tunnel', () => {
  const places = new TunnelPlaces(() => 100);
  const open = (protocol: string) => Tunnel.of(protocol, places, 'a')!;

  it('judges by what its client was given, not by what waits for that', () => {
    const tunnel = open('websocket');
    tunnel.push(frame('hello').subarray(0, 3));
    expect(tunnel.lastWord('token-revoked')).toEqual(closeFrame(1008));
    tunnel.flushed();
    expect(tunnel.lastWord('token-revoked')).toBeNull();
  });

  it.each([
    ['draining', 1012],
    ['request-timeout', 1001],
    ['account-inactive', 1008],
    ['permission-denied', 1008],
    ['registry-unavailable', 1013],
    ['upstream-broken', 1014],
    ['internal-fault', 1011],
  ] as const)('ends for %s with code %i', (reason, code) => {
    expect(open('websocket').lastWord(reason)).toEqual(closeFrame(code));
  });

  it('of another protocol has no last word', () => {
    expect(open('x-bytes').lastWord('draining')).toBeNull();
  });
});

it('places of tunnels are counted for each account', () => {
  let most = 2;
  const places = new TunnelPlaces(() => most);
  expect([places.take('a'), places.take('a'), places.take('a'), places.take('b')]).toEqual([
    true,
    true,
    false,
    true,
  ]);
  expect(places.open).toBe(3);
  most = 3;
  expect(places.take('a')).toBe(true);
  for (const account of ['a', 'a', 'a', 'b']) places.give(account);
  expect(places.open).toBe(0);
  most = 1;
  expect([places.take('a'), places.take('a')]).toEqual([true, false]);
});
