import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { issueClientCertificate, issueTls } from '../integration/door/certificates.ts';
import { answerFor, type Door, startDoor } from '../integration/door/door.ts';
import { readResponses, statusOf } from '../support/http-bytes.ts';
import { type RawUpstreamOptions, startRawUpstream } from '../support/raw-upstream.ts';
import { requireOrSkip } from '../support/system.ts';

async function statusOfCall(
  door: Door,
  line: string,
  ...fields: readonly string[]
): Promise<number> {
  const { text } = await door.talk(
    [door.head(line, 'Connection: close', ...fields)],
    [line.split(' ')[0]!],
  );
  return statusOf(readResponses(Buffer.from(text, 'latin1'), [line.split(' ')[0]!]).at(-1)!);
}

describe('a kept connection that the upstream closes when the next request comes', () => {
  /** The first answer on each connection keeps it; the second request on it finds it dead. */
  const dying: RawUpstreamOptions = {
    answer: (request, number) => (number === 1 ? [{ reset: true }] : answerFor(request)),
  };

  it('costs a request that may be repeated a second try, and only one record', async () => {
    const door = await startDoor({ upstream: dying });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    expect(await statusOfCall(door, 'GET /second')).toBe(200);
    expect(door.upstream.requests.map(({ line }) => line.split(' ')[1])).toEqual([
      '/first',
      '/second',
      '/second',
    ]);
    expect((await door.eventsOf('/second')).map(({ phase }) => phase)).toEqual([
      'decision',
      'outcome',
    ]);
  });

  it('costs a POST its answer: it is never sent twice', async () => {
    const door = await startDoor({ upstream: dying });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    expect(await statusOfCall(door, 'POST /second', 'Content-Length: 0')).toBe(502);
    expect(door.upstream.requests.map(({ line }) => line.split(' ')[1])).toEqual([
      '/first',
      '/second',
    ]);
  });

  it('is not what a connection is that has begun to answer', async () => {
    const door = await startDoor({
      upstream: {
        answer: (request, number) =>
          number === 1
            ? [{ send: 'HTTP/1.1 2' }, { waitMs: 30 }, { reset: true }]
            : answerFor(request),
      },
    });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    expect(await statusOfCall(door, 'GET /second')).toBe(502);
    expect(door.upstream.requests).toHaveLength(2);
  });

  it('is not tried more than twice', async () => {
    const door = await startDoor({
      upstream: {
        answer: (request, number) => (number === 0 ? answerFor(request) : [{ reset: true }]),
      },
    });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    expect(await statusOfCall(door, 'GET /second')).toBe(502);
    expect(door.upstream.requests.map(({ line }) => line.split(' ')[1])).toEqual([
      '/first',
      '/second',
      '/second',
    ]);
  });

  it('is noticed when it closes before that, and not used', async () => {
    const door = await startDoor({
      upstream: {
        answer: (request, number) => [
          ...answerFor(request),
          ...(number === 0 ? [{ end: true } as const] : []),
        ],
      },
    });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    await door.upstream.waitFor(
      'the close',
      ({ connections }) => connections[0]!.closed !== 'open',
    );
    expect(await statusOfCall(door, 'POST /second', 'Content-Length: 0')).toBe(200);
    expect(door.upstream.requests).toHaveLength(2);
  });
});

describe('several addresses', () => {
  it('share the work, and one that refuses connections costs nobody an answer, a POST included', async () => {
    const second = await startRawUpstream({ answer: answerFor });
    try {
      const other = await startRawUpstream();
      const dead = other.url;
      await other.stop();
      const shared = await startDoor({ upstreamConfig: { addresses: [dead, second.url] } });
      for (let number = 0; number < 6; number += 1)
        expect(await statusOfCall(shared, `POST /${number}`, 'Content-Length: 0')).toBe(200);
      expect(second.requests.map(({ line }) => line.split(' ')[1])).toEqual([
        '/0',
        '/1',
        '/2',
        '/3',
        '/4',
        '/5',
      ]);
    } finally {
      await second.stop();
    }
  });

  it('are used in turn while both have the same to do', async () => {
    const second = await startRawUpstream({ answer: answerFor });
    try {
      const first = await startRawUpstream({ answer: answerFor });
      const door = await startDoor({ upstreamConfig: { addresses: [first.url, second.url] } });
      for (let number = 0; number < 6; number += 1)
        expect(await statusOfCall(door, `GET /${number}`)).toBe(200);
      expect([first.requests.length, second.requests.length]).toEqual([3, 3]);
      await first.stop();
    } finally {
      await second.stop();
    }
  });

  it('that all refuse are a 502', async () => {
    const door = await startDoor({
      upstreamConfig: { addresses: ['http://127.0.0.1:1', 'http://127.0.0.1:2'] },
    });
    const { text } = await door.talk([door.head('GET /none', 'Connection: close')]);
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(text).toContain('Proxy-Status: sallyport; error=connection_refused');
    const [, outcome] = await door.eventsOf('/none');
    expect([outcome!.reason, outcome!.upstreamStatus]).toEqual(['upstream-unreachable', undefined]);
  });

  it('that do not answer the connection in time are a 502, not a hang', async () => {
    // TLS is spoken to a server that accepts and stays silent.
    const door = await startDoor();
    const silent = door.upstream.url.replace('http:', 'https:');
    const tls = await startDoor({ upstreamConfig: { addresses: [silent], connectTimeoutMs: 300 } });
    expect(await statusOfCall(tls, 'GET /silent')).toBe(502);
    const [, outcome] = await tls.eventsOf('/silent');
    expect(outcome!.reason).toBe('upstream-unreachable');
    // What arrived there is a handshake and not a request; the ledger need not look at it.
    door.upstream.clear();
    await door.upstream.stop();
  });
});

describe('TLS to the upstream', () => {
  it('is spoken with the CA that is configured, and one connection serves many calls', async () => {
    const { server, client } = await issueTls();
    const door = await startDoor({
      upstream: { tls: server },
      upstreamConfig: { tls: { ...client, serverName: 'localhost' } },
    });
    for (let number = 0; number < 3; number += 1)
      expect(await statusOfCall(door, `GET /${number}`)).toBe(200);
    expect(door.upstream.connections).toHaveLength(1);
  });

  it.each([
    ['another CA', async () => ({ tls: (await issueTls()).client })],
    ['the CAs of the system', async () => ({})],
    [
      'another name',
      async (own: { caFile: string }) => ({ tls: { ...own, serverName: 'other.test' } }),
    ],
  ])(
    'is a 502 when it is measured by %s, and not a byte of the request is sent',
    async (_what, config) => {
      const { server, client } = await issueTls();
      const door = await startDoor({
        upstream: { tls: server },
        upstreamConfig: await config(client),
      });
      expect(await statusOfCall(door, 'POST /secret', 'Content-Length: 0')).toBe(502);
      expect(door.upstream.bytes).toHaveLength(0);
      const [, outcome] = await door.eventsOf('/secret');
      expect(outcome!.reason).toBe('upstream-unreachable');
    },
  );

  it('shows the client certificate where one is asked for', async (ctx) => {
    requireOrSkip(ctx, 'openssl');
    const { server, client } = await issueTls();
    const own = issueClientCertificate();
    const mutual = {
      ...server,
      requestCert: true,
      rejectUnauthorized: true,
      ca: readFileSync(own.certificateFile),
    };
    const door = await startDoor({
      upstream: { tls: mutual },
      upstreamConfig: { tls: { ...client, ...own } },
    });
    expect(await statusOfCall(door, 'GET /mutual')).toBe(200);
    const without = await startDoor({ upstream: { tls: mutual }, upstreamConfig: { tls: client } });
    expect(await statusOfCall(without, 'GET /mutual')).toBe(502);
    expect(without.upstream.requests).toHaveLength(0);
  });
});
