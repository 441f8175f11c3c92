import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

/**
 * Passwords of people, kept as scrypt verifiers in PHC string format:
 * `$scrypt$ln=17,r=8,p=1$salt$hash`, both in base64 without padding. The cost is what OWASP advises
 * for scrypt (Password Storage Cheat Sheet): N = 2^17, r = 8, p = 1, i.e. 128 MiB per computation.
 */
const COST: Cost = { ln: 17, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;

const LENGTH_MIN = 12;
/** Bounds the work on what a stranger sends; far above any passphrase. */
const LENGTH_MAX = 256;

interface Cost {
  /** log2 of N. */
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

interface Verifier extends Cost {
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/**
 * Too many passwords are being checked at this moment. To be answered with "try again", never with
 * "wrong password".
 */
export class PasswordsBusy extends Error {
  override readonly name = 'PasswordsBusy';
}

/**
 * What is wrong with a new password, in words for whoever chose it; null when nothing is. Lengths
 * are counted in characters, not bytes.
 */
export function passwordFault(password: string): string | null {
  if (!password.isWellFormed()) return 'The password is not valid text.';
  const length = [...password].length;
  if (length < LENGTH_MIN)
    return `The password is too short: it needs at least ${LENGTH_MIN} characters and has ${length}.`;
  return length > LENGTH_MAX ? `The password is too long: at most ${LENGTH_MAX} characters.` : null;
}

/**
 * The verifier to store for a new password. Throws a `RangeError` where `passwordFault` finds one,
 * and `PasswordsBusy`.
 */
export async function hashPassword(password: string): Promise<string> {
  const fault = passwordFault(password);
  if (fault !== null) throw new RangeError(fault);
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, HASH_BYTES, COST);
  return `$scrypt$ln=${COST.ln},r=${COST.r},p=${COST.p}$${unpadded(salt)}$${unpadded(hash)}`;
}

/**
 * Whether a password is the one behind a stored verifier. `stored` null, or damaged: false, after
 * the same work as for a wrong password, so that time does not tell which names exist. Throws
 * `PasswordsBusy`.
 */
export async function verifyPassword(password: string, stored: string | null): Promise<boolean> {
  // Nothing longer was ever accepted, and how long the caller's own text is, is no secret.
  if (password.length > 2 * LENGTH_MAX) return false;
  const verifier = stored === null ? null : parseVerifier(stored);
  const { salt, hash, ...cost } = verifier ?? NOBODY;
  const derived = await derive(password, salt, hash.length, cost);
  return timingSafeEqual(derived, hash) && verifier !== null;
}

/** Stands in for an account that is not there. */
const NOBODY: Verifier = {
  ...COST,
  salt: Buffer.alloc(SALT_BYTES),
  hash: Buffer.alloc(HASH_BYTES),
};

const PHC =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/**
 * Null for anything that is not a verifier, or would cost far more than ours: a damaged record must
 * not stop the process.
 */
function parseVerifier(stored: string): Verifier | null {
  const [, ln, r, p, salt, hash] = PHC.exec(stored) ?? [];
  if (salt === undefined || hash === undefined) return null;
  const cost: Cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  if (
    cost.ln < 1 ||
    cost.r < 1 ||
    cost.p < 1 ||
    memoryBytes(cost) > memoryBytes(COST) ||
    cost.p > 4
  )
    return null;
  return { ...cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') };
}

function memoryBytes({ ln, r }: Cost): number {
  return 128 * 2 ** ln * r;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/**
 * Each computation holds 128 MiB: two at once, a short queue behind them, and beyond that
 * `PasswordsBusy`.
 */
const RUNNING_MAX = 2;
const WAITING_MAX = 16;
let running = 0;
const waiting: (() => void)[] = [];

async function derive(password: string, salt: Buffer, bytes: number, cost: Cost): Promise<Buffer> {
  await takeTurn();
  try {
    // NFC: the same password typed on two keyboards is the same bytes (NIST SP 800-63B asks for a
    // normal form).
    return await scryptBytes(password.normalize('NFC'), salt, bytes, options(cost));
  } finally {
    yieldTurn();
  }
}

function options({ ln, r, p }: Cost): ScryptOptions {
  // Node's default ceiling is 32 MiB; scrypt needs a little more than its table.
  return { N: 2 ** ln, r, p, maxmem: 2 * memoryBytes(COST) };
}

function scryptBytes(
  password: string,
  salt: Buffer,
  bytes: number,
  how: ScryptOptions,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, bytes, how, (error, derived) =>
      error === null ? resolve(derived) : reject(error),
    );
  });
}

async function takeTurn(): Promise<void> {
  if (running < RUNNING_MAX) {
    running++;
    return;
  }
  if (waiting.length >= WAITING_MAX)
    throw new PasswordsBusy('too many passwords are being checked');
  // Whoever yields hands its turn on: `running` stays as it is.
  await new Promise<void>((resolve) => waiting.push(resolve));
}

function yieldTurn(): void {
  const next = waiting.shift();
  if (next === undefined) running--;
  else next();
}
