import { setTimeout } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { type GatewayOptions, startGateway } from '../support/gateway.ts';
import {
  fieldsOf,
  framesIn,
  greet,
  headers,
  PREFACE,
  responsesIn,
  settings,
} from '../support/http2-frames.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

async function open(more: Partial<GatewayOptions> = {}) {
  const upstream = await startRawUpstream();
  const gate = await startGateway({
    upstreams: { raw: { addresses: [upstream.url] } },
    limits: { connections: 100 },
    ...more,
  });
  onTestFinished(async () => {
    await gate.stop();
    await upstream.stop();
  });
  const connect = async (port: number, count: number) => {
    const clients: RawClient[] = [];
    for (let n = 0; n < count; n += 1) clients.push(await connectRaw({ port }));
    onTestFinished(() => {
      for (const client of clients) client.close();
    });
    return clients;
  };
  const metric = async (name: string) => {
    const text = await (await fetch(`${gate.opsUrl}/metrics`)).text();
    const line = text.split('\n').find((one) => one.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1));
  };
  const told = (msg: RegExp) => gate.log.filter((line) => msg.test(line)).length;
  return { gate, connect, metric, told };
}

it('counts handshakes by how they end, and says which failed', async () => {
  const { gate, connect, metric, told } = await open();
  const tls = { rejectUnauthorized: false };
  const secured = await connectRaw({ port: gate.port, tls });
  onTestFinished(() => secured.close());
  // A record that holds a handshake, by its first byte, and nothing that one could be.
  for (const client of await connect(gate.port, 15)) {
    await client.send(Buffer.from('160301000401020304', 'hex'));
    await client.waitForClose();
  }
  const [gone] = await connect(gate.port, 1);
  await gone!.send(Buffer.from('1603010200', 'hex'));
  gone!.reset();
  const results = (result: string) => metric(`sallyport_tls_handshakes_total{result="${result}"}`);
  await expect.poll(() => results('aborted'), { timeout: 10_000 }).toBe(1);
  expect([await results('completed'), await results('failed')]).toEqual([1, 15]);
  expect(told(/a TLS handshake failed/)).toBe(10);
});

it('counts connections that wait for too long among too many, and says so', async () => {
  const { gate, connect, metric, told } = await open();
  await connect(gate.port, 70);
  const counted = () => metric('sallyport_limits_reached_total{limit="half_open"}');
  await expect.poll(counted, { timeout: 10_000 }).toBe(6);
  expect(await metric('sallyport_client_connections{state="arriving"}')).toBe(64);
  expect(told(/wait for the end of their handshake/)).toBe(6);
});

it('counts nobody as half-open who connects to a port without TLS ahead of a request', async () => {
  const { gate, connect, metric, told } = await open({
    plaintext: true,
    http2: { enabled: true },
  });
  const clients = await connect(gate.port, 70);
  const count = (state: string) => metric(`sallyport_client_connections{state="${state}"}`);
  await expect.poll(() => count('idle'), { timeout: 10_000 }).toBe(70);
  expect(await count('arriving')).toBe(0);
  const [first, second, left] = clients as [RawClient, RawClient, RawClient];
  const others = clients.slice(3);
  await first.send('GET /public/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  expect((await first.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 200 /);
  await greet(second, headers(1, fieldsOf({ path: '/public/b' })));
  await second.waitFor('200', (bytes) => responsesIn(framesIn(bytes)).get(1)?.status === 200);
  left.reset();
  await expect.poll(() => count('idle'), { timeout: 10_000 }).toBe(68);
  expect(await metric('sallyport_limits_reached_total{limit="half_open"}')).toBe(0);
  expect(told(/wait for the end of their handshake/)).toBe(0);
  await gate.gateway.close();
  await Promise.all(others.map((client) => client.waitForClose()));
  expect(others.map(({ closed }) => closed)).toEqual(others.map(() => 'end'));
});

it('counts connections to the operations port beyond its places, and says so', async () => {
  const { gate, connect, metric, told } = await open();
  await connect(Number(new URL(gate.opsUrl).port), 40);
  const counted = () => metric('sallyport_limits_reached_total{limit="connections_per_address"}');
  await expect.poll(counted, { timeout: 10_000 }).toBeGreaterThanOrEqual(8);
  expect(told(/connections to listen\.ops as it may/)).toBeGreaterThanOrEqual(8);
});

it('waits for the bytes that tell HTTP/2 from HTTP/1.1, however they are cut', async () => {
  const { gate, connect } = await open({ plaintext: true, http2: { enabled: true } });
  const [second, first, like] = (await connect(gate.port, 3)) as [RawClient, RawClient, RawClient];
  for (const part of ['P', 'R', PREFACE.slice(2)]) await apart(second, part);
  await second.send(Buffer.concat([settings(), headers(1, fieldsOf({ path: '/public/b' }))]));
  await second.waitFor('200', (bytes) => responsesIn(framesIn(bytes)).get(1)?.status === 200);
  for (const part of ['P', 'O', 'ST /public/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n'])
    await apart(first, part);
  await first.send('Content-Length: 0\r\n\r\n');
  expect((await first.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 \d{3} /);
  for (const part of [...'PRI * HTTP/1.1\r\n\r\n']) await like.send(part);
  expect((await like.waitForClose()).toString()).toMatch(/^HTTP\/1\.1 400 /);
});

/** In a segment of its own, most likely. */
async function apart(client: RawClient, part: string): Promise<void> {
  await client.send(part);
  await setTimeout(20);
}
