import { setTimeout as sleep } from 'node:timers/promises';
import { ended, many, openTcp, openTls, pour } from './clients.ts';
import type { AbusedGate } from './gate.ts';

/** How a gate is abused. Throws when the gate did not answer as it should. */
export interface Abuse {
  readonly name: string;
  readonly run: (gate: AbusedGate, count: number) => Promise<void>;
}

/** Long enough for any limit that the tests set. */
const PATIENCE_MS = 30_000;
const DRIP_MS = 100;
const MEBIBYTE = 1024 * 1024;
const TINY_CHUNKS = 20_000;

/** First bytes of a handshake that announces 512 more. */
const HALF_HELLO = Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3, 7, 7, 7]);

const post = (gate: AbusedGate, framing: string) =>
  `POST /upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gate.token}\r\n${framing}\r\n\r\n`;

function expectStart(text: string, ...starts: readonly string[]): void {
  if (!starts.some((start) => text.startsWith(start)))
    throw new Error(`expected ${starts.join(' or ')}, got ${JSON.stringify(text.slice(0, 200))}`);
}

async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const late = sleep(PATIENCE_MS, null, { ref: false }).then(() => {
    throw new Error(`not closed within ${PATIENCE_MS} ms: ${what}`);
  });
  return Promise.race([promise, late]);
}

export const ABUSES: readonly Abuse[] = [
  {
    name: 'heads that come byte by byte',
    run: (gate, count) =>
      many(
        count,
        async () => {
          const socket = await openTls(gate);
          const over = ended(socket);
          socket.write('GET /a HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
          const drip = setInterval(() => socket.writable && socket.write('x'), DRIP_MS);
          const { text } = await inTime('a slow head', over);
          clearInterval(drip);
          expectStart(text, 'HTTP/1.1 408 ');
        },
        count,
      ),
  },
  {
    name: 'bodies that stop in the middle',
    run: (gate, count) =>
      many(
        count,
        async () => {
          const socket = await openTls(gate);
          const over = ended(socket);
          socket.write(`${post(gate, 'Content-Length: 1000')}x`);
          expectStart((await inTime('a slow body', over)).text, 'HTTP/1.1 408 ');
        },
        count,
      ),
  },
  {
    name: 'clients that do not read their answers',
    run: async (gate, count) => {
      const sockets = await Promise.all(Array.from({ length: count }, () => openTls(gate)));
      for (const socket of sockets) {
        socket.pause();
        socket.write(
          `GET /big HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gate.token}\r\n\r\n`,
        );
      }
      const before = gate.descriptors;
      const begin = performance.now();
      while (gate.descriptors > before - count && performance.now() - begin < PATIENCE_MS)
        await sleep(DRIP_MS);
      const left = gate.descriptors - before + count;
      for (const socket of sockets) socket.destroy();
      if (left > 0) throw new Error(`${left} connections were still open`);
    },
  },
  {
    name: 'handshakes that are begun and not ended, and connections without a byte',
    run: (gate, count) =>
      many(
        count,
        async (index) => {
          const socket = openTcp(gate);
          if (index % 2 === 0) socket.write(HALF_HELLO);
          await inTime('a handshake', ended(socket));
        },
        count,
      ),
  },
  {
    name: 'connections that come and go',
    run: (gate, count) =>
      many(count, async (index) => {
        const socket = openTcp(gate);
        socket.resume();
        if (index % 4 === 0) await openTls(gate, socket);
        if (index % 4 === 1) socket.write('GET /a HT');
        if (index % 4 === 2) socket.end(HALF_HELLO);
        if (index % 2 === 1) await sleep(1);
        socket.resetAndDestroy();
        await sleep(1);
      }),
  },
  {
    name: 'heads of one mebibyte',
    run: (gate, count) =>
      many(
        count,
        async (index) => {
          const socket = await openTls(gate);
          const over = ended(socket);
          const inFirstLine = index % 2 === 0;
          socket.write(inFirstLine ? 'GET /' : 'GET /a HTTP/1.1\r\nHost: localhost\r\nX-Long: ');
          await pour(socket, Buffer.alloc(MEBIBYTE / 16, 'x'), 16);
          expectStart(
            (await inTime('a long head', over)).text,
            inFirstLine ? 'HTTP/1.1 414 ' : 'HTTP/1.1 431 ',
          );
        },
        16,
      ),
  },
  {
    name: 'chunk extensions without end',
    run: (gate, count) =>
      many(
        count,
        async () => {
          const socket = await openTls(gate);
          const over = ended(socket);
          socket.write(`${post(gate, 'Transfer-Encoding: chunked')}5;a=`);
          await pour(socket, Buffer.alloc(MEBIBYTE / 16, 'x'), 16);
          expectStart((await inTime('an endless extension', over)).text, 'HTTP/1.1 400 ');
        },
        16,
      ),
  },
  {
    name: 'tokens of 15 and of 100 kilobytes',
    run: (gate, count) =>
      many(
        count,
        async (index) => {
          const socket = await openTls(gate);
          const over = ended(socket);
          const long = index % 2 === 0;
          const token = `slp_${'A'.repeat(long ? 100_000 : 15_000)}`;
          socket.write(
            `GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`,
          );
          expectStart(
            (await inTime('a long token', over)).text,
            long ? 'HTTP/1.1 431 ' : 'HTTP/1.1 401 ',
          );
        },
        16,
      ),
  },
  {
    name: `bodies of ${TINY_CHUNKS} chunks of one byte`,
    run: (gate, count) =>
      many(
        count,
        async () => {
          const socket = await openTls(gate);
          const over = ended(socket);
          socket.write(post(gate, 'Transfer-Encoding: chunked\r\nConnection: close'));
          await pour(socket, Buffer.from('1\r\nx\r\n'.repeat(TINY_CHUNKS / 10)), 10);
          socket.write('0\r\n\r\n');
          expectStart((await inTime('tiny chunks', over)).text, 'HTTP/1.1 200 ');
        },
        4,
      ),
  },
];
