import { beforeEach, describe, expect, it } from 'vitest';
import { SignInThrottle, THROTTLE } from '../../../src/console/throttle.ts';

describe('the throttle of sign-ins', () => {
  let nowMs = 0;
  let throttle: SignInThrottle;
  beforeEach(() => {
    nowMs = 1000;
    throttle = new SignInThrottle({ wallMs: () => 0, monotonicMs: () => nowMs });
  });

  function fail(times: number, name: (index: number) => string, address: (index: number) => string): void {
    for (let index = 0; index < times; index += 1) throttle.attempt(name(index), address(index));
  }

  it('lets somebody err a few times, then asks for patience until the window is over', () => {
    fail(
      THROTTLE.perNameAndAddress - 1,
      () => 'ada',
      () => '10.0.0.1',
    );
    expect(throttle.waitSeconds('ada', '10.0.0.1')).toBe(0);
    expect(throttle.attempt('ada', '10.0.0.1')).toBe(true);
    expect(throttle.waitSeconds('ada', '10.0.0.1')).toBe(THROTTLE.windowMs / 1000);
    expect(throttle.waitSeconds('ada', '10.0.0.2')).toBe(0);
    nowMs += THROTTLE.windowMs;
    expect(throttle.waitSeconds('ada', '10.0.0.1')).toBe(0);
  });

  it('counts one address over all names, and an IPv6 network as one address', () => {
    fail(
      THROTTLE.perAddress,
      (index) => `name-${index}`,
      (index) => `2001:db8::${index.toString(16)}`,
    );
    expect(throttle.waitSeconds('another', '2001:db8::ffff')).toBeGreaterThan(0);
    expect(throttle.waitSeconds('another', '2001:db8:0:1::1')).toBe(0);
  });

  it('counts one name over all addresses, but does not lock out its owner at the usual desk', () => {
    throttle.attempt('ada', '10.0.0.1');
    throttle.succeeded('ada', '10.0.0.1');
    fail(
      THROTTLE.perName,
      () => 'ada',
      (index) => `192.0.2.${index}`,
    );
    expect(throttle.waitSeconds('ada', '198.51.100.7')).toBeGreaterThan(0);
    expect(throttle.waitSeconds('ada', '10.0.0.1')).toBe(0);
  });

  it('forgets the errors of whoever gets it right, and counts what taught nothing as nothing', () => {
    fail(
      THROTTLE.perNameAndAddress - 1,
      () => 'ada',
      () => '10.0.0.1',
    );
    throttle.attempt('ada', '10.0.0.1');
    throttle.succeeded('ada', '10.0.0.1');
    fail(
      THROTTLE.perNameAndAddress - 1,
      () => 'ada',
      () => '10.0.0.1',
    );
    expect(throttle.waitSeconds('ada', '10.0.0.1')).toBe(0);
    throttle.attempt('grace', '10.0.0.9');
    throttle.takeBack('grace', '10.0.0.9');
    fail(
      THROTTLE.perNameAndAddress - 1,
      () => 'grace',
      () => '10.0.0.9',
    );
    expect(throttle.waitSeconds('grace', '10.0.0.9')).toBe(0);
  });

  it('takes letter case for one name, and remembers a bounded number of strangers', () => {
    fail(
      THROTTLE.perNameAndAddress,
      (index) => (index % 2 === 0 ? 'ADA' : 'ada'),
      () => '10.0.0.1',
    );
    expect(throttle.waitSeconds('Ada', '10.0.0.1')).toBeGreaterThan(0);
    for (let index = 0; index < THROTTLE.remembered; index += 1)
      throttle.attempt(`n${index}`, `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
    expect(throttle.waitSeconds('Ada', '10.0.0.1')).toBe(0);
  });
});
