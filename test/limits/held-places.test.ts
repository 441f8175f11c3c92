import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { request as requestTls } from 'node:https';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { answerFor, type Door, type DoorOptions, startDoor } from '../integration/door/door.ts';
import { readResponses, statusOf } from '../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { newAuthority, writeCertificate } from '../unit/tls/samples.ts';

const ROUTES = [
  {
    name: 'all',
    path: '/**',
    methods: ['GET', 'POST'],
    application: 'any',
    permission: 'test:all',
    upstream: 'raw',
  },
  { name: 'open', path: '/open', access: 'public', upstream: 'raw' },
];

const whole = (bytes: Buffer) => /for \S+$/.test(bytes.toString('latin1'));

describe('a connection to an upstream', () => {
  it('is not taken before a byte of the body is here', async () => {
    const door = await startDoor();
    const client = await door.connect(['POST']);
    await client.send(door.head('POST /up', 'Content-Length: 4', 'Connection: close'));
    // Once a later call has been answered, this one's head has been read, too.
    expect((await door.talk([door.head('GET /other', 'Connection: close')])).text).toMatch(/ 200 /);
    expect(door.upstream.connections).toHaveLength(1);
    await client.send('body');
    expect(readResponses(await client.waitForClose()).map(statusOf)).toEqual([200]);
    expect(door.upstream.requests.at(-1)!.body.toString()).toBe('body');
  });

  it('is never taken for a body that does not come, and the caller is told so', async () => {
    const door = await startDoor({ gateway: { limits: { bodyGraceMs: 300 } } });
    for (const fields of [['Content-Length: 4'], ['Transfer-Encoding: chunked']]) {
      const { text } = await door.talk([door.head('POST /up', ...fields)], ['POST']);
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(text).toContain('Connection: close');
    }
    expect(door.upstream.connections).toHaveLength(0);
    const [decision, outcome] = await door.eventsOf('/up');
    expect([decision!.reason, outcome!.reason]).toEqual(['permitted', 'request-timeout']);
  });

  it('is given back by a body that comes too slowly, in content, whatever its framing', async () => {
    const limits = { bodyGraceMs: 500, minBodyBytesPerSecond: 1000 };
    const door = await startDoor({ gateway: { limits } });
    const drip = async (head: string, piece: string) => {
      const client = await door.connect(['POST']);
      await client.send(head);
      for (let sent = 0; sent < 400 && client.closed === 'open'; sent += 1)
        await client.send(piece, 25);
      return (await client.waitForClose()).toString('latin1');
    };
    const dripped = await Promise.all([
      drip(door.head('POST /length', 'Content-Length: 1000000'), 'x'),
      drip(
        door.head('POST /chunked', 'Transfer-Encoding: chunked'),
        `1;${'x'.repeat(40)}\r\nx\r\n`,
      ),
    ]);
    for (const text of dripped) expect(text).toMatch(/^HTTP\/1\.1 408 /);
    await door.upstream.waitFor('both are broken off', ({ connections }) =>
      connections.every(({ closed }) => closed !== 'open'),
    );
    expect(door.upstream.requests).toHaveLength(0);
  });

  it('is kept by a body that comes at the pace, for longer than its grace', async () => {
    const limits = { bodyGraceMs: 1000, minBodyBytesPerSecond: 10 };
    const door = await startDoor({ gateway: { limits } });
    const client = await door.connect(['POST']);
    await client.send(door.head('POST /up', 'Content-Length: 2000', 'Connection: close'));
    for (let sent = 0; sent < 20; sent += 1) await client.send('x'.repeat(100), 100);
    expect(readResponses(await client.waitForClose()).map(statusOf)).toEqual([200]);
  });
});

/** Calls that the upstream answers when the test says so. */
async function underWay(door: Door, count: number, line: string): Promise<readonly RawClient[]> {
  const before = door.upstream.requests.length;
  const clients = await Promise.all(
    Array.from({ length: count }, async () => {
      const client = await door.connect();
      await client.send(line);
      return client;
    }),
  );
  await door.upstream.waitFor(
    `${count} requests`,
    ({ requests }) => requests.length === before + count,
  );
  return clients;
}

describe('the connections to an upstream', () => {
  it('are not all for strangers, nor for one account: others are answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const door = await startDoor({
      upstream: {
        answer: (request) =>
          request.line.includes('?held')
            ? [{ until: promise }, ...answerFor(request)]
            : answerFor(request),
      },
      upstreamConfig: { maxConnections: 8 },
      gateway: { routes: ROUTES, limits: { publicShare: 0.25, accountShare: 0.5 } },
    });
    const other = await door.gate.createAccount({ name: 'other', role: 'tester' });
    const stranger = (target: string) => `GET ${target} HTTP/1.1\r\nHost: a\r\n`;
    const close = 'Connection: close\r\n\r\n';
    const held = [
      ...(await underWay(door, 2, `${stranger('/open?held')}\r\n`)),
      ...(await underWay(door, 4, door.head('GET /mine?held'))),
    ];
    const refused = [
      await door.talk([`${stranger('/open')}${close}`]),
      await door.talk([door.head('GET /mine', 'Connection: close')]),
    ];
    for (const { text } of refused) {
      expect(text).toMatch(/^HTTP\/1\.1 503 /);
      expect(text).toContain('"reason":"overloaded"');
      expect(text).toMatch(/\r\nRetry-After: 1\r\n/);
    }
    const others = `${stranger('/theirs')}Authorization: Bearer ${other.token}\r\n${close}`;
    expect((await door.talk([others])).text).toMatch(/ 200 OK/);
    resolve();
    for (const client of held) await client.waitFor('its answer', whole);
    expect((await door.talk([`${stranger('/open')}${close}`])).text).toMatch(/ 200 OK/);
    const mine = await door.talk([door.head('GET /mine', 'Connection: close')]);
    expect(mine.text).toMatch(/ 200 OK/);
  });
});

/** Two callers at a gate, one of whose two addresses refuses or says nothing. */
async function lameDoor(second: string, options: DoorOptions = {}) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const door = await startDoor({
    ...options,
    upstream: {
      answer: (request) =>
        request.line.includes('?held')
          ? [{ until: promise }, ...answerFor(request)]
          : answerFor(request),
      ...options.upstream,
    },
    upstreamConfig: { maxConnections: 8, ...options.upstreamConfig },
    gateway: { routes: ROUTES, limits: { publicShare: 0.25, accountShare: 0.5 } },
  });
  const { token } = await door.gate.createAccount({ name: 'other', role: 'tester' });
  const tree = JSON.parse(door.gate.text);
  tree.upstreams.raw.addresses.push(second);
  door.gate.gateway.reload(
    parseConfig(JSON.stringify(tree), join(door.gate.dataDir, 'test.yaml')).config,
  );
  const statusOfCall = async (head: string) => (await door.talk([head])).text.slice(9, 12);
  return {
    door,
    release: resolve,
    mine: () => statusOfCall(door.head('GET /mine', 'Connection: close')),
    others: () =>
      statusOfCall(
        `GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
      ),
  };
}

/** A port of the loopback that accepts connections and says nothing; or that refuses them. */
async function uselessPort(refuses: boolean): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => {})));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  if (refuses) await stop();
  else onTestFinished(stop);
  return port;
}

describe('the connections to an upstream, while one of its addresses fails', () => {
  it('are shared as what is left', async () => {
    const dead = await uselessPort(true);
    const { door, mine, others, release } = await lameDoor(`http://127.0.0.1:${dead}`);
    // Once it was tried it is left out.
    expect([await others(), await others()]).toEqual(['200', '200']);
    const held = await underWay(door, 4, door.head('GET /mine?held'));
    expect([await mine(), await others(), await others()]).toEqual(['503', '200', '200']);
    release();
    for (const client of held) await client.waitFor('its answer', whole);
    expect(await mine()).toBe('200');
  });

  it('are not taken by calls that could not be sent there, past the share of their caller', async () => {
    const silent = await uselessPort(false);
    const dir = mkdtempSync(join(tmpdir(), 'sallyport-held-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const files = await writeCertificate(dir, 'up', await newAuthority());
    const tls = { cert: readFileSync(files.certificateFile), key: readFileSync(files.keyFile) };
    const { door, mine, others, release } = await lameDoor(`https://127.0.0.1:${silent}`, {
      upstream: { tls },
      upstreamConfig: { tls: { verify: false }, connectTimeoutMs: 1000 },
    });
    const clients = await Promise.all(Array.from({ length: 8 }, () => door.connect()));
    for (const client of clients) await client.send(door.head('GET /mine?held'));
    const refused = () => clients.filter(({ bytes }) => bytes.includes(' 502 ')).length;
    await expect.poll(refused, { timeout: 20_000 }).toBe(4);
    expect([await mine(), await others(), await others()]).toEqual(['503', '200', '200']);
    release();
    const answered = () => clients.filter(({ bytes }) => whole(bytes)).length;
    await expect.poll(answered, { timeout: 20_000 }).toBe(4);
  });
});

/** A response, or what went wrong instead. */
async function ask(url: string, caFile: string): Promise<number | string> {
  const options = { agent: false, headers: { connection: 'close' } } as const;
  const { promise, resolve } = Promise.withResolvers<number | string>();
  const answered = (response: IncomingMessage) => {
    response.resume();
    response.on('end', () => resolve(response.statusCode!));
  };
  const ca = readFileSync(caFile);
  const call = url.startsWith('https:')
    ? requestTls(url, { ...options, ca, servername: 'localhost' }, answered)
    : request(url, options, answered);
  call.setTimeout(20_000, () => call.destroy(new Error('no answer')));
  call.on('error', (error) => resolve(error.message));
  call.end();
  return await promise;
}

describe('places on the listeners', () => {
  it('are not taken by silent connections: health and console answer all the same', async () => {
    const door = await startDoor({ tls: true, gateway: { admin: {} } });
    const { gateway, opsUrl, caFile, port } = door.gate;
    const ops = Number(new URL(opsUrl).port);
    const admin = gateway.addresses.admin!.port;
    const silent: RawClient[] = [];
    try {
      for (const port of [ops, admin]) {
        for (let n = 0; n < 600; n += 1) {
          // Strangers at one address, and strangers at many.
          const localAddress = n % 2 === 0 ? '127.0.0.1' : `127.0.${n % 100}.9`;
          silent.push(await connectRaw({ port, localAddress }));
        }
      }
      expect(await ask(`${opsUrl}/livez`, caFile)).toBe(200);
      expect(await ask(`https://127.0.0.1:${admin}/api/v1/openapi.json`, caFile)).toBe(200);
      expect(await ask(`https://127.0.0.1:${admin}/sign-in`, caFile)).toBe(200);
      expect(await ask(`https://127.0.0.1:${port}/x`, caFile)).toBe(401);
      expect(
        door.gate.log.filter((line) => line.includes('limits.connectionsPerAddress')),
      ).not.toHaveLength(0);
    } finally {
      for (const client of silent) client.close();
    }
  }, 60_000);

  it('on the proxy are so many for one address; one that is silent makes room', async () => {
    const door = await startDoor({ gateway: { limits: { connectionsPerAddress: 3 } } });
    const silent = [await door.connect(), await door.connect(), await door.connect()];
    const client = await door.connect();
    await client.send(door.head('GET /one'));
    await client.waitFor('the answer', whole);
    await silent[0]!.waitForClose();
    expect(silent.slice(1).map(({ closed }) => closed)).toEqual(['open', 'open']);
    const elsewhere = await connectRaw({ port: door.gate.port, localAddress: '127.0.0.77' });
    await elsewhere.send('GET /x HTTP/1.0\r\nHost: a\r\n\r\n');
    expect((await elsewhere.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 401 /);
    await client.send(door.head('GET /two', 'Connection: close'));
    await client.waitForClose();
  });

  it('on the proxy are not taken from calls under way', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const door = await startDoor({
      upstream: { answer: (request) => [{ until: promise }, ...answerFor(request)] },
      gateway: { limits: { connectionsPerAddress: 3 } },
    });
    const busy = await underWay(door, 3, door.head('GET /busy', 'Connection: close'));
    const late = await connectRaw({ port: door.gate.port });
    await late.waitForClose();
    resolve();
    for (const client of busy) expect(readResponses(await client.waitForClose())).toHaveLength(1);
  });

  it('are without that limit for a proxy in front', async () => {
    const door = await startDoor({
      gateway: {
        limits: { connectionsPerAddress: 1 },
        config: {
          listen: {
            proxy: { address: '127.0.0.1:0', plaintext: true, trustedProxies: ['127.0.0.1'] },
            ops: { address: '127.0.0.1:0' },
          },
        },
      },
    });
    const clients = [await door.connect(), await door.connect(), await door.connect()];
    for (const client of clients) {
      await client.send(door.head('GET /one', 'Connection: close'));
      expect((await client.waitForClose()).toString()).toMatch(/ 200 OK/);
    }
  });
});
