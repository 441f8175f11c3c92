import { type KeyObject, verify } from 'node:crypto';
import { AssertionRefused } from './faults.ts';

/** Beyond it nothing is read: no gate sends a field of that size. */
const LONGEST = 32_768;
/** Header, claims and 64 bytes of signature (RFC 7515 §7.1, RFC 7518 §3.4). */
const COMPACT = /^([\w-]+)\.([\w-]+)\.([\w-]{86})$/;

/** An assertion whose form is right, and of which nothing is believed yet. */
export interface ReadAssertion {
  readonly kid: string;
  /** What is signed. */
  readonly signed: string;
  readonly signature: string;
  /** Encoded. */
  readonly claims: string;
}

/**
 * Throws `AssertionRefused`. The algorithm is ours to choose, never the sender's: a header that
 * names another one, or asks for an extension (`crit`, RFC 7515 §4.1.11), is refused.
 */
export function readAssertion(text: unknown): ReadAssertion {
  if (text === undefined || text === null || text === '')
    throw new AssertionRefused('missing', 'there is no assertion');
  const parts = typeof text === 'string' && text.length <= LONGEST ? COMPACT.exec(text) : null;
  if (parts === null) throw new AssertionRefused('malformed', 'it is no JWT of one signature');
  const [, head = '', claims = '', signature = ''] = parts;
  const { alg, kid, typ = 'JWT', crit } = objectOf(head);
  if (alg !== 'ES256' || typ !== 'JWT' || crit !== undefined || typeof kid !== 'string')
    throw new AssertionRefused('malformed', 'its header is not that of an assertion');
  return { kid, signed: `${head}.${claims}`, signature, claims };
}

/** The claims. Throws `AssertionRefused` unless this key has signed them. */
export function provenClaims(
  { signed, signature, claims }: ReadAssertion,
  key: KeyObject,
): Readonly<Record<string, unknown>> {
  const data = Buffer.from(signed, 'latin1');
  const bytes = Buffer.from(signature, 'base64url');
  if (!verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, bytes))
    throw new AssertionRefused('signature-wrong', 'its signature is not that of its key');
  return objectOf(claims);
}

function objectOf(encoded: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  } catch {
    value = null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AssertionRefused('malformed', 'a part of it is no JSON object');
  return value as Readonly<Record<string, unknown>>;
}
