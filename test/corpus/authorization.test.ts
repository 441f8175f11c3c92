import { afterAll, expect, it } from 'vitest';
import { type Answered, converse, inLanes } from '../support/conversation.ts';
import { type Message, valuesOf } from '../support/http-bytes.ts';
import { type CorpusGate, startCorpusGate, TRANSPORTS } from './gates.ts';
import { type AuthorizationRow, rowsOf } from './rows.ts';
import { Table } from './table.ts';

/**
 * Every way to write a credential: the one that RFC 6750 §2.1 gives is taken for who it names,
 * nothing else is taken for anybody.
 */

const LANES = 32;
const ANSWER_MS = 8000;

/**
 * Statuses that a row allows when it is refused, and whether it may be let in as the account of the
 * first token.
 */
const EXPECTATIONS: Readonly<
  Record<string, { readonly statuses: readonly number[]; readonly letIn: boolean }>
> = {
  'accept-as-A': { statuses: [], letIn: true },
  'reject-400': { statuses: [400], letIn: false },
  'reject-401': { statuses: [401], letIn: false },
  'reject-400-or-401': { statuses: [400, 401], letIn: false },
  'reject-401-or-431': { statuses: [401, 431], letIn: false },
  'reject-400-or-accept-as-A': { statuses: [400], letIn: true },
  'reject-400-or-strip-identity-header': { statuses: [400], letIn: true },
  'accept-as-A-and-trailer-dropped-or-reject': { statuses: [400], letIn: true },
};

interface Result {
  readonly row: AuthorizationRow;
  readonly answered: Answered;
  readonly forwarded: readonly Message[];
}

const table = new Table(['category', 'transport'], ['as expected', 'let in', 'refused']);
afterAll(() => table.print('Authorization corpus (RFC grammar)'));

it.for(TRANSPORTS)(
  'only a well-formed credential is taken, and for its own account, over %s',
  { timeout: 60_000 },
  async (transport, ctx) => {
    const rows = rowsOf(ctx, 'authorization.jsonl');
    const gate = await startCorpusGate(transport);
    try {
      const other = await gate.gate.createAccount({ name: 'other', role: 'tester' });
      const results = await converseAll(gate, rows, [gate.gate.token, other.token]);
      for (const { row, answered, forwarded } of results) {
        const good = faultOf(gate.gate.account.id, { row, answered, forwarded }).length === 0;
        table.add([row.category, transport], [good, forwarded.length > 0, forwarded.length === 0]);
      }
      expect(results.flatMap((result) => faultOf(gate.gate.account.id, result))).toEqual([]);
      expect(gate.strays()).toEqual([]);
    } finally {
      await gate.stop();
    }
  },
);

async function converseAll(
  gate: CorpusGate,
  rows: readonly AuthorizationRow[],
  tokens: readonly [string, string],
): Promise<Result[]> {
  const results: { row: AuthorizationRow; answered: Answered; from: string }[] = [];
  await inLanes(rows, LANES, async (row) => {
    const connection = gate.connection();
    const answered = await converse(connection, [requestOf(row, tokens)], ANSWER_MS);
    results.push({ row, answered, from: connection.localAddress });
  });
  const forwarded = gate.forwarded();
  return results.map(({ from, ...result }) => ({
    ...result,
    forwarded: forwarded.get(from) ?? [],
  }));
}

/** The whole request for a row. Two rows say in words what to send beside their lines. */
function requestOf(row: AuthorizationRow, tokens: readonly [string, string]): Buffer {
  const lines = filled(Buffer.from(row.header_lines_b64, 'base64').toString('latin1'), tokens);
  const target = row.category === 'query' ? `/?access_token=${tokens[0]}` : '/some/path';
  const trailer = row.category === 'trailer' ? '2\r\nhi\r\n0\r\nX-Account-Id: root\r\n\r\n' : '';
  const method = trailer === '' ? 'GET' : 'POST';
  return Buffer.from(
    `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${lines}\r\n${trailer}`,
    'latin1',
  );
}

function filled(lines: string, [first, second]: readonly [string, string]): string {
  // The placeholder of the Basic row stands inside its base64.
  const open = lines.replace(/Basic ([A-Za-z0-9+/]{8,}={0,2})/, (whole, encoded: string) => {
    const decoded = Buffer.from(encoded, 'base64').toString('latin1');
    return decoded.includes('{{TOKEN}}')
      ? `Basic ${Buffer.from(decoded.replace('{{TOKEN}}', first)).toString('base64')}`
      : whole;
  });
  return open.replace(
    /\{\{(TOKEN2?)(?:\|([a-z-]+))?\}\}/g,
    (_, name: string, filter: string | undefined) => {
      const token = name === 'TOKEN' ? first : second;
      if (filter === undefined) return token;
      if (filter === 'upper') return token.toUpperCase();
      if (filter === 'last-char-unused-bits-changed')
        return token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A');
      throw new Error(`unknown filter ${filter}`);
    },
  );
}

function faultOf(accountId: string, { row, answered, forwarded }: Result): readonly string[] {
  const expected = EXPECTATIONS[row.expected];
  const shown = `${row.id} (${row.expected}) → ${answered.statuses} ${answered.reason}`;
  if (expected === undefined) return [`nobody said what to expect: ${shown}`];
  if (forwarded.length === 0)
    return expected.statuses.includes(answered.statuses[0] ?? 0) ? [] : [`refused: ${shown}`];
  if (!expected.letIn || forwarded.length > 1) return [`let in: ${shown}`];
  const ids = valuesOf(forwarded[0]!, 'x-account-id');
  return ids.length === 1 && ids[0] === accountId && answered.statuses[0] === 200
    ? []
    : [`let in as ${ids}: ${shown}`];
}
