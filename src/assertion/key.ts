import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';

/** A key that signs assertions, as it is stored: plain data. */
export interface StoredKey {
  /** Its JWK thumbprint (RFC 7638): names the key in the head of what it has signed. */
  readonly kid: string;
  /** P-256, PKCS #8 in DER, as base64url. */
  readonly privateKey: string;
  /** Wall clock, in ms: from then on it signs, until a newer one does. */
  readonly signsFromMs: number;
}

/** As it stands in a JWK set (RFC 7517): what whoever verifies needs, and no more. */
export interface PublishedKey {
  readonly kty: 'EC';
  readonly crv: 'P-256';
  readonly x: string;
  readonly y: string;
  readonly kid: string;
  readonly alg: 'ES256';
  readonly use: 'sig';
}

/** A key that is ready to sign. */
export interface SigningKey extends StoredKey {
  readonly published: PublishedKey;
  /** The head of every token that it signs, encoded, with the dot behind it. */
  readonly head: string;
  readonly key: KeyObject;
}

/** @param signsFromMs wall clock */
export function newKey(signsFromMs: number): SigningKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  return readKey({ privateKey: der.toString('base64url'), signsFromMs });
}

/** Throws for what is no private key of P-256. */
export function readKey(stored: Omit<StoredKey, 'kid'>): SigningKey {
  const der = Buffer.from(stored.privateKey, 'base64url');
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' });
  if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined)
    throw new TypeError('not a key of the curve P-256');
  // RFC 7638 §3: the members that are needed, in the order of their names, without blanks.
  const kid = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const published = { kty, crv, x, y, kid, alg: 'ES256', use: 'sig' } as const;
  const head = `${encoded({ alg: 'ES256', typ: 'JWT', kid })}.`;
  return { ...stored, kid, published, head, key };
}

/**
 * A JWS in its compact form (RFC 7515 §7.1). Synchronous: a signature takes less than a third of
 * what one by `SubtleCrypto` does, and no call has to wait for another turn of the loop.
 */
export function signed({ head, key }: SigningKey, claims: object): string {
  const text = head + encoded(claims);
  const signature = sign('sha256', Buffer.from(text, 'latin1'), {
    key,
    // RFC 7518 §3.4: R and S as they are, 32 bytes each.
    dsaEncoding: 'ieee-p1363',
  });
  return `${text}.${signature.toString('base64url')}`;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
