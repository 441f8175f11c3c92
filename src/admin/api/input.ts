import type * as z from 'zod';
import type { Fault } from '../error.ts';
import { printable } from '../faults.ts';
import { readInput } from '../input.ts';
import type { Operation } from './operation.ts';
import type { Refused } from './problem.ts';

/** Longest body of a request, in bytes: a team with all its applications fits. */
const BODY_BYTES = 128 * 1024;

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly refused: Refused };

const NOTHING = { ok: true, value: {} } as const;

/** Path parameters that cannot name anything name nothing. */
export function readParams(
  { params }: Operation,
  given: Readonly<Record<string, string>>,
): Read<object> {
  if (params === null) return NOTHING;
  const result = params.safeParse(given);
  if (result.success) return { ok: true, value: result.data };
  return {
    ok: false,
    refused: { reason: 'not-found', detail: 'the path names nothing that there could be' },
  };
}

/** Each name once: of two values nobody could say which one was meant. */
export function readQuery({ query }: Operation, url: string): Read<object> {
  const given = new URLSearchParams(new URL(url).search);
  const names = [...given.keys()];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    return invalid([{ field: printable(twice), message: 'is given more than once' }]);
  if (query === null) {
    const unknown = names.map((name) => ({
      field: printable(name),
      message: 'is not a parameter of this operation',
    }));
    return unknown.length === 0 ? NOTHING : invalid(unknown);
  }
  return parse(query, Object.fromEntries(given));
}

/** Reads and checks the body of a request. */
export async function readBody(
  { body, bodyOptional, bodyBytes = BODY_BYTES }: Operation,
  request: Request,
): Promise<Read<object> & { readonly text?: string }> {
  if (body === null) return NOTHING;
  const text = await readText(request, bodyBytes);
  if (text === null)
    return {
      ok: false,
      refused: { reason: 'body-too-large', detail: `at most ${bodyBytes} bytes are read` },
    };
  if (text === '' && bodyOptional === true) return { ...NOTHING, text };
  // RFC 9110 §8.3: parameters may follow.
  if (!/^application\/json *(;|$)/i.test(request.headers.get('content-type') ?? '')) {
    return { ok: false, refused: { reason: 'media-type-refused' } };
  }
  try {
    return { ...parse(body, JSON.parse(text)), text };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { ok: false, refused: { reason: 'body-malformed' } };
  }
}

/**
 * Null: it is longer than a body may be. What a client declares is not believed; what comes is
 * counted.
 */
async function readText(request: Request, mostBytes: number): Promise<string | null> {
  if (request.body === null) return '';
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of request.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > mostBytes) return null;
    pieces.push(piece);
  }
  return new TextDecoder().decode(Buffer.concat(pieces));
}

function parse(schema: z.ZodObject, value: unknown): Read<object> {
  const read = readInput(schema, value);
  return read.faults === undefined ? { ok: true, value: read.value } : invalid(read.faults);
}

function invalid(faults: readonly Fault[]): { readonly ok: false; readonly refused: Refused } {
  const detail = faults.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return { ok: false, refused: { reason: 'invalid', detail, faults } };
}

/**
 * `If-Match` (RFC 9110 §13.1.1): the version that the caller has seen. `*` asks only that it be
 * there, which every change does anyway. Null: it was not said. A tag that is none of ours matches
 * nothing.
 */
export function readIfMatch(field: string | null): Read<number | null> {
  if (field === null || field.trim() === '*') return { ok: true, value: null };
  const [, version] = /^ *"(\d{1,15})" *$/.exec(field) ?? [];
  if (version !== undefined) return { ok: true, value: Number(version) };
  return {
    ok: false,
    refused: {
      reason: 'precondition-failed',
      detail: 'If-Match takes one ETag as it was given out, such as "17"',
    },
  };
}

/** `Idempotency-Key`: 1 to 255 printable characters. Null: it was not said. */
export function readIdempotencyKey(field: string | null): Read<string | null> {
  if (field === null) return { ok: true, value: null };
  if (/^[!-~]{1,255}$/.test(field)) return { ok: true, value: field };
  return invalid([
    { field: 'Idempotency-Key', message: 'must be 1 to 255 printable ASCII characters' },
  ]);
}
