import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Fields } from '../../../src/http/fields.ts';
import type { RequestHead } from '../../../src/http/request-head.ts';
import { ERROR, type ErrorCode } from '../../../src/http2/frames.ts';
import type { Http2HeadFault } from '../../../src/http2/head-fault.ts';
import {
  ServerSession,
  type SessionHandler,
  type SessionLimits,
} from '../../../src/http2/server-session.ts';
import type { ServerStream } from '../../../src/http2/server-stream.ts';
import type { StreamHandler } from '../../../src/http2/stream.ts';
import {
  ACK,
  END_HEADERS,
  END_STREAM,
  type Frame,
  fieldsOf,
  frame,
  framesIn,
  goawayIn,
  headers,
  numbers,
  PADDED,
  PREFACE,
  responsesIn,
  section,
  settings,
  TYPE,
} from '../../support/http2-frames.ts';

const LIMITS: SessionLimits = {
  maxConcurrentStreams: 10,
  streamWindowBytes: 65_535,
  connectionWindowBytes: 131_070,
};
const INITIAL_WINDOW = 4;

/** What happened on one stream. */
class Heard implements StreamHandler {
  readonly stream: ServerStream;
  content = '';
  ended = false;
  broken = false;
  gone = false;
  closed = false;
  writable = 0;
  pieces = 0;

  constructor(stream: ServerStream) {
    this.stream = stream;
  }

  onContentHere(): void {}
  onContent(content: Buffer): void {
    this.content += content.toString();
  }
  onContentPiece(): void {
    this.pieces += 1;
  }
  onContentEnd(): void {
    this.ended = true;
  }
  onContentBroken(): void {
    this.broken = true;
  }
  onWritable(): void {
    this.writable += 1;
  }
  onGone(): void {
    this.gone = true;
  }
  onClosed(): void {
    this.closed = true;
  }
}

/** A connection over a pair of streams, whose requests nobody serves unless a test does. */
class Scene implements SessionHandler {
  readonly nowMs = 0;
  readonly headBytes = 1024;
  readonly targetBytes = 200;
  readonly session: ServerSession;
  readonly heard: Heard[] = [];
  readonly heads: RequestHead[] = [];
  readonly faults: Http2HeadFault[] = [];
  readonly ends: [ErrorCode, string][] = [];
  readonly #client: Duplex;
  readonly #chunks: Buffer[] = [];

  constructor({ limits = LIMITS, reads = true, greets = true } = {}) {
    const [near, far] = duplexPair({ highWaterMark: 64 * 1024 });
    this.#client = far;
    if (reads) this.read();
    near.on('drain', () => this.session.onDrain());
    this.session = new ServerSession(near as unknown as Socket, limits, this);
    if (greets) this.push(Buffer.from(PREFACE), settings());
  }

  onSectionBegun(): void {}
  onSectionEnd(): void {}
  onStreamClosed(): void {}
  onRequest(stream: ServerStream, head: RequestHead): void {
    stream.handler = this.#hear(stream);
    this.heads.push(head);
  }
  onHeadFault(stream: ServerStream, fault: Http2HeadFault): void {
    stream.handler = this.#hear(stream);
    this.faults.push(fault);
  }
  onSessionFault(code: ErrorCode, what: string): void {
    this.ends.push([code, what]);
  }

  #hear(stream: ServerStream): Heard {
    const heard = new Heard(stream);
    this.heard.push(heard);
    return heard;
  }

  push(...pieces: readonly Buffer[]): void {
    this.session.push(Buffer.concat(pieces));
  }

  /** A request that is answered at once, with this content. */
  respond(heard: Heard, content: string | Buffer): boolean {
    heard.stream.head(200, new Fields(), null);
    heard.stream.content(Buffer.from(content));
    return heard.stream.flush();
  }

  async frames(): Promise<readonly Frame[]> {
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    return framesIn(Buffer.concat(this.#chunks));
  }

  read(): void {
    this.#client.on('data', (chunk: Buffer) => void this.#chunks.push(chunk));
  }
}

const get = (stream: number, path = '/') => headers(stream, fieldsOf({ path }));
const post = (stream: number, length?: number) =>
  headers(
    stream,
    fieldsOf(
      { method: 'POST' },
      ...(length === undefined ? [] : [['content-length', `${length}`] as const]),
    ),
    0,
  );
const data = (stream: number, content: string | Buffer, flags = 0) =>
  frame(TYPE.data, flags, stream, Buffer.from(content));
const bytesTo = (frames: readonly Frame[], stream: number) =>
  frames
    .filter((each) => each.type === TYPE.data && each.stream === stream)
    .reduce((sum, { payload }) => sum + payload.length, 0);

describe('a connection of HTTP/2', () => {
  it('reads its frames however they are cut', async () => {
    const scene = new Scene({ greets: false });
    const padded = Buffer.concat([Buffer.of(3), Buffer.from('more'), Buffer.alloc(3)]);
    const all = Buffer.concat([
      Buffer.from(PREFACE),
      settings(),
      post(1),
      data(1, 'some '),
      frame(TYPE.data, PADDED, 1, padded),
      frame(99, 0, 1, Buffer.from('nothing that is known')),
      data(1, '', END_STREAM),
      get(3),
    ]);
    for (let at = 0; at < all.length; at += 1) {
      scene.push(all.subarray(at, at + 1));
      if (scene.heard.length === 1) scene.heard[0]!.stream.resume();
    }
    expect(scene.heard.map(({ content, ended }) => [content, ended])).toEqual([
      ['some more', true],
      ['', false],
    ]);
    expect(scene.ends).toEqual([]);
  });

  it('gives a stream no more than its window, its connection no more than its own', async () => {
    const scene = new Scene();
    scene.push(settings([INITIAL_WINDOW, 10]), get(1), get(3));
    for (const heard of scene.heard) expect(scene.respond(heard, 'x'.repeat(60_000))).toBe(false);
    expect(bytesTo(await scene.frames(), 1)).toBe(10);
    scene.push(frame(TYPE.windowUpdate, 0, 1, numbers(5)));
    expect(bytesTo(await scene.frames(), 1)).toBe(15);
    // A larger first window counts for those that are open, too; then the connection's is the
    // limit.
    scene.push(settings([INITIAL_WINDOW, 60_000]));
    const frames = await scene.frames();
    expect(bytesTo(frames, 1) + bytesTo(frames, 3)).toBe(65_535);
    expect(bytesTo(frames, 3)).toBeGreaterThan(16_000);
    expect(scene.heard.map(({ writable }) => writable)).toEqual([0, 0]);
    scene.push(frame(TYPE.windowUpdate, 0, 0, numbers(100_000)));
    const later = await scene.frames();
    expect([bytesTo(later, 1), bytesTo(later, 3)]).toEqual([60_000, 60_000]);
    expect(scene.heard.map(({ writable }) => writable)).toEqual([1, 1]);
  });

  it('opens its windows only as far as somebody takes what came', async () => {
    const scene = new Scene();
    scene.push(post(1));
    for (let piece = 0; piece < 4; piece += 1) scene.push(data(1, 'x'.repeat(16_000)));
    const updates = (frames: readonly Frame[], stream: number) =>
      frames
        .filter((each) => each.type === TYPE.windowUpdate && each.stream === stream)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
    expect(updates(await scene.frames(), 1)).toBe(0);
    scene.heard[0]!.stream.resume();
    expect(scene.heard[0]!.content.length).toBe(64_000);
    expect(updates(await scene.frames(), 1)).toBeGreaterThan(32_000);
    scene.push(post(3), ...Array.from({ length: 4 }, () => data(3, 'x'.repeat(16_380))));
    scene.push(data(3, 'x'.repeat(100)));
    expect(responsesIn(await scene.frames()).get(3)?.reset).toBe(ERROR.flowControl);
    expect(scene.heard[1]!.gone).toBe(true);
    expect(scene.ends).toEqual([]);
  });

  it('lets content go on once for each read, and in the middle of a frame with the rest of it', async () => {
    const scene = new Scene();
    scene.push(post(1), post(3));
    for (const { stream } of scene.heard) stream.resume();
    const [heard, other] = scene.heard;
    scene.push(data(1, 'one'), data(1, 'two'), data(3, 'x'));
    expect([heard!.content, heard!.pieces, other!.pieces]).toEqual(['onetwo', 1, 1]);
    const frame = data(1, 'three');
    scene.push(frame.subarray(0, 11));
    expect([heard!.content, heard!.pieces]).toEqual(['onetwoth', 1]);
    scene.push(frame.subarray(11));
    expect([heard!.content, heard!.pieces]).toEqual(['onetwothree', 2]);
    scene.push(data(1, 'four').subarray(0, 11));
    await scene.frames();
    expect([heard!.content, heard!.pieces]).toEqual(['onetwothreefo', 3]);
    scene.push(data(1, 'four').subarray(11), data(1, 'x'.repeat(66_000)).subarray(0, 9));
    expect(scene.ends).toHaveLength(1);
  });

  it('says of content that is longer or shorter than was told that it is broken', () => {
    const scene = new Scene();
    scene.push(post(1, 3), data(1, 'four'), post(3, 3), data(3, 'tw', END_STREAM));
    scene.push(post(5, 3), data(5, 'tw'), headers(5, [['x-sum', '1']]));
    scene.push(post(7, 3), data(7, 'abc', END_STREAM));
    for (const { stream } of scene.heard) stream.resume();
    expect(scene.heard.map(({ broken }) => broken)).toEqual([true, true, true, false]);
    expect(scene.heard.map(({ content }) => content)).toEqual(['', '', '', 'abc']);
  });

  it('ends a response before the end of its request without a fault', async () => {
    const scene = new Scene();
    scene.push(post(1), data(1, 'some'));
    const [heard] = scene.heard;
    scene.respond(heard!, 'no');
    heard!.stream.drop();
    heard!.stream.end();
    scene.push(data(1, 'more'), data(1, '', END_STREAM), get(3));
    const { ended, reset, content } = responsesIn(await scene.frames()).get(1)!;
    expect([ended, reset, content]).toEqual([true, ERROR.none, 'no']);
    expect(scene.heard).toHaveLength(2);
    expect(scene.ends).toEqual([]);
  });

  it('takes no more streams at a time than it may', async () => {
    const scene = new Scene();
    const ids = Array.from({ length: 12 }, (_, index) => 2 * index + 1);
    scene.push(...ids.map((id) => get(id)));
    const responses = responsesIn(await scene.frames());
    expect(ids.filter((id) => responses.get(id)?.reset === ERROR.refusedStream)).toEqual([21, 23]);
    expect(scene.heard).toHaveLength(10);
  });

  it('keeps bytes in order past a socket that takes no more', async () => {
    const scene = new Scene({ reads: false });
    scene.push(
      settings([INITIAL_WINDOW, 2 ** 31 - 1]),
      frame(TYPE.windowUpdate, 0, 0, numbers(10_000_000)),
      get(1),
    );
    const content = Array.from({ length: 200_000 }, (_, index) => String(index % 10)).join('');
    expect(scene.respond(scene.heard[0]!, content)).toBe(false);
    expect(scene.heard[0]!.writable).toBe(0);
    scene.read();
    await expect.poll(() => scene.heard[0]!.writable).toBe(1);
    scene.heard[0]!.stream.end();
    expect(responsesIn(await scene.frames()).get(1)).toMatchObject({ content, ended: true });
  });

  it('sends no content before its field section, though another stream held the socket up', async () => {
    const scene = new Scene({ reads: false });
    scene.push(
      settings([INITIAL_WINDOW, 2 ** 31 - 1]),
      frame(TYPE.windowUpdate, 0, 0, numbers(10_000_000)),
      get(1),
      post(3),
    );
    const [, waiting] = scene.heard;
    scene.respond(scene.heard[0]!, 'x'.repeat(200_000));
    waiting!.stream.head(100, new Fields(), null);
    expect(waiting!.stream.flush()).toBe(false);
    // A response of which more is to come before it goes out.
    waiting!.stream.head(200, new Fields(), null);
    waiting!.stream.content(Buffer.from('content'));
    scene.read();
    await expect.poll(() => scene.heard[0]!.writable).toBe(1);
    waiting!.stream.flush();
    waiting!.stream.end();
    const types = (await scene.frames()).flatMap(({ type, stream }) =>
      stream === 3 ? [type] : [],
    );
    const { headers: head, data: content, reset } = TYPE;
    expect(types).toEqual([head, head, content, content, reset]);
  });

  it('takes fields behind the content that are none for content that is broken', async () => {
    const scene = new Scene();
    scene.push(post(1), headers(1, [['X-Sum', '1']]), post(3), headers(3, [['x-sum', '1']], 0));
    expect(scene.heard.map(({ broken, gone }) => [broken, gone])).toEqual([
      [true, false],
      [true, false],
    ]);
    expect(scene.ends).toEqual([]);
  });

  it('asks its client to go, and serves no stream past the last one', async () => {
    const scene = new Scene();
    scene.push(get(1));
    scene.session.announceEnd();
    scene.push(get(3));
    expect(scene.heard).toHaveLength(2);
    scene.session.stopAccepting();
    scene.push(get(5));
    const frames = await scene.frames();
    const last = frames.filter(({ type }) => type === TYPE.goaway).map(({ payload }) => payload);
    expect(last.map((payload) => [payload.readUInt32BE(0), payload.readUInt32BE(4)])).toEqual([
      [2 ** 31 - 1, ERROR.none],
      [3, ERROR.none],
    ]);
    expect(responsesIn(frames).get(5)?.reset).toBe(ERROR.refusedStream);
    expect(scene.heard).toHaveLength(2);
  });
});

/** Each again and again, on one connection: none may go on without end. */
const FLOODS: readonly (readonly [string, (turn: number) => Buffer])[] = [
  [
    'streams that are taken back',
    (turn) => Buffer.concat([get(2 * turn + 1), frame(TYPE.reset, 0, 2 * turn + 1, numbers(8))]),
  ],
  [
    'streams that we are made to reset, by a window of nothing',
    (turn) =>
      Buffer.concat([get(2 * turn + 1), frame(TYPE.windowUpdate, 0, 2 * turn + 1, numbers(0))]),
  ],
  [
    'streams that we are made to reset, by a window past its limit',
    (turn) =>
      Buffer.concat([
        get(2 * turn + 1),
        frame(TYPE.windowUpdate, 0, 2 * turn + 1, numbers(2 ** 31 - 1)),
      ]),
  ],
  [
    'streams that we are made to reset, by content past the end',
    (turn) => Buffer.concat([get(2 * turn + 1), data(2 * turn + 1, 'x')]),
  ],
  ['streams past the limit', (turn) => get(2 * turn + 1)],
  ['SETTINGS', () => settings([INITIAL_WINDOW, 65_535])],
  ['GOAWAY', () => frame(TYPE.goaway, 0, 0, Buffer.alloc(8))],
  ['PING', () => frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ['replies to no PING', () => frame(TYPE.ping, ACK, 0, Buffer.alloc(8))],
  ['PRIORITY', () => frame(TYPE.priority, 0, 1, Buffer.from([0, 0, 0, 3, 9]))],
  ['frames of no known kind', () => frame(77, 0, 0)],
  ['WINDOW_UPDATE', () => frame(TYPE.windowUpdate, 0, 0, numbers(1))],
  ['empty DATA', (turn) => (turn === 0 ? post(1) : data(1, ''))],
  [
    'empty CONTINUATION',
    (turn) =>
      turn === 0
        ? frame(TYPE.headers, END_STREAM, 1, section(fieldsOf()))
        : frame(TYPE.continuation, 0, 1),
  ],
];

describe('a flood', () => {
  it.each(FLOODS)('of %s ends its connection', async (_what, one) => {
    const scene = new Scene();
    let turn = 0;
    for (; turn < 50_000 && scene.ends.length === 0; turn += 1) {
      scene.push(one(turn));
      if (turn % 500 === 0) await nextTurn();
    }
    expect(scene.ends.map(([code]) => code)).toEqual([ERROR.calm]);
    expect(turn).toBeGreaterThan(900);
    expect(goawayIn(await scene.frames())).toBe(ERROR.calm);
    expect(scene.heard.every(({ gone }) => gone)).toBe(true);
  });

  it('of CONTINUATION with content ends it once no head can be so large', async () => {
    const scene = new Scene();
    scene.push(frame(TYPE.headers, END_STREAM, 1, section(fieldsOf())));
    const piece = section([['x-a', 'a'.repeat(8000)]]);
    let frames = 0;
    for (; frames < 100 && scene.ends.length === 0; frames += 1)
      scene.push(frame(TYPE.continuation, 0, 1, piece));
    expect(scene.ends.map(([code]) => code)).toEqual([ERROR.calm]);
    expect(frames).toBeLessThan(12);
  });

  it('of fields that unfold is a head that is too large, and the connection goes on', async () => {
    const scene = new Scene();
    const bomb = Buffer.concat([
      section(fieldsOf()),
      section([['x-a', 'a'.repeat(3900)]], true),
      Buffer.alloc(12_000, 0xbe),
    ]);
    scene.push(frame(TYPE.headers, END_STREAM | END_HEADERS, 1, bomb), get(3));
    expect(scene.faults).toMatchObject([{ fault: 'headers-too-large', malformed: false }]);
    expect(scene.heads).toHaveLength(1);
    expect(scene.ends).toEqual([]);
  });

  it('of replies that nobody reads ends the connection', () => {
    const scene = new Scene({ reads: false });
    const pings = Buffer.concat(
      Array.from({ length: 50 }, () => frame(TYPE.ping, 0, 0, Buffer.alloc(8))),
    );
    for (let id = 1; id < 200_000 && scene.ends.length === 0; id += 2) {
      scene.push(headers(id, fieldsOf({ method: 'HEAD' })));
      const { stream } = scene.heard.at(-1)!;
      stream.head(200, new Fields().add('x-long', 'x'.repeat(500)), null);
      stream.end();
      if (id === 1) scene.push(pings);
    }
    expect(scene.ends).toEqual([[ERROR.calm, 'it does not read what it asks for']]);
  });

  it('is not what an honest client does: many downloads, their windows, and a few pings', async () => {
    const scene = new Scene();
    for (let id = 1; id < 20_001; id += 2) {
      scene.push(get(id));
      const heard = scene.heard.pop()!;
      scene.respond(heard, 'x'.repeat(1000));
      heard.stream.end();
      scene.push(frame(TYPE.windowUpdate, 0, 0, numbers(1000)));
      if (id % 100 === 1) scene.push(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
      if (id % 20 === 1) await nextTurn();
    }
    expect(scene.ends).toEqual([]);
  });
});

it('takes a PING for each piece of content for what it is: some measure the way by it', async () => {
  const scene = new Scene();
  for (let id = 1; id < 10_001; id += 2) {
    scene.push(get(id));
    const heard = scene.heard.pop()!;
    scene.respond(heard, 'x');
    heard.stream.end();
    scene.push(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
    if (id % 20 === 1) await nextTurn();
  }
  expect(scene.ends).toEqual([]);
  for (let count = 0; count < 1500; count += 1) scene.push(frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
  expect(scene.ends).toHaveLength(1);
});

/** What h2spec asks for, and nobody but a test sends; `code` of GOAWAY. */
const FAULTS: readonly (readonly [string, number, readonly Buffer[]])[] = [
  ['a frame that is too large', ERROR.frameSize, [frame(TYPE.headers, 4, 1, Buffer.alloc(16_385))]],
  ['HEADERS on stream 0', ERROR.protocol, [get(0)]],
  ['HEADERS on a stream of ours', ERROR.protocol, [get(2)]],
  ['HEADERS of an older stream', ERROR.streamClosed, [get(5), get(3)]],
  [
    'padding past its frame',
    ERROR.protocol,
    [post(1), frame(TYPE.data, PADDED, 1, Buffer.of(9, 1))],
  ],
  ['DATA on stream 0', ERROR.protocol, [data(0, 'x')]],
  ['DATA before HEADERS', ERROR.protocol, [data(1, 'x')]],
  ['PUSH_PROMISE', ERROR.protocol, [frame(TYPE.pushPromise, 4, 1, numbers(2))]],
  ['CONTINUATION alone', ERROR.protocol, [frame(TYPE.continuation, 4, 1)]],
  [
    'another frame within a section',
    ERROR.protocol,
    [frame(TYPE.headers, 0, 1, section(fieldsOf())), frame(TYPE.ping, 0, 0, Buffer.alloc(8))],
  ],
  [
    'DATA within a section',
    ERROR.protocol,
    [frame(TYPE.headers, 0, 1, section(fieldsOf())), data(1, 'x')],
  ],
  [
    'CONTINUATION of another stream',
    ERROR.protocol,
    [frame(TYPE.headers, 0, 1, section(fieldsOf())), frame(TYPE.continuation, 4, 3)],
  ],
  [
    'a section that cannot be read',
    ERROR.compression,
    [frame(TYPE.headers, END_STREAM | END_HEADERS, 1, Buffer.of(0xff, 0xff, 0xff))],
  ],
  [
    'a connection window past its limit',
    ERROR.flowControl,
    [frame(TYPE.windowUpdate, 0, 0, numbers(2 ** 31 - 1))],
  ],
  ['a window update of nothing', ERROR.protocol, [frame(TYPE.windowUpdate, 0, 0, numbers(0))]],
  ['a window update of no stream', ERROR.protocol, [frame(TYPE.windowUpdate, 0, 7, numbers(1))]],
  ['RST_STREAM of no stream', ERROR.protocol, [frame(TYPE.reset, 0, 7, numbers(8))]],
  ['SETTINGS of half a pair', ERROR.frameSize, [frame(TYPE.settings, 0, 0, Buffer.alloc(3))]],
  ['SETTINGS on a stream', ERROR.protocol, [frame(TYPE.settings, 0, 1)]],
  ['a first window past the limit', ERROR.flowControl, [settings([INITIAL_WINDOW, 2 ** 31])]],
  ['a frame size past the limit', ERROR.protocol, [settings([5, 1000])]],
  ['a PING of another size', ERROR.frameSize, [frame(TYPE.ping, 0, 0, Buffer.alloc(7))]],
];

describe('a client that breaks the protocol', () => {
  it.each(FAULTS)('by %s is told so, and its connection ends', async (_what, code, pieces) => {
    const scene = new Scene();
    scene.push(...pieces);
    expect(scene.ends.map(([told]) => told)).toEqual([code]);
    expect(goawayIn(await scene.frames())).toBe(code);
    scene.push(get(9));
    expect(scene.heads.length).toBeLessThan(2);
  });

  it('does so by another beginning than the preface and SETTINGS, too', () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', `${PREFACE.slice(0, -1)}x`]) {
      const scene = new Scene({ greets: false });
      scene.push(Buffer.from(bytes));
      expect(scene.ends.map(([code]) => code)).toEqual([ERROR.protocol]);
    }
    const scene = new Scene({ greets: false });
    scene.push(Buffer.from(PREFACE), frame(TYPE.ping, 0, 0, Buffer.alloc(8)));
    expect(scene.ends.map(([code]) => code)).toEqual([ERROR.protocol]);
  });
});
