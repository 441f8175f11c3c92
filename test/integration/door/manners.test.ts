import { describe, expect, it } from 'vitest';
import { type MessageHead, readResponses, statusOf, valuesOf } from '../../support/http-bytes.ts';
import { answerFor, startDoor } from './door.ts';

/** What a standard asks of a gateway beside the framing, on the bytes that go over the wire. */

const answering = (...bytes: readonly string[]) => ({
  upstream: { answer: () => bytes.map((send) => ({ send })) },
});

describe('an answer from an upstream', () => {
  it('gets the date of its arrival if it has none (RFC 9110 §6.6.1)', async () => {
    const door = await startDoor(answering('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'));
    const { text } = await door.talk([door.head('GET /', 'Connection: close')]);
    expect(text.match(/^Date: /gm)).toHaveLength(1);
    expect(Math.abs(Date.parse(/Date: (.*)\r/.exec(text)![1]!) - Date.now())).toBeLessThan(60_000);
  });

  it('may have white space before colons, which goes no further (RFC 9112 §5.1)', async () => {
    const door = await startDoor(
      answering('HTTP/1.1 200 OK\r\nServer : old\r\nContent-Length\t: 5\r\n\r\nhello'),
    );
    const { text } = await door.talk([door.head('GET /', 'Connection: close')]);
    expect(text).toContain('\r\nServer: old\r\n');
    expect(text).toContain('\r\nContent-Length: 5\r\n');
    expect(text).toMatch(/hello$/);
  });

  it('may have tabs around its coding and white space in the lines of its chunk sizes', async () => {
    const door = await startDoor(
      answering(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding:\tchunked\t\r\n\r\n',
        '5  \r\nhello\r\n6 ; a = b\r\n world\r\n0 \r\n\r\n',
      ),
    );
    const { text } = await door.talk([door.head('GET /', 'Connection: close')]);
    expect(text).toContain('\r\nTransfer-Encoding: chunked\r\n');
    expect(readResponses(Buffer.from(text, 'latin1'))[0]!.body.toString()).toBe('hello world');
  });

  it('may have three hundred fields', async () => {
    const fields = Array.from({ length: 300 }, (_, index) => `X-${index}: v\r\n`).join('');
    const door = await startDoor(
      answering(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`),
    );
    const { text } = await door.talk([door.head('GET /', 'Connection: close')]);
    expect(text).toContain(fields);
  });

  it('may be hinted at by a 103 with connection fields, which stay here', async () => {
    const hint =
      'HTTP/1.1 103 Early Hints\r\nConnection: close, X-A\r\nX-A: 1\r\nKeep-Alive: 5\r\nLink: </a>\r\n\r\n';
    const door = await startDoor({
      upstream: { answer: (request) => [{ send: hint }, ...answerFor(request)] },
    });
    const { text } = await door.talk([
      door.head('GET /one'),
      door.head('GET /two', 'Connection: close'),
    ]);
    const all = readResponses(Buffer.from(text, 'latin1'));
    expect(all.map(statusOf)).toEqual([103, 200, 103, 200]);
    expect(all[0]!.fields).toEqual([['Link', '</a>']]);
    // Its connection was said to end, and is not used again.
    expect(door.upstream.connections).toHaveLength(2);
  });
});

describe('Via (RFC 9110 §7.6.3)', () => {
  const old = (request: MessageHead) => [
    ...answerFor(request).map((step) =>
      'send' in step ? { send: String(step.send).replace('HTTP/1.1', 'HTTP/1.0') } : step,
    ),
    { end: true } as const,
  ];

  it('names the protocol in which each message came', async () => {
    const door = await startDoor({ upstream: { answer: old } });
    const { text } = await door.talk([
      `GET / HTTP/1.0\r\nAuthorization: Bearer ${door.gate.token}\r\nVia: 1.1 inner\r\n\r\n`,
    ]);
    expect(text).toContain('\r\nVia: 1.0 sallyport\r\n');
    expect(valuesOf(door.upstream.requests[0]!, 'via')).toEqual(['1.1 inner, 1.0 sallyport']);
  });

  it('does not name this gate where the configuration says so', async () => {
    const proxy = { address: '127.0.0.1:0', plaintext: true, via: false };
    const door = await startDoor({
      gateway: { config: { listen: { proxy, ops: { address: '127.0.0.1:0' } } } },
    });
    const { text } = await door.talk([
      door.head('GET /one', 'Via: 1.1 inner'),
      door.head('GET /two', 'Connection: close'),
    ]);
    expect(text).not.toContain('Via');
    expect(door.upstream.requests.map((request) => valuesOf(request, 'via'))).toEqual([
      ['1.1 inner'],
      [],
    ]);
  });
});

describe('a request', () => {
  it('may have empty elements in Connection (RFC 9110 §5.6.1.2)', async () => {
    const door = await startDoor();
    const { text } = await door.talk([
      door.head('GET /one', 'Connection: , keep-alive,,X-Own, ', 'X-Own: 1'),
      door.head('GET /two', 'Connection: ,close,'),
    ]);
    expect(readResponses(Buffer.from(text, 'latin1')).map(statusOf)).toEqual([200, 200]);
    expect(valuesOf(door.upstream.requests[0]!, 'x-own')).toEqual([]);
  });

  it('may name its host with an empty port (RFC 9110 §7.2), which finds the route of that host', async () => {
    const routes = [
      {
        name: 'named',
        host: 'api.example',
        path: '/**',
        methods: ['GET'],
        application: 'any',
        permission: 'test:all',
        upstream: 'raw',
      },
    ];
    const door = await startDoor({ gateway: { routes } });
    const ask = (host: string) =>
      door.talk([
        `GET / HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${door.gate.token}\r\nConnection: close\r\n\r\n`,
      ]);
    expect((await ask('API.example:')).text).toMatch(/^HTTP\/1\.1 200 /);
    expect((await ask('other.example:')).text).toMatch(/^HTTP\/1\.1 404 /);
    expect(valuesOf(door.upstream.requests[0]!, 'host')).toEqual(['api.example']);
  });

  it('may be for a name that ends in a dot, which arrives as it is', async () => {
    const door = await startDoor();
    const { text } = await door.talk([
      door.head('GET /files/v1.'),
      door.head('GET /files/v1./a..?b=.'),
      door.head('GET /files/.../a'),
    ]);
    expect(readResponses(Buffer.from(text, 'latin1')).map(statusOf)).toEqual([200, 200, 400]);
    expect(door.upstream.requests.map(({ line }) => line)).toEqual([
      'GET /files/v1. HTTP/1.1',
      'GET /files/v1./a..?b=. HTTP/1.1',
    ]);
  });
});

describe('OPTIONS', () => {
  const routes = ['GET', 'OPTIONS'].map((method) => ({
    name: method.toLowerCase(),
    path: '/**',
    methods: [method],
    application: 'any',
    permission: 'test:all',
    upstream: 'raw',
  }));

  it('* is answered by the gate to whoever is known (RFC 9110 §9.3.7), and recorded', async () => {
    const door = await startDoor();
    const { text } = await door.talk(
      [
        door.head('OPTIONS *'),
        door.head('OPTIONS *', 'Content-Length: 1', 'Connection: close'),
        'x',
      ],
      ['OPTIONS', 'OPTIONS'],
    );
    const [known, withBody] = readResponses(Buffer.from(text, 'latin1'));
    expect([statusOf(known!), statusOf(withBody!)]).toEqual([200, 400]);
    expect(valuesOf(known!, 'allow')).toEqual(['GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS']);
    expect(valuesOf(known!, 'content-length')).toEqual(['0']);
    const stranger = await door.talk(
      ['OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n'],
      ['OPTIONS'],
    );
    expect(stranger.text).toMatch(/^HTTP\/1\.1 401 /);
    expect(stranger.text).not.toContain('Allow:');
    expect(door.upstream.requests).toHaveLength(0);
    const events = await door.eventsOf('*');
    expect(events.map((event) => [event.phase, event.reason])).toContainEqual([
      'decision',
      'permitted',
    ]);
    expect(events.find((event) => event.phase === 'outcome')).toMatchObject({ status: 200 });
  });

  it('goes no further than Max-Forwards says (RFC 9110 §7.6.2)', async () => {
    const door = await startDoor({ gateway: { routes } });
    const { text } = await door.talk(
      [
        door.head('OPTIONS /a', 'Max-Forwards: 2'),
        door.head('OPTIONS /b', 'Max-Forwards: 1'),
        door.head('OPTIONS /c', 'Max-Forwards: 0'),
        door.head('GET /d', 'Max-Forwards: 0'),
        door.head('OPTIONS /e', 'Max-Forwards: no'),
      ],
      ['OPTIONS', 'OPTIONS', 'OPTIONS', 'GET', 'OPTIONS'],
    );
    const all = readResponses(Buffer.from(text, 'latin1'), ['GET', 'GET', 'GET', 'GET', 'GET']);
    expect(all.map(statusOf)).toEqual([200, 200, 200, 200, 400]);
    expect(valuesOf(all[2]!, 'allow')).toEqual(['GET, OPTIONS']);
    expect(
      door.upstream.requests.map((request) => [request.line, valuesOf(request, 'max-forwards')]),
    ).toEqual([
      ['OPTIONS /a HTTP/1.1', ['1']],
      ['OPTIONS /b HTTP/1.1', ['0']],
      ['GET /d HTTP/1.1', ['0']],
    ]);
    const [decision, outcome] = await door.eventsOf('/c');
    expect([decision!.reason, outcome!.reason, outcome!.status]).toEqual([
      'permitted',
      'permitted',
      200,
    ]);
  });
});
