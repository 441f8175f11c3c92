import { afterAll, describe, expect, it } from 'vitest';
import { type Answered, converse, inLanes } from '../support/conversation.ts';
import { type Message, valuesOf } from '../support/http-bytes.ts';
import { type CorpusGate, startCorpusGate, TRANSPORTS } from './gates.ts';
import { ANSWERED_VALID_ROWS, REFUSED_VALID_ROWS, RULES, type Rule } from './refused-valid-rows.ts';
import { type Http1Row, rowsOf } from './rows.ts';
import { Table } from './table.ts';

/**
 * Requests in every shape that broke other servers, each on a connection of its own, through a real
 * gate to an upstream that knows no HTTP library. Sent in two ways, because a gate that answers 401
 * to everything would pass each of these tests:
 * - as it is, to a gate whose only route is public, so that nothing but the reading of the bytes
 *   keeps a request out;
 * - with a valid token (and a Host, where the corpus says what is then to be expected), to a gate
 *   that demands one.
 */
const WAYS = ['as it is', 'with a token'] as const;
type Way = (typeof WAYS)[number];

const PUBLIC_ROUTES = [{ name: 'open', path: '/**', access: 'public', upstream: 'recorder' }];
const LANES = 32;
/** Among so many rows a plain valid request must get through. */
const WITNESS_EVERY = 40;
/**
 * Valid requests get an answer, however slow the machine is; for the others silence may be the
 * answer.
 */
const VALID_ANSWER_MS = 8000;

/**
 * A list with entries that no row has, or that no longer say anything, would hide what it is for.
 */
const LISTED = Object.keys(REFUSED_VALID_ROWS).length;

/** One row in the shape in which it is sent. */
interface Sending {
  readonly row: Http1Row;
  readonly bytes: Buffer;
}

interface Result extends Sending {
  readonly answered: Answered;
  readonly forwarded: readonly Message[];
}

const table = new Table(
  ['source', 'transport', 'sent'],
  [
    'within bound',
    'valid: forwarded',
    'valid: refused by a rule',
    'must-reject: kept out',
    'ambiguous: refused',
  ],
);
afterAll(() => table.print('HTTP/1.1 request corpora'));

describe.each(TRANSPORTS)('over %s', (transport) => {
  it.for(WAYS)(
    'hostile requests are read in one way or not at all, sent %s',
    { timeout: 120_000 },
    async (way, ctx) => {
      const rows = rowsOf(ctx, 'http1.jsonl');
      const gate = await startCorpusGate(transport, way === 'as it is' ? PUBLIC_ROUTES : undefined);
      try {
        const sendings = way === 'as it is' ? rows.map(asItIs) : withToken(rows, gate.gate.token);
        const results = await converseAll(gate, sendings);
        for (const result of results) count(transport, way, result);
        expect(results.flatMap((result) => faultOf(way, result))).toEqual([]);
        expect(
          rows.filter((row) => row.id in REFUSED_VALID_ROWS && row.expected === 'valid'),
        ).toHaveLength(LISTED);
        expect(gate.strays()).toEqual([]);
      } finally {
        await gate.stop();
      }
    },
  );
});

function asItIs(row: Http1Row): Sending {
  return { row, bytes: Buffer.from(row.raw_b64, 'base64') };
}

/**
 * A row without Host has, in the corpus, a twin with one: what is to be expected once a Host stands
 * there is the twin's to say, so only the twin is sent. Rows without a place for further lines have
 * been sent as they are.
 */
function withToken(rows: readonly Http1Row[], token: string): Sending[] {
  const ids = new Set(rows.map((row) => row.id));
  return rows.flatMap((row) => {
    if (row.insert_at === null || ids.has(`${row.id}+host`)) return [];
    const raw = Buffer.from(row.raw_b64, 'base64');
    const line = Buffer.from(`Authorization: Bearer ${token}\r\n`);
    return {
      row,
      bytes: Buffer.concat([raw.subarray(0, row.insert_at), line, raw.subarray(row.insert_at)]),
    };
  });
}

async function converseAll(gate: CorpusGate, sendings: readonly Sending[]): Promise<Result[]> {
  const results: (Sending & { answered: Answered; from: string })[] = [];
  const witnesses: { answered: Answered; from: string }[] = [];
  const witness = async () => {
    const connection = gate.connection();
    const answered = await converse(connection, [witnessBytes(gate)], VALID_ANSWER_MS);
    witnesses.push({ answered, from: connection.localAddress });
  };
  await witness();
  await inLanes(sendings, LANES, async (sending, index) => {
    if (index % WITNESS_EVERY === 0) await witness();
    const connection = gate.connection();
    const silenceMs = sending.row.expected === 'valid' ? VALID_ANSWER_MS : undefined;
    const answered = await converse(connection, [sending.bytes], silenceMs);
    results.push({ ...sending, answered, from: connection.localAddress });
  });
  await witness();
  const forwarded = gate.forwarded();
  for (const { answered, from } of witnesses) {
    expect(answered.statuses).toEqual([200]);
    expect(forwarded.get(from)?.map((request) => request.line)).toEqual([
      'GET /witness?of=this HTTP/1.1',
    ]);
  }
  return results.map(({ from, ...result }) => ({
    ...result,
    forwarded: forwarded.get(from) ?? [],
  }));
}

function witnessBytes(gate: CorpusGate): Buffer {
  return Buffer.from(
    `GET /witness?of=this HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gate.gate.token}\r\n\r\n`,
  );
}

/**
 * A public route takes GET and HEAD only, without any token: what is sent as it is can be forwarded
 * only with one of these.
 */
function mayPass(way: Way, row: Http1Row): boolean {
  return (
    way === 'with a token' ||
    /^(?:\r\n)?(?:GET|HEAD) /.test(Buffer.from(row.raw_b64, 'base64').toString('latin1'))
  );
}

/** What is wrong with how a row was treated; nothing, for nearly all. */
function faultOf(way: Way, { row, answered, forwarded, bytes }: Result): readonly string[] {
  const shown = `${row.id} (${row.expected}): ${JSON.stringify(bytes.toString('latin1').slice(0, 300))} → ${answered.statuses} ${answered.reason}`;
  const rule = REFUSED_VALID_ROWS[row.id];
  const faults: string[] = [];
  if (forwarded.length > row.max_upstream_complete_requests) {
    faults.push(
      `${forwarded.length} requests reached the upstream, at most ${row.max_upstream_complete_requests} may`,
    );
  }
  if (
    row.expected === 'must-reject' &&
    forwarded.length === 0 &&
    answered.statuses.some((status) => status < 300 && status >= 200)
  ) {
    faults.push('answered well without having been forwarded');
  }
  if (rule !== undefined && forwarded.length > 0)
    faults.push(`forwarded, though ${rule} is listed as refusing it`);
  if (rule !== undefined && mayPass(way, row) && answered.reason !== RULES[rule].reason)
    faults.push(`not refused by ${rule}`);
  if (ANSWERED_VALID_ROWS.has(row.id)) {
    if (forwarded.length > 0) faults.push('forwarded, though it is about the gate');
    if (mayPass(way, row) && answered.statuses[0] !== 200) faults.push('not answered');
  } else if (
    row.expected === 'valid' &&
    rule === undefined &&
    mayPass(way, row) &&
    forwarded.length === 0
  ) {
    faults.push('not forwarded');
  }
  if (
    forwarded.some((request) =>
      valuesOf(request, 'transfer-encoding').some((value) => value !== 'chunked'),
    )
  ) {
    faults.push('a transfer coding of the client went upstream');
  }
  return faults.map((fault) => `${fault}: ${shown}`);
}

function count(transport: string, way: Way, { row, answered, forwarded }: Result): void {
  const rule: Rule | undefined = REFUSED_VALID_ROWS[row.id];
  const valid = row.expected === 'valid' && mayPass(way, row);
  const ambiguous =
    row.expected === 'reject-or-single-canonical-reading' || row.expected === 'valid-or-reject';
  table.add(
    [row.repo, transport, way],
    [
      forwarded.length <= row.max_upstream_complete_requests,
      valid && rule === undefined && !ANSWERED_VALID_ROWS.has(row.id) ? forwarded.length > 0 : null,
      valid && rule !== undefined ? answered.reason === RULES[rule].reason : null,
      row.expected === 'must-reject'
        ? forwarded.length <= row.max_upstream_complete_requests
        : null,
      ambiguous ? forwarded.length === 0 : null,
    ],
  );
}
