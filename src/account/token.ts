import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { base62, digitOf, randomCharacters, readBase62 } from './alphabet.ts';
import { checksumOf, EMPTY_SUM, withFour } from './checksum.ts';
import { ACCOUNT_ID_LENGTH } from './id.ts';

/**
 * The token: `slp_` + account id (12) + `_` + secret (43 characters, 256 bits) + checksum (6).
 *
 * The prefix and the checksum let a leak scanner recognise it and let the gate refuse what was
 * never a token without asking anyone. Neither is a secret: only the digest decides.
 */
const PREFIX = 'slp_';
const ID_START = PREFIX.length;
const ID_END = ID_START + ACCOUNT_ID_LENGTH;
const SECRET_START = ID_END + 1;
const SECRET_LENGTH = 43;
const CHECKSUM_START = SECRET_START + SECRET_LENGTH;
const TOKEN_LENGTH = CHECKSUM_START + 6;
const PREFIX_SUM = withFour(EMPTY_SUM, Buffer.from(PREFIX).readInt32LE());

const DIGEST_LENGTH = 64;
const TOKEN_ID_LENGTH = 16;

/**
 * A digest's place where there is none: equals no SHA-256 in hex, because `-` is not a hex digit.
 */
export const NO_DIGEST = '-'.repeat(DIGEST_LENGTH);

/** A new token for an account. Shown once; only `tokenDigest` of it is kept. */
export function newToken(accountId: string): string {
  const body = `${PREFIX}${accountId}_${randomCharacters(SECRET_LENGTH)}`;
  return body + base62(crc32(body));
}

/**
 * The account id that a well-formed token names, or null. Form and checksum only, without I/O: the
 * id is a claim until the digest has matched. Bounded work whatever the length, because any length
 * but one is refused first.
 */
export function parseToken(text: string): string | null {
  if (text.length !== TOKEN_LENGTH || !text.startsWith(PREFIX) || text[ID_END] !== '_') return null;
  let signs = 0;
  let sum = PREFIX_SUM;
  // One walk for both questions: to ask a string for its characters is what costs.
  for (let at = ID_START; at < CHECKSUM_START; at += 4) {
    const one = text.charCodeAt(at);
    const two = text.charCodeAt(at + 1);
    const three = text.charCodeAt(at + 2);
    const four = text.charCodeAt(at + 3);
    // One foreign character makes the sign stick. What parts id and secret is known already.
    signs |= (at === ID_END ? 0 : digitOf(one)) | digitOf(two) | digitOf(three) | digitOf(four);
    sum = withFour(sum, one | (two << 8) | (three << 16) | (four << 24));
  }
  // Sent bytes and hashed bytes are the same from here on: everything is ASCII.
  const isWhole = signs >= 0 && checksumOf(sum) === readBase62(text, CHECKSUM_START, TOKEN_LENGTH);
  return isWhole ? text.slice(ID_START, ID_END) : null;
}

/**
 * What looks like a token, or was meant to be one: for telling "malformed" from "another scheme".
 */
export function beginsLikeToken(text: string): boolean {
  return text.startsWith(PREFIX);
}

/**
 * SHA-256 of all 66 bytes, 64 lower-case hex digits. A plain fast hash is enough for a secret of
 * 256 random bits (OWASP ASVS 5.0, 6.5.2); the hex form is the cheapest that node:crypto gives.
 */
export function tokenDigest(token: string): string {
  return hash('sha256', token, 'hex');
}

/** The public handle of a token in audit events: the first 16 hex digits of its digest. */
export function tokenId(digest: string): string {
  return digest.slice(0, TOKEN_ID_LENGTH);
}

/**
 * Two digests at a time, as bytes and as the same in words of four: safe, as nothing here waits.
 */
const left = new Int32Array(DIGEST_LENGTH / Int32Array.BYTES_PER_ELEMENT);
const right = new Int32Array(left.length);
const leftBytes = new Uint8Array(left.buffer);
const rightBytes = new Uint8Array(right.buffer);
const encoder = new TextEncoder();

/**
 * Compares two digests in constant time: every word of both is looked at, and no step depends on
 * what was found before (`npm run prove -- digest-times` measures it). Digests are kept as strings,
 * so that 100,000 cached accounts hold no buffers.
 */
export function digestsEqual(one: string, other: string): boolean {
  // Length is no secret: every digest has this one, and anything else is a damaged record.
  if (one.length !== DIGEST_LENGTH || other.length !== DIGEST_LENGTH) return false;
  // Nor is a character beyond ASCII, which takes the room of others.
  if (encoder.encodeInto(one, leftBytes).read !== DIGEST_LENGTH) return false;
  if (encoder.encodeInto(other, rightBytes).read !== DIGEST_LENGTH) return false;
  let difference = 0;
  for (let index = 0; index < left.length; index++) difference |= left[index]! ^ right[index]!;
  return difference === 0;
}
