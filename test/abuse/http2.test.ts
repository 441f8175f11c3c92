import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  fieldsOf,
  frame,
  framesIn,
  goawayIn,
  greet,
  headers,
  numbers,
  type RawField,
  responsesIn,
  section,
  settings,
  TYPE,
} from '../support/http2-frames.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { type AbusedGate, type Holdings, shown, startAbusedGate } from './gate.ts';

const RESETS = 100_000;
/** Of those that bear a token, so that an upstream is asked each time. */
const PERMITTED_RESETS = 3000;
/** A connection is closed after some 1,000. */
const AT_ONCE = 250;
const STALLED = 40;
const SETTLE_MS = 60_000;
const CALM = 11;
const INITIAL_WINDOW = 4;

const missing = existsSync('/proc/self/status')
  ? null
  : 'no /proc to see the memory of a process in';

describe('a gate whose clients of HTTP/2 keep to no rule', () => {
  let gate: AbusedGate;
  let baseline: Holdings;

  const connect = async (...first: readonly Buffer[]): Promise<RawClient> => {
    const client = await connectRaw({ port: gate.port });
    await greet(client, ...first);
    return client;
  };

  /** So many streams, each taken back at once, on as many connections as it takes. */
  async function takeBack(total: number, ...fields: readonly RawField[]): Promise<number[]> {
    const ends: number[] = [];
    const section = fieldsOf({ path: '/big' }, ...fields);
    for (let sent = 0; sent < total; ) {
      const client = await connect();
      for (let id = 1; client.closed === 'open' && sent < total; sent += AT_ONCE) {
        const pieces: Buffer[] = [];
        for (const last = id + 2 * AT_ONCE; id < last; id += 2)
          pieces.push(headers(id, section), frame(TYPE.reset, 0, id, numbers(8)));
        await client.send(Buffer.concat(pieces));
      }
      if (sent < total) ends.push(goawayIn(framesIn(await client.waitForClose())) ?? -1);
      client.close();
    }
    return ends;
  }

  /** Asks for what no window is opened for: all is reset, and nothing comes. */
  async function stall(): Promise<void> {
    const fields = fieldsOf({ path: '/big' }, ['authorization', `Bearer ${gate.token}`]);
    const streams = Array.from({ length: 20 }, (_, index) => headers(2 * index + 1, fields));
    const clients = await Promise.all(
      Array.from({ length: STALLED }, () => connect(settings([INITIAL_WINDOW, 0]), ...streams)),
    );
    for (const client of clients) {
      const bytes = await client.waitFor('20 resets', (all) => {
        const responses = [...responsesIn(framesIn(all)).values()];
        return responses.filter(({ reset }) => reset !== null).length === streams.length;
      });
      const contents = [...responsesIn(framesIn(bytes)).values()].map(({ content }) => content);
      expect(contents.join('')).toBe('');
      client.close();
    }
  }

  beforeAll(async () => {
    if (missing !== null) return;
    const limits = { headTimeoutMs: 2000, idleTimeoutMs: 1000 };
    gate = await startAbusedGate(limits, { plaintext: true, http2: { enabled: true } });
    await takeBack(10_000);
    await takeBack(500, ['authorization', `Bearer ${gate.token}`]);
    // The C library keeps what so many responses took at once for the next ones.
    await stall();
    baseline = await gate.holdings();
  }, 2 * SETTLE_MS);

  afterAll(() => gate?.stop());

  it('holds after 100,000 streams that were taken back what it held before', {
    timeout: 3 * SETTLE_MS,
  }, async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const ends = await takeBack(RESETS);
    expect(new Set(ends)).toEqual(new Set([CALM]));
    await takeBack(PERMITTED_RESETS, ['authorization', `Bearer ${gate.token}`]);
    console.log(`at once: ${shown(await gate.holdings())}`);
    await gate.settled(baseline, SETTLE_MS);
    console.log(`before: ${shown(baseline)}; after: ${shown(await gate.holdings())}`);
  });

  it('holds no more for clients that open no window, and lets go of them', {
    timeout: 2 * SETTLE_MS,
  }, async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    await stall();
    await gate.settled(baseline, SETTLE_MS);
  });

  it('holds no more for field sections that unfold, and for those without end', {
    timeout: 2 * SETTLE_MS,
  }, async (ctx) => {
    if (missing !== null) ctx.skip(missing);
    const bomb = Buffer.concat([
      section(fieldsOf()),
      section([['x-a', 'a'.repeat(3900)]], true),
      Buffer.alloc(12_000, 0xbe),
    ]);
    const client = await connect();
    for (let id = 1; id < 400; id += 2) {
      await client.send(frame(TYPE.headers, 5, id, bomb));
      await client.waitFor('a response', (all) => responsesIn(framesIn(all)).has(id));
      if (id % 100 === 1) expect(responsesIn(framesIn(client.bytes)).get(id)!.status).toBe(431);
    }
    client.close();
    const piece = section([['x-a', 'a'.repeat(16_000)]]);
    const endless = await connect(frame(TYPE.headers, 1, 1, section(fieldsOf())));
    for (let turn = 0; turn < 50 && endless.closed === 'open'; turn += 1)
      await endless.send(frame(TYPE.continuation, 0, 1, piece));
    expect(goawayIn(framesIn(await endless.waitForClose()))).toBe(CALM);
    await gate.settled(baseline, SETTLE_MS);
  });
});
