import { randomBytes } from 'node:crypto';
import type { HttpBindings } from '@hono/node-server';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import { type Known, NOBODY, recordOf } from '../admin/api/recorder.ts';
import { bodyFaultOf } from '../admin/api/unfinished.ts';
import { CALLBACK_PATH } from '../config/sections/identity.ts';
import { OWN_COOKIE } from '../forwarding/own-cookies.ts';
import type { RefusalReason } from '../refusal.ts';
import { FormValues, safeNext } from './form-data.ts';
import { bouncePage, refusalPage } from './pages/door.ts';
import type { ConsoleParts } from './parts.ts';
import { isFormToken } from './sessions.ts';
import { type Visitor, visitorOf } from './visitor.ts';

export interface Env {
  Variables: {
    nonce: string;
    visitor: Visitor;
    /** Null on the pages that need no session. */
    maybeVisitor: Visitor | null;
    form: FormValues;
  };
}

export type ConsoleContext = Context<Env>;

/**
 * The prefix makes browsers hold us to it: Secure, no Domain, for the whole host (RFC 6265bis
 * §4.1.3.2).
 */
const COOKIE = OWN_COOKIE;
const FORM_BYTES_MAX = 64 * 1024;
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Where a sign-in by the identity provider begins. */
export const IDENTITY_PATH = '/sign-in/identity';

/** Where the documentation is. It needs no session: nothing in it is secret. */
export const DOCUMENTATION_PATH = '/docs';

const OPEN_PATHS: readonly string[] = ['/sign-in', '/sign-out', IDENTITY_PATH, CALLBACK_PATH];

/** Paths that belong to others on the same listener. */
export function isOurs(path: string): boolean {
  return path !== '/api' && !path.startsWith('/api/');
}

/**
 * Everything that is asked before a page sees a request, in this order: is it a method that we
 * know; if it changes something, does it come from a page of our own; who is it; and does the form
 * belong to this very session.
 */
export function guard(parts: ConsoleParts): MiddlewareHandler<Env> {
  return async (c, next) => {
    if (!isOurs(c.req.path)) return next();
    const nonce = randomBytes(16).toString('base64');
    c.set('nonce', nonce);
    const answer = await admit(parts, c, next);
    if (answer !== undefined) c.res = answer;
    secure(c.res.headers, nonce);
    if (!isLoopback(c.req.header('host') ?? ''))
      c.res.headers.set('strict-transport-security', 'max-age=31536000');
    return undefined;
  };
}

function isDocumentation(path: string): boolean {
  return path === DOCUMENTATION_PATH || path.startsWith(`${DOCUMENTATION_PATH}/`);
}

async function admit(
  parts: ConsoleParts,
  c: ConsoleContext,
  next: () => Promise<void>,
): Promise<Response | undefined> {
  const changes = c.req.method !== 'GET' && c.req.method !== 'HEAD';
  if (c.req.path.startsWith('/assets/')) return pass(next);
  if (isDocumentation(c.req.path) && !changes) return pass(next);
  if (changes) {
    const refusal = await readForm(c);
    if (refusal !== null) return refuse(c, ...refusal);
  }
  const sessionId = sessionIdOf(c);
  const visitor =
    sessionId === ''
      ? null
      : await visitorOf(parts, sessionId, { touch: !c.req.path.endsWith('/stream') });
  c.set('maybeVisitor', visitor);
  if (visitor === null) {
    if (OPEN_PATHS.includes(c.req.path)) return onRecord(c, null, next);
    return onRecordRefused(c, null, 'token-missing', await toSignIn(c, changes));
  }
  c.set('visitor', { ...visitor, actor: { ...visitor.actor, left: c.req.raw.signal } });
  // The sign-in form is shown to whoever is not signed in, so it has no session to belong to; where
  // it comes from was asked above.
  if (
    changes &&
    c.req.path !== '/sign-in' &&
    !isFormToken(visitor.sessionId, c.var.form.text('form'))
  ) {
    const words = 'This form is from an earlier session. Go back, reload the page, and try again.';
    return onRecordRefused(c, visitor, 'permission-denied', await refuse(c, 403, words));
  }
  return onRecord(c, visitor, next);
}

/** On record before anything is done; what is not let in stays with whoever refuses it. */
async function onRecord(
  c: ConsoleContext,
  visitor: Visitor | null,
  next: () => Promise<void>,
): Promise<Response | undefined> {
  const record = recordOf((c.env as Partial<HttpBindings> | undefined)?.incoming);
  if (record !== null && !(await record.decided('permitted', knownAs(visitor), null)))
    return unrecorded(c);
  return pass(next);
}

async function onRecordRefused(
  c: ConsoleContext,
  visitor: Visitor | null,
  reason: RefusalReason,
  answer: Response,
): Promise<Response> {
  const record = recordOf((c.env as Partial<HttpBindings> | undefined)?.incoming);
  if (record === null || (await record.decided(reason, knownAs(visitor), answer.status)))
    return answer;
  return unrecorded(c);
}

function knownAs(visitor: Visitor | null): Known {
  return visitor === null ? NOBODY : { ...NOBODY, actor: visitor.actor };
}

function unrecorded(c: ConsoleContext): Response | Promise<Response> {
  c.header('retry-after', '5');
  return refuse(
    c,
    503,
    'The store cannot be reached now, so nothing can be recorded. Try again in a moment.',
  );
}

async function pass(next: () => Promise<void>): Promise<undefined> {
  await next();
  return undefined;
}

type Refusal = readonly [status: 400 | 403 | 405 | 408 | 413 | 415 | 503, words: string];

async function readForm(c: ConsoleContext): Promise<Refusal | null> {
  if (c.req.method !== 'POST') return [405, 'This page does not accept that method.'];
  if (!isFromOurPages(c)) return [403, 'This form was not sent by a page of this console.'];
  if ((c.req.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase() !== FORM_TYPE)
    return [415, 'This page accepts forms only.'];
  const text = await wholeText(c);
  if (typeof text === 'object' && text !== null) return text;
  if (text === null) return [413, 'That is more than a form of this console can hold.'];
  c.set('form', new FormValues(text));
  return null;
}

/**
 * Browsers say where a form comes from, in `Origin` and in `Sec-Fetch-Site`, and pages cannot
 * change either. What they say must be us; saying nothing at all is not enough.
 */
function isFromOurPages(c: ConsoleContext): boolean {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  if (site === undefined && origin === undefined) return false;
  if (site !== undefined && site !== 'same-origin') return false;
  return origin === undefined || origin === `https://${c.req.header('host')}`;
}

const NOT_WHOLE = 'The form did not arrive whole. Go back and send it again.';

/** What was read of a form that did not come whole is no form. */
async function wholeText(c: ConsoleContext): Promise<string | Refusal | null> {
  const incoming = (c.env as Partial<HttpBindings> | undefined)?.incoming;
  const text = await boundedText(c.req.raw.body).catch((fault: unknown) => {
    if (bodyFaultOf(incoming) === null) throw fault;
    return '';
  });
  const fault = text === null ? null : bodyFaultOf(incoming);
  return fault === null ? text : [fault === 'request-timeout' ? 408 : 400, NOT_WHOLE];
}

async function boundedText(body: ReadableStream<Uint8Array> | null): Promise<string | null> {
  if (body === null) return '';
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > FORM_BYTES_MAX) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Whoever follows a link from elsewhere brings no cookie although there is one (SameSite=Strict):
 * one hop over our own page brings it.
 */
function toSignIn(c: ConsoleContext, changes: boolean): Response | Promise<Response> {
  const next = safeNext(c.req.path);
  if (
    !changes &&
    c.req.header('sec-fetch-site') === 'cross-site' &&
    c.req.header('sec-fetch-mode') === 'navigate'
  ) {
    return c.html(bouncePage(c.var.nonce));
  }
  return c.redirect(
    next === '/' || changes ? '/sign-in' : `/sign-in?next=${encodeURIComponent(next)}`,
    303,
  );
}

function refuse(
  c: ConsoleContext,
  status: Refusal[0],
  words: string,
): Response | Promise<Response> {
  return c.html(refusalPage(c.var.nonce, words), status);
}

export function sessionIdOf(c: ConsoleContext): string {
  return getCookie(c, COOKIE) ?? '';
}

/** Ends with the browser; how long it counts is kept with us. */
export function giveCookie(c: ConsoleContext, sessionId: string): void {
  setCookie(c, COOKIE, sessionId, { path: '/', secure: true, httpOnly: true, sameSite: 'Strict' });
}

export function takeCookie(c: ConsoleContext): void {
  setCookie(c, COOKIE, '', {
    path: '/',
    secure: true,
    httpOnly: true,
    sameSite: 'Strict',
    maxAge: 0,
  });
}

/**
 * Nothing but our own files by name and nonce; no frame, no form to elsewhere, and no string
 * that becomes a script.
 */
function secure(headers: Headers, nonce: string): void {
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ];
  // The documentation has a stricter one of its own.
  if (!headers.has('content-security-policy'))
    headers.set('content-security-policy', policy.join('; '));
  headers.set('x-frame-options', 'DENY');
  headers.set('x-content-type-options', 'nosniff');
  // `same-origin` and not less: with `no-referrer` browsers send `Origin: null` from our own forms.
  headers.set('referrer-policy', 'same-origin');
  headers.set('cross-origin-opener-policy', 'same-origin');
  headers.set('cross-origin-resource-policy', 'same-origin');
  headers.set('permissions-policy', 'camera=(), geolocation=(), microphone=(), payment=(), usb=()');
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
}

/**
 * HSTS is about a name and all its ports: said for `localhost` it would break whatever else
 * somebody develops there.
 */
function isLoopback(host: string): boolean {
  return /^localhost(?::|$)/i.test(host);
}

/**
 * The peer's address: behind another proxy that proxy's, because nothing in a header is believed
 * here.
 */
export function addressOf(c: ConsoleContext): string {
  try {
    return getConnInfo(c).remote.address ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
