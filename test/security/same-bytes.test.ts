import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readResponse } from '../support/http-bytes.ts';
import { connectRaw, type RawClient } from '../support/raw-client.ts';
import { type GuardedUpstream, startGuarded } from './gate.ts';

/**
 * What was authorised is what is forwarded, byte for byte: the line, the fields that are the
 * client's to send, the content of the body. Held against generated requests, in any framing and
 * any pieces, and against what the audit log says was decided.
 */
interface Sample {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** Sizes of its chunks; empty = by length. */
  readonly chunks: readonly number[];
  readonly cuts: readonly number[];
}

const RUNS = 120;

const segment = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_~!$&'()*+,=:@-]{1,12}$/),
  fc.constantFrom('a.b', '%20x', 'M%C3%BCller', '%2B', '%25', '..a', 'a;v=1', '%3a', '%3A'),
);
const field = fc.tuple(
  fc.constantFrom(
    'Accept',
    'X-CUSTOM',
    'x-custom',
    'Cookie',
    'content-type',
    'If-Match',
    'Cache-Control',
    'Range',
  ),
  fc.string({ unit: fc.constantFrom(...'aZ09 \t"\\,;=%\u00e9\u00ff\u00a0'), maxLength: 30 }),
);
/** Methods with which a body is taken everywhere. */
const WITH_BODY = ['POST', 'PUT', 'PATCH'];
const parts: fc.Arbitrary<Sample> = fc.record({
  method: fc.constantFrom(...WITH_BODY, 'GET', 'DELETE', 'OPTIONS'),
  path: fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`),
  query: fc.oneof(fc.constant(''), fc.stringMatching(/^\?[!"$-~]{0,30}$/)),
  fields: fc.array(field, { maxLength: 6 }),
  body: fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  chunks: fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 8 }),
  cuts: fc.array(fc.nat(4000), { maxLength: 6 }),
});

const samples = parts.map((sample) =>
  WITH_BODY.includes(sample.method) ? sample : { ...sample, body: Buffer.alloc(0), chunks: [] },
);

describe.each([true, false])('over one connection (plain HTTP: %s)', (plaintext) => {
  it('every request arrives as it was authorised', { timeout: 60_000 }, async () => {
    const guarded = await startGuarded({ plaintext });
    const client = await connectRaw({
      port: guarded.port,
      ...(plaintext ? {} : { tls: { rejectUnauthorized: false } }),
    });
    try {
      const asked = fc.sample(samples, { numRuns: RUNS, seed: 20_262 });
      for (const [index, sample] of asked.entries()) await arrives(guarded, client, sample, index);
      const decided = (await guarded.gate.events())
        .filter((event) => event.phase === 'decision')
        .map((event) => [event.method, event.path]);
      expect(decided).toEqual(asked.map((sample) => [sample.method, sample.path]));
    } finally {
      client.close();
      await guarded.stop();
    }
  });
});

async function arrives(
  guarded: GuardedUpstream,
  client: RawClient,
  sample: Sample,
  index: number,
): Promise<void> {
  const before = client.bytes.length;
  await client.send(...piecesOf(bytesOf(sample, guarded.authorization), sample.cuts));
  await client.waitFor(
    'an answer',
    (bytes) => readResponse(bytes, { offset: before }).state === 'complete',
  );
  const seen = guarded.upstream.requests[index]!;
  expect(seen.line).toBe(`${sample.method} ${sample.path}${sample.query} HTTP/1.1`);
  expect(seen.body.equals(sample.body)).toBe(true);
  const theirs = seen.fields.filter(
    ([name]) =>
      !/^(host|content-length|transfer-encoding|x-account-.*|x-forwarded-.*|forwarded|x-request-id|traceparent|via)$/i.test(
        name,
      ),
  );
  expect(theirs).toEqual(
    sample.fields.map(([name, value]) => [name, value.replace(/^[ \t]+|[ \t]+$/g, '')]),
  );
  expect(guarded.upstream.faults).toEqual([]);
}

function bytesOf(sample: Sample, authorization: string): Buffer {
  const framing =
    sample.chunks.length > 0
      ? 'Transfer-Encoding: chunked'
      : `Content-Length: ${sample.body.length}`;
  const lines = [
    `${sample.method} ${sample.path}${sample.query} HTTP/1.1`,
    'Host: Localhost:1',
    authorization,
    framing,
  ];
  const head = [...lines, ...sample.fields.map(([name, value]) => `${name}:${value}`)].join('\r\n');
  return Buffer.concat([
    Buffer.from(`${head}\r\n\r\n`, 'latin1'),
    sample.chunks.length > 0 ? chunked(sample) : sample.body,
  ]);
}

function chunked({ body, chunks }: Sample): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  for (let index = 0; at < body.length; index += 1) {
    const chunk = body.subarray(at, at + chunks[index % chunks.length]!);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
    at += chunk.length;
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

function piecesOf(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const ends = [...new Set([...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])].sort(
    (a, b) => a - b,
  );
  return ends
    .map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1]!, end))
    .filter((piece) => piece.length > 0);
}
