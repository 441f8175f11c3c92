import { createPublicKey, hash, verify } from 'node:crypto';

/**
 * What is signed: plain text, so that anybody can check it with any tool that knows Ed25519
 * (RFC 8032). The first line says what it is, so that no signature can be taken for another kind.
 */

export interface ChainPlace {
  readonly instance: string;
  readonly seq: number;
  /** Base64url of a SHA-256. */
  readonly chain: string;
  /** As it stands in the event. */
  readonly time: string;
}

/** Number and time of the head before it, or of the first event where there is none. */
export interface LastHead {
  readonly number: number;
  readonly time: string;
}

/** @param lastHead heads that were signed before there was such a field have none */
export function headText(
  { instance, seq, chain, time }: ChainPlace,
  lastHead: LastHead | undefined,
): string {
  const place = `${instance}\n${seq}\n${chain}\n${time}\n`;
  if (lastHead === undefined) return `sallyport-audit-head/1\n${place}`;
  return `sallyport-audit-head/2\n${place}${lastHead.number}\n${lastHead.time}\n`;
}

/** Says that retention takes events of a stream that it accepted before a time, and no others. */
export interface CutPlace {
  /** Who cuts. */
  readonly instance: string;
  /** `0` to `3`: a stream of Redis; `all`: the whole record, where it is one file. */
  readonly stream: '0' | '1' | '2' | '3' | 'all';
  /** By the store's clock: UTC, to the millisecond. */
  readonly trimmedBefore: string;
  /** When it was signed. */
  readonly time: string;
}

export function trimText({ instance, stream, trimmedBefore, time }: CutPlace): string {
  return `sallyport-audit-trim/1\n${instance}\n${stream}\n${trimmedBefore}\n${time}\n`;
}

/** @param publicKey SPKI in DER, base64url */
export function keyIdOf(publicKey: string): string {
  return hash('sha256', Buffer.from(publicKey, 'base64url'), 'hex').slice(0, 16);
}

/** @param publicKey SPKI in DER, base64url; what is none verifies nothing */
export function isSigned(text: string, signature: string, publicKey: string): boolean {
  try {
    const der = Buffer.from(publicKey, 'base64url');
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));
  } catch {
    return false;
  }
}
