import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Writable } from 'node:stream';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import * as ws from 'ws';
import { owner, startGateway, type TestGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/raw-client.ts';
import { acceptOf, closeFrame, frame, handshake, KEY } from '../support/websocket.ts';

/** Upstreams that are spoken to in HTTP/2: Node's server, which takes extended CONNECT, or not. */
interface Asked {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  /** What came behind the head. */
  readonly bytes: () => string;
  readonly closed: () => boolean;
}

/** The two halves of `ws` that its types leave out. */
const { Receiver, Sender } = ws as unknown as {
  readonly Receiver: new (options: { readonly isServer: boolean }) => Writable;
  readonly Sender: new (
    stream: ServerHttp2Stream,
  ) => {
    send(data: Buffer, options: Readonly<Record<string, boolean>>): void;
    close(code: number, reason: string, mask: boolean): void;
  };
};

let asked: Asked[] = [];
let sessions = 0;
let gate: TestGateway;
const closing: (() => void)[] = [];

async function serve(enableConnectProtocol: boolean): Promise<string> {
  const server = createServer({ settings: { enableConnectProtocol } });
  server.on('session', (session) => {
    sessions += 1;
    closing.push(() => session.destroy());
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const pieces: Buffer[] = [];
    let closed = false;
    stream.on('error', () => {});
    stream.on('data', (piece: Buffer) => pieces.push(piece));
    stream.on('close', () => {
      closed = true;
    });
    asked.push({
      stream,
      headers,
      bytes: () => Buffer.concat(pieces).toString('latin1'),
      closed: () => closed,
    });
    respond(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function respond(stream: ServerHttp2Stream, { ':path': path }: IncomingHttpHeaders): void {
  if (path === '/ws/refused') {
    stream.respond({ ':status': 403 });
    stream.end('no');
  } else if (path === '/ws/length') {
    stream.respond({ ':status': 200, 'content-length': '5' });
  } else if (path === '/ws/real') {
    stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
    converse(stream);
  } else if (path?.startsWith('/ws')) {
    stream.respond({ ':status': 200, 'sec-websocket-accept': 'of nothing' });
    stream.pipe(stream);
  } else {
    stream.respond({ ':status': 200 });
    stream.end('plain');
  }
}

/** Messages come back; the end of the one is that of the other. */
function converse(stream: ServerHttp2Stream): void {
  const receiver = new Receiver({ isServer: true });
  const sender = new Sender(stream);
  receiver.on('message', (data: Buffer, binary: boolean) =>
    sender.send(data, { binary, fin: true, mask: false, compress: false }),
  );
  receiver.on('conclude', (code: number) => {
    sender.close(code, '', false);
    stream.end();
  });
  stream.pipe(receiver);
}

beforeAll(async () => {
  const up = { protocol: 'h2c', addresses: [await serve(true)] };
  const old = { protocol: 'h2c', addresses: [await serve(false)] };
  const route = { application: 'any', permission: 'test:all', methods: ['GET'] };
  const upgrade = ['websocket'];
  gate = await startGateway({
    upstreams: { up, old },
    routes: [
      { name: 'ws', path: '/ws/**', upgrade, ...route, upstream: 'up' },
      { name: 'plain', path: '/plain', ...route, upstream: 'up' },
      { name: 'old', path: '/old/**', upgrade, ...route, upstream: 'old' },
    ],
    plaintext: true,
  });
});

beforeEach(() => {
  asked = [];
});

afterAll(async () => {
  await gate.stop();
  for (const close of closing) close();
  expect(gate.log.filter((line) => line.includes('inside the gate'))).toEqual([]);
});

const HEAD_END = '\r\n\r\n';

async function open(path: string, token = gate.token) {
  const client = await connectRaw({ port: gate.port });
  await client.send(handshake(token, { path }));
  await client.waitFor('the head', (bytes) => bytes.includes(HEAD_END));
  const text = client.bytes.toString('latin1');
  const behind = () => client.bytes.subarray(client.bytes.indexOf(HEAD_END) + HEAD_END.length);
  return { client, head: text.slice(0, text.indexOf(HEAD_END) + 2), behind };
}

it('is asked for by extended CONNECT, and proved by the gate to a client of HTTP/1.1', async () => {
  const { client, head, behind } = await open('/ws/a');
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  expect(head).toMatch(new RegExp(`\r\nSec-WebSocket-Accept: ${RegExp.escape(acceptOf(KEY))}\r\n`));
  expect(head).not.toContain('of nothing');
  const { headers } = asked[0]!;
  expect(headers).toMatchObject({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/ws/a',
    'sec-websocket-version': '13',
    'x-account-id': gate.account.id,
  });
  for (const name of ['sec-websocket-key', 'connection', 'upgrade', 'authorization'])
    expect(headers[name]).toBeUndefined();
  await client.send(frame('hello'));
  await client.waitFor('the echo', () => behind().equals(frame('hello')));
  client.end();
  await client.waitForClose();
  await expect.poll(() => asked[0]!.closed(), { timeout: 30_000 }).toBe(true);
  expect(asked[0]!.stream.rstCode).toBe(0);
  expect(asked[0]!.bytes()).toBe(frame('hello').toString('latin1'));
});

it('goes from HTTP/2 to HTTP/2, beside other calls on one connection', async () => {
  const session = connectHttp2(gate.url);
  await once(session, 'remoteSettings');
  const before = sessions;
  const tunnels = ['/ws/b', '/ws/c'].map((path) => {
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':authority': 'api.test',
      ':path': path,
      'sec-websocket-version': '13',
      authorization: `Bearer ${gate.token}`,
    });
    return { stream, response: once(stream, 'response'), closed: once(stream, 'close') };
  });
  for (const [index, { stream, response }] of tunnels.entries()) {
    const [headers] = (await response) as [Record<string, unknown>];
    expect([headers[':status'], headers['sec-websocket-accept']]).toEqual([200, undefined]);
    const echo = once(stream, 'data');
    stream.write(frame(`to ${index}`));
    expect((await echo)[0]).toEqual(frame(`to ${index}`));
  }
  const plain = await fetch(`${gate.url}/plain`, {
    headers: { authorization: `Bearer ${gate.token}` },
  });
  expect(await plain.text()).toBe('plain');
  expect(sessions - before).toBeLessThanOrEqual(1);
  for (const { stream, closed } of tunnels) {
    stream.end();
    await closed;
  }
  session.close();
});

it('is spoken by ws, whole messages of any size, to its end', async () => {
  const client = new ws.WebSocket(`${gate.url.replace('http', 'ws')}/ws/real`, ['chat'], {
    headers: { authorization: `Bearer ${gate.token}` },
    perMessageDeflate: false,
  });
  await once(client, 'open');
  expect(client.protocol).toBe('chat');
  for (const message of [
    Buffer.from('a'),
    Buffer.alloc(300_000, 'b'),
    Buffer.alloc(2 ** 22, 'c'),
  ]) {
    client.send(message);
    const [back] = (await once(client, 'message')) as [Buffer];
    expect(back.equals(message)).toBe(true);
  }
  client.close(3001);
  expect((await once(client, 'close'))[0]).toBe(3001);
});

it('ends with its token, and others of the connection go on', async () => {
  const { token } = await gate.createAccount({ name: 'other', role: 'tester' });
  const mine = await open('/ws/mine');
  const theirs = await open('/ws/theirs', token);
  await gate.administration.rotateToken(owner, { name: 'other' });
  await theirs.client.waitForClose();
  expect(theirs.behind()).toEqual(closeFrame(1008));
  await expect.poll(() => asked[1]!.closed(), { timeout: 30_000 }).toBe(true);
  await mine.client.send(frame('on'));
  await mine.client.waitFor('the echo', () => mine.behind().equals(frame('on')));
  mine.client.close();
});

it.each([
  ['/ws/refused', 403, 'no'],
  ['/ws/length', 502, '"upstream-broken"'],
  ['/old/a', 502, '"upstream-broken"'],
])('that is not agreed to is refused, and blames no address: %s', async (path, status, text) => {
  for (let time = 0; time < 6; time += 1) {
    const { client, head } = await open(path);
    await client.waitForClose();
    expect(head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(client.bytes.toString()).toContain(text);
  }
  const { head, client } = await open('/ws/after');
  expect(head).toMatch(/^HTTP\/1\.1 101 /);
  client.close();
  expect(gate.log.filter((line) => line.includes('left out'))).toEqual([]);
});
