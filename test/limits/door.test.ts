import { describe, expect, it } from 'vitest';
import { startDoor } from '../integration/door/door.ts';
import { readResponses, statusOf } from '../support/http-bytes.ts';
import { connectRaw } from '../support/raw-client.ts';
import { undisturbed } from '../support/undisturbed.ts';

const limits = (values: Readonly<Record<string, number>>) => ({ gateway: { limits: values } });

describe('time', () => {
  it('for a head runs from its first byte: 408 however steadily it drips', async () => {
    const door = await startDoor(limits({ headTimeoutMs: 500 }));
    const client = await door.connect();
    const head = 'GET /slow HTTP/1.1\r\nHost: a\r\nX-Slow: ';
    await client.send(head);
    for (let sent = 0; sent < 60 && client.closed === 'open'; sent += 1) await client.send('x', 50);
    const text = (await client.waitForClose()).toString();
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(text).toContain('Connection: close');
    const [decision] = (await door.gate.events()).filter(({ phase }) => phase === 'decision');
    expect([decision!.reason, decision!.status, decision!.account]).toEqual([
      'request-timeout',
      408,
      null,
    ]);
  });

  it('for a body runs from its last byte: a slow one arrives, a silent one is a 408', async () => {
    const door = await startDoor(limits({ idleTimeoutMs: 2000 }));
    const slow = await door.connect(['POST']);
    await slow.send(door.head('POST /slow', 'Content-Length: 16', 'Connection: close'));
    for (const letter of 'a letter a while') await slow.send(letter, 150);
    expect(readResponses(await slow.waitForClose()).map(statusOf)).toEqual([200]);
    const { text, closed } = await door.talk(
      [door.head('POST /silent', 'Content-Length: 6'), 'up'],
      ['POST'],
    );
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(closed).toBe('end');
    const [, outcome] = await door.eventsOf('/silent');
    expect([outcome!.reason, outcome!.status, outcome!.requestBytes]).toEqual([
      'request-timeout',
      408,
      2,
    ]);
    expect(door.upstream.requests).toHaveLength(1);
  });

  it('without a request ends in a close without a word', async () => {
    const door = await startDoor(limits({ idleTimeoutMs: 400, headTimeoutMs: 300 }));
    const never = await door.talk([]);
    expect([never.text, never.closed]).toEqual(['', 'end']);
    // One whose head does not leave in time, because this process stood still, is closed like the
    // other.
    await undisturbed(async () => {
      const client = await door.connect();
      await client.send(door.head('GET /one'));
      const bytes = await client.waitForClose();
      expect(readResponses(bytes).map(statusOf)).toEqual([200]);
      expect(client.closed).toBe('end');
    });
  });
});

describe('size', () => {
  it('of a body: 413 for what is declared too large, before anything goes upstream', async () => {
    const door = await startDoor(limits({ bodyBytes: 1000 }));
    const { text } = await door.talk(
      [door.head('POST /declared', 'Content-Length: 1001')],
      ['POST'],
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(door.upstream.connections).toHaveLength(0);
    const [decision] = await door.eventsOf('/declared', 1);
    expect([decision!.decision, decision!.reason]).toEqual(['refusal', 'body-too-large']);
  });

  it('of a body: 413 for chunks that become too large, and the upstream never sees a whole one', async () => {
    const door = await startDoor(limits({ bodyBytes: 1000 }));
    const chunk = `c8\r\n${'x'.repeat(200)}\r\n`;
    const { text } = await door.talk(
      [
        door.head('POST /fits', 'Transfer-Encoding: chunked', 'Connection: close'),
        ...Array(5).fill(chunk),
        '0\r\n\r\n',
      ],
      ['POST'],
    );
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    // Many chunks in one packet, and one by one.
    for (const pieces of [[chunk.repeat(50)], Array(50).fill(chunk)]) {
      const large = await door.talk(
        [door.head('POST /large', 'Transfer-Encoding: chunked'), ...pieces, '0\r\n\r\n'],
        ['POST'],
      );
      expect(large.text).toMatch(/^HTTP\/1\.1 413 /);
      expect(large.closed).toBe('end');
    }
    const [, outcome] = await door.eventsOf('/large');
    expect([outcome!.reason, outcome!.status]).toEqual(['body-too-large', 413]);
    expect(door.upstream.requests).toHaveLength(1);
  });

  it('of a head, and of a target', async () => {
    const door = await startDoor(limits({ headBytes: 4096, targetBytes: 1000 }));
    const cases = [
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(5000)}\r\n\r\n`, 431],
      [`GET /${'x'.repeat(1001)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
      [`GET /${'x'.repeat(9000)}`, 414],
      [`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(200)}\r\n`, 431],
      ['GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n', 400],
      ['GET / HTTP/2.0\r\nHost: a\r\n\r\n', 505],
      ['BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n', 501],
    ] as const;
    for (const [bytes, status] of cases) {
      const { text, closed } = await door.talk([bytes]);
      expect([text.slice(9, 12), closed], JSON.stringify(bytes.slice(0, 60))).toEqual([
        String(status),
        'end',
      ]);
      expect(text).toContain('Connection: close');
    }
    expect(door.upstream.connections).toHaveLength(0);
    expect((await door.gate.events()).filter(({ phase }) => phase === 'decision')).toHaveLength(
      cases.length,
    );
  });

  it('of the number of connections: one too many is closed, TLS ones count once, and room that is left is used', async () => {
    for (const tls of [false, true]) {
      // The one too many says nothing, for so long.
      const door = await startDoor({ tls, ...limits({ connections: 3, headTimeoutMs: 2_000 }) });
      const clients = [await door.connect(), await door.connect(), await door.connect()];
      for (const client of clients) {
        await client.send(door.head('GET /in'));
        await client.waitFor('an answer', (bytes) => bytes.includes('for '));
      }
      const extra = await connectRaw({ port: door.gate.port });
      await extra.waitForClose();
      clients[0]!.close();
      const next = await (async () => {
        for (let attempt = 0; ; attempt += 1) {
          const client = await door.connect().catch(() => null);
          await client?.send(door.head('GET /again'));
          const bytes = await client
            ?.waitFor('an answer', (seen) => seen.includes('for '))
            .catch(() => null);
          if (bytes || attempt === 50) return bytes;
        }
      })();
      expect(next).toBeTruthy();
    }
  });
});

describe('what follows a valid request', () => {
  it('is judged for itself: garbage is refused in its place, and nothing after it is read', async () => {
    const door = await startDoor();
    const { text, closed } = await door.talk([
      `${door.head('GET /valid')}garbage\r\n\r\n${door.head('GET /after')}`,
    ]);
    const answers = readResponses(Buffer.from(text, 'latin1'));
    expect(answers.map(statusOf)).toEqual([200, 400]);
    expect(closed).toBe('end');
    expect(door.upstream.requests).toHaveLength(1);
  });

  it('a body that is longer than declared is the next request, and refused as what it is', async () => {
    const door = await startDoor();
    const { text } = await door.talk(
      [`${door.head('POST /five', 'Content-Length: 5')}hello GET /smuggled HTTP/1.1\r\n\r\n`],
      ['POST', 'GET'],
    );
    expect(readResponses(Buffer.from(text, 'latin1'), ['POST', 'GET']).map(statusOf)).toEqual([
      200, 400,
    ]);
    expect(door.upstream.requests.map((request) => request.body.toString())).toEqual(['hello']);
  });
});

describe('plain HTTP on the TLS port', () => {
  const plain = async (door: Awaited<ReturnType<typeof startDoor>>, bytes: string) => {
    const client = await connectRaw({ port: door.gate.port });
    await client.send(bytes);
    const text = (await client.waitForClose()).toString();
    client.close();
    return text;
  };

  it('is refused, and a token seen there is flagged as exposed', async () => {
    const door = await startDoor({ tls: true });
    const text = await plain(door, door.head('GET /clear'));
    expect(text).toMatch(/^HTTP\/1\.1 403 /);
    expect(text).toContain('plaintext-refused');
    const [decision] = await door.eventsOf('/clear', 1);
    expect(decision).toMatchObject({
      reason: 'plaintext-refused',
      exposed: true,
      account: null,
      claimedAccountId: door.gate.account.id,
    });
    expect(
      door.gate.log.some(
        (line) => line.includes('rotate it') && line.includes(door.gate.account.id),
      ),
    ).toBe(true);
    expect(door.gate.log.join('') + JSON.stringify(await door.gate.events())).not.toContain(
      door.gate.token,
    );
  });

  it('without a token, or without a valid head, is refused without that flag', async () => {
    const door = await startDoor({ tls: true });
    for (const bytes of [
      'GET /none HTTP/1.1\r\nHost: a\r\n\r\n',
      'EHLO mail\r\n\r\n',
      'GET /bad HTTP/1.1\r\n\r\n',
    ]) {
      expect(await plain(door, bytes)).toContain('plaintext-refused');
    }
    const decisions = (await door.gate.events()).filter(({ phase }) => phase === 'decision');
    expect(decisions.map(({ reason, exposed }) => [reason, exposed])).toEqual(
      Array(3).fill(['plaintext-refused', undefined]),
    );
  });
});
