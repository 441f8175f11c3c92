import { createPublicKey, type KeyObject } from 'node:crypto';
import { KeysUnavailable } from './faults.ts';

type Jwk = Readonly<Record<string, unknown>>;

/** A JWK set (RFC 7517 §5), as a gate publishes it at `/.well-known/jwks.json`. */
export interface KeySet {
  readonly keys: readonly object[];
}

/** The keys of a set that can sign an assertion, by `kid`; keys of other kinds are passed over. */
export function keysOf(set: unknown): ReadonlyMap<string, KeyObject> {
  const keys = (set as Partial<KeySet> | null)?.keys;
  if (!Array.isArray(keys)) throw new KeysUnavailable('this is no JWK set: it has no list "keys"');
  const found = new Map<string, KeyObject>();
  for (const key of keys as readonly unknown[]) {
    const { kty, crv, x, y, kid, alg = 'ES256', use = 'sig' } = (key ?? {}) as Jwk;
    if (kty !== 'EC' || crv !== 'P-256' || alg !== 'ES256' || use !== 'sig') continue;
    if (typeof kid !== 'string' || typeof x !== 'string' || typeof y !== 'string') continue;
    if (found.has(kid)) throw new KeysUnavailable('the JWK set has two keys of one name');
    found.set(kid, publicKey(x, y));
  }
  if (found.size === 0) throw new KeysUnavailable('the JWK set holds no key for ES256');
  return found;
}

function publicKey(x: string, y: string): KeyObject {
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  } catch {
    throw new KeysUnavailable('the JWK set holds a key that is not on its curve');
  }
}
