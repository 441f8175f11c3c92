import { randomBytes } from 'node:crypto';

/**
 * The 62 characters that ids, tokens and checksums are made of: no separator, so that one
 * double-click selects a whole word.
 */
export const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * Largest multiple of 62 that fits into a byte: bytes from here on are thrown away, or the first
 * eight characters would come up more often.
 */
const FAIR_BYTES = 248;

/** Value of each character as a base-62 digit, -1 for every byte that is none. */
const DIGIT = new Int8Array(256).fill(-1);
for (let value = 0; value < ALPHABET.length; value++) DIGIT[ALPHABET.charCodeAt(value)] = value;

/**
 * `length` independent, evenly distributed characters from the operating system's CSPRNG. `bytes`
 * is given only by tests.
 */
export function randomCharacters(
  length: number,
  bytes: (count: number) => Uint8Array = randomBytes,
): string {
  let text = '';
  while (text.length < length) {
    // One byte in 32 is thrown away; what that leaves short comes from the next round.
    for (const byte of bytes(length - text.length))
      if (byte < FAIR_BYTES) text += ALPHABET[byte % ALPHABET.length];
  }
  return text;
}

/** The value of a character as a base-62 digit; negative for one that is none. */
export function digitOf(code: number): number {
  // A code past the table reads undefined.
  return DIGIT[code] ?? -1;
}

/**
 * An unsigned 32-bit number in base 62, most significant digit first, padded with zeros to 6
 * characters (62^6 > 2^32).
 */
export function base62(value: number): string {
  let text = '';
  for (let rest = value; text.length < 6; rest = Math.floor(rest / 62))
    text = ALPHABET[rest % 62] + text;
  return text;
}

/**
 * The number that `text[from..to)` writes in base 62, each number in one spelling of a given
 * length; negative where a character is none of the alphabet.
 */
export function readBase62(text: string, from: number, to: number): number {
  let value = 0;
  for (let index = from; index < to; index++) {
    const digit = digitOf(text.charCodeAt(index));
    if (digit < 0) return -1;
    value = value * 62 + digit;
  }
  return value;
}
