import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  END_STREAM,
  frame,
  numbers,
  PREFACE,
  type RawField,
  settings,
  TYPE,
} from '../../support/http2-frames.ts';
import { data, Exchange, ok, response, turns, Upstream } from './http2-upstream.ts';

const INITIAL_WINDOW = 4;
const MAX_STREAMS = 3;
const REFUSED = 7;
const CANCEL = 8;
const PROTOCOL_ERROR = 1;
const resets = (peer: { of(type: number): { stream: number; payload: Buffer }[] }) =>
  peer.of(TYPE.reset).map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]);

afterEach(() => void vi.useRealTimers());

describe('calls to one place', () => {
  it('share a connection, each on a stream; who calls stands in no table of anybody', async () => {
    const upstream = new Upstream();
    const first = await upstream.call('GET', '/one');
    const second = await upstream.call('POST', '/two', 'body');
    const [peer] = upstream.peers;
    expect(upstream.peers).toHaveLength(1);
    expect(peer!.preface).toBe(PREFACE);
    expect(peer!.requests).toEqual(['1 GET /one', '3 POST /two']);
    expect(peer!.content(3)).toBe('body');
    expect(peer!.fields).toEqual([
      [':method', 'POST'],
      [':scheme', 'http'],
      [':authority', 'api.test'],
      [':path', '/two'],
      ['authorization', 'secret'],
      ['x-account-id', 'a1'],
      ['content-length', '4'],
      ['te', 'trailers'],
    ]);
    const { payload } = peer!.of(TYPE.headers)[1]!;
    // RFC 7541 §6.2.3: never indexed, by nobody on the way.
    expect([...payload.subarray(payload.indexOf('secret') - 3)].slice(0, 2)).toEqual([
      0x1f,
      23 - 15,
    ]);
    expect(payload[payload.indexOf('x-account-id') - 2]).toBe(0x10);
    await peer!.send(ok(3, 'b'), ok(1, 'a'));
    expect(second.heard).toEqual(['head 200', 'body b', 'end']);
    expect(first.heard).toEqual(['head 200', 'body a', 'end']);
    expect(upstream.pending).toBe(0);
  });

  it('wait for its SETTINGS, and take no more streams than those say', async () => {
    const upstream = new Upstream(null);
    const calls = [await upstream.call(), await upstream.call(), await upstream.call()];
    const [peer] = upstream.peers;
    expect(peer!.requests).toEqual([]);
    await peer!.send(settings([MAX_STREAMS, 2]));
    expect(peer!.requests).toHaveLength(2);
    expect(upstream.peers).toHaveLength(2);
    await upstream.peers[1]!.send(settings([MAX_STREAMS, 2]));
    expect(upstream.peers[1]!.requests).toEqual(['1 GET /']);
    await peer!.send(ok(1, ''), ok(3, ''));
    await upstream.peers[1]!.send(ok(1, ''));
    expect(calls.map(({ heard }) => heard.at(-1))).toEqual(['end', 'end', 'end']);
  });

  it('fail where nobody takes a stream at all, instead of connecting for ever', async () => {
    const upstream = new Upstream(settings([MAX_STREAMS, 0]));
    const call = await upstream.call();
    for (let round = 0; round < 5; round += 1) await turns();
    expect(call.failure).toMatchObject({ kind: 'broken', neverSent: true });
    expect(upstream.peers.length).toBeLessThan(6);
  });

  it('are counted: no more at a time than maxConnections', async () => {
    const upstream = new Upstream(settings(), { maxConnections: 2 });
    const first = await upstream.call();
    await upstream.call();
    expect(upstream.pool.take()).toBeNull();
    first.channel.destroy();
    await turns();
    expect(upstream.pool.take()).not.toBeNull();
    expect(resets(upstream.peers[0]!)).toEqual([[1, CANCEL]]);
  });

  it('go to a further connection while the upstream takes content of nobody', async () => {
    const upstream = new Upstream();
    const body = 'x'.repeat(70_000);
    await upstream.call('POST', '/stalls', body);
    const quick = await upstream.call('GET', '/quick');
    expect(upstream.peers[0]!.content(1)).toHaveLength(65_535);
    expect(upstream.peers[1]!.requests).toEqual(['1 GET /quick']);
    await upstream.peers[1]!.send(ok(1, ''));
    expect(quick.heard.at(-1)).toBe('end');
    const window = frame(TYPE.windowUpdate, 0, 0, numbers(100_000));
    await upstream.peers[0]!.send(window, frame(TYPE.windowUpdate, 0, 1, numbers(100_000)));
    expect(upstream.peers[0]!.content(1)).toBe(body);
  });
});

describe('a response that came whole', () => {
  const NO_ERROR = 0;
  const reset = frame(TYPE.reset, 0, 1, numbers(NO_ERROR));

  it('is given out though its stream, or the connection, has ended meanwhile', async () => {
    for (const how of ['reset', 'connection'] as const) {
      const upstream = new Upstream();
      const slow = await upstream.call();
      slow.takes = false;
      const [peer] = upstream.peers;
      await peer!.send(response(1, [[':status', '200']]), data(1, 'one'));
      await peer!.send(data(1, 'two', END_STREAM));
      if (how === 'reset') await peer!.send(reset);
      else await peer!.close();
      expect(slow.heard, how).toEqual(['head 200', 'body one']);
      slow.takes = true;
      slow.channel.resume();
      expect(slow.heard, how).toEqual(['head 200', 'body one', 'body two', 'end']);
      expect([upstream.pending, upstream.changes, resets(peer!)], how).toEqual([0, [], []]);
    }
  });

  it('waits for its release as well, and nothing more of its request goes', async () => {
    const upstream = new Upstream();
    const channel = upstream.pool.take()!;
    channel.hold();
    const call = new Exchange(channel, 'POST', '/', 'x'.repeat(70_000));
    await turns();
    const [peer] = upstream.peers;
    await peer!.send(ok(1, 'early'), reset);
    await peer!.send(frame(TYPE.windowUpdate, 0, 0, numbers(100_000)));
    expect(call.heard).toEqual([]);
    const sent = peer!.content(1).length;
    channel.release();
    await turns();
    expect(call.heard).toEqual(['head 200', 'body early', 'end']);
    expect([peer!.content(1).length, resets(peer!)]).toEqual([sent, []]);
    expect(upstream.pending).toBe(0);
  });

  it('is none where its end has not come', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    call.takes = false;
    await upstream.peers[0]!.send(response(1, [[':status', '200']]), data(1, 'one'));
    await upstream.peers[0]!.send(data(1, 'two'), reset);
    expect(call.failure?.kind).toBe('broken');
  });
});

describe('a request at which the upstream did not look', () => {
  it('goes to another connection with its body, whatever its method (REFUSED_STREAM)', async () => {
    const upstream = new Upstream();
    const call = await upstream.call('POST', '/', 'body');
    await upstream.peers[0]!.send(frame(TYPE.reset, 0, 1, numbers(REFUSED)));
    expect(upstream.peers[1]!.requests).toEqual(['1 POST /']);
    expect(upstream.peers[1]!.content(1)).toBe('body');
    await upstream.peers[1]!.send(ok(1, 'done'));
    expect(call.heard).toEqual(['head 200', 'body done', 'end']);
    expect(upstream.pending).toBe(0);
    expect(upstream.changes).toEqual([]);
  });

  it('is found by GOAWAY; what it names goes on where it is, and no further call does', async () => {
    const upstream = new Upstream();
    const stays = await upstream.call('POST', '/stays', 'a');
    const moves = await upstream.call('POST', '/moves', 'b');
    await upstream.peers[0]!.send(frame(TYPE.goaway, 0, 0, numbers(1, 0)));
    expect(upstream.peers[1]!.requests).toEqual(['1 POST /moves']);
    const later = await upstream.call('GET', '/later');
    expect(upstream.peers[1]!.requests).toEqual(['1 POST /moves', '3 GET /later']);
    await upstream.peers[0]!.send(ok(1, 'stayed'));
    await upstream.peers[1]!.send(ok(1, 'moved'), ok(3, ''));
    expect(stays.heard).toContain('body stayed');
    expect(moves.heard).toContain('body moved');
    expect(later.heard.at(-1)).toBe('end');
    expect(upstream.peers[0]!.ended).toBe(true);
  });

  it('fails once it was refused too often, and once too much was sent to be kept', async () => {
    const upstream = new Upstream();
    const call = await upstream.call('POST', '/', 'body');
    const [first] = upstream.peers;
    await first!.refuse();
    const second = upstream.peers[1]!;
    await second.refuse();
    expect(first!.requests).toEqual(['1 POST /', '3 POST /']);
    await first!.refuse();
    expect(call.heard).toEqual([]);
    await second.refuse();
    expect(call.failure).toMatchObject({ kind: 'broken', neverSent: false });
    const large = await upstream.call('POST', '/', 'x'.repeat(65_537));
    await first!.refuse();
    expect(large.failure).toMatchObject({ kind: 'broken', neverSent: false });
  });

  it('is none that was reset for another reason, or cut off: those fail', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    await upstream.peers[0]!.send(frame(TYPE.reset, 0, 1, numbers(CANCEL)));
    expect(call.failure).toMatchObject({ kind: 'broken', neverSent: false });
    const cut = await upstream.call('POST', '/', 'body');
    await upstream.peers[0]!.send(response(3, [[':status', '200']]), data(3, 'ha'));
    await upstream.peers[0]!.close();
    expect(cut.heard).toEqual(['head 200', 'body ha', 'broken']);
    expect(upstream.pending).toBe(0);
    // Closed at a new request, without a word: it may have been at work on it, or not.
    const early = await upstream.call();
    await upstream.peers[1]!.close();
    expect(early.failure).toMatchObject({ kind: 'broken', staleConnection: false });
    const first = await upstream.call();
    await upstream.peers[2]!.send(ok(1, ''));
    expect(first.heard.at(-1)).toBe('end');
    const stale = await upstream.call();
    await upstream.peers[2]!.close();
    expect(stale.failure).toMatchObject({ kind: 'broken', staleConnection: true });
  });
});

const STATUS: RawField = [':status', '200'];
const BROKEN: readonly (readonly [string, readonly Buffer[]])[] = [
  ['no status', [response(1, [['x-a', '1']], END_STREAM)]],
  ['no status', [response(1, [[':status', '600']], END_STREAM)]],
  ['two of them', [response(1, [STATUS, STATUS], END_STREAM)]],
  ['a status that is no number', [response(1, [[':status', '2x0']], END_STREAM)]],
  ['101', [response(1, [[':status', '101']])]],
  ['an interim response that ends', [response(1, [[':status', '103']], END_STREAM)]],
  ['an upper-case name', [response(1, [STATUS, ['X-A', '1']], END_STREAM)]],
  ['a line in a value', [response(1, [STATUS, ['x-a', 'a\r\nx-b: 1']], END_STREAM)]],
  ['a NUL in a value', [response(1, [STATUS, ['x-a', 'a\0']], END_STREAM)]],
  ['a field of a connection', [response(1, [STATUS, ['connection', 'x-a']], END_STREAM)]],
  ['a transfer coding', [response(1, [STATUS, ['transfer-encoding', 'chunked']])]],
  ['a field of a request', [response(1, [STATUS, [':path', '/']], END_STREAM)]],
  [
    'two lengths',
    [
      response(1, [STATUS, ['content-length', '1'], ['content-length', '1']]),
      data(1, 'x', END_STREAM),
    ],
  ],
  ['less than its length', [response(1, [STATUS, ['content-length', '2']], END_STREAM)]],
  ['content before a head', [data(1, 'x', END_STREAM)]],
];

describe('what is no response', () => {
  it.each(BROKEN)('fails its call alone, and says so to the upstream: %s', async (_, frames) => {
    const upstream = new Upstream();
    const call = await upstream.call();
    const other = await upstream.call();
    await upstream.peers[0]!.send(...frames);
    expect(call.heard).toEqual(['broken']);
    expect(resets(upstream.peers[0]!)).toEqual([[1, PROTOCOL_ERROR]]);
    await upstream.peers[0]!.send(ok(3, ''));
    expect(other.heard.at(-1)).toBe('end');
  });

  it('breaks a response off whose content is not as long as its head says', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    await upstream.peers[0]!.send(response(1, [STATUS, ['content-length', '2']]), data(1, 'xyz'));
    expect(call.heard.at(-1)).toBe('broken');
    const head = await upstream.call('HEAD');
    await upstream.peers[0]!.send(response(3, [STATUS, ['content-length', '2']]), data(3, 'xy'));
    expect(head.heard).toEqual(['head 200', 'broken']);
  });

  it('is a push, and a first word that is no HTTP/2', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    await upstream.peers[0]!.send(frame(TYPE.pushPromise, 4, 1, numbers(2)));
    expect(call.failure!.detail).toContain('PUSH_PROMISE');
    expect(upstream.peers[0]!.ended).toBe(true);
    const other = new Upstream(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const second = await other.call();
    expect(second.failure).toMatchObject({ kind: 'broken', neverSent: true });
    expect(second.failure!.detail).toContain('no HTTP/2');
    expect(other.changes).toHaveLength(1);
  });
});

describe('a response', () => {
  it('is handed on as it comes: interim heads, content, and its end before the request is', async () => {
    const upstream = new Upstream();
    const call = await upstream.call('POST', '/', 'x'.repeat(70_000));
    const [peer] = upstream.peers;
    await peer!.send(response(1, [[':status', '103']]), response(1, [STATUS]), data(1, 'early'));
    expect(call.heard).toEqual(['interim 103', 'head 200', 'body early']);
    await peer!.send(data(1, '', END_STREAM));
    expect(call.heard.at(-1)).toBe('end');
    // The rest of the request is of no use to anybody.
    expect(resets(peer!)).toEqual([[1, CANCEL]]);
  });

  it('waits where it is held back, and for a client that is slow, as far as its window', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    call.channel.hold();
    const [peer] = upstream.peers;
    await peer!.send(ok(1, 'kept'));
    expect(call.heard).toEqual([]);
    expect(call.channel.heldSinceMs).toBeGreaterThan(0);
    call.channel.release();
    expect(call.heard).toEqual(['head 200', 'body kept', 'end']);

    const slow = await upstream.call();
    slow.takes = false;
    await peer!.send(response(3, [STATUS]), data(3, 'first'));
    await peer!.send(data(3, 'second', END_STREAM));
    expect(slow.heard).toEqual(['head 200', 'body first']);
    slow.takes = true;
    slow.channel.resume();
    expect(slow.heard.slice(2)).toEqual(['body second', 'end']);
  });

  it('whose receiver is at fault ends its own call, and no other', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    const other = await upstream.call();
    const fault = new Error('on purpose');
    call.onHead = () => {
      throw fault;
    };
    await upstream.peers[0]!.send(ok(1, ''), ok(3, ''));
    expect(call.faults).toEqual([fault]);
    expect(other.heard.at(-1)).toBe('end');
    expect(upstream.pending).toBe(0);
  });

  it('that overflows its window ends the connection', async () => {
    const upstream = new Upstream();
    const call = await upstream.call();
    call.channel.hold();
    const [peer] = upstream.peers;
    const piece = data(1, 'x'.repeat(16_000));
    await peer!.send(response(1, [STATUS]), ...Array.from({ length: 9 }, () => piece));
    expect(call.heard).toEqual(['broken']);
  });
});

describe('a connection', () => {
  const clock = () => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });

  it('whose upstream owes a response and is silent is asked by one PING, and given up', async () => {
    clock();
    const upstream = new Upstream(settings());
    const call = await upstream.call('POST', '/', 'x'.repeat(200_000));
    const [peer] = upstream.peers;
    await peer!.send(response(1, [STATUS]));
    call.takes = false;
    await peer!.send(data(1, 'x'));
    await vi.advanceTimersByTimeAsync(31_000);
    expect(peer!.of(TYPE.ping)).toHaveLength(1);
    const { payload } = peer!.of(TYPE.ping)[0]!;
    await peer!.send(frame(TYPE.ping, 1, 0, payload));
    // Once for each silence: some upstreams punish more.
    await vi.advanceTimersByTimeAsync(120_000);
    expect(peer!.of(TYPE.ping)).toHaveLength(1);
    await peer!.send(data(1, 'y'));
    await vi.advanceTimersByTimeAsync(41_000);
    expect(peer!.of(TYPE.ping)).toHaveLength(2);
    expect(call.heard.at(-1)).toBe('broken');
    expect(peer!.ended).toBe(true);
  });

  it('that never says a word is unreachable, and a response that does not come a timeout', async () => {
    clock();
    const silent = new Upstream(null);
    const never = await silent.call();
    await vi.advanceTimersByTimeAsync(2500);
    expect(never.failure).toMatchObject({ neverSent: true });
    const upstream = new Upstream();
    const call = await upstream.call();
    await vi.advanceTimersByTimeAsync(5500);
    expect(call.failure).toMatchObject({ kind: 'timeout', neverSent: false });
    // Nothing came on it at all: nobody else is to wait for that.
    expect(upstream.peers[0]!.ended).toBe(true);
  });

  it('serves no further call when it is old, closes when nobody needs it, and gives its place back', async () => {
    clock();
    const upstream = new Upstream(settings(), { maxConnectionAgeMs: 1000 });
    const old = await upstream.call();
    await vi.advanceTimersByTimeAsync(1500);
    await upstream.call();
    expect(upstream.peers).toHaveLength(2);
    await upstream.peers[0]!.send(ok(1, ''));
    expect(old.heard.at(-1)).toBe('end');
    expect(upstream.peers[0]!.ended).toBe(true);
    expect(upstream.peers[0]!.of(TYPE.goaway)).toHaveLength(1);
    expect(upstream.budget.taken).toBe(1);
    upstream.pool.retire();
    expect(upstream.pool.isEmpty).toBe(false);
    await upstream.peers[1]!.send(ok(1, ''));
    expect(upstream.pool.isEmpty).toBe(true);
    expect(upstream.budget.taken).toBe(0);
  });
});

it('does not count what it asked for itself: many calls, each reset by the upstream', async () => {
  const upstream = new Upstream(settings([INITIAL_WINDOW, 65_535]));
  for (let index = 0; index < 1500; index += 1) {
    const call = await upstream.call();
    await upstream.peers[0]!.send(frame(TYPE.reset, 0, 2 * index + 1, numbers(CANCEL)));
    expect(call.heard).toEqual(['broken']);
  }
  expect(upstream.peers).toHaveLength(1);
});
