import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { expect, it, onTestFinished, vi } from 'vitest';
import { systemNames } from '../../../../src/names/system.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { SpanExporter } from '../../../../src/telemetry/traces/exporter.ts';
import { frameOf, posting } from '../../../../src/telemetry/traces/otlp.ts';
import { freePort } from '../../../support/free-port.ts';
import { type Answer, startOtlpReceiver } from '../../../support/otlp-receiver.ts';
import { listening } from '../../../support/plain-service.ts';
import { folder, newAuthority, writeCertificate } from '../../tls/samples.ts';

const LIMIT = { timeout: 20_000, interval: 5 };
const RESOURCE = { serviceName: 'gate', instance: 'gate-1', version: '1.0.0' };

/** With the number in its ids. */
const span = (number: number) =>
  JSON.stringify({
    traceId: number.toString(16).padStart(32, '0'),
    spanId: number.toString(16).padStart(16, '0'),
    name: 'GET /',
    kind: 2,
    startTimeUnixNano: '1000',
    endTimeUnixNano: '2000',
    attributes: [],
  });

function exporterTo(endpoint: string, gatherMs = 10) {
  const counts: Record<string, number> = { sent: 0, dropped: 0, rejected: 0 };
  const said: string[] = [];
  const exporter = new SpanExporter({
    endpoint,
    frame: frameOf(RESOURCE),
    post: posting({ endpoint, ca: null, lookup: systemNames.lookup }),
    count: (word, by = 1) => {
      counts[word] = (counts[word] ?? 0) + by;
    },
    log: createLog({ format: 'json', write: (line) => void said.push(JSON.parse(line).msg) }),
    gatherMs,
  });
  return { exporter, counts, said };
}

async function receiver(answer?: (number: number) => Answer) {
  const one = await startOtlpReceiver(answer);
  onTestFinished(() => one.stop());
  return one;
}

it('sends spans together, each once, with who made them', async () => {
  const to = await receiver();
  const { exporter, counts } = exporterTo(to.url);
  exporter.add([span(1), span(2)]);
  exporter.add([span(3)]);
  await vi.waitFor(() => expect(counts.sent).toBe(3), LIMIT);
  expect(to.faults).toEqual([]);
  expect(to.texts).toHaveLength(1);
  expect(to.spans.map(({ spanId }) => spanId.at(-1))).toEqual(['1', '2', '3']);
  expect(to.resource).toEqual({
    'service.name': 'gate',
    'service.version': '1.0.0',
    'service.instance.id': 'gate-1',
  });
  await exporter.close();
});

it('sends a full batch at once, and what waits when it closes', async () => {
  const to = await receiver();
  const { exporter, counts } = exporterTo(to.url, 3_600_000);
  for (let number = 1; number <= 1030; number += 1) exporter.add([span(number)]);
  await vi.waitFor(() => expect(counts.sent).toBe(1024), LIMIT);
  await exporter.close();
  expect(new Set(to.spans.map(({ spanId }) => spanId)).size).toBe(1030);
  expect(counts).toEqual({ sent: 1030, dropped: 0, rejected: 0 });
  exporter.add([span(1)]);
  expect(counts.dropped).toBe(1);
});

it('waits for a collector that is away, up to a limit, and says so once', async () => {
  const to = await receiver((number) => ({ status: number < 3 ? 503 : 200 }));
  const { exporter, counts, said } = exporterTo(to.url);
  for (let number = 1; number <= 2050; number += 1) exporter.add([span(number)]);
  expect(counts.dropped).toBe(2);
  await vi.waitFor(() => expect(counts.sent).toBe(2048), LIMIT);
  expect(new Set(to.spans.map(({ spanId }) => spanId)).size).toBe(2048);
  expect(to.spans).toHaveLength(2048);
  expect(said).toEqual([
    'traces cannot be sent: spans wait, as many as may, and further ones are dropped',
    'traces are sent again',
  ]);
  await exporter.close();
});

it('drops what a collector will never take, and counts what it takes only in part', async () => {
  const partial = '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}';
  const answers: Answer[] = [{ status: 400 }, { status: 307 }, { status: 200, body: partial }];
  const to = await receiver((number) => answers[number] ?? { status: 200 });
  const { exporter, counts, said } = exporterTo(to.url);
  for (const rejected of [3, 6, 8]) {
    exporter.add([span(1), span(2), span(3)]);
    await vi.waitFor(() => expect(counts.rejected).toBe(rejected), LIMIT);
  }
  expect(counts).toEqual({ sent: 1, dropped: 0, rejected: 8 });
  expect(said).toEqual(Array.from({ length: 3 }, () => 'the collector rejects spans'));
  await exporter.close();
});

it('gives up at its end, and says how many are lost', async () => {
  const { exporter, counts, said } = exporterTo(`http://127.0.0.1:${await freePort()}/v1/traces`);
  exporter.add([span(1), span(2)]);
  await exporter.close();
  expect(counts).toEqual({ sent: 0, dropped: 2, rejected: 0 });
  expect(said.at(-1)).toBe('spans could not be sent before the end');
});

it('leaves no request behind at its end, where a collector does not respond', async () => {
  const asked = Promise.withResolvers<void>();
  const left = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    asked.resolve();
    response.on('close', () => left.resolve());
  });
  const { address, stop } = await listening(server);
  onTestFinished(() => stop());
  const { exporter, counts } = exporterTo(`http://${address}/v1/traces`);
  exporter.add([span(1)]);
  await asked.promise;
  await exporter.close();
  await left.promise;
  expect(counts.dropped).toBe(1);
});

it('sends over TLS to a collector that the CA of the file vouches for, and to no other', async () => {
  const authority = await newAuthority([{ dns: 'localhost' }]);
  const { certificateFile, keyFile } = await writeCertificate(folder(), 'collector', authority, {
    hosts: [{ dns: 'localhost' }],
  });
  const pair = { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
  let taken = 0;
  const server = createSecureServer(pair, (_request, response) => {
    taken += 1;
    response.end('{}');
  });
  const { port, stop } = await listening(server);
  onTestFinished(() => stop());
  const endpoint = `https://localhost:${port}/v1/traces`;
  const send = (ca: string | null) =>
    posting({ endpoint, ca, lookup: systemNames.lookup })('{}', AbortSignal.timeout(20_000));
  expect(await send(authority.pem)).toMatchObject({ kind: 'sent' });
  expect(await send(null)).toMatchObject({
    kind: 'away',
    why: expect.stringMatching(/CERT|VERIFY/),
  });
  expect(taken).toBe(1);
});
