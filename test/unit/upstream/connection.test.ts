import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { Deadlines } from '../../../src/deadlines.ts';
import { UpstreamConnection } from '../../../src/upstream/connection.ts';
import type { ResponseReceiver } from '../../../src/upstream/port.ts';
import { outgoing } from '../../support/outgoing.ts';

const FULL_READ_BYTES = 64 * 1024;

interface Exchange {
  /** The upstream's end: each write is one read of the connection. */
  readonly upstream: Duplex;
  /**
   * What the receiver heard: bytes of content, `flush`, how it ended. Neighbouring bytes are added
   * up.
   */
  readonly heard: readonly (number | string)[];
  readonly paused: () => boolean;
  readonly closed: () => boolean;
  readonly connection: UpstreamConnection;
}

/**
 * An exchange that has been begun, over a pair of streams, which keeps reads as they were written.
 */
function exchange(
  flushes: () => boolean = () => true,
  connectEvent: 'connect' | 'secureConnect' = 'connect',
): Exchange {
  const [near, upstream] = duplexPair({ highWaterMark: 1024 * 1024 });
  const deadlines = new Deadlines();
  onTestFinished(() => deadlines.close());
  const heard: (number | string)[] = [];
  const receiver: ResponseReceiver = {
    onConnected: () => {},
    onInterim: () => {},
    onHead: () => {},
    onBody: (content) => {
      const last = heard.at(-1);
      if (typeof last === 'number') heard[heard.length - 1] = last + content.length;
      else heard.push(content.length);
    },
    onEnd: () => heard.push('end'),
    onFailure: ({ kind }) => heard.push(kind),
    onFault: () => heard.push('fault'),
    flush: () => {
      heard.push('flush');
      return flushes();
    },
    onDrain: () => {},
  };
  const keeper = { free: () => {}, gone: () => {}, answered: () => {}, failed: () => {} };
  const timeouts = {
    connectTimeoutMs: 10_000,
    responseTimeoutMs: 10_000,
    streamIdleTimeoutMs: 10_000,
  };
  const connection = new UpstreamConnection(
    near as Socket,
    connectEvent,
    keeper,
    deadlines,
    timeouts,
  );
  near.emit(connectEvent);
  connection.begin(receiver, outgoing());
  connection.sendEnd();
  upstream.on('error', () => {});
  return {
    upstream,
    heard,
    paused: () => near.isPaused(),
    closed: () => near.destroyed,
    connection,
  };
}

const ended = (what: string) => `HTTP/1.1 200 OK\r\n${what}\r\n\r\n`;

/** A head with as much content behind it as fills one read. */
function fullRead(length: string): Buffer {
  const bytes = Buffer.alloc(FULL_READ_BYTES, 'x');
  bytes.write(ended(length), 0, 'latin1');
  return bytes;
}

const contentOf = (length: string) => FULL_READ_BYTES - ended(length).length;

it('lets the end of an answer travel with a full read before it', async () => {
  const { upstream, heard } = exchange();
  const length = `Content-Length: ${FULL_READ_BYTES}`;
  const rest = FULL_READ_BYTES - contentOf(length);
  upstream.write(fullRead(length));
  upstream.write(Buffer.alloc(rest));
  await nextTurn();
  expect(heard).toEqual([FULL_READ_BYTES, 'end']);
  await nextTurn();
  expect(heard).toHaveLength(2);
});

it('lets a small read travel with a full one before it, in the middle of an answer too', async () => {
  const { upstream, heard } = exchange();
  const length = 'Content-Length: 1000000';
  upstream.write(fullRead(length));
  upstream.write(Buffer.alloc(10));
  await nextTurn();
  expect(heard).toEqual([contentOf(length) + 10, 'flush']);
});

it('holds a full read up no longer than one turn of the loop', async () => {
  const { upstream, heard } = exchange();
  const length = 'Content-Length: 1000000';
  upstream.write(fullRead(length));
  await nextTurn();
  await nextTurn();
  expect(heard).toEqual([contentOf(length), 'flush']);
});

it('gathers two full reads at most', async () => {
  const { upstream, heard } = exchange();
  const length = 'Content-Length: 1000000';
  upstream.write(fullRead(length));
  for (let count = 0; count < 3; count += 1) upstream.write(Buffer.alloc(FULL_READ_BYTES));
  await nextTurn();
  expect(heard).toEqual([
    contentOf(length) + FULL_READ_BYTES,
    'flush',
    2 * FULL_READ_BYTES,
    'flush',
  ]);
});

it('takes full records of TLS for full reads, and gathers no more of them', async () => {
  const { upstream, heard } = exchange(() => true, 'secureConnect');
  const record = Buffer.alloc(16 * 1024);
  upstream.write(ended('Content-Length: 1000000'));
  for (let count = 0; count < 6; count += 1) upstream.write(record);
  upstream.write('end');
  await nextTurn();
  expect(heard).toEqual(['flush', 5 * record.length, 'flush', record.length + 3, 'flush']);
});

it('writes small reads out at once, however many come in one turn', async () => {
  const { upstream, heard } = exchange();
  upstream.write(`${ended('Transfer-Encoding: chunked')}2\r\nab\r\n`);
  upstream.write('3\r\ncde\r\n');
  await nextTurn();
  expect(heard).toEqual([2, 'flush', 3, 'flush']);
});

it('reads one piece ahead of a slow client, and then no more', async () => {
  let slow = true;
  const { upstream, heard, paused, connection } = exchange(() => !slow);
  upstream.write(fullRead('Content-Length: 1000000'));
  await nextTurn();
  await nextTurn();
  expect(heard.at(-1)).toBe('flush');
  const before = heard.length;
  upstream.write('ahead');
  await nextTurn();
  expect(paused()).toBe(true);
  expect(heard).toHaveLength(before);
  slow = false;
  connection.resume();
  expect(heard.slice(before)).toEqual([5, 'flush']);
  expect(paused()).toBe(false);
});

it('waits for a client that is slow to take what was held back for it', async () => {
  let slow = true;
  const { upstream, heard, paused, connection } = exchange(() => !slow);
  connection.hold();
  upstream.write(`${ended('Content-Length: 9')}abc`);
  await nextTurn();
  connection.release();
  expect(heard).toEqual([3, 'flush']);
  upstream.write('def');
  await nextTurn();
  expect(paused()).toBe(true);
  expect(heard).toEqual([3, 'flush']);
  slow = false;
  connection.resume();
  expect(heard).toEqual([3, 'flush', 3, 'flush']);
});

it('is given up for bytes that come after a response which was read ahead, or held back', async () => {
  const ahead = exchange(() => false);
  ahead.upstream.resume();
  await nextTurn();
  ahead.upstream.write(`${ended('Content-Length: 6')}abc`);
  await nextTurn();
  ahead.upstream.write('def');
  await nextTurn();
  ahead.connection.resume();
  const held = exchange();
  held.upstream.resume();
  await nextTurn();
  held.connection.hold();
  held.upstream.write(`${ended('Content-Length: 3')}abc`);
  await nextTurn();
  held.connection.release();
  for (const { upstream, heard, closed } of [ahead, held]) {
    expect(heard.at(-1)).toBe('end');
    expect(closed()).toBe(false);
    upstream.write('late');
    await nextTurn();
    expect(closed()).toBe(true);
  }
});

it('ends a fault in the late flush with its exchange', async () => {
  const { upstream, heard } = exchange(() => {
    throw new Error('fault in the receiver');
  });
  upstream.write(fullRead('Content-Length: 1000000'));
  await nextTurn();
  await nextTurn();
  expect(heard.slice(1)).toEqual(['flush', 'fault']);
});

it.each(['failed', 'given up', 'complete'])(
  'flushes nothing once the exchange is %s',
  async (how) => {
    const { upstream, heard, connection } = exchange();
    const length =
      how === 'complete'
        ? `Content-Length: ${contentOf('Content-Length: 65000')}`
        : 'Content-Length: 1000000';
    upstream.write(fullRead(length));
    await Promise.resolve();
    if (how === 'failed') upstream.end();
    if (how === 'given up') connection.destroy();
    await nextTurn();
    await nextTurn();
    expect(heard.filter((word) => word === 'flush')).toEqual([]);
  },
);
