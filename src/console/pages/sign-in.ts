import type { Hono } from 'hono';
import { homeOf } from '../components/layout.ts';
import { safeNext } from '../form-data.ts';
import {
  addressOf,
  type ConsoleContext,
  type Env,
  giveCookie,
  IDENTITY_PATH,
  sessionIdOf,
  takeCookie,
} from '../guard.ts';
import { knownBrowser, rememberBrowser } from '../known-browser.ts';
import type { ConsoleParts } from '../parts.ts';
import { sessionDigest } from '../sessions.ts';
import { type SignInResult, signIn } from '../sign-in.ts';
import type { SignInThrottle } from '../throttle.ts';
import { plural } from '../words.ts';
import { refusalPage, type SignInWays, signInPage } from './door.ts';

const NOTES: Readonly<Record<string, string>> = {
  out: 'You are signed out.',
  everywhere: 'You are signed out everywhere.',
  password: 'Your password is changed. Sign in with the new one.',
};

export function signInPages(app: Hono<Env>, parts: ConsoleParts, throttle: SignInThrottle): void {
  const ways = waysOf(parts);
  app.get('/sign-in', (c) => {
    if (c.var.maybeVisitor !== null) return c.redirect(homeOf(c.var.maybeVisitor), 303);
    const note = NOTES[c.req.query('note') ?? ''];
    return c.html(
      signInPage({
        nonce: c.var.nonce,
        ways,
        next: safeNext(c.req.query('next') ?? ''),
        ...(note === undefined ? {} : { note }),
      }),
    );
  });

  app.post('/sign-in', async (c) => {
    if (!ways.password)
      return c.html(refusalPage(c.var.nonce, 'Nobody signs in with a password here.'), 403);
    const name = c.var.form.word('name');
    const next = safeNext(c.var.form.text('next'));
    const userAgent = c.req.header('user-agent') ?? null;
    const browser = await knownBrowser(c, parts.sessions, name);
    const result = await signIn(parts, throttle, {
      name,
      password: c.var.form.text('password'),
      address: addressOf(c),
      userAgent,
      browser,
    });
    if (result.outcome !== 'signed-in') return again(c, { name, next, ways }, result);
    // The session that the browser brought, if any, ends: whoever signs in anew is not somebody
    // else's guest.
    if (sessionIdOf(c) !== '') await parts.sessions.end(sessionDigest(sessionIdOf(c)));
    await rememberBrowser(c, parts.sessions, result.name, browser);
    giveCookie(c, result.sessionId);
    return c.redirect(next, 303);
  });

  app.post('/sign-out', async (c) => {
    const visitor = c.var.maybeVisitor;
    if (visitor !== null) {
      await parts.sessions.end(sessionDigest(visitor.sessionId));
      const { id, name } = visitor.actor;
      const account = id === null ? null : { id, name };
      const clientAddress = addressOf(c);
      await parts.recordSignIn({
        reason: 'signed-out',
        account,
        claimedAccountId: null,
        clientAddress,
        userAgent: c.req.header('user-agent') ?? null,
      });
    }
    takeCookie(c);
    return c.redirect('/sign-in?note=out', 303);
  });
}

function waysOf({ identity }: ConsoleParts): SignInWays {
  if (identity === undefined || identity === null) return { password: true, provider: null };
  const { allowPasswords, issuer } = identity.config;
  return {
    password: allowPasswords,
    provider: { host: new URL(issuer).host, path: IDENTITY_PATH },
  };
}

function again(
  c: ConsoleContext,
  form: { readonly name: string; readonly next: string; readonly ways: SignInWays },
  result: Exclude<SignInResult, { outcome: 'signed-in' }>,
): Response | Promise<Response> {
  if (result.outcome === 'throttled') c.header('retry-after', String(result.waitSeconds));
  const status = { refused: 401, throttled: 429, busy: 503, unrecorded: 503 } as const;
  return c.html(
    signInPage({ nonce: c.var.nonce, ...form, problem: problemOf(result) }),
    status[result.outcome],
  );
}

/** The same words for every way in which a name and a password fail. */
function problemOf(result: Exclude<SignInResult, { outcome: 'signed-in' }>): string {
  switch (result.outcome) {
    case 'refused':
      return 'That user name and password do not let anybody in.';
    case 'throttled':
      return `Too many wrong passwords. Try again in ${plural(Math.ceil(result.waitSeconds / 60), 'minute')}.`;
    case 'busy':
      return 'Many people are signing in at this moment. Try again in a few seconds.';
    case 'unrecorded':
      return 'The audit log does not take records now, so nobody can sign in. Try again in a moment.';
  }
}
