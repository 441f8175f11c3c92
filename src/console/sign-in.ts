import type { Account } from '../account/model.ts';
import { isName } from '../account/model.ts';
import { PasswordsBusy, verifyPassword } from '../account/password.ts';
import type { SignInReason } from '../audit/event/sign-in-event.ts';
import type { KnownBrowser } from './known-browser.ts';
import type { ConsoleParts } from './parts.ts';
import { newSessionId, sessionDigest } from './sessions.ts';
import type { SignInThrottle } from './throttle.ts';

export interface Attempt {
  readonly name: string;
  readonly password: string;
  readonly address: string;
  readonly userAgent: string | null;
  /** Where this name has signed in with this browser before. */
  readonly browser: KnownBrowser | null;
}

/** `refused` says nothing about why: which names exist is nobody's business. */
export type SignInResult =
  | { readonly outcome: 'signed-in'; readonly name: string; readonly sessionId: string }
  | { readonly outcome: 'refused' }
  | { readonly outcome: 'throttled'; readonly waitSeconds: number }
  | { readonly outcome: 'busy' }
  | { readonly outcome: 'unrecorded' };

/** As much as the field of the form takes, and more than a password can have. */
export const TYPED_MAX = 512;

/**
 * Throttle, look up, verify, judge, record, begin the session: in this order. A name that does not
 * exist, a machine, and somebody who is inactive cost the same work as a wrong password, because
 * the verifier of nobody costs as much; standing is judged after the password, as it is for tokens.
 */
export async function signIn(
  parts: ConsoleParts,
  throttle: SignInThrottle,
  attempt: Attempt,
): Promise<SignInResult> {
  const { name, address } = attempt;
  // No guess: nobody has such a password. It costs nothing to look at, so it must not raise counts
  // either, faster than passwords can be tried.
  if (attempt.password.length > TYPED_MAX) return { outcome: 'refused' };
  const tried = await throttle.password(name, address, attempt.browser);
  if (!tried.allowed) return { outcome: 'throttled', waitSeconds: tried.waitSeconds };
  const account = isName(name) ? await parts.store.accountByName(name) : null;
  let right: boolean;
  try {
    right = await verifyPassword(attempt.password, account === null ? null : verifierOf(account));
  } catch (error) {
    await tried.takeBack();
    if (error instanceof PasswordsBusy) return { outcome: 'busy' };
    throw error;
  }
  const reason = judge(account, right, parts.clock.wallMs());
  if (account === null || reason !== 'signed-in')
    return refuse(parts, attempt, account, reason, tried.closes);
  await tried.succeeded();
  const recorded = await parts.recordSignIn({
    ...whence(attempt),
    reason,
    account,
    claimedAccountId: null,
  });
  if (!recorded) return { outcome: 'unrecorded' };
  return {
    outcome: 'signed-in',
    name: account.name,
    sessionId: await beginSession(parts, account, address),
  };
}

/** Whoever signs in by the identity provider does so there alone, whatever the record holds. */
function verifierOf({ kind, subject, password }: Account): string | null {
  return kind === 'user' && subject === undefined ? password : null;
}

function judge(account: Account | null, right: boolean, nowMs: number): SignInReason {
  if (account === null) return 'name-unknown';
  if (account.kind !== 'user') return 'not-a-user';
  return right ? signInReasonOf(account, nowMs) : 'password-wrong';
}

/** What becomes of a user who has proved to be it. */
export function signInReasonOf(account: Account, nowMs: number): SignInReason {
  if (account.status !== 'active') return 'account-inactive';
  return isExpired(account, nowMs) ? 'account-expired' : 'signed-in';
}

/** A date that cannot be read has passed. */
export function isExpired(account: Account, nowMs: number): boolean {
  return account.expiresAt !== null && !(Date.parse(account.expiresAt) > nowMs);
}

async function refuse(
  parts: ConsoleParts,
  attempt: Attempt,
  account: Account | null,
  reason: SignInReason,
  closes: boolean,
): Promise<SignInResult> {
  const facts = { ...whence(attempt), account: null, claimedAccountId: account?.id ?? null };
  await parts.recordSignIn({ ...facts, reason });
  // What is refused from now on is not looked at, and not recorded one by one either: this line
  // stands for it.
  if (closes) await parts.recordSignIn({ ...facts, reason: 'throttled' });
  return { outcome: 'refused' };
}

function whence({ address, userAgent }: Attempt) {
  return { clientAddress: address, userAgent };
}

/** A new id at each sign-in: whatever the browser held before is worth nothing. */
export async function beginSession(
  parts: ConsoleParts,
  account: Account,
  address: string,
): Promise<string> {
  const id = newSessionId();
  const nowMs = parts.clock.wallMs();
  const session = {
    account: account.id,
    signOuts: account.signOuts ?? 0,
    startedMs: nowMs,
    seenMs: nowMs,
    address,
  };
  await parts.sessions.put(sessionDigest(id), session, parts.settings.idleMinutes * 60_000);
  return id;
}
