import { newKey, type PublishedKey, readKey, type SigningKey, type StoredKey } from './key.ts';

/**
 * The keys of all instances, as a set that only grows, and from which time alone takes away. So
 * whatever an instance finds in the store is put together with what it knows, nothing that one of
 * them has made is lost, and an older state that somebody puts back takes nothing away.
 *
 * ```
 *             published          signs                      published only
 *   made ├── AHEAD_MS ──┤──────── rotation ────────┤──────── KEPT_MS ────────┤ gone
 *                                         next one ├── …
 * ```
 */

/**
 * How long a key is published before it signs: what verifiers may keep a set for, looks of
 * instances at the store, and a clock that is not quite right.
 */
export const AHEAD_MS = 900_000;
/** How long it is published after the next one has begun to sign. */
const KEPT_MS = 86_400_000;
/** How long verifiers may keep a set. */
export const SET_SECONDS = 300;
/** More than any rotation makes; what is larger is no set of ours. */
const KEYS_MAX = 1000;

export type KeySet = readonly SigningKey[];

/**
 * What of two sets is not over, each key once, the oldest first.
 *
 * @param nowMs wall clock
 */
export function together(one: KeySet, other: KeySet, nowMs: number): KeySet {
  const byId = new Map([...one, ...other].map((key) => [key.kid, key]));
  const keys = [...byId.values()].sort(
    (a, b) => a.signsFromMs - b.signsFromMs || (a.kid < b.kid ? -1 : 1),
  );
  return keys.filter((_, at) => {
    const next = keys[at + 1];
    return next === undefined || next.signsFromMs + KEPT_MS > nowMs;
  });
}

/**
 * With the next key, if it is time to publish it.
 *
 * @param earlyMs publishes it so much earlier than is needed, less than `AHEAD_MS`: another one for
 * each instance, so that one of them makes it and the others find it
 */
export function withNext(keys: KeySet, nowMs: number, rotateMs: number, earlyMs: number): KeySet {
  // Nothing was signed yet, so nobody has a set that it would be missing from.
  if (keys.length === 0) return [newKey(nowMs)];
  // What somebody has made whose clock is far ahead is not waited for.
  const newest = keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs + 2 * AHEAD_MS);
  if (newest === undefined) return keys;
  const dueMs = newest.signsFromMs + rotateMs;
  if (dueMs - AHEAD_MS - earlyMs > nowMs) return keys;
  return together(keys, [newKey(Math.max(dueMs, nowMs + AHEAD_MS))], nowMs);
}

/**
 * The key that signs now. Null: there is none, or the one there is should long have been followed
 * by another.
 */
export function signerOf(keys: KeySet, nowMs: number, rotateMs: number): SigningKey | null {
  // Where the clock of whoever made the first key is ahead, none has begun.
  const key = keys.findLast(({ signsFromMs }) => signsFromMs <= nowMs) ?? keys.at(-1);
  if (key === undefined || key.signsFromMs + rotateMs + KEPT_MS < nowMs) return null;
  return key;
}

export function publishedOf(keys: KeySet): { readonly keys: readonly PublishedKey[] } {
  return { keys: keys.map(({ published }) => published) };
}

export function isSameSet(one: KeySet, other: KeySet): boolean {
  return one.length === other.length && one.every(({ kid }, at) => kid === other[at]!.kid);
}

export function writeSet(keys: KeySet): string {
  const stored = keys.map(({ privateKey, signsFromMs }) => ({ privateKey, signsFromMs }));
  return JSON.stringify({ version: 1, keys: stored });
}

/**
 * Throws for what is no set of ours.
 *
 * @param known keys that need not be read again
 */
export function readSet(text: string, known: KeySet): KeySet {
  const { version, keys } = JSON.parse(text) as { version: unknown; keys: unknown };
  if (version !== 1 || !Array.isArray(keys) || keys.length > KEYS_MAX)
    throw new TypeError('not a set of keys that this version can read');
  return keys.map((stored: Partial<StoredKey> | null) => {
    const { privateKey, signsFromMs } = stored ?? {};
    if (typeof privateKey !== 'string' || !Number.isSafeInteger(signsFromMs))
      throw new TypeError('not a key');
    const same = known.find((key) => key.privateKey === privateKey);
    return same ?? readKey({ privateKey, signsFromMs: signsFromMs! });
  });
}
