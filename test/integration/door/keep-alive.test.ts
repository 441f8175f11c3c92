import { describe, expect, it } from 'vitest';
import { readResponses, statusOf, valuesOf } from '../../support/http-bytes.ts';
import { answerFor, startDoor } from './door.ts';

const final = (count: number) => (bytes: Buffer) =>
  bytes.toString('latin1').split('HTTP/1.1 ').length > count &&
  /for \S+$/.test(bytes.toString('latin1'));

describe.each([{ tls: false }, { tls: true }])('a client connection (TLS: $tls)', ({ tls }) => {
  it('serves one request after the other, and so does the connection to the upstream', async () => {
    const door = await startDoor({ tls });
    const client = await door.connect();
    for (let number = 1; number <= 5; number += 1) {
      await client.send(door.head(`GET /call/${number}`));
      await client.waitFor(`answer ${number}`, final(number));
    }
    expect(readResponses(client.bytes, [], false).map(statusOf)).toEqual([200, 200, 200, 200, 200]);
    expect(client.closed).toBe('open');
    expect(door.upstream.connections).toHaveLength(1);
  });

  it('answers three requests of one write in their order', async () => {
    const slowFirst = (request: Parameters<typeof answerFor>[0], number: number) => [
      { waitMs: number === 0 ? 100 : 0 },
      ...answerFor(request),
    ];
    const door = await startDoor({ tls, upstream: { answer: slowFirst } });
    const client = await door.connect();
    await client.send(door.head('GET /1') + door.head('GET /2') + door.head('GET /3'));
    await client.waitFor('three answers', final(3));
    expect(door.upstream.requests.map(({ line }) => line.split(' ')[1])).toEqual([
      '/1',
      '/2',
      '/3',
    ]);
    const seen = readResponses(client.bytes, [], false).map((answer) => answer.body.toString());
    expect(seen).toEqual(
      door.upstream.requests.map((request) => `for ${valuesOf(request, 'x-request-id')[0]}`),
    );
  });

  it('refuses one of three in its place and goes on', async () => {
    const door = await startDoor({ tls });
    const client = await door.connect();
    await client.send(
      `${door.head('GET /1')}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n${door.head('GET /3', 'Connection: close')}`,
    );
    const answers = readResponses(await client.waitForClose());
    expect(answers.map(statusOf)).toEqual([200, 401, 200]);
    expect(door.upstream.requests.map(({ line }) => line.split(' ')[1])).toEqual(['/1', '/3']);
  });
});
