import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import {
  type AuditEvent,
  type GatewayOptions,
  owner,
  startGateway,
  type TestGateway,
} from '../support/gateway.ts';
import { connectRaw, exchange, type RawClient } from '../support/raw-client.ts';
import {
  acceptOf,
  agreement,
  closeFrame,
  echo,
  frame,
  handshake,
  KEY,
  type Switched,
  type SwitchingUpstream,
  startSwitching,
} from '../support/websocket.ts';

interface Scene {
  readonly gate: TestGateway;
  readonly upstream: SwitchingUpstream;
}

type Answer = (connection: Switched) => void;

/** What the shared upstream does; each test says it anew. */
let answer: Answer;
let shared: Scene;
let own: Scene[] = [];
let names = 0;
/** Of the test that runs. */
let path = '';

beforeAll(async () => {
  shared = await begin((connection) => answer(connection));
});

beforeEach(() => {
  names += 1;
  path = `/ws/${names}`;
  shared.upstream.forget();
});

afterEach(async () => {
  const scenes = own;
  own = [];
  for (const scene of scenes) await end(scene);
});

afterAll(() => end(shared));

async function end({ gate, upstream }: Scene): Promise<void> {
  await gate.stop();
  await upstream.stop();
  expect(gate.log.filter((line) => line.includes('inside the gate'))).toEqual([]);
}

async function begin(does?: Answer, options: Partial<GatewayOptions> = {}): Promise<Scene> {
  const upstream = await startSwitching(does);
  const route = { application: 'any', permission: 'test:all', upstream: 'up' };
  const upgrade = ['websocket', 'x-bytes'];
  const gate = await startGateway({
    upstreams: { up: { addresses: [upstream.url] } },
    routes: [
      { name: 'ws', path: '/ws/**', methods: ['GET', 'POST'], upgrade, ...route },
      { name: 'plain', path: '/plain', methods: ['GET'], ...route },
    ],
    plaintext: true,
    ...options,
  });
  return { gate, upstream };
}

/** The shared gate, with an upstream that does this; one of its own where it needs options. */
async function open(does: Answer = echo, options?: Partial<GatewayOptions>): Promise<Scene> {
  answer = does;
  if (options === undefined) return shared;
  const scene = await begin(does, options);
  own.push(scene);
  return scene;
}

const HEAD_END = '\r\n\r\n';

async function tunnel(
  gate: TestGateway,
  fields: readonly string[] = [],
  token = gate.token,
): Promise<RawClient> {
  const client = await connectRaw({ port: gate.port });
  await client.send(handshake(token, { path, fields }));
  await client.waitFor('the 101', (bytes) => bytes.includes(HEAD_END));
  expect(client.bytes.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
  return client;
}

/** What came behind the head. */
function behind(client: RawClient): Buffer {
  return client.bytes.subarray(client.bytes.indexOf(HEAD_END) + HEAD_END.length);
}

function answerTo(gate: TestGateway, head: string): Promise<{ text: string; closed: string }> {
  return exchange({ port: gate.port, pieces: [head] });
}

async function another(gate: TestGateway): Promise<{ name: string; token: string }> {
  const name = `another-${names}`;
  const { token } = await gate.createAccount({ name, role: 'tester' });
  return { name, token };
}

/** Of the one call that this test has made. */
async function outcomeOf(gate: TestGateway): Promise<AuditEvent> {
  const found = async () => {
    const events = await gate.events();
    const decision = events.find((event) => event.path === path);
    expect(decision).toMatchObject({ phase: 'decision', door: 'tunnel' });
    return events.find((event) => event.phase === 'outcome' && event.id === decision!.id);
  };
  await expect.poll(found, { timeout: 30_000, interval: 20 }).toBeDefined();
  return (await found())!;
}

describe('a handshake', () => {
  it('that is valid becomes a tunnel of bytes, recorded with its bytes', async () => {
    const { gate, upstream } = await open();
    const client = await tunnel(gate, [
      'Sec-WebSocket-Protocol: chat',
      'Sec-WebSocket-Extensions: x',
    ]);
    const head = client.bytes.toString('latin1');
    expect(head).toMatch(/\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
    expect(head).toContain(`Sec-WebSocket-Accept: ${acceptOf(KEY)}\r\n`);
    expect(head).not.toMatch(/content-length|transfer-encoding/i);
    await client.send(frame('hello'));
    await client.waitFor('the echo', () => behind(client).equals(frame('hello')));
    client.end();
    await client.waitForClose();
    const [asked] = upstream.connections;
    expect(asked!.head).toMatch(/\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
    expect(asked!.head).toContain('Sec-WebSocket-Protocol: chat\r\n');
    expect(asked!.head).toContain(`X-Account-Id: ${gate.account.id}\r\n`);
    expect(asked!.head).not.toMatch(/authorization/i);
    expect(await outcomeOf(gate)).toMatchObject({
      door: 'tunnel',
      reason: 'permitted',
      status: 101,
      upstreamStatus: 101,
      requestBytes: 7,
      responseBytes: 7,
    });
  });

  const bad: Readonly<Record<string, readonly string[]>> = {
    'has no key': ['Sec-WebSocket-Key: -'],
    'has two keys': [`Sec-WebSocket-Key: ${KEY}`, `Sec-WebSocket-Key: ${KEY}`],
    'has a key of 15 bytes': ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA'],
    'has a key that is base64 in two ways': ['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR=='],
    'is of version 8': ['Sec-WebSocket-Version: 8'],
    'has two versions': ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 13'],
    'has no Connection: upgrade': ['Connection: keep-alive'],
    'lets Connection take its key away': ['Connection: upgrade, sec-websocket-key'],
    'asks for two protocols': ['Upgrade: websocket, h2c'],
    'asks for two protocols in two fields': ['Upgrade: websocket', 'Upgrade: x-bytes'],
    'has a body': ['Content-Length: 5'],
    'has a chunked body': ['Transfer-Encoding: chunked'],
  };
  it.each(Object.entries(bad))(
    'that %s is refused, and nothing reaches the upstream',
    async (_, fields) => {
      const { gate, upstream } = await open();
      const { text, closed } = await answerTo(
        gate,
        `${handshake(gate.token, { path, fields })}hello`,
      );
      expect(text).toMatch(/^HTTP\/1\.1 400 /);
      expect(text).toContain('"reason":"upgrade-refused"');
      expect(text).toMatch(/\r\nSec-WebSocket-Version: 13\r\n/);
      expect(text).toMatch(/\r\nConnection: close\r\n/);
      expect(closed).toBe('end');
      expect(upstream.connections).toEqual([]);
    },
  );

  it('with POST is refused', async () => {
    const { gate, upstream } = await open();
    const { text } = await answerTo(gate, handshake(gate.token, { path }).replace('GET', 'POST'));
    expect(text).toContain('"reason":"upgrade-refused"');
    expect(upstream.connections).toEqual([]);
  });

  it('without a token is answered as any request, and closes the connection', async () => {
    const { gate, upstream } = await open();
    const { text } = await answerTo(gate, handshake('x', { path, fields: ['Authorization: -'] }));
    expect(text).toMatch(/^HTTP\/1\.1 401 /);
    expect(text).toContain('"reason":"token-missing"');
    expect(upstream.connections).toEqual([]);
  });

  it('for h2c, or on a route that takes none, is served as if nothing had been asked', async () => {
    const { gate, upstream } = await open(({ socket }) =>
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    );
    const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABk'];
    for (const head of [
      handshake(gate.token, { path, fields: h2c }),
      handshake(gate.token, { path: '/plain' }),
      handshake(gate.token, { path }).replace('HTTP/1.1', 'HTTP/1.0'),
    ]) {
      // What follows the head is no request: it was meant for a tunnel.
      const { text } = await answerTo(gate, `${head}GET /plain HTTP/1.1\r\nHost: a\r\n\r\n`);
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    }
    expect(upstream.connections).toHaveLength(3);
    for (const { head, bytes } of upstream.connections) {
      expect(head).not.toMatch(/^(?:upgrade|connection|http2-settings):/im);
      expect(bytes).toHaveLength(0);
    }
  });
});

describe('bytes of the client before the 101', () => {
  it('reach the upstream after it, in order', async () => {
    let agree: (() => void) | undefined;
    const { gate, upstream } = await open(({ socket, head }) => {
      agree = () => socket.write(agreement(head));
    });
    const client = await connectRaw({ port: gate.port });
    await client.send(handshake(gate.token, { path }), 'early ', 20, 'bytes');
    await expect.poll(() => agree, { timeout: 30_000 }).toBeDefined();
    expect(upstream.connections[0]!.bytes).toHaveLength(0);
    agree!();
    await expect
      .poll(() => upstream.connections[0]!.bytes.toString(), { timeout: 30_000 })
      .toBe('early bytes');
    client.close();
  });

  it.each([
    ['200', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', '200'],
    ['403', 'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno', '403'],
    [
      '426',
      'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n',
      '426',
    ],
    [
      '101 without accept',
      'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      '502',
    ],
    [
      '101 with the accept of another key',
      `HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf('AAAAAAAAAAAAAAAAAAAAAA==')}\r\n\r\n`,
      '502',
    ],
    ['101 for another protocol', agreement(`Upgrade: h2c\r\nSec-WebSocket-Key: ${KEY}`), '502'],
    [
      '101 without Connection',
      agreement(`Upgrade: websocket\r\nSec-WebSocket-Key: ${KEY}`).replace(
        'Connection: upgrade\r\n',
        '',
      ),
      '502',
    ],
    [
      '101 with a body',
      agreement(`Upgrade: websocket\r\nSec-WebSocket-Key: ${KEY}`).replace(
        '\r\n',
        '\r\nContent-Length: 5\r\n',
      ),
      '502',
    ],
  ])('reach no upstream that says %s; the connection closes', async (_, answer, status) => {
    const { gate, upstream } = await open(({ socket }) => socket.write(answer));
    const { text, closed } = await answerTo(
      gate,
      `${handshake(gate.token, { path })}GET /plain HTTP/1.1\r\n\r\n`,
    );
    expect(text.slice(9, 12)).toBe(status);
    expect(text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(closed).toBe('end');
    await expect.poll(() => upstream.connections[0]!.ended, { timeout: 30_000 }).toBe(true);
    expect(upstream.connections[0]!.bytes).toHaveLength(0);
    expect(upstream.connections).toHaveLength(1);
  });

  it('are held within bounds while the upstream does not answer', async () => {
    const { gate, upstream } = await open(() => {});
    const client = await connectRaw({ port: gate.port });
    await client.send(handshake(gate.token, { path }));
    const flood = Buffer.alloc(64 * 1024);
    let taken = 0;
    while (taken < 256 * 1024 * 1024 && client.socket.write(flood)) taken += flood.length;
    // The kernel's buffers fill, and nobody empties them.
    await expect
      .poll(() => upstream.connections.length === 1 && client.socket.writableLength > 0, {
        timeout: 30_000,
      })
      .toBe(true);
    expect(upstream.connections[0]!.bytes).toHaveLength(0);
    client.close();
  });
});

it('an upstream that sends 101 to a request that asked for nothing is a broken one', async () => {
  const { gate } = await open(({ socket, head }) => socket.write(agreement(head)));
  const plain = handshake(gate.token, { path: '/plain' });
  const { text } = await answerTo(gate, plain.replace('Connection: Upgrade', 'Connection: close'));
  expect(text).toContain('"reason":"upstream-broken"');
});

describe('a tunnel', () => {
  it('ends with code 1008 before the revocation of its token is acknowledged', async () => {
    const { gate, upstream } = await open();
    const { name, token } = await another(gate);
    const client = await tunnel(gate, [], token);
    await client.send(frame('a'));
    await client.waitFor('the echo', () => behind(client).length === 3);
    await gate.administration.rotateToken(owner, { name });
    await client.send(frame('b'));
    await client.waitForClose();
    expect(behind(client)).toEqual(Buffer.concat([frame('a'), closeFrame(1008)]));
    await expect.poll(() => upstream.connections[0]!.closed, { timeout: 30_000 }).toBe(true);
    expect(upstream.connections[0]!.bytes).toEqual(frame('a'));
    expect(await outcomeOf(gate)).toMatchObject({ reason: 'token-revoked', status: 101 });
  });

  it('is reset where a frame of its upstream is under way', async () => {
    const { gate } = await open(({ socket, head }) => {
      socket.write(agreement(head));
      socket.write(frame('long message').subarray(0, 5));
    });
    const { name, token } = await another(gate);
    const client = await tunnel(gate, [], token);
    await client.waitFor('half a frame', () => behind(client).length === 5);
    await gate.administration.rotateToken(owner, { name });
    await client.waitForClose();
    expect(client.closed).toBe('reset');
    expect(behind(client)).toHaveLength(5);
  });

  it('of another protocol passes its bytes unread, and is reset', async () => {
    const { gate } = await open();
    const { name, token } = await another(gate);
    const client = await tunnel(gate, ['Upgrade: x-bytes', 'Sec-WebSocket-Key: -'], token);
    const bytes = Buffer.from([0x88, 0, 1, 2, 255]);
    await client.send(bytes);
    await client.waitFor('the echo', () => behind(client).equals(bytes));
    await gate.administration.rotateToken(owner, { name });
    await client.waitForClose();
    expect(client.closed).toBe('reset');
  });

  it('ends with code 1012 when its gate closes, at the end of the frame under way', async () => {
    let rest: (() => void) | undefined;
    const message = frame('long message');
    const { gate, upstream } = await open(({ socket, head }) => {
      socket.write(agreement(head));
      socket.write(message.subarray(0, 5));
      rest = () => socket.write(message.subarray(5));
    }, {});
    const client = await tunnel(gate);
    await client.waitFor('half a frame', () => behind(client).length === 5);
    const closed = gate.gateway.close();
    await client.send('the last of the client');
    await expect
      .poll(() => upstream.connections[0]!.bytes.length, { timeout: 30_000 })
      .toBeGreaterThan(0);
    rest!();
    await client.waitForClose();
    await closed;
    expect(behind(client)).toEqual(Buffer.concat([message, closeFrame(1012)]));
    expect(upstream.connections[0]!.bytes.toString()).toBe('the last of the client');
  });

  type Change = Readonly<Record<string, unknown>>;
  const reroute = (gate: TestGateway, change: Change, ...further: readonly Change[]) => {
    const tree = JSON.parse(gate.text) as { routes: Readonly<Record<string, unknown>>[] };
    const changed = tree.routes.map((route) => ({ ...route, ...change }));
    const routes = [...changed, ...further.map((route) => ({ ...tree.routes[0], ...route }))];
    const text = JSON.stringify({ ...tree, routes });
    gate.gateway.reload(parseConfig(text, join(gate.dataDir, 'test.yaml')).config);
  };

  it.each<[string, Change, ...Change[]]>([
    ['its protocol away', { upgrade: ['x-bytes'] }],
    ['the permission away that it was decided by', { permission: 'test:other' }],
    [
      'its path for a more specific route',
      {},
      { name: 'own', path: '/ws/x/**', permission: 'x:y' },
    ],
    ['its path for a route without tunnels', {}, { name: 'n', path: '/ws/x/**', upgrade: [] }],
  ])('ends with code 1012 when a reload takes %s', async (_what, change, ...further) => {
    path = `/ws/x/${names}`;
    const { gate, upstream } = await open(echo, {
      routes: [
        {
          ...{ name: 'ws', path: '/ws/**', methods: ['GET'], upgrade: ['websocket'] },
          ...{ application: 'any', permission: 'test:all', upstream: 'up' },
        },
      ],
    });
    const client = await tunnel(gate);
    await client.send(frame('a'));
    await client.waitFor('the echo', () => behind(client).length === 3);
    reroute(gate, { headers: { remove: ['X-Debug'] } });
    await client.send(frame('b'));
    await client.waitFor('the echo', () => behind(client).length === 6);
    reroute(gate, change, ...further);
    await client.waitForClose();
    expect(behind(client)).toEqual(Buffer.concat([frame('a'), frame('b'), closeFrame(1012)]));
    await expect.poll(() => upstream.connections[0]!.closed, { timeout: 30_000 }).toBe(true);
    expect(await outcomeOf(gate)).toMatchObject({ reason: 'upgrade-refused', status: 101 });
  });

  it('ends with code 1001 when both sides are silent', async () => {
    const { gate } = await open(echo, { limits: { tunnelIdleMs: 1000 } });
    const client = await tunnel(gate);
    await client.waitForClose();
    expect(behind(client)).toEqual(closeFrame(1001));
    expect(await outcomeOf(gate)).toMatchObject({ reason: 'request-timeout', status: 101 });
  });

  it('delivers what its client sent before it ended its direction', async () => {
    const { gate, upstream } = await open(({ socket, head }) => {
      socket.write(agreement(head));
      socket.pause();
      setTimeout(() => socket.resume(), 200);
    });
    const client = await tunnel(gate);
    const sent = Buffer.alloc(3 * 1024 * 1024, 7);
    void client.send(sent).then(() => client.end());
    await expect.poll(() => upstream.connections[0]!.ended, { timeout: 30_000 }).toBe(true);
    expect(upstream.connections[0]!.bytes.equals(sent)).toBe(true);
  });

  it('delivers what its upstream sent before it ended its direction', async () => {
    const sent = Buffer.alloc(3 * 1024 * 1024, 7);
    const { gate } = await open(({ socket, head }) => {
      socket.write(agreement(head));
      socket.end(sent);
    });
    const client = await tunnel(gate);
    client.socket.pause();
    setTimeout(() => client.socket.resume(), 200);
    await client.waitForClose();
    expect(behind(client).equals(sent)).toBe(true);
    expect(client.closed).toBe('end');
  });

  it('holds its upstream back while the client does not read', async () => {
    let sent = 0;
    const { gate } = await open(({ socket, head }) => {
      socket.write(agreement(head));
      const piece = Buffer.alloc(64 * 1024);
      const more = () => {
        while (sent < 256 * 1024 * 1024) {
          sent += piece.length;
          if (!socket.write(piece)) return void socket.once('drain', more);
        }
      };
      more();
    });
    const client = await connectRaw({ port: gate.port });
    await client.send(handshake(gate.token, { path }));
    await client.waitFor('the 101', (bytes) => bytes.includes(HEAD_END));
    client.socket.pause();
    let before = -1;
    await expect
      .poll(
        () => {
          const stands = sent === before;
          before = sent;
          return stands;
        },
        { timeout: 30_000, interval: 300 },
      )
      .toBe(true);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
    client.close();
  });

  it('is reset where its client does not read', async () => {
    const { gate, upstream } = await open(({ socket, head }) => {
      socket.write(agreement(head));
      socket.write(frame(Buffer.alloc(32 * 1024 * 1024), 2));
    });
    const { name, token } = await another(gate);
    const client = await connectRaw({ port: gate.port });
    await client.send(handshake(token, { path }));
    await client.waitFor('the 101', (bytes) => bytes.includes(HEAD_END));
    client.socket.pause();
    await gate.administration.rotateToken(owner, { name });
    await expect.poll(() => upstream.connections[0]!.closed, { timeout: 30_000 }).toBe(true);
    client.socket.resume();
    await client.waitForClose();
    expect(client.closed).toBe('reset');
    expect(behind(client).length).toBeLessThan(32 * 1024 * 1024);
  });

  it('is refused beyond those of its account, and counted', async () => {
    const { gate } = await open(echo, { limits: { tunnelsPerAccount: 1 } });
    const metric = async () =>
      /^sallyport_tunnels_open (\d+)$/m.exec(
        await (await fetch(`${gate.opsUrl}/metrics`)).text(),
      )?.[1];
    const client = await tunnel(gate);
    expect(await metric()).toBe('1');
    const second = await answerTo(gate, handshake(gate.token, { path }));
    expect(second.text).toContain('"reason":"overloaded"');
    client.close();
    await expect.poll(metric, { timeout: 30_000 }).toBe('0');
    (await tunnel(gate)).close();
  });
});

it('has its share of the connections until its upstream has ended it, too', async () => {
  const { gate, upstream } = await open(
    ({ socket, head }) => {
      socket.removeAllListeners('end');
      socket.write(agreement(head));
    },
    // One at a time.
    { limits: { accountShare: 0.001 } },
  );
  const status = async () => {
    const pieces = [handshake(gate.token, { path })];
    const { text } = await exchange({
      port: gate.port,
      pieces,
      until: (bytes) => bytes.includes(HEAD_END),
    });
    return text.slice(9, 12);
  };
  (await tunnel(gate)).close();
  await outcomeOf(gate);
  expect(await status()).toBe('503');
  upstream.connections[0]!.socket.end();
  await expect.poll(status, { timeout: 30_000 }).toBe('101');
});

it('is not let in by a proxy that only asks', async () => {
  const { gate } = await open(echo, { decision: {} });
  const { port } = gate.gateway.addresses.decision!;
  const question = `GET /auth-request HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${gate.token}\r\nX-Original-Method: GET\r\nX-Original-URL: https://api.test/ws/x\r\nConnection: close\r\n\r\n`;
  const { text } = await exchange({ port, pieces: [question] });
  expect(text).toMatch(/^HTTP\/1\.1 403 /);
});
