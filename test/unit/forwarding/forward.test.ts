import { describe, expect, it } from 'vitest';
import { Forward } from '../../../src/forwarding/forward.ts';
import type { OutgoingRequest } from '../../../src/http/outgoing.ts';
import type { ResponseReceiver } from '../../../src/upstream/port.ts';
import { outgoing } from '../../support/outgoing.ts';
import { FakeUpstream, responseHead } from './fake-upstream.ts';

const ACCOUNT = 'AAAAAAAAAAAA';
const STALE = { staleConnection: true };
const UNREACHABLE = { kind: 'unreachable', neverSent: true } as const;

function sink() {
  const heard: string[] = [];
  const receiver: ResponseReceiver = {
    onConnected: () => void heard.push('connected'),
    onInterim: ({ status }) => void heard.push(`interim ${status}`),
    onHead: ({ status }) => void heard.push(`head ${status}`),
    onBody: (content) => void heard.push(`body ${content}`),
    onEnd: () => void heard.push('end'),
    onFailure: ({ kind }) => void heard.push(`failure ${kind}`),
    onFault: () => void heard.push('fault'),
    flush: () => heard.push('flush') < 0,
    onDrain: () => void heard.push('drain'),
  };
  return { heard, receiver };
}

function withBody(method = 'POST'): OutgoingRequest {
  return { ...outgoing(method), framing: { kind: 'length', bytes: 4 } };
}

/** One request, begun at an upstream with so many connections to give out. */
function begun(request: OutgoingRequest, connections = 1, hold = false) {
  const upstream = new FakeUpstream(connections);
  const { heard, receiver } = sink();
  const forward = new Forward(upstream.upstream, request, ACCOUNT, receiver);
  return { upstream, heard, forward, started: forward.start(hold), given: upstream.given };
}

describe('a request without a body', () => {
  it('is sent whole at once, and its receiver hears of no connection', () => {
    const { given, heard, started } = begun(outgoing());
    expect(started).toBe(true);
    expect(given[0]!.told).toEqual(['begin GET /', 'end']);
    given[0]!.receiver!.onConnected();
    expect(heard).toEqual([]);
  });

  it('hands on what the upstream says, in its order, and gives its share back at the end', () => {
    const { given, heard, upstream } = begun(outgoing());
    const { receiver } = given[0]!;
    receiver!.onInterim(responseHead(103));
    receiver!.onHead(responseHead());
    receiver!.onBody(Buffer.from('body'));
    expect(receiver!.flush()).toBe(false);
    expect(upstream.shares.isEmpty).toBe(false);
    given[0]!.ends();
    expect(heard).toEqual(['interim 103', 'head 200', 'body body', 'flush', 'end']);
    expect(upstream.shares.isEmpty).toBe(true);
  });

  it.each([
    ['GET', 'take repeatable'],
    ['POST', 'take'],
  ])('asks the pool for what suits it: %s', (method, asked) => {
    expect(begun(outgoing(method)).upstream.asked).toEqual([asked]);
  });
});

describe('a request with a body', () => {
  it('is begun alone; its body goes as it comes, and what is full says so', () => {
    const { given, heard, forward } = begun(withBody());
    expect(heard).toEqual(['connected']);
    forward.sendBody(Buffer.from('bo'));
    given[0]!.takesMore = false;
    expect(forward.flushBody()).toBe(false);
    given[0]!.receiver!.onDrain();
    forward.sendBody(Buffer.from('dy'));
    forward.endBody(null);
    expect(given[0]!.told).toEqual(['begin POST /', 'body bo', 'body dy', 'end']);
    expect(heard).toEqual(['connected', 'drain']);
  });

  it('waits for a connection that still connects', () => {
    const upstream = new FakeUpstream();
    upstream.spare[0]!.connected = false;
    const { heard, receiver } = sink();
    new Forward(upstream.upstream, withBody(), ACCOUNT, receiver).start(false);
    expect(heard).toEqual([]);
    upstream.given[0]!.receiver!.onConnected();
    expect(heard).toEqual(['connected']);
  });

  it('is never repeated once a byte of it may have gone, whatever its method', () => {
    const { given, heard, upstream } = begun(withBody('PUT'), 2);
    given[0]!.fails(STALE);
    expect([heard, given.length]).toEqual([['connected', 'failure broken'], 1]);
    expect(upstream.shares.isEmpty).toBe(true);
  });

  it('goes to another connection when the first was never made, and hears of that one', () => {
    const { given, heard, upstream } = begun(withBody(), 2);
    given[0]!.fails(UNREACHABLE);
    expect(upstream.asked).toEqual(['take', 'another than 0']);
    expect(heard).toEqual(['connected', 'connected']);
    expect(given[1]!.told).toEqual(['begin POST /']);
  });
});

describe('an answer that is held', () => {
  it('is released where it was held', () => {
    const { given, forward } = begun(outgoing(), 1, true);
    given[0]!.heldSinceMs = 17;
    expect(forward.heldSinceMs).toBe(17);
    forward.release();
    expect(given[0]!.told).toEqual(['hold', 'begin GET /', 'end', 'release']);
  });

  it('is held at a further try, too, unless it was released meanwhile', () => {
    const held = begun(outgoing(), 2, true);
    held.given[0]!.fails(STALE);
    expect(held.given[1]!.told[0]).toBe('hold');
    const released = begun(outgoing(), 2, true);
    released.forward.release();
    released.given[0]!.fails(STALE);
    expect(released.given[1]!.told).toEqual(['begin GET /', 'end']);
  });
});

describe('a further try', () => {
  it.each([
    ['a stale connection, a safe method', 'GET', STALE, 2],
    ['a stale connection, an idempotent method', 'DELETE', STALE, 2],
    ['a stale connection, another method', 'POST', STALE, 1],
    ['a connection that was never made, any method', 'POST', UNREACHABLE, 2],
    ['a connection that died of it', 'GET', {}, 1],
    ['a time that is over', 'GET', { kind: 'timeout', neverSent: true }, 1],
    ['nothing left to connect with', 'GET', { kind: 'exhausted', neverSent: true }, 1],
  ] as const)('%s: %s', (_what, method, failure, tries) => {
    const { given, heard, upstream } = begun(outgoing(method), 2);
    given[0]!.fails(failure);
    expect(given).toHaveLength(tries);
    expect(upstream.retries).toBe(tries - 1);
    expect(heard).toHaveLength(2 - tries);
  });

  it('is made once for a stale connection, and twice for one that was never made', () => {
    const stale = begun(outgoing(), 3);
    stale.given[0]!.fails(STALE);
    stale.given[1]!.fails(STALE);
    expect([stale.given.length, stale.heard]).toEqual([2, ['failure broken']]);
    const unmade = begun(outgoing(), 5);
    for (let count = 0; count < 3; count += 1) unmade.given.at(-1)!.fails(UNREACHABLE);
    expect([unmade.given.length, unmade.heard]).toEqual([3, ['failure unreachable']]);
  });

  it('that finds no connection is the failure that there was', () => {
    const { heard, upstream, given } = begun(outgoing(), 1);
    given[0]!.fails(UNREACHABLE);
    expect(heard).toEqual(['failure unreachable']);
    expect(upstream.shares.isEmpty).toBe(true);
  });

  it('is not made by a caller past its share of what is left', () => {
    let usable = 4;
    const upstream = new FakeUpstream(4);
    upstream.shares.change({ publicShare: 1, accountShare: 0.5 }, () => usable);
    const first = sink();
    new Forward(upstream.upstream, outgoing(), ACCOUNT, first.receiver).start(false);
    new Forward(upstream.upstream, outgoing(), ACCOUNT, sink().receiver).start(false);
    usable = 2;
    upstream.given[0]!.fails(UNREACHABLE);
    expect(first.heard).toEqual(['failure unreachable']);
    expect(upstream.given).toHaveLength(2);
  });
});

describe('a request that cannot begin', () => {
  it('for want of a connection leaves no share taken, and nothing is heard of it', () => {
    const { started, heard, upstream } = begun(outgoing(), 0);
    expect([started, heard, upstream.shares.isEmpty]).toEqual([false, [], true]);
  });

  it('for want of a share takes no connection, and leaves those of others alone', () => {
    const upstream = new FakeUpstream(4, 0.25);
    const start = (account: string | null) =>
      new Forward(upstream.upstream, outgoing(), account, sink().receiver).start(false);
    expect([start(ACCOUNT), start(ACCOUNT), start('BBBBBBBBBBBB'), start(null)]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    expect(upstream.given).toHaveLength(3);
  });
});

describe('a request that is given up', () => {
  it('closes its connection; what comes after it goes nowhere', () => {
    const { given, heard, forward, upstream } = begun(withBody());
    forward.abort();
    forward.abort();
    forward.sendBody(Buffer.from('late'));
    forward.endBody(null);
    forward.resume();
    forward.release();
    expect([forward.flushBody(), forward.heldSinceMs]).toEqual([true, 0]);
    expect(given[0]!.told).toEqual(['begin POST /', 'destroy']);
    expect([heard, upstream.shares.isEmpty]).toEqual([['connected'], true]);
    // What it took is given back once: nobody else's is.
    const other = new Forward(upstream.upstream, outgoing(), ACCOUNT, sink().receiver);
    upstream.shares.take(ACCOUNT);
    forward.abort();
    expect(upstream.shares.isEmpty).toBe(false);
    expect(other.start(false)).toBe(false);
  });

  it('by a fault of ours gives its share back, and says so', () => {
    const { given, heard, upstream } = begun(outgoing());
    given[0]!.receiver!.onFault(new Error('a fault'));
    expect([heard, upstream.shares.isEmpty]).toEqual([['fault'], true]);
  });
});
