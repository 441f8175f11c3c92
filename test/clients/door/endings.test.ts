import { describe, expect, it } from 'vitest';
import { issueTls } from '../../integration/door/certificates.ts';
import { answerFor, startDoor } from '../../integration/door/door.ts';
import { readResponse, readResponses, statusOf, valuesOf } from '../../support/http-bytes.ts';
import type { Step } from '../../support/raw-upstream.ts';

const LENGTH = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';

/**
 * How an upstream can fail, and what the client is given in its place: our 502, or an answer that
 * cannot be taken for a whole one.
 */
const DEATHS: readonly (readonly [string, 502 | 'broken', readonly Step[]])[] = [
  ['before the head', 502, []],
  ['in the head', 502, [{ send: 'HTTP/1.1 200 OK\r\nContent-' }]],
  ['after an interim answer', 502, [{ send: 'HTTP/1.1 103 Early Hints\r\n\r\n' }]],
  ['after the head', 'broken', [{ send: LENGTH }]],
  ['in the body', 'broken', [{ send: `${LENGTH}half` }]],
  ['one byte before the end', 'broken', [{ send: LENGTH + 'x'.repeat(99) }]],
  ['in a chunk size', 'broken', [{ send: `${CHUNKED}5\r\nhello\r\n5` }]],
  ['in a chunk', 'broken', [{ send: `${CHUNKED}5\r\nhel` }]],
  ['between chunks', 'broken', [{ send: `${CHUNKED}5\r\nhello\r\n` }]],
  ['before the last empty line', 'broken', [{ send: `${CHUNKED}5\r\nhello\r\n0\r\n` }]],
];
const HOW = [
  ['FIN', { end: true }],
  ['RST', { reset: true }],
] as const;

const WAYS = HOW.flatMap(([how, last]) => [true, false].map((tls) => ({ how, last, tls })));

describe('an upstream that dies', () => {
  it.each(WAYS)(
    'by $how (TLS: $tls), wherever in its answer, never looks like a whole answer',
    async ({ last, tls }) => {
      const material = tls ? await issueTls() : null;
      const steps = (number: number) => [...DEATHS[number]![2], { waitMs: 20 }, last];
      const door = await startDoor({
        tls,
        upstream: {
          answer: (request) => steps(Number(request.line.split(' ')[1]!.split('/')[2])),
          ...(material === null ? {} : { tls: material.server }),
        },
        ...(material === null ? {} : { upstreamConfig: { tls: material.client } }),
      });
      for (const [number, [when, seen]] of DEATHS.entries()) {
        // An HTTP/1.0 client knows the end of some answers by the end of the connection alone.
        for (const version of ['1.1', '1.0']) {
          const client = await door.connect(['POST']);
          const head = door.head(
            `POST /${version}/${number}`,
            'Content-Length: 0',
            'Connection: close',
          );
          await client.send(head.replace('HTTP/1.1', `HTTP/${version}`));
          const bytes = await client.waitForClose();
          const last = bytes.toString('latin1').lastIndexOf('HTTP/1.1 ');
          const reading = readResponse(bytes, {
            offset: Math.max(0, last),
            method: 'POST',
            closed: false,
          });
          const what = reading.state === 'complete' ? statusOf(reading.message) : 'broken';
          expect([what, client.closed], when).toEqual([seen, seen === 502 ? 'end' : 'reset']);
        }
      }
      const outcomes = (await door.gate.events()).filter(({ phase }) => phase === 'outcome');
      expect(outcomes.map(({ reason }) => reason)).toEqual(
        Array(2 * DEATHS.length).fill('upstream-broken'),
      );
    },
  );

  it('in the middle of a body that only its connection delimits is a reset for the client when the upstream was reset', async () => {
    const door = await startDoor({
      upstream: {
        answer: () => [{ send: 'HTTP/1.1 200 OK\r\n\r\nhalf' }, { waitMs: 30 }, { reset: true }],
      },
    });
    // One whose answer does not wait for its record: a broken one that is held is a 502.
    const { text, closed } = await door.talk([door.head('POST /half', 'Content-Length: 0')]);
    expect(text.endsWith('0\r\n\r\n')).toBe(false);
    expect(closed).toBe('reset');
  });

  it.each([
    ['a broken chunk', `${CHUNKED}8\r\nnot sent\r\nevil\r\n`],
    ['a second head in place of a chunk', `${CHUNKED}${CHUNKED}`],
  ])(
    'with %s in the segment of its head is a 502, and no byte of it counts as sent',
    async (_what, send) => {
      const door = await startDoor({ upstream: { answer: () => [{ send }] } });
      for (const path of ['/one', '/two']) {
        const { text, closed } = await door.talk([door.head(`GET ${path}`, 'Connection: close')]);
        expect([text.slice(0, 12), closed]).toEqual(['HTTP/1.1 502', 'end']);
        expect(text).not.toMatch(/200 OK|not sent|evil/);
        const [, outcome] = await door.eventsOf(path);
        expect(outcome).toMatchObject({
          reason: 'upstream-broken',
          status: 502,
          upstreamStatus: 200,
          responseBytes: 0,
        });
      }
    },
  );

  it('with a broken chunk after bytes that went out counts those that went out', async () => {
    const door = await startDoor({
      upstream: {
        answer: () => [
          { send: `${CHUNKED}4\r\nsent\r\n` },
          { waitMs: 100 },
          { send: '8\r\nnot sent\r\nevil\r\n' },
        ],
      },
    });
    const { text, closed } = await door.talk([door.head('POST /part', 'Content-Length: 0')]);
    expect(text).toMatch(/4\r\nsent\r\n$/);
    expect(closed).toBe('reset');
    const [, outcome] = await door.eventsOf('/part');
    expect(outcome).toMatchObject({ reason: 'upstream-broken', status: 200, responseBytes: 4 });
  });

  it('with bytes that are no HTTP is a 502', async () => {
    const door = await startDoor({
      upstream: { answer: () => [{ send: 'SSH-2.0-OpenSSH_9.2\r\n' }] },
    });
    const { text } = await door.talk([door.head('GET /ssh', 'Connection: close')]);
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(text).toContain('Proxy-Status: sallyport; error=http_protocol_error');
  });
});

describe('an upstream that hangs', () => {
  it('before its head is a 504 after the time it has', async () => {
    const door = await startDoor({
      upstream: { answer: () => [] },
      upstreamConfig: { responseTimeoutMs: 300 },
    });
    const { text } = await door.talk([door.head('GET /hang', 'Connection: close')]);
    expect(text).toMatch(/^HTTP\/1\.1 504 /);
    expect(text).toContain('Proxy-Status: sallyport; error=http_response_timeout');
    const [, outcome] = await door.eventsOf('/hang');
    expect([outcome!.reason, outcome!.status]).toEqual(['upstream-timeout', 504]);
    await door.upstream.waitFor(
      'the connection is given up',
      ({ connections }) => connections[0]!.closed !== 'open',
    );
  });

  it('in its body breaks the answer off', async () => {
    const door = await startDoor({
      upstream: { answer: () => [{ send: `${LENGTH}half` }] },
      upstreamConfig: { responseTimeoutMs: 300 },
    });
    const { text, closed } = await door.talk([door.head('GET /hang')]);
    expect(text).toMatch(/half$/);
    expect(closed).toBe('reset');
    const [, outcome] = await door.eventsOf('/hang');
    expect([outcome!.reason, outcome!.status, outcome!.responseBytes]).toEqual([
      'upstream-timeout',
      200,
      4,
    ]);
  });

  it('is not what an upload is that takes longer than the upstream has for its answer', async () => {
    const door = await startDoor({ upstreamConfig: { responseTimeoutMs: 1500 } });
    const client = await door.connect(['POST']);
    await client.send(door.head('POST /slow', 'Content-Length: 6', 'Connection: close'));
    for (const part of ['up', 'lo', 'ad']) await client.send(part, 700);
    expect(readResponses(await client.waitForClose()).map(statusOf)).toEqual([200]);
  });
});

describe('an answer before the end of the request', () => {
  it('reaches the client whole, and the connection closes without a reset that could take it away', async () => {
    const door = await startDoor({
      upstream: {
        answerAt: 'head',
        answer: () => [{ send: 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nstop' }],
      },
    });
    const client = await door.connect(['POST']);
    await client.send(door.head('POST /early', 'Content-Length: 20000000'));
    // The client goes on sending, and only looks at the answer when the gate no longer takes
    // anything.
    for (let sent = 0; sent < 5 && client.closed === 'open'; sent += 1)
      await client.send(Buffer.alloc(1_000_000), 20);
    const bytes = await client.waitForClose();
    expect(client.closed).toBe('end');
    const [answer] = readResponses(bytes);
    expect([statusOf(answer!), answer!.body.toString(), valuesOf(answer!, 'connection')]).toEqual([
      413,
      'stop',
      ['close'],
    ]);
    await door.upstream.waitFor(
      'its connection is not used again',
      ({ connections }) => connections[0]!.closed !== 'open',
    );
    expect(door.upstream.requests).toHaveLength(0);
  });

  it('does not stop a body that the upstream goes on taking', async () => {
    const door = await startDoor({
      upstream: {
        answerAt: 'head',
        answer: () => [
          { send: 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nbeg' },
          { waitMs: 200 },
          { send: 'inend' },
        ],
      },
    });
    const client = await door.connect(['POST']);
    await client.send(
      door.head('POST /both', 'Content-Length: 6', 'Connection: close'),
      'one',
      50,
      'two',
    );
    expect(readResponses(await client.waitForClose())[0]!.body.toString()).toBe('beginend');
    expect(door.upstream.requests[0]!.body.toString()).toBe('onetwo');
  });
});

describe('bytes after an answer', () => {
  it.each([
    [
      'in the same packet',
      [
        {
          send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
        },
      ],
    ],
    [
      'a moment later',
      [
        { send: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok' },
        { waitMs: 50 },
        { send: 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' },
      ],
    ],
    [
      'after no body',
      [{ send: 'HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' }],
    ],
  ] as readonly (readonly [string, readonly Step[]])[])(
    '%s are never the answer to the next request',
    async (_when, steps) => {
      const door = await startDoor({
        upstream: { answer: (request, number) => (number === 0 ? steps : answerFor(request)) },
      });
      const client = await door.connect();
      await client.send(door.head('GET /first'));
      await client.waitFor('the first answer', (bytes) => bytes.includes('\r\n\r\n'));
      // At once, and not because it has been idle for long.
      await door.upstream.waitFor(
        'the connection is given up',
        ({ connections }) => connections[0]!.closed !== 'open',
        2000,
      );
      await client.send(door.head('GET /second', 'Connection: close'));
      expect((await client.waitForClose()).toString()).not.toContain('evil');
      expect(door.upstream.connections.map(({ requests }) => requests.length)).toEqual([1, 1]);
    },
  );

  it('are never the answer to a request that was already waiting', async () => {
    const evil =
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil';
    const door = await startDoor({
      upstream: {
        answer: (request, number) => (number === 0 ? [{ send: evil }] : answerFor(request)),
      },
    });
    const { text } = await door.talk([
      door.head('GET /1') + door.head('GET /2') + door.head('GET /3', 'Connection: close'),
    ]);
    expect(text).not.toContain('evil');
    expect(readResponses(Buffer.from(text, 'latin1')).map(statusOf)).toEqual([200, 200, 200]);
  });
});
