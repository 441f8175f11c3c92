import { afterAll, expect, it } from 'vitest';
import { type Answered, converse, inLanes } from '../support/conversation.ts';
import type { Message } from '../support/http-bytes.ts';
import { type CorpusGate, startCorpusGate, TRANSPORTS } from './gates.ts';
import { type IdentityRow, rowsOf } from './rows.ts';
import { Table } from './table.ts';

/**
 * Field lines with which a client tries to say who it is, where it comes from or what it wants: the
 * upstream sees what the gate says, and only that, or nothing at all.
 */

const LANES = 16;
const ANSWER_MS = 8000;

/**
 * Names that are the gate's to set, however they are spelled: any run of other characters counts as
 * one hyphen.
 */
const OURS =
  /^(?:http-)?(?:x-account|x-forwarded|x-original|x-rewrite|client-cert|forwarded|x-real-ip|x-request-id|x-http-method|x-method)/;
/** New with every request. */
const FRESH = new Set(['x-request-id', 'traceparent']);

interface Result {
  readonly row: IdentityRow;
  readonly answered: Answered;
  readonly forwarded: readonly Message[];
  /** What an account got that may do nothing. */
  readonly powerless: Answered;
  readonly address: string;
}

const table = new Table(['expected', 'transport'], ['as expected', 'forwarded', 'refused']);
afterAll(() => table.print('Identity header corpus'));

it.for(TRANSPORTS)(
  'a client says nothing about itself that the upstream could believe, over %s',
  { timeout: 60_000 },
  async (transport, ctx) => {
    const rows = rowsOf(ctx, 'identity-headers.jsonl');
    const gate = await startCorpusGate(transport);
    try {
      const powerless = await gate.gate.createAccount({ name: 'powerless', role: 'none' });
      const plain: IdentityRow = {
        id: 'plain',
        header_lines_b64: '',
        expected: 'upstream-sees-our-value',
      };
      const results = await converseAll(gate, [plain, ...rows], powerless.token);
      const bare = results.find((result) => result.row === plain)!;
      expect(bare.forwarded).toHaveLength(1);
      const ours = ourFields(bare);
      expect(ours).toContain(`x-account-id: ${gate.gate.account.id}`);
      const faults = results.flatMap((result) => {
        const found = faultOf(ours, result);
        const { row, forwarded } = result;
        if (row !== plain)
          table.add(
            [row.expected, transport],
            [found.length === 0, forwarded.length > 0, forwarded.length === 0],
          );
        return found;
      });
      expect(faults).toEqual([]);
      expect(gate.strays()).toEqual([]);
    } finally {
      await gate.stop();
    }
  },
);

async function converseAll(
  gate: CorpusGate,
  rows: readonly IdentityRow[],
  powerless: string,
): Promise<Result[]> {
  const results: Omit<Result, 'forwarded'>[] = [];
  await inLanes(rows, LANES, async (row) => {
    const connection = gate.connection();
    const answered = await converse(connection, [requestOf(row, gate.gate.token)], ANSWER_MS);
    const refused = await converse(gate.connection(), [requestOf(row, powerless)], ANSWER_MS);
    results.push({ row, answered, powerless: refused, address: connection.localAddress });
  });
  const forwarded = gate.forwarded();
  return results.map((result) => ({ ...result, forwarded: forwarded.get(result.address) ?? [] }));
}

function requestOf(row: IdentityRow, token: string): Buffer {
  return Buffer.concat([
    Buffer.from(`GET /apps/one HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`),
    Buffer.from(row.header_lines_b64, 'base64'),
    Buffer.from('\r\n'),
  ]);
}

/**
 * The fields that only the gate may set, as the upstream would read them, without what differs from
 * request to request.
 */
function ourFields({
  forwarded,
  address,
}: Pick<Result, 'forwarded' | 'address'>): readonly string[] {
  return forwarded[0]!.fields
    .map(
      ([name, value]) =>
        [
          name
            .toLowerCase()
            .replace(/[^a-z0-9]+/g, '-')
            .replace(/^-|-$/g, ''),
          value,
        ] as const,
    )
    .filter(([name]) => OURS.test(name))
    .map(
      ([name, value]) =>
        `${name}: ${FRESH.has(name) ? 'fresh' : value.replaceAll(address, 'CLIENT')}`,
    )
    .sort();
}

function faultOf(ours: readonly string[], result: Result): readonly string[] {
  const { row, answered, forwarded, powerless } = result;
  const status = answered.statuses[0] ?? 0;
  const lines = JSON.stringify(Buffer.from(row.header_lines_b64, 'base64').toString('latin1'));
  const shown = `${row.id} (${row.expected}) ${lines} → ${answered.statuses} ${answered.reason}`;
  const faults: string[] = [];
  if (forwarded.length > 1) faults.push('forwarded twice');
  if (forwarded.length === 1 && row.expected === 'reject-400') faults.push('forwarded');
  if (forwarded.length === 0 && status !== 400) faults.push('neither forwarded nor refused');
  if (forwarded.length === 0 && row.expected === 'upstream-sees-our-value')
    faults.push('not forwarded');
  if (forwarded.length === 1 && ourFields(result).join('\n') !== ours.join('\n'))
    faults.push(`the upstream saw ${ourFields(result)}`);
  if (forwarded.length === 1 && !forwarded[0]!.line.startsWith('GET /apps/one '))
    faults.push(`rewritten to ${forwarded[0]!.line}`);
  if (powerless.statuses[0] !== (status === 200 ? 403 : status))
    faults.push(`an account without rights got ${powerless.statuses}`);
  return faults.map((fault) => `${fault}: ${shown}`);
}
