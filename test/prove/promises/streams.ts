import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { owner, startGateway } from '../../support/gateway.ts';
import { startRedis } from '../../support/redis-server.ts';
import { startRelay } from '../../support/tcp-relay.ts';
import type { Finding } from '../promises.ts';

/** How often a gate is cut off from its Redis with streams open (`STREAMS_RUNS` makes it fewer). */
const RUNS = Number(process.env.STREAMS_RUNS ?? 20);
const LEASE_MS = 2_000;
const TICK_MS = 20;

/** When something last came of each stream, and whether anything did. */
interface Streams {
  readonly last: Record<'events' | 'download' | 'upload', number>;
  readonly end: () => void;
}

/** An upstream that gives without end, and notes when it is given something. */
async function startUpstream() {
  const given = { lastMs: 0 };
  const server = createServer((incoming, response) => {
    incoming.on('data', () => {
      given.lastMs = performance.now();
    });
    if (incoming.method === 'POST') return;
    const piece = incoming.url === '/events' ? 'data: 1\n\n' : 'x'.repeat(16_384);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const giving = setInterval(() => response.write(piece), TICK_MS);
    response.on('close', () => clearInterval(giving));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url, given, stop };
}

function open(port: number, token: string): Streams {
  const last = { events: 0, download: 0, upload: 0 };
  const headers = { authorization: `Bearer ${token}` };
  const calls = (['events', 'download'] as const).map((path) => {
    const call = request({ port, path: `/${path}`, headers }, (response) => {
      response.on('data', () => {
        last[path] = performance.now();
      });
      response.on('error', () => undefined);
    });
    call.on('error', () => undefined).end();
    return call;
  });
  const upload = request({ port, path: '/upload', method: 'POST', headers });
  upload.on('error', () => undefined);
  const sending = setInterval(() => upload.write('x'.repeat(4_096)), TICK_MS);
  const end = () => {
    clearInterval(sending);
    for (const call of [...calls, upload]) call.destroy();
  };
  return { last, end };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Streams on a gate that is cut off, whose token is revoked elsewhere: none outlives the receipt.
 */
export async function prove(): Promise<Finding> {
  const [redis, upstream] = [await startRedis(), await startUpstream()];
  const relay = await startRelay(redis.port);
  const gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    store: { url: `redis://127.0.0.1:${relay.port}` },
    administratorStore: { url: redis.url },
    ...{ plaintext: true, leaseMs: LEASE_MS, guarantee: 'buffered' },
  });
  let [beyond, effective, streamed] = [0, 0, 0];
  try {
    for (let run = 0; run < RUNS; run += 1) {
      const { id, token } = await gate.createAccount({ name: `run-${run}`, role: 'tester' });
      const { last, end } = open(gate.port, token);
      await pause(1_000);
      streamed += [last.events, last.download, upstream.given.lastMs].filter((ms) => ms > 0).length;
      relay.silence();
      const ref = { id, waitMs: 30_000 };
      const { revocation } = await gate.administration.deactivateAccount(owner, ref);
      const receiptMs = performance.now();
      await pause(1_000);
      const after = [last.events, last.download, upstream.given.lastMs];
      // Bytes on their way through the kernel when the call ended.
      beyond += after.filter((ms) => ms > receiptMs + TICK_MS).length;
      effective += revocation?.effective === true ? 1 : 0;
      upstream.given.lastMs = 0;
      end();
      relay.heal();
      for (let n = 0; n < 100 && !gate.gateway.ready; n += 1) await pause(100);
    }
  } finally {
    await gate.stop();
    await relay.stop();
    await redis.stop();
    upstream.stop();
  }
  return {
    promise: 'no open stream outlives the receipt of its revocation, also where a gate is cut off',
    kept: beyond === 0 && effective === RUNS && streamed === 3 * RUNS,
    figures: `${RUNS} runs with a lease of ${LEASE_MS} ms, events, download and upload open on a gate cut off from Redis: ${effective} receipts effective, ${beyond} of ${streamed} streams went on after one`,
  };
}
