import { Socket } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { readResponses, statusOf } from '../../support/http-bytes.ts';
import { OK } from '../../support/raw-upstream.ts';
import { answerFor, type Door, startDoor } from './door.ts';

/** Counts what the gate, which runs in this process, writes to its upstream from now on. */
function upstreamWrites(door: Door): () => number {
  const spy = vi.spyOn(Socket.prototype, 'write');
  onTestFinished(() => spy.mockRestore());
  return () =>
    spy.mock.contexts.filter((socket) => (socket as Socket).remotePort === door.upstream.port)
      .length;
}

/** Nothing waits for a record: a body that came with its head meets an upstream that is ready. */
const BUFFERED = { guarantee: 'buffered' } as const;
const CHUNKED = 'Transfer-Encoding: chunked';

const CALLS = [
  ['GET', '', ''],
  ['POST', 'Content-Length: 5', 'hello'],
  ['POST', CHUNKED, '5\r\nhello\r\n0\r\n\r\n'],
  ['PUT', 'Content-Length: 0', ''],
] as const;
const GUARANTEES = ['buffered', 'acknowledged'] as const;

it.each(GUARANTEES.flatMap((guarantee) => CALLS.map((call) => [guarantee, ...call] as const)))(
  'a request that came in one piece goes on in one write (%s: %s %s)',
  async (guarantee, method, field, body) => {
    const door = await startDoor({ gateway: { guarantee } });
    const methods = [method, method, method];
    const client = await door.connect(methods);
    const request = door.head(`${method} /one`, ...(field === '' ? [] : [field])) + body;
    const answers = () =>
      readResponses(client.bytes, methods).filter((answer) => statusOf(answer) === 200).length;
    // Over a new connection to the upstream, then over the kept one.
    for (let count = 1; count <= methods.length; count += 1) {
      const writes = upstreamWrites(door);
      const before = writes();
      await client.send(request);
      await client.waitFor('the answer', () => answers() === count);
      expect(writes() - before).toBe(1);
    }
    const content = body === '' ? '' : 'hello';
    expect(door.upstream.requests.map((message) => message.body.toString())).toEqual([
      content,
      content,
      content,
    ]);
  },
);

it('a head waits for the first byte of its body, and for no more of it', async () => {
  const door = await startDoor({
    upstream: { answerAt: 'head', answer: (head, number) => (number === 0 ? OK : answerFor(head)) },
  });
  const client = await door.connect(['GET', 'POST']);
  await client.send(door.head('GET /first'));
  await client.waitFor('the first answer', (bytes) => bytes.includes('\r\n\r\nok'));
  await client.send(door.head('POST /second', 'Content-Length: 5'), 20, 'h');
  await client.waitFor('the second answer, to head and first byte', (bytes) =>
    bytes.includes('\r\n\r\nfor '),
  );
  await client.send('ello');
  await client.waitForClose();
});

it.each([
  ['a part of it', 'Content-Length: 5', ['he', 'llo']],
  ['not even a byte of content', CHUNKED, ['5\r\n', 'hello\r\n0\r\n\r\n']],
])(
  'a head does not wait for more of its body than came with it: %s',
  async (_what, field, [first, second]) => {
    const headsSeen: string[] = [];
    const door = await startDoor({
      gateway: BUFFERED,
      upstream: {
        answerAt: 'head',
        answer: (head, number) => {
          headsSeen.push(head.line);
          return number === 0 ? OK : [{ until: bodySent.promise }, ...answerFor(head)];
        },
      },
    });
    const bodySent = Promise.withResolvers<void>();
    const client = await door.connect(['GET', 'POST']);
    await client.send(door.head('GET /first'));
    await client.waitFor('the first answer', (bytes) => bytes.includes('\r\n\r\nok'));
    await client.send(door.head('POST /second', field, 'Connection: close') + first!);
    await door.upstream.waitFor('the head of the second request', () => headsSeen.length === 2);
    await client.send(second!);
    await door.upstream.waitFor('all of it', ({ requests }) => requests.length === 2);
    bodySent.resolve();
    await client.waitForClose();
    expect(door.upstream.requests[1]!.body.toString()).toBe('hello');
  },
);

it('does not say 100 to a body that is there, over a kept connection too', async () => {
  const door = await startDoor({ gateway: BUFFERED });
  const client = await door.connect(['GET', 'POST']);
  await client.send(door.head('GET /first'));
  await client.waitFor('the first answer', (bytes) => bytes.includes('\r\n\r\nfor '));
  await client.send(
    `${door.head('POST /second', 'Content-Length: 4', 'Expect: 100-continue', 'Connection: close')}body`,
  );
  expect(readResponses(await client.waitForClose(), ['GET', 'POST']).map(statusOf)).toEqual([
    200, 200,
  ]);
});

it('all of an answer that has come is written out, also when its pieces are as large as a read', async () => {
  const seen = Promise.withResolvers<void>();
  const whole = 3 * 64 * 1024;
  const door = await startDoor({
    upstream: {
      answer: () => [
        { send: `HTTP/1.1 200 OK\r\nContent-Length: ${whole + 3}\r\n\r\n` },
        { send: Buffer.alloc(whole, 'x') },
        { until: seen.promise },
        { send: 'end' },
      ],
    },
  });
  const client = await door.connect();
  await client.send(door.head('GET /large', 'Connection: close'));
  await client.waitFor(
    'all but the end',
    (bytes) => bytes.length - bytes.indexOf('\r\n\r\n') - 4 === whole,
  );
  seen.resolve();
  expect((await client.waitForClose()).subarray(-4).toString()).toBe('xend');
});
