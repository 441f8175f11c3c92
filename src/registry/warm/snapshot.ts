import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from '../../account/model.ts';
import { turn } from '../../turns.ts';
import { NEWEST_RECORD_SCHEMA } from '../codec.ts';
import type { StoreState } from '../position.ts';

/**
 * What an instance had cached, written down so that its next start need not ask the store for every
 * caller at once. It says how things stood at one position of the registry's history, no more: the
 * reader brings it up to date from the change feed before it believes any of it
 * (registry/replica/replica.ts).
 *
 * Service accounts only, as they are stored: digests, no token. People and their password verifiers
 * are left out. Sealed with AES-256-GCM under a key of this data folder, so that a copy of the file
 * alone tells nothing, and whoever can write it but not read the key can put nobody in.
 */
export interface WarmSnapshot {
  readonly at: StoreState;
  readonly accounts: readonly Account[];
}

/** The accounts of one generation, read piece by piece while it goes on. */
export interface Holdings {
  /** Where it stood when the reading began. */
  readonly at: StoreState;
  readonly ids: readonly string[];
  /** As it is cached now; null when it no longer is. */
  account(id: string): Account | null;
  /** Whether the generation was dropped: then nothing of it counts. */
  dropped(): boolean;
}

export interface WarmOptions {
  readonly folder: string;
  /**
   * Version of the program. Another one may know fields that this one would have left out, so it
   * does not read what this one wrote.
   */
  readonly program: string;
  /** Wall clock. */
  readonly nowMs: number;
}

export const WARM_FILES = { key: 'warm.key', snapshot: 'warm.snapshot' } as const;

export const WARM_LIMITS = {
  accounts: 50_000,
  /** Before sealing. */
  bytes: 64 * 1024 * 1024,
  /**
   * The feed would bring an older one up to date as well, if it still reaches back; but who called
   * a day ago is no guess at who calls now.
   */
  ageMs: 86_400_000,
  /** By how much a snapshot may seem to come from the future. */
  aheadMs: 300_000,
} as const;

/** File: magic and version (in the clear, authenticated), nonce, sealed text, tag. */
const MAGIC = Buffer.from('sallyport-warm\0\x01', 'latin1');
const CIPHER = 'aes-256-gcm';
const [KEY_BYTES, NONCE_BYTES, TAG_BYTES] = [32, 12, 16];
const OVERHEAD_BYTES = MAGIC.length + NONCE_BYTES + TAG_BYTES;
/** Accounts that are worked on before others get their turn: about a millisecond. */
const SLICE = 128;
/**
 * Prefix of files that are not complete yet, and how old one must be to be certainly left over from
 * a crash.
 */
const UNFINISHED = { prefix: '.warm-', staleMs: 600_000 } as const;

/** The first line of the sealed text; one account follows on each of the others. */
interface Head {
  readonly program: string;
  /**
   * The highest that its writer knows: one that knows fewer fields must not overlook some, though
   * it goes by the same number as a program.
   */
  readonly schema: number;
  readonly savedMs: number;
  readonly at: StoreState;
}

/**
 * `why` null and no snapshot: there is none. Never throws: a start without a snapshot is only
 * slower.
 */
export type WarmRead =
  | { readonly snapshot: WarmSnapshot; readonly why: null }
  | { readonly snapshot: null; readonly why: string | null };

/**
 * Reads the folder's snapshot, if it can be trusted to be one that this version of the program
 * wrote here not long ago.
 */
export async function readWarmSnapshot(options: WarmOptions): Promise<WarmRead> {
  try {
    const sealed = await readPrivate(
      join(options.folder, WARM_FILES.snapshot),
      WARM_LIMITS.bytes + OVERHEAD_BYTES,
    );
    if (sealed === null) return { snapshot: null, why: null };
    const key = await readPrivate(join(options.folder, WARM_FILES.key), KEY_BYTES);
    if (key === null) return { snapshot: null, why: 'its key is gone' };
    return await decoded(unsealed(key, sealed), options);
  } catch (fault) {
    return { snapshot: null, why: fault instanceof Error ? fault.message : String(fault) };
  }
}

/**
 * Writes a snapshot in place of the one that is there; a reader finds the one or the other, whole.
 * Answers how many accounts it holds, or null when the generation was dropped meanwhile and nothing
 * was written. Works in slices, so that calls under way hardly notice. Throws the file system's
 * errors.
 */
export async function writeWarmSnapshot(
  holdings: Holdings,
  options: WarmOptions,
): Promise<number | null> {
  const { folder } = options;
  const key = await keyOf(folder);
  await removeLeftovers(options);
  const unfinished = join(folder, `${UNFINISHED.prefix}${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(unfinished, 'wx', 0o600);
    let written: number;
    try {
      written = await writeSealed(file, key, holdings, options);
    } finally {
      await file.close();
    }
    if (holdings.dropped()) return null;
    await rename(unfinished, join(folder, WARM_FILES.snapshot));
    return written;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function writeSealed(
  file: FileHandle,
  key: Buffer,
  holdings: Holdings,
  options: WarmOptions,
): Promise<number> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(MAGIC);
  await file.appendFile(Buffer.concat([MAGIC, nonce]));
  const ids = holdings.ids.slice(-WARM_LIMITS.accounts);
  let text = `${JSON.stringify({ program: options.program, schema: NEWEST_RECORD_SCHEMA, savedMs: options.nowMs, at: holdings.at })}\n`;
  let bytes = 0;
  let accounts = 0;
  for (let begin = 0; begin <= ids.length && !holdings.dropped(); begin += SLICE) {
    const lines = ids.slice(begin, begin + SLICE).flatMap((id) => lineOf(holdings, id));
    text += lines.join('');
    bytes += Buffer.byteLength(text);
    if (bytes > WARM_LIMITS.bytes) break;
    accounts += lines.length;
    await file.appendFile(cipher.update(text, 'utf8'));
    text = '';
    await turn();
  }
  await file.appendFile(Buffer.concat([cipher.final(), cipher.getAuthTag()]));
  return accounts;
}

/**
 * Nothing for what changed after the position that the snapshot stands for: the store may yet lose
 * that change, and then no event would ever correct it.
 */
function lineOf(holdings: Holdings, id: string): string[] {
  const account = holdings.account(id);
  if (account === null || account.kind !== 'service' || account.version > holdings.at.seq)
    return [];
  return [`${JSON.stringify(account)}\n`];
}

/** Throws when it was not sealed with this key, or is not as it was sealed. */
function unsealed(key: Buffer, sealed: Buffer): string {
  if (sealed.length < OVERHEAD_BYTES || !sealed.subarray(0, MAGIC.length).equals(MAGIC))
    throw new Error('it is not a snapshot that this version can read');
  if (key.length !== KEY_BYTES) throw new Error('its key is damaged');
  const [nonceEnd, tagBegin] = [MAGIC.length + NONCE_BYTES, sealed.length - TAG_BYTES];
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(MAGIC.length, nonceEnd), {
    authTagLength: TAG_BYTES,
  })
    .setAAD(MAGIC)
    .setAuthTag(sealed.subarray(tagBegin));
  try {
    return Buffer.concat([
      decipher.update(sealed.subarray(nonceEnd, tagBegin)),
      decipher.final(),
    ]).toString('utf8');
  } catch {
    throw new Error('it was damaged, or sealed with another key');
  }
}

/**
 * Records are not looked at as closely as those of a store are: they were when they were read from
 * there, and only this version of the program, holding the key, can have written them down. To do
 * it again would more than double the start of a full cache.
 */
async function decoded(text: string, { program, nowMs }: WarmOptions): Promise<WarmRead> {
  const [head = '', ...lines] = text.split('\n');
  const about = JSON.parse(head) as Head;
  if (about.program !== program)
    return { snapshot: null, why: `version ${about.program} of the program wrote it` };
  if (about.schema !== NEWEST_RECORD_SCHEMA)
    return { snapshot: null, why: `it is written in schema ${about.schema}` };
  const ageMs = nowMs - about.savedMs;
  // Written so that what is no number is too old.
  if (!(ageMs <= WARM_LIMITS.ageMs && ageMs >= -WARM_LIMITS.aheadMs))
    return { snapshot: null, why: 'it is too old' };
  const accounts: Account[] = [];
  for (const line of lines) {
    if (line !== '') accounts.push(JSON.parse(line) as Account);
    if (accounts.length % SLICE === 0) await turn();
  }
  return { snapshot: { at: about.at, accounts }, why: null };
}

/**
 * The folder's key, made when there is none that can be used. Of several processes that make one at
 * once, one's counts for all.
 */
async function keyOf(folder: string): Promise<Buffer> {
  const path = join(folder, WARM_FILES.key);
  const found = await readPrivate(path, KEY_BYTES).catch(() => null);
  if (found?.length === KEY_BYTES) return found;
  await rm(path, { force: true });
  const made = randomBytes(KEY_BYTES);
  const unfinished = join(folder, `${UNFINISHED.prefix}${randomBytes(8).toString('hex')}`);
  try {
    const file = await open(unfinished, 'wx', 0o600);
    await file.appendFile(made);
    await file.close();
    await link(unfinished, path);
    return made;
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault;
    const theirs = await readPrivate(path, KEY_BYTES);
    if (theirs?.length === KEY_BYTES) return theirs;
    throw fault;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function removeLeftovers({ folder, nowMs }: WarmOptions): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(UNFINISHED.prefix)) continue;
    const path = join(folder, name);
    const found = await stat(path).catch(() => null);
    if (found !== null && nowMs - found.mtimeMs > UNFINISHED.staleMs)
      await rm(path, { force: true });
  }
}

/**
 * Null when there is no such file. A link is not followed, and what others could have read or
 * written is not believed.
 */
async function readPrivate(path: string, maxBytes: number): Promise<Buffer | null> {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    throw new Error(`${path} cannot be opened (${code})`, { cause: fault });
  }
  try {
    const found = await file.stat();
    if (!found.isFile() || (found.mode & 0o077) !== 0)
      throw new Error(`${path} is not a file that is closed to others`);
    if (found.size > maxBytes) throw new Error(`${path} is larger than it can be`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
