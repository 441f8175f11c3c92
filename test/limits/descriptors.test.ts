import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readResponses, statusOf } from '../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { type RawUpstreamOptions, startRawUpstream } from '../support/raw-upstream.ts';
import { requireOrSkip } from '../support/system.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Real limits on open files, set by prlimit(1), on a gate in a process of its own. */
async function openLimitedGate(limit: number, upstream: RawUpstreamOptions, more = {}) {
  const server = await startRawUpstream(upstream);
  onTestFinished(() => server.stop());
  const options = {
    upstreams: { raw: { addresses: [server.url], ...more } },
    plaintext: true,
    limits: { connections: 1000, accountShare: 1 },
  };
  const program = [join(ROOT, 'bin/with-node'), join(import.meta.dirname, 'gate-process.ts')];
  const child = spawn(
    'prlimit',
    [`--nofile=${limit}:${limit}`, ...program, JSON.stringify(options)],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  onTestFinished(async () => {
    if (child.connected) child.disconnect();
    if (child.exitCode === null) await once(child, 'exit');
  });
  const [{ port, token, opsUrl }] = (await once(child, 'message')) as [
    { port: number; token: string; opsUrl: string },
  ];
  const head = `GET /a HTTP/1.1\r\nHost: gate.test\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  return {
    server,
    head,
    setLimit: (soft: number) =>
      void execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${soft}:`]),
    connect: () => connectRaw({ port }),
    reload: async (keys: Readonly<Record<string, unknown>>) => {
      child.send(keys);
      expect((await once(child, 'message'))[0]).toBe('reloaded');
    },
    log: async () => {
      child.send('log');
      const [lines] = (await once(child, 'message')) as [string[]];
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    metric: async (name: string) => {
      const text = await (await fetch(`${opsUrl}/metrics`)).text();
      const line = text.split('\n').find((one) => one.startsWith(`${name} `));
      return Number(line?.slice(name.length + 1));
    },
    ready: async () => (await fetch(`${opsUrl}/readyz`)).status,
  };
}

async function status(client: RawClient, head: string, nth: number): Promise<number> {
  await client.send(head);
  await expect.poll(() => readResponses(client.bytes).length, { timeout: 20_000 }).toBe(nth);
  return statusOf(readResponses(client.bytes)[nth - 1]!);
}

const LAST = { send: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n' };

it('says that too few descriptors are allowed, and keeps some for all but clients', async (ctx) => {
  requireOrSkip(ctx, 'prlimit');
  const gate = await openLimitedGate(220, { answer: () => [LAST] });
  const told = (await gate.log()).find(({ msg }) => /limit on open files/.test(String(msg)));
  // 1000 clients, 512 connections to the upstream, 128 to the operations port, 96 of our own.
  expect(told).toMatchObject({ level: 'warn', limit: 220, needed: 1736 });
  expect(told).toMatchObject({ clientConnections: 55, upstreamConnections: 55 });
  const clients: RawClient[] = [];
  for (let n = 0; n < 250; n += 1) clients.push(await gate.connect());
  const last = await gate.connect();
  expect(await status(last, gate.head, 1)).toBe(200);
  expect(await gate.ready()).toBe(200);
  await expect
    .poll(() => clients.filter(({ closed }) => closed === 'open').length, { timeout: 10_000 })
    .toBe(54);
  expect(await gate.metric('sallyport_client_connections{state="idle"}')).toBe(55);
  expect(await gate.metric('sallyport_limits_reached_total{limit="connections"}')).toBe(196);
  expect(await gate.metric('sallyport_limits_reached_total{limit="descriptors"}')).toBe(0);
  const full = (await gate.log()).filter(({ msg }) => /all connections of/.test(String(msg)));
  expect(full).toHaveLength(10);
});

it('shares them out anew when a reload asks for more, but for what clients have', async (ctx) => {
  requireOrSkip(ctx, 'prlimit');
  const { promise, resolve } = Promise.withResolvers<void>();
  const gate = await openLimitedGate(
    220,
    { answer: () => [{ until: promise }, LAST] },
    { maxConnections: 8 },
  );
  const clients: RawClient[] = [];
  for (let n = 0; n < 100; n += 1) clients.push(await gate.connect());
  const idle = () => gate.metric('sallyport_client_connections{state="idle"}');
  await expect.poll(idle, { timeout: 20_000 }).toBe(100);
  // 110 for both sides: of clients 102 before, 55 afterwards, of which there are 45 more.
  await gate.reload({ maxConnections: 64 });
  const told = (await gate.log()).filter(({ msg }) => /limit on open files/.test(String(msg)));
  expect(told.map(({ clientConnections }) => clientConnections)).toEqual([102, 55]);
  const calls = clients.slice(0, 20);
  for (const client of calls) await client.send(gate.head);
  const refused = () => calls.filter(({ bytes }) => bytes.includes(' 503 ')).length;
  await expect.poll(refused, { timeout: 20_000 }).toBe(10);
  await gate.server.waitFor('the others', ({ requests }) => requests.length === 10);
  expect(clients.filter(({ closed }) => closed === 'open')).toHaveLength(100);
  for (const client of clients.slice(40)) client.close();
  await expect.poll(idle, { timeout: 20_000 }).toBe(30);
  for (const client of clients.slice(20, 40)) await client.send(gate.head);
  await gate.server.waitFor('all of them', ({ requests }) => requests.length === 30);
  resolve();
  const answered = () => clients.filter(({ bytes }) => bytes.includes(' 200 ')).length;
  await expect.poll(answered, { timeout: 20_000 }).toBe(30);
});

it('is overloaded, and blames no upstream, while the system has no descriptor left', async (ctx) => {
  requireOrSkip(ctx, 'prlimit');
  const gate = await openLimitedGate(
    4000,
    { answer: () => [LAST] },
    { healthCheck: { path: '/', intervalMs: 100, unhealthyAfter: 1 } },
  );
  const client = await gate.connect();
  expect(await status(client, gate.head, 1)).toBe(200);
  gate.setLimit(3);
  const post = gate.head
    .replace('GET', 'POST')
    .replace('\r\n\r\n', '\r\nContent-Length: 0\r\n\r\n');
  expect(await status(client, gate.head, 2)).toBe(503);
  expect(await status(client, post, 3)).toBe(503);
  expect(client.bytes.toString()).toContain('overloaded');
  // The two calls, and the looks: of a connection that cannot be accepted the gate hears nothing.
  await expect
    .poll(async () => (await gate.log()).filter(({ code }) => code === 'EMFILE').length, {
      timeout: 20_000,
      interval: 200,
    })
    .toBeGreaterThan(2);
  gate.setLimit(4000);
  expect(await status(client, gate.head, 4)).toBe(200);
  const { host } = new URL(gate.server.url);
  const healthy = `sallyport_upstream_healthy{upstream="raw",address="${host}"}`;
  expect(await gate.metric(healthy)).toBe(1);
  expect(await gate.metric('sallyport_limits_reached_total{limit="descriptors"}')).toBeGreaterThan(
    2,
  );
  expect((await gate.log()).filter(({ msg }) => /left out/.test(String(msg)))).toEqual([]);
});
