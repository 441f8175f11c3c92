import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import * as z from 'zod';

/** A signed head, as it stands in a log, beside it, or in a trust file. */
export const signedHead = z.object({
  instance: z.string().min(1),
  seq: z.int().min(1),
  chain: z.string().length(43),
  time: z.string(),
  lastHead: z.object({ number: z.int().min(1), time: z.string() }).optional(),
  key: z.string(),
  signature: z.string(),
});

export type SignedHead = Readonly<z.infer<typeof signedHead>>;

/** What somebody keeps apart from the store, to compare the store with. */
export const trustFile = z.object({
  keys: z.array(z.object({ key: z.string(), publicKey: z.string() })),
  heads: z.array(signedHead),
});

export type Trust = z.infer<typeof trustFile>;

/** Key id -> public key (SPKI DER, base64url). */
export type KnownKeys = ReadonlyMap<string, string>;

/** The first 16 hex digits of the SHA-256 of the key. */
export function keyIdOf(publicKey: string): string {
  return hash('sha256', Buffer.from(publicKey, 'base64url'), 'hex').slice(0, 16);
}

const parsed = new Map<string, KeyObject | null>();
const MOST_PARSED = 1000;

/** Whether the key has signed the text. A key that is none has signed nothing. */
export function hasSigned(publicKey: string, text: string, signature: unknown): boolean {
  if (typeof signature !== 'string') return false;
  let key = parsed.get(publicKey);
  if (key === undefined) {
    key = keyFrom(publicKey);
    if (parsed.size >= MOST_PARSED) parsed.clear();
    parsed.set(publicKey, key);
  }
  return key !== null && verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));
}

function keyFrom(publicKey: string): KeyObject | null {
  try {
    const der = Buffer.from(publicKey, 'base64url');
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return key.asymmetricKeyType === 'ed25519' ? key : null;
  } catch {
    return null;
  }
}
