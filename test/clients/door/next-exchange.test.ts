import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { answerFor, type Door, startDoor } from '../../integration/door/door.ts';
import type { RouteText } from '../../support/gateway.ts';
import { readResponses, statusOf, valuesOf } from '../../support/http-bytes.ts';
import { exchange, type RawClient } from '../../support/raw-client.ts';
import type { Step } from '../../support/raw-upstream.ts';

/** Bytes that would be an answer, if anybody took them for one. */
const FORGED = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';

/**
 * An upstream that sends the first answer and, once the test says so, bytes that belong to none;
 * then answers as it should.
 */
function lateBytes(first: string): { go: () => void; answer: typeof answerFor } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let answered = 0;
  const answer: typeof answerFor = (request) => {
    answered += 1;
    if (answered > 1) return answerFor(request);
    return [{ send: first }, { until: promise }, { send: FORGED }];
  };
  return { go: resolve, answer };
}

async function answerTo(client: RawClient, door: Door, line: string): Promise<string> {
  const before = client.bytes.length;
  await client.send(door.head(line));
  const whole = (bytes: Buffer) => /(for \S+|forged)$/.test(bytes.toString('latin1', before));
  return (await client.waitFor('the answer', whole)).toString('latin1', before);
}

describe('bytes of one exchange that an upstream sends late', () => {
  it.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['HEAD', 'HTTP/1.1 404 Not Found\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\nContent-Length: 60\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('as the body of an answer to %s that has none (%j) are nobody’s', async (method, first) => {
    const { go, answer } = lateBytes(first);
    const door = await startDoor({ upstream: { answer } });
    const one = await door.connect([method]);
    await one.send(door.head(`${method} /one`));
    await one.waitFor('the head', (bytes) => bytes.includes('\r\n\r\n'));
    const two = await door.connect();
    const second = answerTo(two, door, 'GET /two');
    await door.upstream.waitFor('the second request', ({ requests }) => requests.length === 2);
    go();
    expect(await second).not.toContain('forged');
    expect(door.upstream.connections).toHaveLength(2);
  });

  it('do not come after a HEAD that announces none, and the connection serves on', async () => {
    const empty: Step[] = [{ send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' }];
    const door = await startDoor({
      upstream: {
        answer: (request) => (request.line.startsWith('HEAD ') ? empty : answerFor(request)),
      },
    });
    const client = await door.connect(['HEAD', 'GET']);
    await client.send(door.head('HEAD /one'));
    await client.waitFor('the head', (bytes) => bytes.includes('\r\n\r\n'));
    await answerTo(client, door, 'GET /two');
    expect(door.upstream.connections).toHaveLength(1);
  });

  it.each(['Content-Length: 60', 'Transfer-Encoding: chunked'])(
    'as the body of an interim answer (%s) make it a broken one',
    async (field) => {
      const interim = `HTTP/1.1 103 Early Hints\r\n${field}\r\n\r\n`;
      const door = await startDoor({ upstream: { answer: () => [{ send: interim + FORGED }] } });
      const { text } = await door.talk([door.head('GET /one', 'Connection: close')]);
      expect(text).toMatch(/^HTTP\/1\.1 502 /);
      expect(text).not.toContain('forged');
    },
  );
});

describe('an answer before the end of its request', () => {
  it('is the last on its connection, also when the rest of the request followed', async () => {
    const early = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    const { promise, resolve } = Promise.withResolvers<void>();
    const door = await startDoor({
      upstream: {
        answerAt: 'head',
        answer: (request, number) =>
          number === 0
            ? [{ send: early }, { until: promise }, { send: '0\r\n\r\n' }]
            : answerFor(request),
      },
    });
    const client = await door.connect(['POST']);
    await client.send(door.head('POST /one', 'Content-Length: 8'), 'half');
    await client.waitFor('the head', (bytes) => bytes.includes('\r\n\r\n'));
    await client.send('half');
    await door.upstream.waitFor('the whole request', ({ requests }) => requests.length === 1);
    resolve();
    await client.waitForClose();
    const { text } = await door.talk([door.head('GET /two', 'Connection: close')]);
    expect(text).toMatch(/for \S+$/);
    expect(door.upstream.connections).toHaveLength(2);
  });
});

describe('a body where there usually is none', () => {
  const routes: readonly RouteText[] = [
    {
      name: 'all',
      path: '/**',
      methods: ['GET', 'DELETE'],
      bodyOn: ['DELETE'],
      application: 'any',
      permission: 'test:all',
      upstream: 'raw',
    },
  ];

  it('goes on a connection that is not used again, whatever the upstream says', async () => {
    const door = await startDoor({ gateway: { routes } });
    const client = await door.connect(['DELETE', 'GET', 'GET']);
    const before = client.bytes.length;
    await client.send(`${door.head('DELETE /one', 'Content-Length: 4')}body`);
    await client.waitFor('the answer', (bytes) =>
      /for \S+$/.test(bytes.toString('latin1', before)),
    );
    await answerTo(client, door, 'GET /two');
    await answerTo(client, door, 'GET /three');
    const [deletion, ...gets] = door.upstream.requests;
    expect(valuesOf(deletion!, 'connection')).toEqual(['close']);
    expect(deletion!.body.toString()).toBe('body');
    expect(gets.flatMap((request) => valuesOf(request, 'connection'))).toEqual([]);
    expect(door.upstream.connections.map(({ requests }) => requests.length)).toEqual([1, 2]);
  });
});

describe('what follows a refused tunnel', () => {
  const NEXT = 'GET /tunnelled HTTP/1.1\r\nHost: a\r\n\r\n';

  it.each([
    ['CONNECT', 'CONNECT /one', [], 405],
    ['Upgrade', 'GET /one', ['Connection: Upgrade', 'Upgrade: websocket'], 200],
    ['Upgrade without Connection', 'GET /one', ['Upgrade: h2c'], 200],
  ])(
    '(%s) is not read as a request: the connection closes',
    async (_what, line, fields, status) => {
      const door = await startDoor();
      const { text } = await door.talk([door.head(line, ...fields) + NEXT], [line.split(' ')[0]!]);
      const answers = readResponses(Buffer.from(text, 'latin1'), [line.split(' ')[0]!]);
      expect(answers.map(statusOf)).toEqual([status]);
      expect(valuesOf(answers[0]!, 'connection')).toEqual(['close']);
      expect(door.upstream.requests.filter(({ line }) => line.includes('tunnelled'))).toEqual([]);
    },
  );

  it.each(['GET', 'CONNECT'])('(%s) is not read on the other listeners either', async (method) => {
    const door = await startDoor({ tls: true, gateway: { admin: {} } });
    const { caFile, gateway, opsUrl } = door.gate;
    const tls = { ca: readFileSync(caFile), servername: 'localhost' };
    const target = method === 'GET' ? '/livez' : 'a:1';
    const fields = method === 'GET' ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : '';
    const pieces = [`${method} ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n${NEXT}`];
    for (const options of [
      { port: Number(new URL(opsUrl).port) },
      { port: gateway.addresses.admin!.port, tls },
    ]) {
      const { text } = await exchange({ ...options, pieces });
      // The operations listener has no word for CONNECT; the other one refuses it.
      expect(text.split('HTTP/1.1 ').length - 1).toBeLessThanOrEqual(1);
    }
  });
});
