import { hash, randomBytes } from 'node:crypto';
import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { OWN_COOKIE } from '../forwarding/own-cookies.ts';
import type { SessionStore } from './sessions.ts';

/**
 * A browser remembers from sign-in to sign-in whom it has signed in, by a cookie that lets nobody
 * in: it only keeps the guesses of strangers from slowing down the owner of the name. The store
 * holds a digest of it.
 */
export interface KnownBrowser {
  /** `nameDigest` of whoever has signed in. */
  readonly who: string;
  readonly digest: string;
}

export const KNOWN_BROWSERS = { keepMs: 90 * 24 * 3_600_000, perName: 16 } as const;

const COOKIE = `${OWN_COOKIE}-browser`;
const VALUE = /^([0-9a-f]{32})\.[A-Za-z0-9_-]{43}$/;

/**
 * What a name is called where it is only counted: what is typed there may be anything, and a
 * password by mistake.
 */
export function nameDigest(name: string): string {
  return hash('sha256', `sallyport console name ${name.slice(0, 64).toLowerCase()}`, 'hex').slice(
    0,
    32,
  );
}

/**
 * What the browser remembers, when the store does so too; `name` null: whoever it was. Throws
 * `StoreUnavailable`.
 */
export async function knownBrowser(
  c: Context,
  sessions: SessionStore,
  name: string | null,
): Promise<KnownBrowser | null> {
  const value = getCookie(c, COOKIE) ?? '';
  const who = VALUE.exec(value)?.[1];
  if (who === undefined || (name !== null && who !== nameDigest(name))) return null;
  const browser = { who, digest: digestOf(value) };
  return (await sessions.isBrowserOf(browser.who, browser.digest)) ? browser : null;
}

/**
 * Somebody has signed in: this browser is theirs from now on, under a new secret. Throws
 * `StoreUnavailable`.
 */
export async function rememberBrowser(
  c: Context,
  sessions: SessionStore,
  name: string,
  before: KnownBrowser | null,
): Promise<void> {
  const who = nameDigest(name);
  const value = `${who}.${randomBytes(32).toString('base64url')}`;
  await sessions.noteBrowser(who, digestOf(value), before?.who === who ? before.digest : null);
  const maxAge = KNOWN_BROWSERS.keepMs / 1000;
  setCookie(c, COOKIE, value, {
    path: '/',
    secure: true,
    httpOnly: true,
    sameSite: 'Strict',
    maxAge,
  });
}

function digestOf(value: string): string {
  return hash('sha256', `sallyport console browser ${value}`, 'hex');
}
