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

export function headText({ instance, seq, chain, time }: ChainPlace): string {
  return `sallyport-audit-head/1\n${instance}\n${seq}\n${chain}\n${time}\n`;
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
