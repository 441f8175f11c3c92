import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { linesOf } from '../config/sealing-lines.ts';

/**
 * Keys in the store are sealed with AES-256-GCM under a key that the store does not have: whoever
 * reads the store can sign nothing, and whoever writes it can put no key of theirs among ours.
 */
export interface Sealing {
  seal(text: string): string;
  /**
   * Throws for what was not sealed so.
   *
   * @returns `renew`: it should be sealed anew, with the newest secret
   */
  open(sealed: string): { readonly text: string; readonly renew: boolean };
}

const CIPHER = 'aes-256-gcm';
const PURPOSE = 'sallyport assertion keys v1';
const [KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 12, 16];
const OVERHEAD_BYTES = NONCE_BYTES + TAG_BYTES;

/**
 * @param secret one or several lines: the first seals, all open. So a secret is replaced by two
 * changes: the next one is added at the end everywhere, then put first
 */
export function sealingWith(secret: string): Sealing {
  const keys = linesOf(secret).map(
    (line) => new Uint8Array(hkdfSync('sha256', line, '', PURPOSE, KEY_BYTES)),
  );
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, keys[0]!, nonce).setAAD(Buffer.from(PURPOSE));
      const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final()];
      return Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64url');
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64url');
      for (const [at, key] of keys.entries()) {
        const text = opened(key, bytes);
        if (text !== null) return { text, renew: at > 0 };
      }
      throw new Error('it was not sealed with the sealing key that is configured, or was changed');
    },
  };
}

function opened(key: Uint8Array, bytes: Buffer): string | null {
  if (bytes.length < OVERHEAD_BYTES) return null;
  const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(Buffer.from(PURPOSE))
    .setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}
