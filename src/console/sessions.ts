import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * What is kept of a session. The id that the browser holds is not in it and cannot be computed from
 * it.
 */
export interface StoredSession {
  readonly account: string;
  /** The account's own count of "everybody out" at sign-in: another number ends the session. */
  readonly signOuts: number;
  /** Wall clock, ms since the epoch. */
  readonly startedMs: number;
  readonly seenMs: number;
  readonly address: string;
}

/**
 * Where sessions are kept, for all instances alike. Keys are digests of session ids. Everything
 * throws `StoreUnavailable`.
 */
export interface SessionStore {
  get(digest: string): Promise<StoredSession | null>;
  put(digest: string, session: StoredSession, keepMs: number): Promise<void>;
  /**
   * Takes over the time of the last request; does nothing to a session that is gone: a sign-out
   * that comes between must win.
   */
  touch(digest: string, session: StoredSession, keepMs: number): Promise<void>;
  end(digest: string): Promise<void>;
  /**
   * Notes that something was used; answers false when it was so before. For forms that count once.
   */
  spend(what: string, keepMs: number): Promise<boolean>;
  /** Whether somebody has signed in with that browser before; both are digests. */
  isBrowserOf(who: string, digest: string): Promise<boolean>;
  /**
   * Notes it, in place of what it was known by before. Only so many of each are kept, and the
   * oldest goes first: see `KNOWN_BROWSERS`.
   */
  noteBrowser(who: string, digest: string, before: string | null): Promise<void>;
  close(): Promise<void>;
}

const ID_BYTES = 32;
const ID = /^[A-Za-z0-9_-]{43}$/;

/** A new session id: 256 random bits, for the cookie alone. */
export function newSessionId(): string {
  return randomBytes(ID_BYTES).toString('base64url');
}

export function isSessionId(text: string): boolean {
  return ID.test(text);
}

/** What the store knows a session by: who reads the store cannot sign in with it. */
export function sessionDigest(id: string): string {
  return hash('sha256', `sallyport console session ${id}`, 'hex');
}

/**
 * What every form of a session carries. Computed from the id, so it needs no place of its own and
 * changes with it.
 */
export function formToken(id: string): string {
  return createHmac('sha256', id).update('sallyport console form').digest('base64url');
}

export function isFormToken(id: string, given: string): boolean {
  const expected = Buffer.from(formToken(id));
  const actual = Buffer.from(given);
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
