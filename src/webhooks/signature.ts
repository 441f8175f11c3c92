import { createHmac } from 'node:crypto';
import { Secret } from '../config/secret.ts';

/**
 * Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0.0): HMAC-SHA-256 over
 * the id of the message, the time in seconds and the body, one for each key.
 */

const PREFIX = 'whsec_';
const BYTES = { fewest: 24, most: 64 } as const;
/** While one takes the place of another. */
const KEYS_MOST = 2;

/** Either the keys in a secret's lines, or what is wrong with it, to follow the secret's name. */
export type KeysRead = { readonly keys: readonly Secret[] } | { readonly fault: string };

export function readKeys(secret: Secret): KeysRead {
  const lines = secret.reveal().split(/\r?\n/);
  if (lines.length > KEYS_MOST) return { fault: 'has more than two lines' };
  const keys = lines.map((line) => keyIn(line));
  return keys.includes(null)
    ? { fault: `is not ${PREFIX} and ${BYTES.fewest} to ${BYTES.most} bytes in base64` }
    : { keys: keys.filter((key) => key !== null) };
}

function keyIn(line: string): Secret | null {
  const text = line.startsWith(PREFIX) ? line.slice(PREFIX.length) : '';
  const bytes = Buffer.from(text, 'base64');
  const isWhole = /^[A-Za-z0-9+/]+={0,2}$/.test(text) && bytes.toString('base64') === text;
  if (!isWhole || bytes.length < BYTES.fewest || bytes.length > BYTES.most) return null;
  return new Secret(text);
}

/** The field `webhook-signature`. @param seconds the field `webhook-timestamp` */
export function signatureOf(
  keys: readonly Secret[],
  id: string,
  seconds: number,
  body: string,
): string {
  return keys
    .map((key) =>
      createHmac('sha256', Buffer.from(key.reveal(), 'base64'))
        .update(`${id}.${seconds}.${body}`)
        .digest('base64'),
    )
    .map((signature) => `v1,${signature}`)
    .join(' ');
}
