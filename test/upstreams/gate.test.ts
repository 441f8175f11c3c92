import { describe, expect, it, onTestFinished } from 'vitest';
import { answerFor, type Door, startDoor } from '../integration/door/door.ts';
import { freePort } from '../support/free-port.ts';
import { readResponses, statusOf } from '../support/http-bytes.ts';
import {
  OK,
  type RawUpstream,
  type RawUpstreamOptions,
  startRawUpstream,
} from '../support/raw-upstream.ts';

async function upstream(options: RawUpstreamOptions = {}): Promise<RawUpstream> {
  const started = await startRawUpstream({ answer: answerFor, ...options });
  onTestFinished(() => started.stop());
  return started;
}

async function statusOfCall(
  door: Door,
  line: string,
  fields: readonly string[] = [],
  ...body: readonly string[]
): Promise<number> {
  const method = line.split(' ')[0]!;
  const { text } = await door.talk(
    [door.head(line, 'Connection: close', ...fields), ...body],
    [method],
  );
  return statusOf(readResponses(Buffer.from(text, 'latin1'), [method]).at(-1)!);
}

const EMPTY = [{ send: 'HTTP/1.1 204 X\r\n\r\n' }];

const bodies = ({ requests }: RawUpstream) =>
  requests.map(({ line, body }) => `${line.split(' ')[0]} ${body.toString()}`);

describe('a request that was never sent', () => {
  it.each([
    ['POST', ['Content-Length: 5'], ['hello']],
    ['POST', ['Content-Length: 5'], ['he', 'llo']],
    ['PATCH', ['Transfer-Encoding: chunked'], ['5\r\nhello\r\n', '0\r\n\r\n']],
    ['PUT', ['Content-Length: 5', 'Expect: 100-continue'], ['hello']],
  ])(
    'goes to another address, whatever its method, with its whole body (%s, %s)',
    async (method, fields, body) => {
      const url = `http://127.0.0.1:${await freePort()}`;
      const second = await upstream();
      const door = await startDoor({ upstreamConfig: { addresses: [url, second.url] } });
      expect(await statusOfCall(door, `${method} /a`, fields, ...body)).toBe(200);
      expect(await statusOfCall(door, `${method} /b`, fields, ...body)).toBe(200);
      expect(bodies(second)).toEqual([`${method} hello`, `${method} hello`]);
    },
  );
});

describe('a further try', () => {
  it('goes to another place than the one that failed, while there is another', async () => {
    // Its kept connections are dead and new ones are refused, as while a server is restarted. Each
    // is found out by a call of its own.
    const leaving = await startRawUpstream({ answer: answerFor });
    const staying = await upstream();
    const door = await startDoor({
      upstreamConfig: {
        addresses: [leaving.url, staying.url],
        ejection: { baseMs: 100, maxMs: 100 },
      },
    });
    const both = () =>
      Promise.all(['/a', '/b', '/c', '/d'].map((p) => statusOfCall(door, `GET ${p}`)));
    expect(await both()).toEqual([200, 200, 200, 200]);
    expect(leaving.requests.length).toBeGreaterThan(0);
    await leaving.stop();
    for (let round = 0; round < 10; round += 1) expect(await both()).toEqual([200, 200, 200, 200]);
  });
});

describe('a request whose kept connection dies', () => {
  /** The second request on a connection finds it dead. */
  const dying = {
    answer: (request: Parameters<typeof answerFor>[0], number: number) =>
      number === 1 ? [{ reset: true as const }] : answerFor(request),
  };

  it.each(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])(
    'is sent again when it is %s',
    async (method) => {
      const door = await startDoor({
        upstream: { answer: (_head, number) => (number === 1 ? [{ reset: true }] : EMPTY) },
      });
      expect(await statusOfCall(door, 'GET /first')).toBe(204);
      expect(await statusOfCall(door, `${method} /second`)).toBe(204);
      expect(door.upstream.requests).toHaveLength(3);
    },
  );

  it.each([
    ['POST', [], []],
    ['PATCH', [], []],
    ['PUT', ['Content-Length: 5'], ['hello']],
    ['PUT', ['Transfer-Encoding: chunked'], ['5\r\nhello\r\n0\r\n\r\n']],
  ])('is not sent again when it is %s with %s', async (method, fields, body) => {
    const door = await startDoor({ upstream: dying });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    expect(await statusOfCall(door, `${method} /second`, fields, ...body)).toBe(502);
    expect(door.upstream.requests.filter(({ line }) => line.includes('/second'))).toHaveLength(1);
  });

  it('is not sent again when the connection was new', async () => {
    const door = await startDoor({ upstream: { answer: () => [{ reset: true }] } });
    expect(await statusOfCall(door, 'GET /only')).toBe(502);
    expect(door.upstream.requests).toHaveLength(1);
  });

  it('is not sent again when the upstream was silent for too long: it may be at work', async () => {
    const slow = {
      answer: (request: Parameters<typeof answerFor>[0], number: number) =>
        number === 1 ? [] : answerFor(request),
    };
    const door = await startDoor({ upstream: slow, upstreamConfig: { responseTimeoutMs: 1500 } });
    expect(await statusOfCall(door, 'GET /first')).toBe(200);
    expect(await statusOfCall(door, 'GET /second')).toBe(504);
    expect(door.upstream.requests).toHaveLength(2);
  });
});

describe('an interim answer of HTTP/1.0, which knows none', () => {
  it('is a broken one', async () => {
    const interim = 'HTTP/1.0 100 Continue\r\n\r\n';
    const door = await startDoor({ upstream: { answer: () => [{ send: interim }, ...OK] } });
    expect(await statusOfCall(door, 'GET /a')).toBe(502);
  });
});

describe('an address that is left out', () => {
  it('is seen in the metrics, in the readiness and in the log, and does not make the instance unready', async () => {
    const one = await upstream({
      answer: ({ line }) => [
        {
          send: `HTTP/1.1 ${line.includes('/healthz') ? 500 : 200} X\r\nContent-Length: 0\r\n\r\n`,
        },
      ],
    });
    const healthCheck = {
      path: '/healthz',
      intervalMs: 100,
      timeoutMs: 20_000,
      unhealthyAfter: 1,
      healthyAfter: 1,
    };
    const second = await upstream();
    const door = await startDoor({
      upstreamConfig: { addresses: [one.url, second.url], healthCheck },
    });
    const healthy = async () =>
      [
        ...(await door.gate.gateway.metrics.text()).matchAll(
          /^sallyport_upstream_healthy\{(.*)\} (\d)$/gm,
        ),
      ].map((match) => `${match[1]} ${match[2]}`);
    await expect
      .poll(healthy, { timeout: 30_000 })
      .toEqual([
        `upstream="raw",address="127.0.0.1:${one.port}" 0`,
        `upstream="raw",address="127.0.0.1:${second.port}" 1`,
      ]);
    const response = await fetch(`${door.gate.opsUrl}/readyz`);
    const { ready, checks } = (await response.json()) as {
      ready: boolean;
      checks: readonly unknown[];
    };
    expect([response.status, ready]).toEqual([200, true]);
    expect(checks).toContainEqual({
      name: 'upstreams',
      state: 'warning',
      why: 'raw: 1 of 2 addresses fail',
    });
    const said = door.gate.log
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line.upstream !== undefined);
    expect(said).toEqual([
      expect.objectContaining({
        level: 'warn',
        upstream: 'raw',
        address: `127.0.0.1:${one.port}`,
        why: 'status 500',
      }),
    ]);
    for (let number = 0; number < 4; number += 1)
      expect(await statusOfCall(door, `GET /${number}`)).toBe(200);
    expect(second.requests.filter(({ line }) => !line.includes('/healthz'))).toHaveLength(4);
  });
});
