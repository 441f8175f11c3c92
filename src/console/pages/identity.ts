import type { Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { CALLBACK_PATH } from '../../config/sections/identity.ts';
import { OWN_COOKIE } from '../../forwarding/own-cookies.ts';
import { homeOf } from '../components/layout.ts';
import { safeNext } from '../form-data.ts';
import {
  addressOf,
  type ConsoleContext,
  type Env,
  giveCookie,
  IDENTITY_PATH,
  sessionIdOf,
} from '../guard.ts';
import { beginFlow, FLOW_MS, resumeFlow } from '../identity/flow.ts';
import type { IdentityParts } from '../identity/provider.ts';
import { ProviderAway } from '../identity/provider-faults.ts';
import {
  type IdentityResult,
  NOT_VOUCHED,
  noteAway,
  signInByIdentity,
} from '../identity/sign-in.ts';
import { knownBrowser, rememberBrowser } from '../known-browser.ts';
import type { ConsoleParts } from '../parts.ts';
import { sessionDigest } from '../sessions.ts';
import type { SignInThrottle } from '../throttle.ts';
import { plural } from '../words.ts';
import { onwardPage, refusalPage } from './door.ts';

/**
 * Beside the session's: it has to come along when the provider sends the browser back, which
 * `Strict` forbids. It opens nothing by itself.
 */
const FLOW_COOKIE = `${OWN_COOKIE}-flow`;

/** Sign-in by the identity provider: out by a link, back by the browser. */
export function identityPages(app: Hono<Env>, parts: ConsoleParts, throttle: SignInThrottle): void {
  const { identity } = parts;
  if (identity === undefined || identity === null) return;

  app.get(IDENTITY_PATH, async (c) => {
    if (c.var.maybeVisitor !== null) return c.redirect(homeOf(c.var.maybeVisitor), 303);
    // Signing in is begun on our own page: no other page may do it in somebody's name.
    if (c.req.header('sec-fetch-site') === 'cross-site') return c.redirect('/sign-in', 303);
    const callback = callbackOf(c, identity);
    if (callback === null)
      return c.html(refusalPage(c.var.nonce, 'The console has no page at this address.'), 400);
    const flow = beginFlow(parts.clock.wallMs(), safeNext(c.req.query('next') ?? ''));
    try {
      const url = await identity.provider.signInUrl(flow, callback.href);
      giveFlowCookie(c, flow.cookie, FLOW_MS / 1000);
      return c.redirect(url.href, 303);
    } catch (error) {
      if (!(error instanceof ProviderAway)) throw error;
      noteAway(parts, error);
      return showFailure(c, { outcome: 'away' });
    }
  });

  app.get(CALLBACK_PATH, async (c) => {
    const callback = callbackOf(c, identity);
    if (callback === null)
      return c.html(refusalPage(c.var.nonce, 'The console has no page at this address.'), 400);
    callback.search = new URL(c.req.url).search;
    // Whoever has begun nothing is told so, and is not counted: any page on the web can send
    // anybody's browser here.
    const cookie = getCookie(c, FLOW_COOKIE);
    if (cookie === undefined) return c.html(refusalPage(c.var.nonce, NOT_VOUCHED), 403);
    const flow = resumeFlow(cookie, c.req.query('state') ?? '', parts.clock.wallMs());
    giveFlowCookie(c, '', 0);
    const userAgent = c.req.header('user-agent') ?? null;
    const browser = await knownBrowser(c, parts.sessions, null);
    const back = { flow, callback, address: addressOf(c), userAgent, browser };
    const result = await signInByIdentity(parts, identity, throttle, back);
    if (result.outcome !== 'signed-in') return showFailure(c, result);
    if (sessionIdOf(c) !== '') await parts.sessions.end(sessionDigest(sessionIdOf(c)));
    await rememberBrowser(c, parts.sessions, result.name, browser);
    giveCookie(c, result.sessionId);
    // A redirect would still count as the provider's, and leave the new cookie behind
    // (SameSite=Strict).
    return c.html(onwardPage(c.var.nonce, result.next));
  });
}

function giveFlowCookie(c: ConsoleContext, value: string, maxAge: number): void {
  setCookie(c, FLOW_COOKIE, value, {
    path: '/',
    secure: true,
    httpOnly: true,
    sameSite: 'Lax',
    maxAge,
  });
}

/**
 * As configured, else under the host that the browser asked for: the provider compares it with what
 * is registered there.
 */
function callbackOf(c: ConsoleContext, { config }: IdentityParts): URL | null {
  const host = c.req.header('host') ?? '';
  if (
    config.redirectUri === null &&
    !/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(host)
  )
    return null;
  return URL.parse(config.redirectUri ?? `https://${host}${CALLBACK_PATH}`);
}

function showFailure(
  c: ConsoleContext,
  result: Exclude<IdentityResult, { outcome: 'signed-in' }>,
): Response | Promise<Response> {
  if (result.outcome === 'throttled') c.header('retry-after', String(result.waitSeconds));
  const status = {
    refused: 403,
    throttled: 429,
    away: 503,
    'registry-away': 503,
    unrecorded: 503,
  } as const;
  return c.html(refusalPage(c.var.nonce, wordsOf(result)), status[result.outcome]);
}

function wordsOf(result: Exclude<IdentityResult, { outcome: 'signed-in' }>): string {
  switch (result.outcome) {
    case 'refused':
      return result.words;
    case 'throttled':
      return `Too many sign-ins failed. Try again in ${plural(Math.ceil(result.waitSeconds / 60), 'minute')}.`;
    case 'away':
      return 'The identity provider cannot be reached now. Try again in a moment.';
    case 'registry-away':
      return 'The registry takes no changes now, so nobody can sign in this way. Try again in a moment.';
    case 'unrecorded':
      return 'The audit log does not take records now, so nobody can sign in. Try again in a moment.';
  }
}
