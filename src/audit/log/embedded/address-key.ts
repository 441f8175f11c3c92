import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { AuditUnavailable } from '../../port.ts';

const KEY_BYTES = 32;

/**
 * The key by which addresses of clients are hashed: a file of the data folder that only its owner
 * reads (0600). Made where there is none. Throws `AuditUnavailable` for a file that holds no key:
 * another one would make other hashes of the same addresses.
 */
export function addressKeyIn(file: string): Buffer {
  try {
    writeFileSync(file, `${randomBytes(KEY_BYTES).toString('base64url')}\n`, {
      flag: 'wx',
      mode: 0o600,
      flush: true,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const key = Buffer.from(readFileSync(file, 'utf8').trim(), 'base64url');
  if (key.length !== KEY_BYTES)
    throw new AuditUnavailable(
      `${file} holds no key of ${KEY_BYTES} bytes: bring it back from a backup, or remove it`,
    );
  return key;
}
