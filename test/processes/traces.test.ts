import { request } from 'node:http';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { freePort } from '../support/free-port.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { valuesOf } from '../support/http-bytes.ts';
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

const ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER = '00f067aa0ba902b7';

let upstream: RawUpstream;
let collector: OtlpReceiver;
let gate: TestGateway | null = null;

beforeEach(async () => {
  upstream = await startRawUpstream();
  collector = await startOtlpReceiver();
});

afterEach(async () => {
  await gate?.stop();
  gate = null;
  await collector.stop();
  await upstream.stop();
});

async function open(otlp: object, endpoint = collector.url): Promise<TestGateway> {
  gate = await startGateway({
    upstreams: { api: { addresses: [upstream.url] } },
    plaintext: true,
    config: { telemetry: { otlp: { endpoint, ...otlp } } },
  });
  return gate;
}

/** The status. */
function call(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: gate!.port, path, headers }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    });
    sent.once('error', reject).end();
  });
}

const bearer = () => `Bearer ${gate!.token}`;
const traced = (flag: string) => ({ traceparent: `00-${ID}-${CALLER}-${flag}` });
const told = () => upstream.requests.map((message) => valuesOf(message, 'traceparent').join());
const counted = async (outcome: string) => {
  const text = await gate!.gateway.metrics.text();
  const pattern = new RegExp(`^sallyport_trace_spans_total\\{outcome="${outcome}"\\} (\\d+)$`, 'm');
  return Number(pattern.exec(text)?.[1]);
};

it('tells a collector of calls before it ends, and the upstream whose parent it has', async () => {
  await open({ ratio: 1, serviceName: 'edge' });
  const authorization = bearer();
  const secret = { authorization, cookie: 'secret-cookie', ...traced('00') };
  expect(await call('/apps/1?key=secret-query', secret)).toBe(200);
  expect(await call('/apps/2', { authorization: 'Bearer secret-token' })).toBe(401);
  await gate!.gateway.close();
  expect(collector.faults).toEqual([]);
  expect(collector.resource).toMatchObject({ 'service.name': 'edge' });
  const [server, client, refused, ...more] = collector.spans;
  expect(more).toEqual([]);
  expect(server).toMatchObject({
    traceId: ID,
    parentSpanId: CALLER,
    kind: 2,
    name: 'GET /**',
    attributes: { 'url.path': '/apps/1', 'http.response.status_code': 200 },
  });
  expect(client).toMatchObject({ traceId: ID, parentSpanId: server!.spanId, kind: 3 });
  expect(told()).toEqual([`00-${ID}-${client!.spanId}-01`]);
  expect(client!.startNs >= server!.startNs && client!.endNs <= server!.endNs).toBe(true);
  expect(refused).toMatchObject({
    parentSpanId: null,
    isError: false,
    attributes: { 'error.type': 'token-malformed', 'http.response.status_code': 401 },
  });
  const text = collector.texts.join();
  expect(text).not.toMatch(/secret/);
  expect(text).not.toContain(gate!.token);
  expect(text).not.toContain(gate!.account.name);
  expect(await counted('sent')).toBe(3);
});

it('lets known callers ask for spans as far as the file says now', async () => {
  const { gateway, text, dataDir } = await open({ ratio: 0, askedPerSecond: 0 });
  const authorization = bearer();
  const ask = () => call('/apps/1', { authorization, ...traced('01') });
  await ask();
  expect(told()).toEqual([`00-${ID}-${CALLER}-01`]);
  expect(await counted('over_limit')).toBe(2);
  const changed = text.replace('"askedPerSecond":0', '"askedPerSecond":1000');
  gateway.reload(parseConfig(changed, `${dataDir}/test.yaml`).config);
  await call('/public/1', traced('01'));
  await call('/apps/1', { authorization, ...traced('00') });
  await ask();
  gateway.reload(
    parseConfig(text.replace('"ratio":0', '"ratio":1'), `${dataDir}/test.yaml`).config,
  );
  await call('/apps/3', { authorization });
  await gateway.close();
  expect(told().slice(1, 3)).toEqual([`00-${ID}-${CALLER}-01`, `00-${ID}-${CALLER}-00`]);
  expect(collector.spans.map(({ kind, traceId }) => [kind, traceId === ID])).toEqual([
    [2, true],
    [3, true],
    [2, false],
    [3, false],
  ]);
});

it('serves calls as ever while no collector is there, and ends', async () => {
  await open({ ratio: 1 }, `http://127.0.0.1:${await freePort()}/v1/traces`);
  for (let calls = 0; calls < 5; calls += 1)
    expect(await call('/apps/1', { authorization: bearer() })).toBe(200);
  await gate!.gateway.close();
  expect(await counted('dropped')).toBe(10);
  expect(gate!.log.join()).toContain('spans could not be sent before the end');
});
