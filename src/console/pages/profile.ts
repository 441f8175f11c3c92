import type { Hono } from 'hono';
import { show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { buttonForm, faultSummary, formFields, textField } from '../components/form.ts';
import { card, facts } from '../components/parts.ts';
import { viewChoices } from '../components/view.ts';
import { type ConsoleContext, type Env, takeCookie } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { sessionDigest } from '../sessions.ts';
import type { SignInThrottle } from '../throttle.ts';
import type { Visitor } from '../visitor.ts';
import { permissionsWords, plural } from '../words.ts';
import { DIFFERENT, passwordFields, providerCard } from './users.ts';

const SECTION = '/profile';

type Failed = Extract<Attempted<unknown>, { done: false }>;

/** What everybody may do for themselves. */
export function profilePages(app: Hono<Env>, parts: ConsoleParts, throttle: SignInThrottle): void {
  const { administration } = parts.control;
  app.get(SECTION, (c) => profile(c, null));
  app.post(`${SECTION}/password`, async (c) => {
    const attempted = await changePassword(c, parts, throttle);
    if (!attempted.done) return profile(c, attempted);
    takeCookie(c);
    return c.redirect('/sign-in?note=password', 303);
  });
  app.post(`${SECTION}/sign-out-everywhere`, async (c) => {
    const attempted = await attempt(() =>
      administration.signOutEverywhere(c.var.visitor.actor, {}),
    );
    if (!attempted.done) return profile(c, attempted);
    takeCookie(c);
    return c.redirect('/sign-in?note=everywhere', 303);
  });
}

/** Whoever finds an open browser must not be able to guess the password there without end. */
async function changePassword(
  c: ConsoleContext,
  parts: ConsoleParts,
  throttle: SignInThrottle,
): Promise<Attempted<unknown>> {
  const { form, visitor } = c.var;
  const password = form.text('password');
  if (password !== form.text('repeated')) return DIFFERENT;
  const tried = await throttle.session(sessionDigest(visitor.sessionId));
  if (!tried.allowed) {
    const message = `too many wrong passwords; try again in ${plural(Math.ceil(tried.waitSeconds / 60), 'minute')}`;
    return { done: false, status: 403, message, faults: [] };
  }
  const attempted = await attempt(() =>
    parts.control.administration.changeOwnPassword(visitor.actor, {
      current: form.text('current'),
      password,
    }),
  );
  const isWrong = !attempted.done && attempted.faults.some(({ field }) => field === 'current');
  if (!isWrong) await tried.takeBack();
  return attempted;
}

function passwordCard(visitor: Visitor, faults: Failed['faults']): Slot {
  return card(
    { title: 'Password' },
    html`<form class="stack" method="post" action="${SECTION}/password">${formFields(visitor)}
${textField({ name: 'current', label: 'Current password', type: 'password', isRequired: true, autocomplete: 'current-password', maxLength: 512, faults })}
${passwordFields(faults)}
<p class="hint">You sign in again afterwards, here and everywhere else.</p>
<div class="actions"><button class="primary">Change password</button></div></form>`,
  );
}

function profile(c: ConsoleContext, failed: Failed | null): Response | Promise<Response> {
  const { visitor } = c.var;
  const { permissions } = visitor.actor;
  const patterns = permissions === 'store-owner' ? [] : permissions.patterns;
  const faults = failed?.faults ?? [];
  const nothing = patterns.some((pattern) => pattern.startsWith('sallyport:'))
    ? ''
    : html`<p class="notice">Your role opens no page of this console. Whoever manages users can give you another one.</p>`;
  const content = html`${faultSummary(failed?.message ?? null, faults)}${nothing}<div class="columns">${card(
    { title: 'You' },
    facts([
      ['Name', visitor.actor.name],
      ['Role', visitor.role],
      ['What that means', permissionsWords(patterns)],
    ]),
  )}${visitor.byProvider ? providerCard('You sign in by the identity provider, and have no password here.') : passwordCard(visitor, faults)}${card(
    { title: 'Sessions' },
    html`<div class="flow"><p class="quiet">Ends every session of yours, also in other browsers and on other machines.</p><div class="actions">${buttonForm(visitor, `${SECTION}/sign-out-everywhere`, 'Sign out everywhere')}</div></div>`,
  )}${card(
    { title: 'This browser' },
    html`<div class="flow"><p class="quiet">How close rows stand together, and in which zone times are shown. It is kept in this browser alone.</p>${viewChoices()}</div>`,
  )}</div>`;
  return show(c, { title: 'Your account', section: SECTION }, content, failed?.status ?? 200);
}
