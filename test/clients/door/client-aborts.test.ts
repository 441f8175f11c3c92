import { describe, expect, it } from 'vitest';
import { answerFor, type Door, startDoor } from '../../integration/door/door.ts';
import type { RawClient } from '../../support/raw-client.ts';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n';

const HOW: readonly (readonly [string, (client: RawClient) => void])[] = [
  ['FIN', (client) => client.end()],
  ['RST', (client) => client.reset()],
];

/** Everything about the one call of a test, once its outcome is there. */
async function ending(door: Door, path: string) {
  const [decision, outcome] = await door.eventsOf(path);
  return {
    decision: decision?.reason,
    outcome: outcome?.reason,
    status: outcome?.status,
    requestBytes: outcome?.requestBytes,
  };
}

async function upstreamLetGo(door: Door): Promise<void> {
  await door.upstream.waitFor(
    'the gate gives its connection up',
    ({ connections }) => connections[0]?.closed !== 'open',
  );
}

describe.each([{ tls: false }, { tls: true }])('a client that goes away (TLS: $tls)', ({ tls }) => {
  describe.each(HOW)('by %s', (_how, leave) => {
    it('in its head leaves no record: there was no request', async () => {
      const door = await startDoor({ tls });
      const client = await door.connect();
      await client.send('GET /half HTTP/1.1\r\nHo', 30);
      leave(client);
      await client.waitForClose();
      expect((await door.gate.events()).filter(({ phase }) => phase === 'decision')).toEqual([]);
    });

    it('in its body stops the upload', async () => {
      const door = await startDoor({ tls });
      const client = await door.connect(['POST']);
      await client.send(door.head('POST /up', 'Content-Length: 1000'), 'part');
      await door.upstream.waitFor('the part', ({ bytes }) => bytes.includes('part'));
      leave(client);
      await upstreamLetGo(door);
      expect(await ending(door, '/up')).toEqual({
        decision: 'permitted',
        outcome: 'client-aborted',
        requestBytes: 4,
      });
      expect(door.upstream.requests).toHaveLength(0);
    });

    it('while the upstream thinks stops the wait', async () => {
      const door = await startDoor({ tls, upstream: { answer: () => [] } });
      const client = await door.connect(['POST']);
      // A body and further requests: what was read ahead must not hide that the client has gone.
      await client.send(
        `${door.head('POST /think', 'Content-Length: 4')}body${door.head('GET /next')}`,
      );
      await door.upstream.waitFor('the request', ({ requests }) => requests.length === 1);
      await client.send(door.head('GET /another'), 30);
      leave(client);
      await upstreamLetGo(door);
      expect(await ending(door, '/think')).toEqual({
        decision: 'permitted',
        outcome: 'client-aborted',
        requestBytes: 4,
      });
      expect(door.upstream.requests).toHaveLength(1);
    });

    it('in the answer stops the download', async () => {
      const door = await startDoor({ tls, upstream: { answer: () => [{ send: `${HEAD}some` }] } });
      const client = await door.connect();
      await client.send(door.head('GET /down'));
      await client.waitFor('some', (bytes) => bytes.includes('some'));
      leave(client);
      await upstreamLetGo(door);
      expect(await ending(door, '/down')).toMatchObject({ outcome: 'client-aborted', status: 200 });
    });
  });
});

describe('a client that goes away', () => {
  it('between two answers loses neither the record of the one nor begins the other', async () => {
    const door = await startDoor({
      upstream: { answer: (request, number) => (number === 0 ? answerFor(request) : []) },
    });
    const client = await door.connect();
    await client.send(door.head('GET /1') + door.head('GET /2') + door.head('GET /3'));
    await client.waitFor('the first answer', (bytes) => bytes.includes('for '));
    await door.upstream.waitFor('the second request', ({ requests }) => requests.length === 2);
    client.reset();
    await upstreamLetGo(door);
    expect(await ending(door, '/2')).toMatchObject({ outcome: 'client-aborted' });
    expect(await door.eventsOf('/3', 0)).toEqual([]);
  });

  it('after its last answer, still to be written, gets all of it', async () => {
    const body = Buffer.alloc(8_000_000, 'x');
    const door = await startDoor({
      upstream: {
        answer: () => [
          { send: `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n` },
          { send: body },
        ],
      },
    });
    const client = await door.connect();
    client.socket.pause();
    await client.send(door.head('GET /big'));
    // The upstream is done when the gate has the rest of the answer in its hands.
    client.socket.resume();
    await client.waitFor('the answer', (bytes) => bytes.length > body.length);
    client.end();
    await client.waitForClose();
    expect(await ending(door, '/big')).toMatchObject({ outcome: 'permitted' });
  });
});
