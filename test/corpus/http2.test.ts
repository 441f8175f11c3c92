import { expect, it } from 'vitest';
import { isHeadFault, parseRequestHead } from '../../src/http1/request-parser.ts';
import { FieldSection } from '../../src/http2/hpack-decoder.ts';
import { isHttp2Fault, MAX_FIELDS, readRequestHead } from '../../src/http2/request-head.ts';
import { inLanes } from '../support/conversation.ts';
import { type Message, valuesOf } from '../support/http-bytes.ts';
import { framesIn, greet, headers, type RawField, responsesIn } from '../support/http2-frames.ts';
import { connectRaw } from '../support/raw-client.ts';
import { type CorpusGate, startCorpusGate } from './gates.ts';
import { rowsOf } from './rows.ts';

/**
 * The corpora of HTTP/1.1, translated: the same methods, targets, hosts, names and values in the
 * fields of HTTP/2, which can hold any of them.
 */

const TARGET_BYTES = 8192;
const LANES = 16;
/** What cannot be translated: HTTP/2 frames for itself, and refuses these whatever they say. */
const OF_HTTP1 = /^(?:connection|keep-alive|proxy-connection|te|transfer-encoding|upgrade)$/;

interface Translated {
  readonly id: string;
  readonly fields: readonly RawField[];
  /** Of HTTP/1.1, in the same words; null where they have no host. */
  readonly head: string | null;
}

/** @param text from the method to the last field line, each ended by CRLF */
function translated(id: string, text: string): Translated {
  const lines = text.split('\r\n');
  const line = lines.shift() ?? '';
  const [, method = line, target = ''] = /^([^ ]*) (.*?)(?: HTTP\/[0-9.]+)?$/s.exec(line) ?? [];
  const all = lines
    .filter((each) => each !== '')
    .map((each): RawField => {
      const colon = each.indexOf(':');
      const name = (colon === -1 ? each : each.slice(0, colon)).toLowerCase();
      return [name, colon === -1 ? '' : each.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')];
    })
    .filter(([name]) => !OF_HTTP1.test(name));
  // Several stay as they are: `:authority` may stand beside a `host` that is the same.
  const hosts = all.filter(([name]) => name === 'host');
  const host = hosts.length === 1 ? hosts[0]![1] : null;
  const others = host === null ? all : all.filter(([name]) => name !== 'host');
  const pseudo: RawField[] = [
    [':method', method],
    [':scheme', 'https'],
    ...(host === null ? [] : [[':authority', host] as const]),
    [':path', target],
  ];
  const head = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host}`,
    ...others.map((f) => f.join(': ')),
  ];
  return {
    id,
    fields: [...pseudo, ...others],
    head: host === null ? null : head.map((each) => `${each}\r\n`).join(''),
  };
}

function read({ fields }: Translated) {
  const section = new FieldSection(1_000_000, MAX_FIELDS);
  for (const [name, value] of fields) section.add(name, value);
  const hasContent = fields.some(([name, value]) => name === 'content-length' && value !== '0');
  return readRequestHead(section, !hasContent, TARGET_BYTES);
}

const latin1 = (base64: string) => Buffer.from(base64, 'base64').toString('latin1');

it('what is a request in HTTP/2 is the same one in HTTP/1.1, and what is none there is none', (ctx) => {
  const field = (lines: string) => `GET /a HTTP/1.1\r\nHost: a\r\n${lines}`;
  const rows = [
    ...rowsOf(ctx, 'http1.jsonl').map(({ id, raw_b64 }) =>
      translated(id, latin1(raw_b64).split('\r\n\r\n')[0]!),
    ),
    ...rowsOf(ctx, 'authorization.jsonl').map(({ id, header_lines_b64 }) =>
      translated(id, field(latin1(header_lines_b64))),
    ),
    ...rowsOf(ctx, 'identity-headers.jsonl').map(({ id, header_lines_b64 }) =>
      translated(id, field(latin1(header_lines_b64))),
    ),
    ...rowsOf(ctx, 'paths.jsonl').map(({ id, target_b64 }) =>
      translated(id, `GET ${latin1(target_b64)} HTTP/1.1\r\nHost: a\r\n`),
    ),
  ];
  let taken = 0;
  // CONNECT has another form in HTTP/2, and is refused in both.
  const faults = rows.flatMap((row) => {
    if (row.fields[0]![1] === 'CONNECT') return [];
    const second = read(row);
    const first = row.head === null ? null : parseRequestHead(row.head, TARGET_BYTES);
    if (isHttp2Fault(second)) {
      if (first === null || isHeadFault(first)) return [];
      return [`${row.id} is taken in HTTP/1.1 alone: ${second.detail}`];
    }
    taken += 1;
    if (first === null || isHeadFault(first))
      return [`${row.id} is taken in HTTP/2 alone: ${JSON.stringify(first)}`];
    const said = ({ method, target, path, host, authorization }: typeof first) =>
      JSON.stringify([method, target, path, host, authorization]);
    return said(first) === said(second) ? [] : [`${row.id}: ${said(first)}, ${said(second)}`];
  });
  expect(faults).toEqual([]);
  expect(taken).toBeGreaterThan(rows.length / 4);
});

it('nobody is let in by what is no credential, and nothing is believed of a client', async (ctx) => {
  const gate = await startCorpusGate('plaintext', undefined, { enabled: true });
  try {
    const { token, account } = gate.gate;
    const credentials = rowsOf(ctx, 'authorization.jsonl').filter(
      ({ category }) => category !== 'query' && category !== 'trailer',
    );
    const filled = (lines: string) => lines.replaceAll('{{TOKEN}}', token);
    const faults: string[] = [];
    await inLanes(credentials, LANES, async ({ id, header_lines_b64, expected }) => {
      const { status, forwarded } = await ask(gate, filled(latin1(header_lines_b64)));
      const isGood = expected === 'accept-as-A';
      if (isGood ? status !== 200 : forwarded.length > 0 && !/accept|strip/.test(expected))
        faults.push(`${id} (${expected}): ${status}`);
      if (forwarded.some((sent) => valuesOf(sent, 'x-account-id').join() !== account.id))
        faults.push(`${id}: as another`);
    });
    await inLanes(rowsOf(ctx, 'identity-headers.jsonl'), LANES, async (row) => {
      const lines = `Authorization: Bearer ${token}\r\n${filled(latin1(row.header_lines_b64))}`;
      const { status, forwarded } = await ask(gate, lines);
      if (status === 200 ? forwarded.length !== 1 : forwarded.length > 0)
        faults.push(`${row.id}: ${status}, ${forwarded.length} arrived`);
      for (const sent of forwarded)
        if (valuesOf(sent, 'x-account-id').join() !== account.id)
          faults.push(`${row.id}: ${JSON.stringify(sent.fields)}`);
    });
    expect(faults).toEqual([]);
    expect(gate.strays()).toEqual([]);
  } finally {
    await gate.stop();
  }
});

async function ask(
  gate: CorpusGate,
  lines: string,
): Promise<{ readonly status: number; readonly forwarded: readonly Message[] }> {
  const connection = gate.connection();
  const client = await connectRaw(connection);
  try {
    const { fields } = translated('', `GET /some/path HTTP/1.1\r\nHost: localhost\r\n${lines}`);
    await greet(client, headers(1, fields));
    const of = (bytes: Buffer) => responsesIn(framesIn(bytes)).get(1);
    const bytes = await client.waitFor('a response', (all) => {
      const response = of(all);
      if (client.closed !== 'open') return true; // frames that are too large end all of it
      return response?.ended === true || (response?.reset ?? null) !== null;
    });
    const forwarded = gate.forwarded().get(connection.localAddress) ?? [];
    return { status: of(bytes)?.status ?? 0, forwarded };
  } finally {
    client.close();
  }
}
