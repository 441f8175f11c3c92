import { SET_SECONDS } from './key-set.ts';

/** Where the keys by which assertions are verified are told (RFC 8615). */
export const KEY_SET_PATH = '/.well-known/jwks.json';

/** Kept for less time than a key is published ahead of its use. */
export const KEY_SET_FIELDS = {
  'Cache-Control': `public, max-age=${SET_SECONDS}`,
  'Content-Type': 'application/jwk-set+json',
} as const;
