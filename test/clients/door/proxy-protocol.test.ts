import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { type Door, startDoor } from '../../integration/door/door.ts';
import { freePort } from '../../support/free-port.ts';
import { valuesOf } from '../../support/http-bytes.ts';
import { connectRaw, exchange } from '../../support/raw-client.ts';

/** The PROXY protocol, from balancers that are listed and from those that are not. */

const PREFACE = 'PROXY TCP4 198.51.100.7 127.0.0.1 4444 443\r\n';
const V2 = Buffer.concat([
  Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c', 'latin1'),
  Buffer.from([198, 51, 100, 8, 127, 0, 0, 1, 0x11, 0x5c, 0x01, 0xbb]),
]);

const listening = (
  peers: readonly string[],
  limits = {},
  keys = { plaintext: true } as object,
) => ({
  gateway: {
    limits,
    config: {
      listen: {
        proxy: { address: '127.0.0.1:0', proxyProtocol: { peers }, ...keys },
        ops: { address: '127.0.0.1:0' },
      },
    },
  },
});
/** What the gate of a test finds in its folder. */
const TLS = { tls: { certificates: [{ certificateFile: 'tls.crt', keyFile: 'tls.key' }] } };
const LISTED = ['127.0.0.1'];

const cameFrom = (door: Door) =>
  door.upstream.requests.map((request) => valuesOf(request, 'x-forwarded-for').join());

describe('a listed balancer', () => {
  it('says who the client is, in version 1 and 2, in one piece and byte by byte', async () => {
    const door = await startDoor(listening(LISTED));
    const request = (path: string) => door.head(`GET ${path}`, 'Connection: close');
    await door.talk([PREFACE + request('/one')]);
    await door.talk([Buffer.concat([V2, Buffer.from(request('/two'))])]);
    await door.talk([...PREFACE, request('/three')]);
    await door.talk(['PROXY UNKNOWN\r\n', request('/four')]);
    const post = door.head('POST /five', 'Connection: close', 'Content-Length: 0');
    await door.talk([`${PREFACE}P`, post.slice(1)]);
    const first = '198.51.100.7';
    expect(cameFrom(door)).toEqual([first, '198.51.100.8', first, '127.0.0.1', first]);
    const [decision] = await door.eventsOf('/two');
    expect(decision!.clientAddress).toBe('198.51.100.8');
  });

  it('says it before TLS, too', async () => {
    const door = await startDoor({ tls: true, gateway: listening(LISTED, {}, TLS).gateway });
    const client = await connectRaw({ port: door.gate.port });
    await client.send(PREFACE);
    const secure = connectTls({
      socket: client.socket,
      ca: readFileSync(door.gate.caFile),
      servername: 'localhost',
    });
    let text = '';
    secure.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    secure.write(door.head('GET /secure', 'Connection: close'));
    await expect.poll(() => text, { timeout: 20_000 }).toContain(' 200 OK');
    secure.destroy();
    expect(cameFrom(door)).toEqual(['198.51.100.7']);
  });

  it.each([
    ['none', 'GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'no preface'],
    ['no valid one', 'PROXY TCP4 a b c d\r\n', 'not a line of version 1'],
  ])('that sends %s is closed, and why is in the log', async (_what, bytes, detail) => {
    const door = await startDoor(listening(LISTED));
    const { text } = await exchange({ port: door.gate.port, pieces: [bytes] });
    expect(text).toBe('');
    expect(door.gate.log.some((line) => line.includes(`"detail":"${detail}"`))).toBe(true);
    expect((await door.events()).filter(({ phase }) => phase === 'decision')).toEqual([]);
  });

  it('that does not come to an end in time is closed', async () => {
    const door = await startDoor(listening(LISTED, { headTimeoutMs: 1000 }));
    const { closed } = await exchange({ port: door.gate.port, pieces: [PREFACE.slice(0, 20)] });
    expect(closed).not.toBe('open');
    expect(door.gate.log.some((line) => line.includes('"detail":"not in time"'))).toBe(true);
  });

  it('takes places for its clients, each for itself', async () => {
    const door = await startDoor(listening(LISTED, { connectionsPerAddress: 1 }));
    const silent = await connectRaw({ port: door.gate.port });
    await silent.send(PREFACE);
    const other = await connectRaw({ port: door.gate.port });
    await other.send(V2, door.head('GET /other', 'Connection: close'));
    await other.waitForClose();
    expect(silent.closed).toBe('open');
    // The same client again: what was silent makes room.
    await door.talk([PREFACE + door.head('GET /same', 'Connection: close')]);
    await silent.waitForClose();
    expect(cameFrom(door)).toEqual(['198.51.100.8', '198.51.100.7']);
  });
});

it.each([
  ['version 1', Buffer.from(PREFACE)],
  ['version 2', V2],
])('a peer that is not listed is refused and named: %s', async (_version, preface) => {
  const door = await startDoor(listening([]));
  const { text } = await exchange({
    port: door.gate.port,
    pieces: [Buffer.concat([preface, Buffer.from(door.head('GET /', 'Connection: close'))])],
  });
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(door.upstream.requests).toHaveLength(0);
  expect(
    door.gate.log.some((line) => /PROXY protocol.*"clientAddress":"127\.0\.0\.1"/.test(line)),
  ).toBe(true);
});

it.each(['send-proxy', 'send-proxy-v2'])('HAProxy with %s is understood', async (option) => {
  const door = await startDoor(listening(LISTED));
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-haproxy-'));
  const file = join(folder, 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults\n  mode tcp\n  timeout client 10s\n  timeout server 10s\n  timeout connect 5s\nlisten gate\n  bind 127.0.0.1:${port}\n  server gate 127.0.0.1:${door.gate.port} ${option}\n`,
  );
  const balancer = spawn('haproxy', ['-f', file, '-db'], { stdio: 'ignore' });
  try {
    const request = door.head('GET /', 'Connection: close');
    await expect
      .poll(
        async () => {
          const from = { port, localAddress: '127.0.0.77', pieces: [request] };
          return (await exchange(from).catch(() => ({ text: '' }))).text;
        },
        { timeout: 20_000 },
      )
      .toContain(' 200 OK');
    expect(cameFrom(door)).toEqual(['127.0.0.77']);
  } finally {
    balancer.kill();
    rmSync(folder, { recursive: true });
  }
});
