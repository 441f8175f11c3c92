import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALPHABET, base62, randomCharacters, readBase62 } from '../../../src/account/alphabet.ts';
import { checksumOf, EMPTY_SUM, withFour } from '../../../src/account/checksum.ts';
import { newAccountId } from '../../../src/account/id.ts';
import {
  digestsEqual,
  NO_DIGEST,
  newToken,
  parseToken,
  tokenDigest,
  tokenId,
} from '../../../src/account/token.ts';

const ids = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 12, maxLength: 12 });
/** Any UTF-16, halves of pairs included. */
const anyText = fc.string({
  unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)),
  maxLength: 70,
});

describe('random characters', () => {
  it('throw away the bytes that would favour some characters', () => {
    const bytes = [248, 255, 0, 61, 62, 247];
    const source = (count: number) => Uint8Array.from(bytes.splice(0, count));
    expect(randomCharacters(3, source)).toBe('0z0');
    expect(bytes).toEqual([247]);
  });

  it('come up equally often', () => {
    const drawn = 62 * 4000;
    const counts = new Map<string, number>();
    for (const character of randomCharacters(drawn))
      counts.set(character, (counts.get(character) ?? 0) + 1);
    expect(counts.size).toBe(62);
    // Chi-square with 61 degrees of freedom: above 140 by chance once in 10^7 runs. Without
    // rejection it would be about 7800 here.
    const chiSquare = [...counts.values()].reduce(
      (sum, count) => sum + (count - 4000) ** 2 / 4000,
      0,
    );
    expect(chiSquare).toBeLessThan(140);
  });

  it('make account ids', () => {
    expect(newAccountId()).toMatch(/^[0-9A-Za-z]{12}$/);
    expect(new Set(Array.from({ length: 1000 }, newAccountId)).size).toBe(1000);
  });
});

describe('base 62', () => {
  it('reads what it wrote, in six characters, in the order of the numbers', () => {
    const numbers = fc.integer({ min: 0, max: 2 ** 32 - 1 });
    void fc.assert(
      fc.property(numbers, numbers, (one, other) => {
        expect(base62(one)).toMatch(/^[0-9A-Za-z]{6}$/);
        expect(readBase62(base62(one), 0, 6)).toBe(one);
        expect(base62(one) < base62(other)).toBe(one < other);
      }),
    );
  });
});

describe('a token', () => {
  it('names its account', () => {
    void fc.assert(fc.property(ids, (id) => parseToken(newToken(id)) === id));
  });

  it('has the shape that leak scanners look for', () => {
    const token = newToken('0123456789ab');
    expect(token).toMatch(/^slp_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/);
    expect(token.length).toBe(66);
  });

  it('has a checksum that others can compute from the description alone', () => {
    const body = `slp_0123456789ab_${'A'.repeat(43)}`;
    expect(parseToken(body + base62(referenceCrc32(body)))).toBe('0123456789ab');
    expect(parseToken(body + base62((referenceCrc32(body) ^ 1) >>> 0))).toBe(null);
  });

  it('is refused after any change of one character', () => {
    const token = newToken(newAccountId());
    const others = [...ALPHABET, '_', '-', ' ', '=', '\0', 'é', '\u0100', '\u{1f600}'];
    for (let index = 0; index < token.length; index++) {
      for (const other of others) {
        const changed = token.slice(0, index) + other + token.slice(index + 1);
        if (changed !== token) expect(parseToken(changed), changed).toBe(null);
      }
    }
  });

  it('is refused in another shape, even with a checksum that fits it', () => {
    const withChecksum = (body: string) => body + base62(crc32(body));
    const secret = 'A'.repeat(43);
    expect(parseToken(withChecksum(`slp_abcdefghijkl_${secret}`))).toBe('abcdefghijkl');
    for (const front of [
      'SLP_abcdefghijkl_',
      'slp-abcdefghijkl_',
      'slp_abcdefghijkl-',
      'slp_abcdefghijklA',
      'slp_abcdefghijk__',
      'slp_abcdefghijké_',
    ]) {
      expect(parseToken(withChecksum(front + secret)), front).toBe(null);
    }
    expect(parseToken(withChecksum(`slp_abcdefghijkl_${'A'.repeat(42)}_`))).toBe(null);
  });

  it('is refused with two neighbours exchanged', () => {
    const token = newToken('abcdefghijkl');
    for (let index = 0; index + 1 < token.length; index++) {
      const swapped =
        token.slice(0, index) + token[index + 1] + token[index] + token.slice(index + 2);
      if (swapped !== token) expect(parseToken(swapped)).toBe(null);
    }
  });

  it('is refused longer, shorter, or in another case', () => {
    const token = newToken('abcdefghijkl');
    for (const wrong of [
      '',
      'slp_',
      token.slice(0, -1),
      `${token}=`,
      `${token}x`,
      ` ${token}`,
      token.toUpperCase(),
      'a'.repeat(100_000),
    ]) {
      expect(parseToken(wrong)).toBe(null);
    }
  });

  it('is refused with a character that is none of ASCII, wherever it stands', () => {
    const token = newToken('abcdefghijkl');
    // U+0141 ends in the byte of `A`.
    for (let index = 0; index < token.length; index++)
      for (const strange of ['é', '\u0141', '\ud83d']) {
        expect(parseToken(token.slice(0, index) + strange + token.slice(index + 1))).toBe(null);
      }
  });

  it('has the checksum of zlib', () => {
    void fc.assert(
      fc.property(fc.uint8Array({ minLength: 60, maxLength: 60 }), (random) => {
        const bytes = Buffer.from(random);
        let sum = EMPTY_SUM;
        for (let at = 0; at < bytes.length; at += 4) sum = withFour(sum, bytes.readInt32LE(at));
        expect(checksumOf(sum)).toBe(crc32(bytes));
      }),
    );
  });

  it('is any text only by accident', () => {
    void fc.assert(fc.property(anyText, (text) => parseToken(text) === null));
  });

  it('is never made twice', () => {
    expect(new Set(Array.from({ length: 1000 }, () => newToken('abcdefghijkl'))).size).toBe(1000);
  });
});

describe('a digest', () => {
  it('is SHA-256 of all 66 bytes, and its front names the token', () => {
    const token = newToken('abcdefghijkl');
    expect(tokenDigest(token)).toBe(createHash('sha256').update(token, 'latin1').digest('hex'));
    expect(tokenId(tokenDigest(token))).toBe(tokenDigest(token).slice(0, 16));
  });

  it('equals itself and nothing else', () => {
    const digest = tokenDigest(newToken('abcdefghijkl'));
    expect(digestsEqual(digest, `${digest}`)).toBe(true);
    for (let index = 0; index < digest.length; index++) {
      const changed = `${digest.slice(0, index)}${digest[index] === '0' ? '1' : '0'}${digest.slice(index + 1)}`;
      expect(digestsEqual(digest, changed)).toBe(false);
    }
  });

  it('does not equal a damaged record, nor the blank that stands for none', () => {
    const digest = tokenDigest(newToken('abcdefghijkl'));
    for (const damaged of ['', digest.slice(1), `${digest}0`, digest.toUpperCase(), NO_DIGEST]) {
      // Once before, so that a comparison which left something behind would show.
      expect(digestsEqual(digest, digest)).toBe(true);
      expect(digestsEqual(digest, damaged)).toBe(false);
      expect(digestsEqual(damaged, digest)).toBe(false);
    }
    expect(digestsEqual('', '')).toBe(false);
  });

  it('is equal to nothing that holds a character beyond ASCII, wherever that stands', () => {
    const digest = tokenDigest(newToken('abcdefghijkl'));
    for (let at = 0; at < digest.length; at += 1) {
      const odd = `${digest.slice(0, at)}\u00e9${digest.slice(at + 1)}`;
      const other = `${odd.slice(0, -1)}${odd.endsWith('0') ? '1' : '0'}`;
      for (const one of [odd, other]) expect(digestsEqual(odd, one)).toBe(false);
    }
  });
});

/** CRC-32 bit by bit (ISO 3309, reflected 0xEDB88320), independent of zlib. */
function referenceCrc32(text: string): number {
  let crc = 0xffffffff;
  for (const byte of Buffer.from(text, 'latin1')) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
