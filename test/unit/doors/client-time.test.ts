import { describe, expect, it } from 'vitest';
import { ClientTime } from '../../../src/doors/http1/client-time.ts';
import { FakeDeadlines } from '../../support/fake-deadlines.ts';

const LIMITS = {
  headBytes: 1024,
  targetBytes: 200,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  tunnelIdleMs: 300_000,
  minBodyBytesPerSecond: 100,
  bodyGraceMs: 5_000,
};

function client() {
  const deadlines = new FakeDeadlines();
  const told = { expired: 0 };
  const time = new ClientTime(
    { deadlines: deadlines.asDeadlines, limits: LIMITS },
    {
      expired: () => {
        told.expired += 1;
      },
    },
  );
  /** Whether it is over after so long, and not a moment before. */
  const endsAfter = (ms: number) => {
    deadlines.pass(ms - 1);
    const early = told.expired;
    deadlines.pass(1);
    return early === 0 && told.expired === 1;
  };
  return { deadlines, time, told, endsAfter };
}

describe('the time of a client', () => {
  it('is that of a head for who says nothing at first', () => {
    expect(client().endsAfter(LIMITS.headTimeoutMs)).toBe(true);
  });

  it('is that of a head once one has begun, however long it was idle before', () => {
    const { time, endsAfter } = client();
    time.run(true, false);
    time.headBegun();
    expect(endsAfter(LIMITS.headTimeoutMs)).toBe(true);
  });

  it('is not made longer by more of a head', () => {
    const { time, deadlines, endsAfter } = client();
    deadlines.pass(LIMITS.headTimeoutMs - 100);
    time.headBegun();
    expect(endsAfter(100)).toBe(true);
  });

  it('does not run while somebody else is waited for', () => {
    const { time, deadlines, told } = client();
    time.run(false, false);
    deadlines.pass(10 * LIMITS.idleTimeoutMs);
    expect(told.expired).toBe(0);
  });

  it('is that of the pace while its body is waited for', () => {
    const { time, endsAfter } = client();
    time.bodyBegins();
    time.run(false, true);
    expect(endsAfter(LIMITS.bodyGraceMs)).toBe(true);
  });

  it('is bought by bytes of its body', () => {
    const { time, deadlines, endsAfter } = client();
    time.bodyBegins();
    time.run(false, true);
    deadlines.pass(2_000);
    time.bodyCame(100); // a second
    time.run(false, true);
    expect(endsAfter(4_000)).toBe(true);
  });

  it('is that of who does not take what it is sent, in a tunnel too', () => {
    const { time, endsAfter } = client();
    time.runTunnel(true, true);
    expect(endsAfter(LIMITS.idleTimeoutMs)).toBe(true);
  });

  it('of a tunnel is its own, and stops where its upstream is waited for', () => {
    const { time, deadlines, told, endsAfter } = client();
    time.runTunnel(false, false);
    deadlines.pass(2 * LIMITS.tunnelIdleMs);
    expect(told.expired).toBe(0);
    time.runTunnel(false, true);
    expect(endsAfter(LIMITS.tunnelIdleMs)).toBe(true);
  });

  it('is over for good at its end', () => {
    const { time, deadlines, told } = client();
    time.end();
    deadlines.pass(2 * LIMITS.headTimeoutMs);
    expect(told.expired).toBe(0);
    expect(deadlines.size).toBe(0);
  });
});
