import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { startDoor } from '../../integration/door/door.ts';
import { settled } from '../../support/settled.ts';

const WHOLE_BYTES = 200_000_000;
const PIECE = Buffer.alloc(100_000, 'abcdefghij');
/**
 * What may be on its way at most when one end takes nothing: the kernel's buffers on both sides of
 * the gate (up to 6 and 4 MB each), and what the gate holds. A gate that kept all of it would be
 * far past it.
 */
const ON_ITS_WAY_BYTES = 40_000_000;
const RSS_BYTES = 100_000_000;

/** An upstream that is not recorded: it sends or takes more than a recorder keeps. */
async function startUpstream(onRequest: (socket: Socket, first: Buffer) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('data', (first: Buffer) => onRequest(socket, first));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sockets,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes until all is written, as fast as the other end takes it. */
function pour(socket: Socket, progress: { sent: number }): void {
  const more = () => {
    while (progress.sent < WHOLE_BYTES && !socket.destroyed) {
      progress.sent += PIECE.length;
      if (!socket.write(PIECE)) {
        socket.once('drain', more);
        return;
      }
    }
  };
  more();
}

describe('pressure', () => {
  it('from a client that reads nothing stops the upstream, and all arrives once it reads', async () => {
    const progress = { sent: 0 };
    const upstream = await startUpstream((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${WHOLE_BYTES}\r\n\r\n`);
      pour(socket, progress);
    });
    try {
      const door = await startDoor({ upstreamConfig: { addresses: [upstream.url] } });
      const client = await door.connect();
      client.socket.pause();
      const before = process.memoryUsage.rss();
      await client.send(door.head('GET /big', 'Connection: close'));
      expect(await settled(() => progress.sent)).toBeLessThan(ON_ITS_WAY_BYTES);
      expect(process.memoryUsage.rss() - before).toBeLessThan(RSS_BYTES);
      client.socket.resume();
      const bytes = await client.waitForClose(60_000);
      expect(bytes.length - bytes.indexOf('\r\n\r\n') - 4).toBe(WHOLE_BYTES);
      expect(bytes.subarray(-PIECE.length).equals(PIECE)).toBe(true);
    } finally {
      await upstream.stop();
    }
  }, 60_000);

  it('from an upstream that reads nothing stops the client, and all arrives once it reads', async () => {
    let taken = 0;
    const reading = Promise.withResolvers<void>();
    const upstream = await startUpstream((socket, first) => {
      taken = first.length - first.indexOf('\r\n\r\n') - 4;
      socket.pause();
      socket.on('data', (chunk) => {
        taken += chunk.length;
        if (taken === WHOLE_BYTES) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone');
      });
      void reading.promise.then(() => socket.resume());
    });
    try {
      const door = await startDoor({ upstreamConfig: { addresses: [upstream.url] } });
      const client = await door.connect(['POST']);
      const before = process.memoryUsage.rss();
      await client.send(
        door.head('POST /big', `Content-Length: ${WHOLE_BYTES}`, 'Connection: close'),
      );
      const progress = { sent: 0 };
      pour(client.socket, progress);
      expect(await settled(() => progress.sent)).toBeLessThan(ON_ITS_WAY_BYTES);
      expect(process.memoryUsage.rss() - before).toBeLessThan(RSS_BYTES);
      reading.resolve();
      await client.waitFor('done', (bytes) => bytes.includes('done'), 60_000);
      const [, outcome] = await door.eventsOf('/big');
      expect(outcome).toMatchObject({
        reason: 'permitted',
        requestBytes: WHOLE_BYTES,
        responseBytes: 4,
      });
    } finally {
      await upstream.stop();
    }
  }, 60_000);

  it('that never ends is given up: a client that does not read is cut off', async () => {
    const progress = { sent: 0 };
    const upstream = await startUpstream((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      pour(socket, progress);
    });
    try {
      const door = await startDoor({
        upstreamConfig: { addresses: [upstream.url] },
        gateway: { limits: { idleTimeoutMs: 500 } },
      });
      const client = await door.connect();
      client.socket.pause();
      await client.send(door.head('GET /big'));
      const [, outcome] = await door.eventsOf('/big');
      expect(outcome).toMatchObject({ reason: 'client-aborted', status: 200 });
      await expect.poll(() => [...upstream.sockets].every((socket) => socket.destroyed)).toBe(true);
      client.socket.resume();
      await client.waitForClose();
      expect(client.closed).toBe('reset');
    } finally {
      await upstream.stop();
    }
  });

  it('that never ends is given up: an upstream that does not take its body is a 504', async () => {
    const upstream = await startUpstream((socket) => socket.pause());
    try {
      const door = await startDoor({
        upstreamConfig: { addresses: [upstream.url], responseTimeoutMs: 500 },
      });
      const client = await door.connect(['POST']);
      await client.send(door.head('POST /big', `Content-Length: ${WHOLE_BYTES}`));
      const progress = { sent: 0 };
      pour(client.socket, progress);
      const bytes = await client.waitFor('the answer', (seen) => seen.includes('}\n'));
      expect(bytes.toString()).toMatch(/^HTTP\/1\.1 504 /);
      const [, outcome] = await door.eventsOf('/big');
      expect(outcome).toMatchObject({ reason: 'upstream-timeout', status: 504 });
    } finally {
      await upstream.stop();
    }
  });
});
