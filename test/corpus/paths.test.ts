import { afterAll, expect, it } from 'vitest';
import { type Answered, converse, inLanes } from '../support/conversation.ts';
import type { Message } from '../support/http-bytes.ts';
import { type CorpusGate, startCorpusGate, TRANSPORTS } from './gates.ts';
import { type PathRow, rowsOf } from './rows.ts';
import { Table } from './table.ts';

/**
 * Targets that some servers read in two ways. The caller may use what is public and what is below
 * `/a`, `/abc`, `/foo` and so on, and nothing below `/admin`: whatever a target is written like, it
 * is refused, or it is decided like the path that everyone would take it for.
 */
const ROUTES = [
  { name: 'open', path: '/public/**', access: 'public', upstream: 'recorder' },
  protectedRoute('admin', '/admin/**', 'admin:all'),
  ...['/', '/a/**', '/A/**', '/abc/**', '/foo/**', '/bar/**', '/xyz/**'].map((path, index) =>
    protectedRoute(`plain-${index}`, path, 'test:all'),
  ),
];

function protectedRoute(name: string, path: string, permission: string) {
  return { name, path, methods: ['GET'], application: 'any', permission, upstream: 'recorder' };
}

const LANES = 16;
const ANSWER_MS = 8000;

interface Result {
  readonly answered: Answered;
  readonly forwarded: readonly Message[];
}

const table = new Table(['source', 'transport'], ['as expected', 'forwarded', 'refused']);
afterAll(() => table.print('Request target corpus'));

it.for(TRANSPORTS)(
  'a target is refused or means what its plain form means, over %s',
  { timeout: 60_000 },
  async (transport, ctx) => {
    const rows = rowsOf(ctx, 'paths.jsonl');
    const gate = await startCorpusGate(transport, ROUTES);
    try {
      const targets = [...new Set(rows.flatMap((row) => [targetOf(row), row.canonical ?? '/']))];
      const results = await converseAll(gate, [...targets, '/admin/secret', '/public/x', '/abc']);
      expect(results.get('/admin/secret')!.answered.statuses).toEqual([403]);
      for (const open of ['/public/x', '/abc'])
        expect(results.get(open)!.forwarded).toHaveLength(1);
      const faults = rows.flatMap((row) => {
        const fault = faultOf(row, results);
        const { forwarded } = results.get(targetOf(row))!;
        const source = row.source.split('@')[0]!;
        table.add(
          [source, transport],
          [fault === null, forwarded.length > 0, forwarded.length === 0],
        );
        return fault === null ? [] : [fault];
      });
      expect(faults).toEqual([]);
      expect(gate.strays()).toEqual([]);
      // Nobody who may not go there got there, in whatever spelling.
      expect(
        gate.upstream.requests.filter((request) => /admin|secret/i.test(request.line)),
      ).toEqual([]);
    } finally {
      await gate.stop();
    }
  },
);

function targetOf(row: PathRow): string {
  return Buffer.from(row.target_b64, 'base64').toString('latin1');
}

async function converseAll(
  gate: CorpusGate,
  targets: readonly string[],
): Promise<ReadonlyMap<string, Result>> {
  const results: { target: string; answered: Answered; from: string }[] = [];
  await inLanes([...new Set(targets)], LANES, async (target) => {
    const connection = gate.connection();
    const text = `GET ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${gate.gate.token}\r\n\r\n`;
    const answered = await converse(connection, [Buffer.from(text, 'latin1')], ANSWER_MS);
    results.push({ target, answered, from: connection.localAddress });
  });
  const forwarded = gate.forwarded();
  return new Map(
    results.map(({ target, answered, from }) => [
      target,
      { answered, forwarded: forwarded.get(from) ?? [] },
    ]),
  );
}

function faultOf(row: PathRow, results: ReadonlyMap<string, Result>): string | null {
  const target = targetOf(row);
  const { answered, forwarded } = results.get(target)!;
  const status = answered.statuses[0] ?? 0;
  const shown = `${row.id}: ${JSON.stringify(target.slice(0, 200))} → ${answered.statuses} ${answered.reason}`;
  if (forwarded.length === 0) return status >= 400 && status < 500 ? null : `no refusal: ${shown}`;
  if (row.expected.startsWith('must-reject')) return `forwarded: ${shown}`;
  const canonical = results.get(row.canonical ?? '/')!;
  if (canonical.answered.statuses[0] !== status)
    return `decided otherwise than ${row.canonical}: ${shown}`;
  // Nothing was decoded, cleaned or otherwise rewritten on the way.
  return forwarded[0]!.line === `GET ${target} HTTP/1.1`
    ? null
    : `rewritten to ${forwarded[0]!.line}: ${shown}`;
}
