import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayOptions, owner, startGateway, type TestGateway } from '../support/gateway.ts';
import {
  agreement,
  closeFrame,
  echo,
  frame,
  type Switched,
  type SwitchingUpstream,
  startSwitching,
} from '../support/websocket.ts';

let answer: (connection: Switched) => void;
let upstream: SwitchingUpstream;
let gate: TestGateway;
let session: ClientHttp2Session;

async function begin(options: Partial<GatewayOptions> = {}): Promise<TestGateway> {
  const route = { application: 'any', permission: 'test:all', upstream: 'up', methods: ['GET'] };
  return startGateway({
    upstreams: { up: { addresses: [upstream.url] } },
    routes: [
      { name: 'ws', path: '/ws', upgrade: ['websocket'], ...route },
      { name: 'plain', path: '/plain', ...route },
      { name: 'public', path: '/public', access: 'public', upstream: 'up' },
    ],
    http2: { enabled: true },
    ...options,
  });
}

async function sessionTo({ url, caFile }: TestGateway): Promise<ClientHttp2Session> {
  const made = connect(url, { ca: readFileSync(caFile) });
  made.on('error', () => {});
  await once(made, 'remoteSettings');
  return made;
}

beforeAll(async () => {
  upstream = await startSwitching((connection) => answer(connection));
  gate = await begin();
  session = await sessionTo(gate);
});

beforeEach(() => {
  answer = echo;
  upstream.forget();
});

afterAll(async () => {
  session.destroy();
  await gate.stop();
  await upstream.stop();
  expect(gate.log.filter((line) => line.includes('inside the gate'))).toEqual([]);
});

interface Tunnel {
  readonly stream: ClientHttp2Stream;
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly bytes: () => Buffer;
  readonly closed: Promise<unknown>;
}

const connectTo = (token: string) => ({
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'https',
  ':path': '/ws',
  ':authority': 'api.test',
  'sec-websocket-version': '13',
  authorization: `Bearer ${token}`,
});

async function ask(
  fields: Readonly<Record<string, string>> = {},
  { token = gate.token, on = session } = {},
): Promise<Tunnel> {
  const stream = on.request({ ...connectTo(token), ...fields });
  const pieces: Buffer[] = [];
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  stream.on('error', () => {});
  const closed = once(stream, 'close');
  const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
  return {
    stream,
    status: Number(headers[':status']),
    headers,
    bytes: () => Buffer.concat(pieces),
    closed,
  };
}

it('is offered, and becomes a WebSocket of HTTP/1.1 towards the upstream', async () => {
  expect(session.remoteSettings.enableConnectProtocol).toBe(true);
  const tunnel = await ask({ 'sec-websocket-protocol': 'chat' });
  expect(tunnel.status).toBe(200);
  expect(tunnel.headers['sec-websocket-accept']).toBeUndefined();
  tunnel.stream.write(frame('hello'));
  await expect.poll(() => tunnel.bytes(), { timeout: 30_000 }).toEqual(frame('hello'));
  tunnel.stream.end();
  await tunnel.closed;
  const { head, bytes } = upstream.connections[0]!;
  expect(head).toMatch(/^GET \/ws HTTP\/1\.1\r\n/);
  expect(head).toMatch(/\r\nSec-WebSocket-Key: [A-Za-z0-9+/]{22}==\r\n/);
  expect(head).toMatch(/\r\nsec-websocket-protocol: chat\r\n/i);
  expect(head).toContain(`X-Account-Id: ${gate.account.id}\r\n`);
  expect(bytes).toEqual(frame('hello'));
  const events = await gate.events();
  expect(events.find(({ phase }) => phase === 'decision')).toMatchObject({ door: 'tunnel' });
});

it.each([
  ['for another protocol', { ':protocol': 'connect-udp' }, 'upgrade-refused'],
  ['on a route that takes none', { ':path': '/plain' }, 'upgrade-refused'],
  ['on a public route', { ':path': '/public' }, 'upgrade-refused'],
  ['of another version', { 'sec-websocket-version': '8' }, 'upgrade-refused'],
  ['with a body', { 'content-length': '5' }, 'upgrade-refused'],
  ['with a key', { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' }, 'upgrade-refused'],
  ['without a token', { authorization: 'Basic x' }, 'token-missing'],
])('%s is refused, and nothing reaches the upstream', async (_, fields, reason) => {
  const tunnel = await ask(fields);
  await tunnel.closed;
  expect(JSON.parse(tunnel.bytes().toString()).reason).toBe(reason);
  expect(upstream.connections).toEqual([]);
});

it('is no tunnel where the upstream says 200: the client would take it for one', async () => {
  answer = ({ socket }) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const tunnel = await ask();
  await tunnel.closed;
  expect(tunnel.status).toBe(502);
  expect(JSON.parse(tunnel.bytes().toString()).reason).toBe('upstream-broken');
});

it('passes a refusal of the upstream on', async () => {
  answer = ({ socket }) => socket.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
  const tunnel = await ask();
  await tunnel.closed;
  expect([tunnel.status, tunnel.bytes().toString()]).toEqual([403, 'no']);
});

it('sends nothing of the client before the upstream has agreed', async () => {
  let agree: (() => void) | undefined;
  answer = ({ socket, head }) => {
    agree = () => socket.write(agreement(head));
  };
  const stream = session.request(connectTo(gate.token));
  stream.on('error', () => {});
  stream.write('early');
  await expect.poll(() => agree, { timeout: 30_000 }).toBeDefined();
  // The gate has read what came with this one, too.
  await once(session.request({ ':path': '/nowhere' }), 'response');
  expect(upstream.connections[0]!.bytes).toHaveLength(0);
  agree!();
  await expect
    .poll(() => upstream.connections[0]!.bytes.toString(), { timeout: 30_000 })
    .toBe('early');
  stream.close();
});

it('ends with its token, by code 1008, and others of the connection go on', async () => {
  const { token } = await gate.createAccount({ name: 'another', role: 'tester' });
  const ending = await ask({}, { token });
  const other = await ask();
  await gate.administration.rotateToken(owner, { name: 'another' });
  await ending.closed;
  expect(ending.bytes()).toEqual(closeFrame(1008));
  other.stream.write(frame('still here'));
  await expect.poll(() => other.bytes(), { timeout: 30_000 }).toEqual(frame('still here'));
  other.stream.close();
});

it('is given up once its client does not take the last word', async () => {
  const own = await begin({ limits: { idleTimeoutMs: 1000 } });
  const on = connect(own.url, { ca: readFileSync(own.caFile), settings: { initialWindowSize: 0 } });
  on.on('error', () => {});
  await once(on, 'remoteSettings');
  try {
    const tunnel = await ask({}, { token: own.token, on });
    await own.administration.rotateToken(owner, { id: own.account.id });
    await tunnel.closed.catch(() => {}); // by a reset
    expect(tunnel.bytes()).toHaveLength(0);
  } finally {
    on.destroy();
    await own.stop();
  }
});

it('passes 3 MiB in both directions to whoever reads late', async () => {
  const sent = Buffer.alloc(3 * 1024 * 1024, 'ab');
  const tunnel = await ask();
  tunnel.stream.pause();
  tunnel.stream.write(sent);
  setTimeout(() => tunnel.stream.resume(), 200);
  await expect.poll(() => tunnel.bytes().length, { timeout: 30_000 }).toBe(sent.length);
  expect(tunnel.bytes().equals(sent)).toBe(true);
  tunnel.stream.close();
});

it('ends with code 1012 when the gate closes, and with code 1001 in silence', async () => {
  const own = await begin({ limits: { tunnelIdleMs: 1000 } });
  const on = await sessionTo(own);
  try {
    const silent = await ask({}, { token: own.token, on });
    await silent.closed;
    expect(silent.bytes()).toEqual(closeFrame(1001));
    const closing = await ask({}, { token: own.token, on });
    const closed = own.gateway.close();
    await closing.closed;
    await closed;
    expect(closing.bytes()).toEqual(closeFrame(1012));
  } finally {
    on.destroy();
    await own.stop();
  }
});

describe('a client that ends its direction early', () => {
  const outcome = async () =>
    (await gate.events()).filter(({ phase }) => phase === 'outcome').at(-1);

  it('with its head: the tunnel ends as soon as it is one', async () => {
    const before = (await gate.events()).length;
    const stream = session.request(connectTo(gate.token), { endStream: true });
    const closed = once(stream, 'close');
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    stream.resume();
    await closed;
    expect(headers[':status']).toBe(200);
    await expect.poll(() => upstream.connections[0]!.ended, { timeout: 30_000 }).toBe(true);
    await expect.poll(async () => (await gate.events()).length).toBe(before + 2);
    expect(await outcome()).toMatchObject({ reason: 'permitted', status: 101, door: 'tunnel' });
  });

  it('before the 101: what it has sent goes on, and the outcome says what it was told', async () => {
    let agree: (() => void) | undefined;
    answer = ({ socket, head }) => {
      agree = () => socket.write(agreement(head));
    };
    const stream = session.request(connectTo(gate.token));
    const closed = once(stream, 'close');
    stream.end('all');
    await expect.poll(() => agree, { timeout: 30_000 }).toBeDefined();
    await once(session.request({ ':path': '/nowhere' }), 'response');
    agree!();
    stream.resume();
    await closed;
    await expect.poll(() => upstream.connections[0]!.ended, { timeout: 30_000 }).toBe(true);
    expect(upstream.connections[0]!.bytes.toString()).toBe('all');
    expect(await outcome()).toMatchObject({ status: 101, upstreamStatus: 101, requestBytes: 3 });
  });
});

it('sends nothing early where its upstream takes the head in parts', async () => {
  answer = () => {};
  const own = await begin({ limits: { headBytes: 1_048_576 } });
  const on = connect(own.url, {
    ca: readFileSync(own.caFile),
    maxSendHeaderBlockLength: 1_048_576,
  });
  try {
    await once(on, 'remoteSettings');
    const fields = Array.from({ length: 60 }, (_, at) => [`x-${at}`, 'y'.repeat(12_000)]);
    const stream = on.request({ ...connectTo(own.token), ...Object.fromEntries(fields) });
    stream.on('error', () => {});
    stream.write('early');
    await expect
      .poll(() => upstream.connections[0]?.head.length ?? 0, { timeout: 30_000 })
      .toBeGreaterThan(700_000);
    await once(on.request({ ':path': '/nowhere' }), 'response');
    expect(upstream.connections[0]!.bytes).toHaveLength(0);
  } finally {
    on.destroy();
    await own.stop();
  }
});
