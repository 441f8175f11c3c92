import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, WebSocket, WebSocketServer } from 'ws';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { connectRaw } from '../support/raw-client.ts';
import { pythonWith, requireOrSkip } from '../support/system.ts';
import { handshake, clientFrame as send } from '../support/websocket.ts';

/** One server that compresses where a client offers it, one that does not, and Python's. */
const servers: Record<string, number> = {};
let gate: TestGateway;
let python: ChildProcess | null = null;
const opened: WebSocketServer[] = [];
const ENDS = join(import.meta.dirname, '../support/clients/programs/websocket_ends.py');

beforeAll(async () => {
  servers.plain = await serve(false);
  servers.compressing = await serve(true);
  const program = pythonWith('websockets');
  if (program !== null) {
    python = spawn(program, [ENDS, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'] });
    servers.python = Number(await once(python.stdout!, 'data'));
  }
  const names = Object.keys(servers);
  gate = await startGateway({
    upstreams: Object.fromEntries(
      names.map((name) => [name, { addresses: [`http://127.0.0.1:${servers[name]}`] }]),
    ),
    routes: names.map((name) => ({
      name,
      path: `/${name}`,
      methods: ['GET'],
      upgrade: ['websocket'],
      application: 'any',
      permission: 'test:all',
      upstream: name,
    })),
  });
});

afterAll(async () => {
  await gate.stop();
  python?.kill();
  for (const server of opened) {
    for (const client of server.clients) client.terminate();
    server.close();
  }
});

async function serve(perMessageDeflate: boolean): Promise<number> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    perMessageDeflate,
    maxPayload: 2 ** 25,
  });
  opened.push(server);
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function connect(path: string, options: ClientOptions = {}): Promise<WebSocket> {
  const client = new WebSocket(`${gate.url.replace('https', 'wss')}${path}`, {
    ca: readFileSync(gate.caFile),
    headers: { authorization: `Bearer ${gate.token}` },
    maxPayload: 2 ** 25,
    ...options,
  });
  await once(client, 'open');
  return client;
}

async function answerTo(client: WebSocket, message: string | Buffer): Promise<Buffer> {
  const answer = once(client, 'message');
  client.send(message);
  return ((await answer) as [Buffer])[0];
}

describe('ws', () => {
  it.for(['plain', 'compressing', 'python'])('talks to the %s server', async (name, ctx) => {
    if (name === 'python') requireOrSkip(ctx, 'python3-websockets');
    const client = await connect(`/${name}`);
    const messages = ['', 'grüße', Buffer.alloc(70_000, 1), Buffer.alloc(2 ** 24, 'ab')];
    for (const message of messages)
      expect((await answerTo(client, message)).equals(Buffer.from(message))).toBe(true);
    const pong = once(client, 'pong');
    client.ping('are you there');
    expect(String((await pong)[0])).toBe('are you there');
    const closed = once(client, 'close');
    client.close(3999, 'enough');
    const [code, reason] = (await closed) as [number, Buffer];
    expect([code, String(reason)]).toEqual([3999, 'enough']);
  });

  it('keeps what it has agreed on with the server', async () => {
    const client = await connect('/compressing');
    expect(client.extensions).toContain('permessage-deflate');
    client.terminate();
  });

  it('is told why it is not let in', async () => {
    const headers = { authorization: 'Bearer nobody' };
    const refused = connect('/plain', { headers });
    await expect(refused).rejects.toThrow('Unexpected server response: 401');
  });

  it('is told with code 1012 that the gate closes', async () => {
    const own = await startGateway({
      upstreams: { up: { addresses: [`http://127.0.0.1:${servers.plain}`] } },
      routes: [
        {
          name: 'ws',
          path: '/ws',
          methods: ['GET'],
          upgrade: ['websocket'],
          application: 'any',
          permission: 'test:all',
          upstream: 'up',
        },
      ],
    });
    const client = new WebSocket(`${own.url.replace('https', 'wss')}/ws`, {
      ca: readFileSync(own.caFile),
      headers: { authorization: `Bearer ${own.token}` },
    });
    await once(client, 'open');
    const closed = once(client, 'close');
    await own.stop();
    expect((await closed)[0]).toBe(1012);
  });
});

it('python3-websockets talks to the servers', async (ctx) => {
  requireOrSkip(ctx, 'python3-websockets');
  for (const name of ['compressing', 'python']) {
    const uri = `${gate.url.replace('https', 'wss')}/${name}`;
    const program = pythonWith('websockets')!;
    const { stdout } = await promisify(execFile)(program, [
      ENDS,
      'call',
      uri,
      gate.token,
      gate.caFile,
    ]);
    const all = { text: true, bytes: true, big: true, pieces: true, pong: true, code: 1000 };
    expect(JSON.parse(stdout)).toEqual(all);
  }
});

/** As Autobahn's suite asks an echo server: what the client sends, before it closes with 1000. */
const OF_AUTOBAHN: Readonly<Record<string, readonly Buffer[]>> = {
  ...Object.fromEntries(
    [0, 125, 126, 127, 128, 65_535, 65_536].flatMap((size) => [
      [`1.1 text of ${size} bytes`, [send(Buffer.alloc(size, '*'), 1)]],
      [`1.2 binary of ${size} bytes`, [send(Buffer.alloc(size, 0xfe), 2)]],
    ]),
  ),
  '2.1 a ping without payload': [send('', 9)],
  '2.4 a ping of 125 bytes': [send(Buffer.alloc(125, 0xfe), 9)],
  '2.5 a ping of 126 bytes': [send(Buffer.alloc(126, 0xfe), 9)],
  '2.7 pongs that nobody has asked for': [send('', 10), send('unsolicited', 10), send('ping', 9)],
  '2.10 ten pings': Array.from({ length: 10 }, (_, number) => send(`payload-${number}`, 9)),
  '3.1 reserved bit 1': [send('hello', 1, { first: 0x40 })],
  '3.2 reserved bit 2 behind a message': [send('small', 1), send('hello', 1, { first: 0x20 })],
  '3.3 reserved bit 3 of a ping': [send('hello', 9, { first: 0x10 })],
  '4.1 reserved opcode 3': [send('', 3)],
  '4.2 reserved control opcode 11 behind a message': [send('hello', 1), send('', 11)],
  '5.1 a ping in two fragments': [send('frag', 9, { fin: false }), send('ment', 0)],
  '5.3 a text in two fragments': [send('frag', 1, { fin: false }), send('ment', 0)],
  '5.6 a text in two fragments and a ping between': [
    send('frag', 1, { fin: false }),
    send('ping', 9),
    send('ment', 0),
  ],
  '5.9 a continuation of nothing': [send('frag', 0), send('hello', 1)],
  '5.18 a text within a text': [send('frag', 1, { fin: false }), send('ment', 1)],
  '6.3 text that is no UTF-8': [
    send(Buffer.from('cebae1bdb9cf83cebcceb5eda080656469746564', 'hex'), 1),
  ],
  '6.2 UTF-8 whose characters are cut by fragments': [
    send(Buffer.from('48656c6c6f2dc2', 'hex'), 1, { fin: false }),
    send(Buffer.from('b540', 'hex'), 0),
  ],
  '7.1 a message behind the close': [send(code(1000), 8), send('late', 1)],
  '7.3 a close of one byte': [send('a', 8)],
  '7.3 a close with a reason of 123 bytes': [
    send(Buffer.concat([code(1000), Buffer.alloc(123, '*')]), 8),
  ],
  '7.3 a close of 126 bytes': [send(Buffer.concat([code(1000), Buffer.alloc(124, '*')]), 8)],
  '7.5 a close whose reason is no UTF-8': [
    send(Buffer.concat([code(1000), Buffer.of(0xed, 0xa0)]), 8),
  ],
  ...Object.fromEntries(
    [1001, 1007, 1011, 3000, 4999, 0, 999, 1004, 1005, 1006, 1016, 2999, 5000].map((number) => [
      `7.7 a close with code ${number}`,
      [send(code(number), 8)],
    ]),
  ),
  '9.2 a binary of 16 MiB': [send(Buffer.alloc(2 ** 24, 0xfe), 2)],
  '9.4 a binary of 4 MiB in fragments of 64 KiB': Array.from({ length: 64 }, (_, number) =>
    send(Buffer.alloc(65_536, number), number === 0 ? 2 : 0, { fin: number === 63 }),
  ),
  'unmasked frames of a client': [Buffer.of(0x81, 2, 104, 105)],
};

function code(number: number): Buffer {
  return Buffer.of(number >> 8, number & 0xff);
}

describe('a server answers through the gate byte for byte as it does without it', () => {
  async function seen(
    where: Parameters<typeof connectRaw>[0],
    path: string,
    frames: readonly Buffer[],
    cuts: number,
  ): Promise<Buffer> {
    const client = await connectRaw(where);
    try {
      await client.send(handshake(gate.token, { path }));
      await client.waitFor('the 101', (bytes) => bytes.includes('\r\n\r\n'));
      const all = Buffer.concat([...frames, send(code(1000), 8)]);
      if (cuts === 0) await client.send(all);
      else await client.send(...Array.from(all, (byte) => Buffer.of(byte)));
      const bytes = await client.waitForClose();
      return bytes.subarray(bytes.indexOf('\r\n\r\n') + 4);
    } finally {
      client.close();
    }
  }

  const through = () => ({
    port: gate.port,
    tls: { ca: readFileSync(gate.caFile), servername: 'localhost' },
  });

  it.each(Object.entries(OF_AUTOBAHN))('%s', async (_, frames) => {
    const direct = await seen({ port: servers.plain! }, '/', frames, 0);
    expect(direct.length).toBeGreaterThan(1);
    expect((await seen(through(), '/plain', frames, 0)).equals(direct)).toBe(true);
  });

  it('2.6 and 5.5: byte by byte', async () => {
    const frames = [send('frag', 1, { fin: false }), send('ping', 9), send('ment', 0)];
    const direct = await seen({ port: servers.plain! }, '/', frames, 0);
    expect((await seen(through(), '/plain', frames, 1)).equals(direct)).toBe(true);
  });
});
