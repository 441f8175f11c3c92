import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyIdOf } from './signed.ts';

/** The key with which an installation signs where its chains have come to. */
export interface ChainKey {
  readonly id: string;
  /** SPKI in DER, base64url. */
  readonly publicKey: string;
  /** Base64url. */
  sign(text: string): string;
}

export const KEY_FILE = 'audit-key.pem';

/**
 * Reads the key of a folder, and makes one where there is none (Ed25519, PKCS #8, mode 0600).
 * Workers that begin at the same time agree on one. Throws what the file system says, and what is
 * wrong with a file that holds no such key.
 */
export function openChainKey(folder: string): ChainKey {
  const path = join(folder, KEY_FILE);
  return keyOf(keyIn(path) ?? madeIn(path));
}

/** For where nothing can be kept: good for as long as the process lives. */
export function passingChainKey(): ChainKey {
  return keyOf(generateKeyPairSync('ed25519').privateKey);
}

function keyIn(path: string): KeyObject | null {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fault;
  }
  const key = privateKeyIn(pem);
  if (key?.asymmetricKeyType !== 'ed25519')
    throw new Error(`${path} holds no Ed25519 key: put the right one there, or remove it`);
  return key;
}

function privateKeyIn(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null;
  }
}

/** Whole or not at all; who comes second takes what the first has made. */
function madeIn(path: string): KeyObject {
  const unfinished = `${path}.${randomBytes(4).toString('hex')}`;
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' });
  try {
    writeFileSync(unfinished, pem, { flag: 'wx', mode: 0o600, flush: true });
    linkSync(unfinished, path);
    return privateKey;
  } catch (fault) {
    const other = keyIn(path);
    if (other === null) throw fault;
    return other;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

function keyOf(key: KeyObject): ChainKey {
  const der = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const publicKey = der.toString('base64url');
  return {
    id: keyIdOf(publicKey),
    publicKey,
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64url'),
  };
}
