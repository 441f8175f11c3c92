import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * Password verifiers: scrypt (RFC 7914) in the PHC string format. N = 2^17, r = 8, p = 1 is the OWASP recommendation: 128 MiB and about a third
 * of a second each, so whoever calls this from a network must bound how many run at once.
 */
const PARAMETERS = { ln: 17, r: 8, p: 1 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const PHC = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

/** NIST SP 800-63B asks for length and against rules of composition. */
export const PASSWORD_LIMITS = { leastCharacters: 12, mostCharacters: 256 } as const;

const derive = promisify<Buffer, Buffer, number, { N: number; r: number; p: number; maxmem: number }, Buffer>(scrypt);

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = await keyOf(password, salt, PARAMETERS);
  const { ln, r, p } = PARAMETERS;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(key)}`;
}

/** Whether the password is the one behind the verifier; false for a verifier that cannot be read. */
export async function passwordMatches(password: string, verifier: string): Promise<boolean> {
  const parts = PHC.exec(verifier);
  if (parts === null) return false;
  const [, ln, r, p, salt, key] = parts as unknown as [string, string, string, string, string, string];
  const parameters = { ln: Number(ln), r: Number(r), p: Number(p) };
  // A damaged or forged record must not be able to ask for gigabytes.
  if (parameters.ln > 18 || parameters.r > 16 || parameters.p > 4) return false;
  return timingSafeEqual(await keyOf(password, Buffer.from(salt, 'base64'), parameters), Buffer.from(key, 'base64'));
}

function keyOf(password: string, salt: Buffer, { ln, r, p }: { ln: number; r: number; p: number }): Promise<Buffer> {
  const N = 2 ** ln;
  // NFC: the same password typed on two keyboards is the same password.
  return derive(Buffer.from(password.normalize('NFC'), 'utf8'), salt, KEY_BYTES, { N, r, p, maxmem: 128 * N * r + 1024 * 1024 });
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
