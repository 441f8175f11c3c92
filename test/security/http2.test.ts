import { describe, expect, it } from 'vitest';
import { type Door, type DoorOptions, startDoor } from '../integration/door/door.ts';
import { owner } from '../support/gateway.ts';
import {
  END_STREAM,
  type Frame,
  fieldsOf,
  frame,
  framesIn,
  goawayIn,
  greet,
  headers,
  numbers,
  PREFACE,
  type RawField,
  responsesIn,
  section,
  settings,
  TYPE,
} from '../support/http2-frames.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';

const PROTOCOL_ERROR = 1;
const OK = 'HTTP/1.1 200 OK\r\n';
const HALF = `${OK}Content-Length: 1000\r\n\r\nhalf`;
const INITIAL_WINDOW = 4;

const start = (options: DoorOptions = {}) =>
  startDoor({
    ...options,
    gateway: { http2: { enabled: true, maxConcurrentStreams: 20 }, ...options.gateway },
  });

async function connect(door: Door, ...first: readonly Buffer[]): Promise<RawClient> {
  const client = await connectRaw({ port: door.gate.port });
  await greet(client, ...first);
  return client;
}

const bearer = (token: string): RawField => ['authorization', `Bearer ${token}`];

/** A request of somebody who may. */
const permitted = (door: Door, method: string, path: string, ...more: readonly RawField[]) =>
  fieldsOf({ method, path }, bearer(door.gate.token), ...more);

async function until(
  client: RawClient,
  what: string,
  holds: (frames: readonly Frame[]) => boolean,
): Promise<readonly Frame[]> {
  return framesIn(await client.waitFor(what, (bytes) => holds(framesIn(bytes))));
}

/** What no valid request of HTTP/2 holds; each would be something else in HTTP/1.1. */
const MALFORMED: readonly (readonly [string, readonly RawField[]])[] = [
  ['a line in a value', [['x-a', 'a\r\nX-Account-Id: root']]],
  ['a line feed in a value', [['x-a', 'a\nb']]],
  ['a NUL in a value', [['x-a', 'a\0b']]],
  ['a line in a name', [['x-a: a\r\nx-b', '1']]],
  ['a space in a name', [['x a', '1']]],
  ['an upper-case name', [['X-A', '1']]],
  ['a transfer coding', [['transfer-encoding', 'chunked']]],
  ['a field of a connection', [['connection', 'x-account-id']]],
  ['an upgrade', [['upgrade', 'websocket']]],
  ['another host', [['host', 'other.test']]],
  [
    'two lengths',
    [
      ['content-length', '0'],
      ['content-length', '0'],
    ],
  ],
  ['a pseudo-header field behind a field', [[':path', '/other']]],
];

describe('a request of HTTP/2 that is none', () => {
  it('ends its stream by an error, is on record, and reaches no upstream; others go on', async () => {
    const door = await start();
    const client = await connect(door);
    for (const [index, [what, fields]] of MALFORMED.entries()) {
      const id = 2 * index + 1;
      await client.send(headers(id, permitted(door, 'GET', `/bad/${index}`, ...fields)));
      const frames = await until(
        client,
        what,
        (all) => responsesIn(all).get(id)?.reset !== null && responsesIn(all).has(id),
      );
      const { status, ended, reset, content } = responsesIn(frames).get(id)!;
      expect([status, ended, reset], what).toEqual([400, false, PROTOCOL_ERROR]);
      expect(JSON.parse(content).detail, what).toBeTypeOf('string');
    }
    const good = 2 * MALFORMED.length + 1;
    await client.send(headers(good, permitted(door, 'GET', '/good')));
    await until(client, 'the response', (all) => responsesIn(all).get(good)?.ended === true);
    expect(door.upstream.requests.map(({ line }) => line)).toEqual(['GET /good HTTP/1.1']);
    const decisions = (await door.events()).filter(({ phase }) => phase === 'decision');
    expect(decisions.map(({ door }) => door)).toEqual(decisions.map(() => 'http2'));
    const refused = decisions.filter(({ decision }) => decision === 'refusal');
    expect(refused).toHaveLength(MALFORMED.length);
    for (const { reason } of refused) expect(reason).toMatch(/^request-(malformed|ambiguous)$/);
    client.close();
  });

  it('for white space around a value is refused in words; it is on record, and reaches nobody', async () => {
    const door = await start();
    const client = await connect(door);
    const values = ['Bearer ', ` Bearer ${door.gate.token}`, `Bearer ${door.gate.token}\t`];
    for (const [index, value] of values.entries()) {
      const fields = fieldsOf({ path: `/bad/${index}` }, ['authorization', value]);
      await client.send(headers(2 * index + 1, fields));
    }
    const ids = values.map((_, index) => 2 * index + 1);
    const frames = await until(client, 'the responses', (all) =>
      ids.every((id) => responsesIn(all).get(id)?.ended === true),
    );
    for (const id of ids) {
      const { status, reset, content } = responsesIn(frames).get(id)!;
      expect([status, reset]).toEqual([400, null]);
      expect(JSON.parse(content)).toMatchObject({
        reason: 'request-malformed',
        detail: 'a field value begins or ends with white space',
      });
    }
    expect(door.upstream.requests).toEqual([]);
    const calls = (await door.events()).filter(({ type }) => type === 'call');
    expect(calls.map(({ phase, reason }) => `${phase} ${reason}`)).toEqual(
      values.map(() => 'decision request-malformed'),
    );
    client.close();
  });

  it('may end behind its head where there is no body, and has one once there is some of it', async () => {
    const door = await start({
      gateway: { http2: { enabled: true }, limits: { idleTimeoutMs: 1000 } },
    });
    const client = await connect(door);
    const open = (id: number, path: string) => headers(id, permitted(door, 'GET', path), 0);
    const end = (id: number) => frame(TYPE.data, END_STREAM, id);
    await client.send(open(1, '/empty'), 50, frame(TYPE.data, 0, 1), 20, end(1));
    await client.send(open(3, '/body'), 50, frame(TYPE.data, 0, 3, Buffer.from('x')), end(3));
    await client.send(open(5, '/trailers'), 20, headers(5, [['x-sum', '1']]));
    await client.send(open(7, '/silent'));
    const frames = await until(client, 'four responses', (all) =>
      [1, 3, 5, 7].every((id) => responsesIn(all).get(id)?.ended === true),
    );
    const statusOf = (id: number) => responsesIn(frames).get(id)!.status;
    expect([1, 3, 5, 7].map(statusOf)).toEqual([200, 400, 200, 408]);
    const lines = door.upstream.requests.map(({ line }) => line);
    expect(lines).toEqual(['GET /empty HTTP/1.1', 'GET /trailers HTTP/1.1']);
    expect(door.upstream.bytes.toString()).not.toMatch(/transfer-encoding/i);
    const reasons = (await door.events()).flatMap(({ phase, reason }) =>
      phase === 'decision' && reason !== 'permitted' ? [reason] : [],
    );
    expect(reasons.sort()).toEqual(['body-refused', 'request-timeout']);
    client.close();
  });

  it('because its content is not as long as it says, never arrives as a whole', async () => {
    const door = await start();
    const client = await connect(door);
    const post = (id: number) =>
      headers(id, permitted(door, 'POST', '/length', ['content-length', '5']), 0);
    const data = (id: number, content: string, flags = 0) =>
      frame(TYPE.data, flags, id, Buffer.from(content));
    await client.send(Buffer.concat([post(1), data(1, 'four', END_STREAM)]));
    await client.send(Buffer.concat([post(3), data(3, 'sixsix', END_STREAM)]));
    await client.send(Buffer.concat([post(5), data(5, 'four')]), 50, data(5, 'sixsix', END_STREAM));
    const frames = await until(client, 'three resets', (all) =>
      [1, 3, 5].every((id) => (responsesIn(all).get(id)?.reset ?? null) !== null),
    );
    for (const id of [1, 3, 5]) expect(responsesIn(frames).get(id)!.reset).toBe(PROTOCOL_ERROR);
    expect(door.upstream.requests).toEqual([]);
    client.close();
  });

  it('because what stands behind its content is not valid, is on record as that', async () => {
    const door = await start();
    const client = await connect(door);
    const bad: readonly RawField[] = [['x-a', 'a\r\nb']];
    const post = headers(1, permitted(door, 'POST', '/post'), 0);
    await client.send(post, frame(TYPE.data, 0, 1, Buffer.from('content')), 20, headers(1, bad));
    // Nobody has said yet that there is a body.
    await client.send(headers(3, permitted(door, 'GET', '/get'), 0), 20, headers(3, bad));
    const frames = await until(client, 'two resets', (all) =>
      [1, 3].every((id) => (responsesIn(all).get(id)?.reset ?? null) !== null),
    );
    for (const id of [1, 3])
      expect(responsesIn(frames).get(id)).toMatchObject({ status: 400, reset: PROTOCOL_ERROR });
    expect(door.upstream.requests).toEqual([]);
    const outcomes = (await door.eventsOf('/post')).map(({ reason }) => reason);
    expect(outcomes).toEqual(['permitted', 'request-malformed']);
    expect((await door.eventsOf('/get', 1))[0]!.reason).toBe('request-malformed');
    client.close();
  });

  it('as long as nobody has said whether it has a body, is on record when the gate closes', async () => {
    const door = await start();
    const client = await connect(door);
    await client.send(headers(1, permitted(door, 'GET', '/undecided'), 0));
    await client.send(headers(3, permitted(door, 'GET', '/seen')));
    await until(client, 'the other', (all) => responsesIn(all).get(3)?.ended === true);
    await door.close();
    const [decision] = await door.eventsOf('/undecided', 1);
    expect(decision).toMatchObject({ decision: 'refusal', reason: 'draining' });
    expect(responsesIn(framesIn(client.bytes)).get(1)).toMatchObject({ status: 503 });
    client.close();
  });

  it('because its head is too large, is refused like any other', async () => {
    const door = await start({
      gateway: { http2: { enabled: true }, limits: { headBytes: 2048 } },
    });
    const client = await connect(door);
    await client.send(headers(1, permitted(door, 'GET', '/', ['x-a', 'a'.repeat(3000)])));
    const frames = await until(
      client,
      'the response',
      (all) => responsesIn(all).get(1)?.ended === true,
    );
    expect(responsesIn(frames).get(1)).toMatchObject({ status: 431, reset: null });
    client.close();
  });
});

describe('streams of several accounts on one connection', () => {
  it('end with the token of their own, and with no other', async () => {
    const goOn = Promise.withResolvers<void>();
    const answer = () => [{ send: HALF }, { until: goOn.promise }, { send: 'x'.repeat(996) }];
    const door = await start({ upstream: { answer } });
    const other = await door.gate.administration.createServiceAccount(owner, {
      name: 'other',
      role: 'tester',
    });
    const client = await connect(door);
    await client.send(
      headers(1, permitted(door, 'GET', '/mine')),
      headers(3, fieldsOf({ path: '/theirs' }, bearer(other.token))),
    );
    await until(client, 'both halves', (all) =>
      [1, 3].every((id) => responsesIn(all).get(id)?.content === 'half'),
    );
    await door.gate.administration.rotateToken(owner, { id: door.gate.account.id });
    const cut = await until(client, 'a reset', (all) => responsesIn(all).get(1)!.reset !== null);
    expect(responsesIn(cut).get(1)!.ended).toBe(false);
    goOn.resolve();
    const frames = await until(client, 'the other', (all) => responsesIn(all).get(3)!.ended);
    expect(responsesIn(frames).get(3)).toMatchObject({ status: 200, reset: null });
    expect(responsesIn(frames).get(3)!.content).toHaveLength(1000);
    client.close();
  });
});

describe('time on a connection of HTTP/2', () => {
  const limited = (limits: Readonly<Record<string, number>>) =>
    start({ gateway: { http2: { enabled: true }, limits } });

  it('for a head runs from its first byte, and takes the connection along', async () => {
    const door = await limited({ headTimeoutMs: 300 });
    const client = await connect(door);
    await client.send(frame(TYPE.headers, END_STREAM, 1, section(fieldsOf())));
    expect(goawayIn(framesIn(await client.waitForClose()))).toBe(0);
    const silent = await connectRaw({ port: door.gate.port });
    await silent.send(PREFACE.slice(0, 10));
    await silent.waitForClose();
  });

  it('without a stream ends in GOAWAY, whatever pings come', async () => {
    const door = await limited({ idleTimeoutMs: 500 });
    const client = await connect(door, headers(1, permitted(door, 'GET', '/one')));
    const ping = frame(TYPE.ping, 0, 0, Buffer.alloc(8));
    for (let sent = 0; sent < 200 && client.closed === 'open'; sent += 1)
      await client.send(ping, 50);
    const frames = framesIn(await client.waitForClose());
    expect([responsesIn(frames).get(1)!.status, goawayIn(frames)]).toEqual([200, 0]);
  });

  it('for content runs while it is waited for: 408', async () => {
    const door = await limited({ idleTimeoutMs: 500 });
    const client = await connect(
      door,
      headers(1, permitted(door, 'POST', '/up', ['content-length', '9']), 0),
      frame(TYPE.data, 0, 1, Buffer.from('some')),
    );
    const frames = await until(client, '408', (all) => responsesIn(all).get(1)?.ended === true);
    expect(responsesIn(frames).get(1)!.status).toBe(408);
    client.close();
  });

  it('for a response runs while nothing of it is taken: its stream is reset', async () => {
    const door = await start({
      gateway: { http2: { enabled: true }, limits: { idleTimeoutMs: 500 } },
      upstream: {
        answer: () => [{ send: `${OK}Content-Length: 1000\r\n\r\n${'x'.repeat(1000)}` }],
      },
    });
    const client = await connect(door, settings([INITIAL_WINDOW, 10]));
    await client.send(headers(1, permitted(door, 'GET', '/stalled')));
    await client.send(headers(3, permitted(door, 'HEAD', '/other')));
    const frames = await until(
      client,
      'a reset',
      (all) => (responsesIn(all).get(1)?.reset ?? null) !== null,
    );
    expect(responsesIn(frames).get(1)).toMatchObject({ content: 'x'.repeat(10), ended: false });
    expect(responsesIn(frames).get(3)).toMatchObject({ status: 200, reset: null });
    client.close();
  });
});

describe('HTTP/2', () => {
  it('is not spoken where it is switched off, nor in the clear to a port for TLS', async () => {
    for (const gateway of [{}, { http2: { enabled: true }, tls: true }]) {
      const door = await startDoor({
        gateway: { http2: { enabled: false }, ...gateway },
        tls: 'tls' in gateway,
      });
      const client = await connectRaw({ port: door.gate.port });
      await client.send(PREFACE, settings());
      const text = (await client.waitForClose()).toString('latin1');
      expect(text).toMatch(/^HTTP\/1\.1 (?:403|505) /);
      expect(text).toContain('the preface of HTTP/2');
    }
  });

  it('takes its first bytes for a request of HTTP/1.1 where they are one', async () => {
    const door = await start();
    for (const method of ['GET', 'POST', 'PUT', 'PATCH']) {
      const client = await door.connect([method]);
      await client.send(door.head(`${method} /one`, 'Content-Length: 0', 'Connection: close'));
      expect((await client.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 200 /);
    }
  });
});

describe('a connection of HTTP/2 that asks for much that leads to nothing', () => {
  it('is closed, told in the log, and counted; streams of others go on', async () => {
    const door = await start();
    const calm = await connect(door, headers(1, permitted(door, 'GET', '/before')));
    const flood = await connect(door);
    for (let turn = 0; turn < 40 && flood.closed === 'open'; turn += 1) {
      const ids = Array.from({ length: 50 }, (_, index) => 100 * turn + 2 * index + 1);
      await flood.send(
        Buffer.concat(
          ids.flatMap((id) => [headers(id, fieldsOf()), frame(TYPE.reset, 0, id, numbers(8))]),
        ),
      );
    }
    expect(goawayIn(framesIn(await flood.waitForClose()))).toBe(11);
    await calm.send(headers(3, permitted(door, 'GET', '/after')));
    await until(calm, 'the response', (all) => responsesIn(all).get(3)?.ended === true);
    expect(door.gate.log.join('\n')).toContain('closed for a flood');
    const metrics = await (await fetch(`${door.gate.opsUrl}/metrics`)).text();
    expect(metrics).toContain('sallyport_limits_reached_total{limit="http2_flood"} 1');
    calm.close();
  });
});
