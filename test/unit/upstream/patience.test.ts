import { describe, expect, it } from 'vitest';
import { Patience } from '../../../src/upstream/patience.ts';
import { FakeDeadlines } from '../../support/fake-deadlines.ts';

const TIMEOUTS = {
  connectTimeoutMs: 1_000,
  responseTimeoutMs: 30_000,
  streamIdleTimeoutMs: 120_000,
};

function upstream(connected = true) {
  const deadlines = new FakeDeadlines();
  const told = { expired: 0 };
  const watched = {
    expired: () => {
      told.expired += 1;
    },
  };
  const time = new Patience(deadlines.asDeadlines, TIMEOUTS, watched);
  if (connected) time.connects();
  /** Whether it is over after so long, and not a moment before. */
  const endsAfter = (ms: number) => {
    deadlines.pass(ms - 1);
    const early = told.expired;
    deadlines.pass(1);
    return early === 0 && told.expired === 1;
  };
  return { deadlines, time, told, endsAfter };
}

describe('an upstream', () => {
  it('has its time for connecting, whatever it is to be sent', () => {
    const { time, endsAfter } = upstream(false);
    time.begin();
    time.whole(true);
    expect(endsAfter(TIMEOUTS.connectTimeoutMs)).toBe(true);
  });

  it('owes nothing while its client sends', () => {
    const { time, deadlines, told } = upstream();
    time.begin();
    time.sent(true);
    deadlines.pass(10 * TIMEOUTS.streamIdleTimeoutMs);
    expect(told.expired).toBe(0);
  });

  it('owes a response once it has the request', () => {
    const { time, deadlines, endsAfter } = upstream();
    time.begin();
    deadlines.pass(1_000_000);
    time.whole(true);
    expect(endsAfter(TIMEOUTS.responseTimeoutMs)).toBe(true);
  });

  it('is at fault where it does not take what it is sent', () => {
    const { time, endsAfter } = upstream();
    time.begin();
    time.sent(false);
    expect(endsAfter(TIMEOUTS.responseTimeoutMs)).toBe(true);
  });

  it('may be silent for longer within a response', () => {
    const { time, endsAfter } = upstream();
    time.begin();
    time.whole(true);
    time.headCame();
    expect(endsAfter(TIMEOUTS.streamIdleTimeoutMs)).toBe(true);
  });

  it('has its time anew with every byte', () => {
    const { time, deadlines, endsAfter } = upstream();
    time.begin();
    time.whole(true);
    deadlines.pass(TIMEOUTS.responseTimeoutMs - 1);
    time.heard();
    expect(endsAfter(TIMEOUTS.responseTimeoutMs)).toBe(true);
  });

  it('has no time to lose while its client does not read', () => {
    const { time, deadlines, told, endsAfter } = upstream();
    time.begin();
    time.whole(true);
    time.headCame();
    time.pause(true);
    deadlines.pass(10 * TIMEOUTS.streamIdleTimeoutMs);
    expect(told.expired).toBe(0);
    time.pause(false);
    expect(endsAfter(TIMEOUTS.streamIdleTimeoutMs)).toBe(true);
  });

  it('owes nothing more once it has agreed to a tunnel', () => {
    const { time, deadlines, told } = upstream();
    time.begin();
    time.whole(true);
    time.switched();
    deadlines.pass(10 * TIMEOUTS.streamIdleTimeoutMs);
    expect(told.expired).toBe(0);
  });

  it('begins each exchange without what the last one left', () => {
    const { time, deadlines, told } = upstream();
    time.begin();
    time.whole(false);
    time.pause(true);
    time.begin();
    expect(time).toMatchObject({ requestSent: false, paused: false });
    deadlines.pass(10 * TIMEOUTS.streamIdleTimeoutMs);
    expect(told.expired).toBe(0);
  });

  it('is left when it is idle for too long, and after the end of a tunnel', () => {
    const { time, deadlines, endsAfter } = upstream();
    deadlines.pass(7);
    expect(time.idle(500)).toBe(7);
    expect(endsAfter(500)).toBe(true);
    const tunnel = upstream();
    tunnel.time.finish();
    expect(tunnel.endsAfter(5_000)).toBe(true);
  });

  it('is not waited for after the end', () => {
    const { time, deadlines, told } = upstream();
    time.begin();
    time.whole(true);
    time.end();
    deadlines.pass(10 * TIMEOUTS.streamIdleTimeoutMs);
    expect(told.expired).toBe(0);
    expect(deadlines.size).toBe(0);
  });
});
