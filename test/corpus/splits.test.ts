import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { converse, inLanes } from '../support/conversation.ts';
import { cut, readRequests, singleBytes } from '../unit/http1/reading.ts';
import { type CorpusGate, startCorpusGate } from './gates.ts';
import { type Http1Row, rowsOf } from './rows.ts';

/**
 * What a row comes to must not depend on how the network cuts it, nor on what stood before it on
 * the connection. Every row is cut at every place without a network, where the pieces are certain;
 * and sent in pieces, and behind a valid request, through a real gate.
 */

const LANES = 32;
/** No new row is begun after this long: a slow machine shows fewer rows, and says how many. */
const TIME_MS = 25_000;
/**
 * Silence is an answer, too. Where it would be another one than before, it is waited for longer:
 * the machine may only have been slow.
 */
const PATIENT_MS = 5000;

const bytesOf = (row: Http1Row) => Buffer.from(row.raw_b64, 'base64');

it('every row is read the same in single bytes and cut in two at every place', {
  timeout: 60_000,
}, (ctx) => {
  const faults: string[] = [];
  for (const row of rowsOf(ctx, 'http1.jsonl')) {
    const bytes = bytesOf(row);
    const whole = JSON.stringify(readRequests([bytes]));
    if (JSON.stringify(readRequests(singleBytes(bytes))) !== whole)
      faults.push(`${row.id} in single bytes`);
    // Long rows are one long value: cutting it at each of its bytes would show nothing new.
    for (let at = 1; at < Math.min(bytes.length, 1000); at += 1) {
      if (JSON.stringify(readRequests(cut(bytes, [at]))) !== whole)
        faults.push(`${row.id} cut at ${at}`);
    }
  }
  expect(faults).toEqual([]);
});

describe('through a gate whose only route is public', () => {
  let gate: CorpusGate;
  beforeAll(async () => {
    gate = await startCorpusGate('plaintext', [
      { name: 'open', path: '/**', access: 'public', upstream: 'recorder' },
    ]);
  });
  afterAll(() => gate.stop());

  const FIRST = Buffer.from('GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n');

  it.for([
    ['in single bytes', (bytes: Buffer) => singleBytes(bytes), 0],
    [
      'in a few pieces',
      (bytes: Buffer, index: number) =>
        cut(
          bytes,
          [7, 31, 97].map((step) => (step * (index + 3)) % bytes.length),
        ),
      0,
    ],
    ['behind a valid request, in one piece', (bytes: Buffer) => [Buffer.concat([FIRST, bytes])], 1],
    [
      'behind a valid request, cut within a row',
      (bytes: Buffer) => cut(Buffer.concat([FIRST, bytes]), [FIRST.length + 20]),
      1,
    ],
  ] as const)(
    'no row exceeds its bound when it is sent %s',
    { timeout: 90_000 },
    async ([, piecesOf, before], ctx) => {
      const rows = rowsOf(ctx, 'http1.jsonl');
      const until = performance.now() + TIME_MS;
      const sent: {
        readonly row: Http1Row;
        readonly from: string;
        readonly whole: readonly number[];
        readonly split: readonly number[];
      }[] = [];
      await inLanes(rows, LANES, async (row, index) => {
        if (performance.now() > until) return;
        const talk = async (silenceMs?: number) => {
          const plain = await converse(gate.connection(), [bytesOf(row)], silenceMs);
          const connection = gate.connection();
          const answered = await converse(connection, piecesOf(bytesOf(row), index), silenceMs);
          return {
            row,
            from: connection.localAddress,
            whole: plain.statuses,
            split: answered.statuses,
          };
        };
        const first = await talk();
        sent.push(first);
        if (!sameAnswers(first, before)) sent.push(await talk(PATIENT_MS));
      });
      const forwarded = gate.forwarded();
      // Bounds hold for all that was sent; of two answers the patient one counts.
      const decisive = new Map(sent.map((one) => [one.row, one]));
      const faults = sent.flatMap((one) => {
        const { row, from, whole, split } = one;
        const seen = (forwarded.get(from) ?? []).length;
        const bound = row.max_upstream_complete_requests + before;
        const shown = `${row.id} (${row.expected}): ${whole} in one piece, now ${split}, ${seen} upstream`;
        if (seen > bound) return [`over its bound of ${bound}: ${shown}`];
        return decisive.get(row) !== one || sameAnswers(one, before)
          ? []
          : [`answered otherwise: ${shown}`];
      });
      expect(faults).toEqual([]);
      expect(gate.strays()).toEqual([]);
      console.log(`${decisive.size} of ${rows.length} rows`);
    },
  );
});

/** Those of the requests that stood before it, and then its own. */
function sameAnswers(
  { whole, split }: { readonly whole: readonly number[]; readonly split: readonly number[] },
  before: number,
): boolean {
  return split.join() === [...Array<number>(before).fill(200), ...whole].join();
}
