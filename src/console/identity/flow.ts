import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { safeNext } from '../form-data.ts';

/** How long somebody may take at the identity provider. */
export const FLOW_MS = 10 * 60_000;

/** What one sign-in by the identity provider hangs together by. */
export interface Flow {
  /**
   * Comes back in the address; proves that this browser asked for this sign-in (RFC 9700 §2.1.1).
   */
  readonly state: string;
  /** Comes back inside the ID token; ties it to this sign-in. */
  readonly nonce: string;
  /** PKCE (RFC 7636): a code that is stolen on the way is worth nothing without it. */
  readonly verifier: string;
  /** Where to go afterwards. */
  readonly next: string;
}

/**
 * Everything is computed from one secret in a cookie of the browser, so that nothing is kept here:
 * whoever only begins sign-ins fills no memory, and any instance can end what another has begun.
 */
export function beginFlow(nowMs: number, next: string): Flow & { readonly cookie: string } {
  const cookie = `${nowMs}.${randomBytes(32).toString('base64url')}`;
  return { ...flowOf(cookie, next), cookie };
}

const COOKIE = /^([0-9]{1,16})\.[A-Za-z0-9_-]{43}$/;

/**
 * The sign-in that this browser began, when the state that came back is its own and not too old;
 * otherwise null.
 */
export function resumeFlow(cookie: string, state: string, nowMs: number): Flow | null {
  const startedMs = Number(COOKIE.exec(cookie)?.[1] ?? Number.NaN);
  if (!(startedMs <= nowMs && nowMs - startedMs < FLOW_MS)) return null;
  const flow = flowOf(cookie, safeNext(state.slice(state.indexOf('.') + 1)));
  const [expected, actual] = [Buffer.from(flow.state), Buffer.from(state)];
  return actual.length === expected.length && timingSafeEqual(actual, expected) ? flow : null;
}

function flowOf(cookie: string, next: string): Flow {
  const part = (what: string) =>
    createHmac('sha256', cookie).update(`sallyport sign-in ${what}`).digest('base64url');
  return {
    state: `${part(`state ${next}`)}.${next}`,
    nonce: part('nonce'),
    verifier: part('verifier'),
    next,
  };
}
