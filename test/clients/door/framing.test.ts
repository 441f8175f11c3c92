import { describe, expect, it } from 'vitest';
import { answerFor, startDoor } from '../../integration/door/door.ts';
import { type MessageHead, readResponses, statusOf, valuesOf } from '../../support/http-bytes.ts';
import type { Step } from '../../support/raw-upstream.ts';

const send = (...pieces: readonly string[]): Step[] => pieces.map((piece) => ({ send: piece }));
const DATE = 'Date: Tue, 24 Nov 2026 06:00:00 GMT\r\n';

describe('a request body', () => {
  it('of a given length arrives under that length, and chunks arrive as chunks of ours', async () => {
    const door = await startDoor();
    const client = await door.connect(['POST', 'POST']);
    await client.send(door.head('POST /length', 'Content-Length: 11'), 'hello', 5, ' world');
    await client.waitFor('the first answer', (bytes) => bytes.includes('for '));
    await client.send(
      door.head('POST /chunks', 'Transfer-Encoding: chunked', 'Connection: close'),
      '5;a=b;c="d"\r\nhel',
      5,
      'lo\r\n',
    );
    await client.send('0006\r\n world\r\n0\r\nX-Account-Id: 1\r\n\r\n');
    expect(readResponses(await client.waitForClose()).map(statusOf)).toEqual([200, 200]);
    const [length, chunks] = door.upstream.requests;
    expect([length!.body.toString(), chunks!.body.toString()]).toEqual([
      'hello world',
      'hello world',
    ]);
    expect([valuesOf(length!, 'content-length'), valuesOf(length!, 'transfer-encoding')]).toEqual([
      ['11'],
      [],
    ]);
    expect([valuesOf(chunks!, 'content-length'), valuesOf(chunks!, 'transfer-encoding')]).toEqual([
      [],
      ['chunked'],
    ]);
    // No trailer of a name of ours, and no extension (the recorder calls those a fault).
    expect(chunks!.trailers).toEqual([]);
    const [decision, outcome] = await door.eventsOf('/chunks');
    expect([decision!.reason, outcome!.reason, outcome!.requestBytes]).toEqual([
      'permitted',
      'permitted',
      11,
    ]);
  });

  it('of an empty POST is declared when the client declares it, and not otherwise', async () => {
    const door = await startDoor();
    await door.talk([door.head('POST /empty', 'Content-Length: 0', 'Connection: close')], ['POST']);
    await door.talk([door.head('POST /none', 'Connection: close')], ['POST']);
    await door.talk(
      [
        `${door.head('POST /no-chunk', 'Transfer-Encoding: chunked', 'Connection: close')}0\r\n\r\n`,
      ],
      ['POST'],
    );
    const [empty, none, noChunk] = door.upstream.requests;
    expect(valuesOf(empty!, 'content-length')).toEqual(['0']);
    expect([valuesOf(none!, 'content-length'), valuesOf(none!, 'transfer-encoding')]).toEqual([
      [],
      [],
    ]);
    expect(valuesOf(noChunk!, 'transfer-encoding')).toEqual(['chunked']);
    expect(noChunk!.body).toHaveLength(0);
  });

  it('that is no valid body is refused, and the upstream does not take it for a whole one', async () => {
    const door = await startDoor();
    const { text } = await door.talk(
      [door.head('POST /broken', 'Transfer-Encoding: chunked'), '5\r\nhello\r\n', 20, 'x\r\n'],
      ['POST'],
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 .*\r\n/);
    expect(text).toContain('Connection: close');
    expect(door.upstream.requests).toHaveLength(0);
    const [, outcome] = await door.eventsOf('/broken');
    expect([outcome!.reason, outcome!.status, outcome!.requestBytes]).toEqual([
      'request-malformed',
      400,
      5,
    ]);
  });
});

describe('Expect: 100-continue', () => {
  it('is answered by 100 once the call is permitted, and the body goes upstream', async () => {
    const door = await startDoor();
    const client = await door.connect(['POST']);
    await client.send(
      door.head('POST /up', 'Content-Length: 4', 'Expect: 100-continue', 'Connection: close'),
    );
    await client.waitFor('100', (bytes) =>
      bytes.toString().startsWith('HTTP/1.1 100 Continue\r\n\r\n'),
    );
    await client.send('body');
    expect(readResponses(await client.waitForClose()).map(statusOf)).toEqual([100, 200]);
    expect(valuesOf(door.upstream.requests[0]!, 'expect')).toEqual([]);
  });

  it('is not answered by 100 when the request is refused', async () => {
    const door = await startDoor();
    const head =
      'POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n';
    const { text } = await door.talk([head], ['POST']);
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(text).toContain('Connection: close');
  });

  it('is answered by 100 before anybody upstream is asked, once', async () => {
    const door = await startDoor({ upstreamConfig: { addresses: ['http://127.0.0.1:1'] } });
    const client = await door.connect(['POST']);
    await client.send(door.head('POST /up', 'Content-Length: 4', 'Expect: 100-continue'));
    await client.waitFor('100', (bytes) => bytes.includes('\r\n\r\n'));
    await client.send('body');
    expect(readResponses(await client.waitForClose()).map(statusOf)).toEqual([100, 502]);
  });

  it('is not answered by 100 when the body is already there', async () => {
    const door = await startDoor();
    const request = `${door.head('POST /up', 'Content-Length: 4', 'Expect: 100-continue', 'Connection: close')}body`;
    const { text } = await door.talk([request], ['POST']);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('with another expectation is refused', async () => {
    const door = await startDoor();
    const { text } = await door.talk(
      [door.head('POST /up', 'Content-Length: 4', 'Expect: tea')],
      ['POST'],
    );
    expect(text).toMatch(/^HTTP\/1\.1 417 /);
  });
});

describe('an answer', () => {
  const answers: Record<string, readonly Step[]> = {
    '/length': send('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'),
    '/chunked': send(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhel',
      'lo\r\n0\r\nX-Trailer: gone\r\n\r\n',
    ),
    '/to-the-end': [...send('HTTP/1.1 200 OK\r\n\r\nhel', 'lo'), { end: true }],
    '/old': [...send('HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello'), { end: true }],
    '/old-to-the-end': [...send('HTTP/1.0 200 OK\r\n\r\nhello'), { end: true }],
    '/empty': send('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'),
    '/204': send('HTTP/1.1 204 No Content\r\n\r\n'),
    '/304': send(`HTTP/1.1 304 Not Modified\r\n${DATE}Content-Length: 1234\r\n\r\n`),
  };
  const answer = (request: MessageHead) =>
    answers[request.line.split(' ')[1]!] ?? answerFor(request);

  it.each(['/length', '/chunked', '/to-the-end', '/old', '/old-to-the-end'])(
    '%s is whole',
    async (path) => {
      const door = await startDoor({ upstream: { answer } });
      const client = await door.connect();
      await client.send(door.head(`GET ${path}`));
      await client.waitFor('the end', (bytes) => /hello$|0\r\n\r\n$/.test(bytes.toString()));
      // The framing alone must have told the end: the connection goes on.
      await client.send(door.head('GET /empty', 'Connection: close'));
      const [first, second] = readResponses(await client.waitForClose());
      expect(first!.body.toString()).toBe('hello');
      expect(first!.trailers).toEqual([]);
      expect(statusOf(second!)).toBe(200);
      const [, outcome] = await door.eventsOf(path);
      expect([
        outcome!.reason,
        outcome!.status,
        outcome!.upstreamStatus,
        outcome!.responseBytes,
      ]).toEqual(['permitted', 200, 200, 5]);
    },
  );

  it('without a body says so in a way that keeps the connection', async () => {
    const door = await startDoor({ upstream: { answer } });
    const methods = ['HEAD', 'GET', 'GET', 'GET', 'HEAD', 'GET'];
    const client = await door.connect(methods);
    const paths = ['/length', '/204', '/304', '/empty', '/chunked', '/length'];
    const requests = paths.map((path, index) =>
      door.head(`${methods[index]} ${path}`, ...(index === 5 ? ['Connection: close'] : [])),
    );
    await client.send(requests.join(''));
    // The HEAD of /length and /chunked is answered by the recorder with a body, which is what a
    // broken upstream does.
    const all = readResponses(await client.waitForClose(), methods);
    const lengths = all.map((message) => valuesOf(message, 'content-length').join());
    expect(all.map(statusOf)).toEqual([200, 204, 304, 200, 200, 200]);
    expect(lengths).toEqual(['5', '', '1234', '0', '', '5']);
    expect(all.map((message) => message.body.toString())).toEqual(['', '', '', '', '', 'hello']);
  });

  it('to HTTP/1.0 is not chunked, and ends with the connection', async () => {
    const door = await startDoor({ upstream: { answer } });
    for (const path of ['/chunked', '/length', '/to-the-end']) {
      const { text, closed } = await door.talk([
        `GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\nAuthorization: Bearer ${door.gate.token}\r\n\r\n`,
      ]);
      expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(text).not.toMatch(/chunked/i);
      expect(text).toMatch(/\r\n\r\nhello$/);
      expect(text).toContain('Connection: close\r\n');
      expect(closed).toBe('end');
    }
    expect(door.upstream.requests.map((request) => valuesOf(request, 'host').length)).toEqual([
      1, 1, 1,
    ]);
  });
});

describe('interim answers', () => {
  const early =
    'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-private\r\nX-Private: 1\r\n\r\n';

  it('are passed on (103), but for 100, which is ours to say', async () => {
    const door = await startDoor({
      upstream: {
        answer: (request) => [
          ...send(`HTTP/1.1 100 Continue\r\n\r\n${early}`, early),
          ...answerFor(request),
        ],
      },
    });
    const { text } = await door.talk([door.head('GET /hints', 'Connection: close')]);
    const all = readResponses(Buffer.from(text, 'latin1'));
    expect(all.map(statusOf)).toEqual([103, 103, 200]);
    expect(all[0]!.fields).toEqual([['Link', '</a.css>']]);
  });

  it('are kept from HTTP/1.0 clients', async () => {
    const door = await startDoor({
      upstream: { answer: (request) => [...send(early), ...answerFor(request)] },
    });
    const { text } = await door.talk([
      `GET /hints HTTP/1.0\r\nAuthorization: Bearer ${door.gate.token}\r\n\r\n`,
    ]);
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each([
    [
      '101, which nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    ],
    ['a flood', early.repeat(200)],
  ])('make a broken answer: %s', async (_what, bytes) => {
    const door = await startDoor({ upstream: { answer: () => send(bytes) } });
    const { text } = await door.talk([
      door.head('GET /odd', 'Upgrade: websocket', 'Connection: Upgrade, close'),
    ]);
    const all = readResponses(Buffer.from(text, 'latin1'));
    expect(statusOf(all.at(-1)!)).toBe(502);
    expect(all.length).toBeLessThan(20);
    const [, outcome] = await door.eventsOf('/odd');
    expect(outcome!.reason).toBe('upstream-broken');
    await door.upstream.waitFor(
      'the connection is given up',
      ({ connections }) => connections[0]!.closed !== 'open',
    );
  });
});
