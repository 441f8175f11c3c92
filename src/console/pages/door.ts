import { textField } from '../components/form.ts';
import { door } from '../components/layout.ts';
import { notice } from '../components/parts.ts';
import { type Html, html } from '../html.ts';
import { TYPED_MAX } from '../sign-in.ts';

/** The pages for whoever is not signed in. */

export interface SignInForm {
  readonly nonce: string;
  readonly next: string;
  readonly name?: string;
  readonly problem?: string;
  readonly note?: string;
  readonly ways: SignInWays;
}

export interface SignInWays {
  readonly password: boolean;
  /** The identity provider's host and where the way to it begins; null = there is none. */
  readonly provider: { readonly host: string; readonly path: string } | null;
}

export function signInPage(form: SignInForm): Html {
  const { nonce, next, problem, note, ways } = form;
  const said = html`${problem === undefined ? '' : notice('bad', html`<p>${problem}</p>`)}${note === undefined ? '' : notice('good', html`<p>${note}</p>`)}`;
  return door(
    { title: 'Sign in', nonce },
    html`<h1>Sign in</h1>
${said}${ways.provider === null ? '' : providerLink(ways.provider, next)}${ways.password ? passwordForm(form) : ''}`,
  );
}

function providerLink({ host, path }: NonNullable<SignInWays['provider']>, next: string): Html {
  return html`<p class="actions"><a class="button primary" href="${path}?next=${encodeURIComponent(next)}">Sign in with ${host}</a></p>`;
}

function passwordForm({ next, name = '', ways }: SignInForm): Html {
  return html`<form class="stack" method="post" action="/sign-in">
<input type="hidden" name="next" value="${next}">
${textField({ name: 'name', label: 'User name', value: name, isRequired: true, autocomplete: 'username', maxLength: 64, isFirst: name === '' })}
${textField({ name: 'password', label: 'Password', type: 'password', isRequired: true, autocomplete: 'current-password', maxLength: TYPED_MAX, isFirst: name !== '' })}
<button class="${ways.provider === null ? 'primary' : ''}">Sign in</button>
</form>`;
}

/** One hop over a page of our own: what the browser sends from here carries its cookie. */
export function bouncePage(nonce: string): Html {
  return door(
    { title: 'One moment', nonce },
    html`<meta http-equiv="refresh" content="0"><h1>One moment</h1><p class="lead">If nothing happens, <a href="">go on</a>.</p>`,
  );
}

/** Signed in: on to the page that was asked for, as a step of our own. */
export function onwardPage(nonce: string, next: string): Html {
  return door(
    { title: 'Signed in', nonce },
    html`<meta http-equiv="refresh" content="0; url=${next}"><h1>Signed in</h1><p class="lead">If nothing happens, <a href="${next}">go on</a>.</p>`,
  );
}

export function refusalPage(nonce: string, words: string): Html {
  return door(
    { title: 'That did not work', nonce },
    html`<h1>That did not work</h1><p class="lead">${words}</p><p><a href="/">To the console</a></p>`,
  );
}
