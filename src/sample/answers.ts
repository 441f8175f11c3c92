import { createHash } from 'node:crypto';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';

/**
 * What the answers of the service have in common: how it says no, reads what it is sent, and shows
 * lists.
 */
export const BASE = '/lifetimeapi/rest/v2';

const LIMITS = { jsonBytes: 64 * 1024, textCharacters: 500 } as const;

/** Becomes `{"Errors":["…"],"StatusCode":n}`. */
export class Problem extends Error {
  readonly status: 400 | 404 | 409 | 415;
  constructor(status: Problem['status'], message: string) {
    super(message);
    this.status = status;
  }
}

/** The caller as the gate names it. Without a gate in front there is nobody. */
export function caller(c: Context): string {
  return c.req.header('x-account-name') ?? 'anonymous';
}

export function list(c: Context, items: readonly unknown[]): Response {
  return items.length === 0 ? c.body(null, 204) : c.json(items);
}

export function pick<T extends { readonly Key: string }>(
  items: readonly T[],
  key: string,
  what: string,
  status: 400 | 404 = 404,
): T {
  const found = items.find((item) => item.Key.toLowerCase() === key.toLowerCase());
  if (found === undefined) throw new Problem(status, `No ${what} has the key ${key}`);
  return found;
}

export function text(
  body: Readonly<Record<string, unknown>>,
  field: string,
  fallback?: string,
): string {
  const value = body[field] ?? fallback;
  if (
    typeof value === 'string' &&
    value.length <= LIMITS.textCharacters &&
    (value !== '' || fallback !== undefined)
  )
    return value;
  throw new Problem(400, `${field} must be text of at most ${LIMITS.textCharacters} characters`);
}

export const jsonLimit = bodyLimit({
  maxSize: LIMITS.jsonBytes,
  onError: (c) =>
    c.json({ Errors: [`The body may have ${LIMITS.jsonBytes} bytes`], StatusCode: 413 }, 413),
});

/** The body as an object; `whenEmpty` stands for a body that is not there. */
export async function jsonObject(
  c: Context,
  whenEmpty?: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const written = await c.req.text();
  if (written === '' && whenEmpty !== undefined) return whenEmpty;
  const body: unknown = parsed(written);
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem(400, 'The body must be a JSON object');
  return body as Record<string, unknown>;
}

function parsed(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return null;
  }
}

/** Reads a body of any size without keeping it. */
export async function digestBody(c: Context): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.byteLength;
    hash.update(chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}
