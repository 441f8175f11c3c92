import { expect, it, onTestFinished, vi } from 'vitest';
import { startGateway } from '../support/gateway.ts';
import { exchange } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { asAdmin, replicated } from '../support/redis-replication.ts';
import { startRedis } from '../support/redis-server.ts';
import { requireOrSkip } from '../support/system.ts';
import { startRelay } from '../support/tcp-relay.ts';

// Only reached when the gate does not come back by itself.
const LIMIT = { timeout: 60_000 };

it(
  'a primary that became a replica behind one name is left for the new one, without a restart',
  LIMIT,
  async (ctx) => {
    requireOrSkip(ctx, 'redis-server');
    const [first, second] = [await startRedis(), await startRedis()];
    const relay = await startRelay(first.port);
    const upstream = await startRawUpstream();
    onTestFinished(async () => {
      await relay.stop();
      await upstream.stop();
      await Promise.all([first.stop(), second.stop()]);
    });
    await asAdmin(second, null, (root) => root.call('REPLICAOF', '127.0.0.1', first.port));
    const gate = await startGateway({
      upstreams: { api: { addresses: [upstream.url] } },
      store: { url: `redis://127.0.0.1:${relay.port}` },
      plaintext: true,
    });
    onTestFinished(() => gate.stop());
    const call = async () => {
      const request = `POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${gate.token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      const { text } = await exchange({ port: gate.port, pieces: [request] });
      return text.slice(9, 12);
    };
    expect(await call()).toBe('200');
    await replicated(first, null);
    await asAdmin(second, null, (root) => root.call('REPLICAOF', 'NO', 'ONE'));
    relay.lead(second.port);
    await asAdmin(first, null, (root) => root.call('REPLICAOF', '127.0.0.1', second.port));
    await vi.waitFor(async () => expect(await call()).toBe('200'), LIMIT);
  },
);
