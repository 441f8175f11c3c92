import { textField } from '../components/form.ts';
import { door } from '../components/layout.ts';
import { notice } from '../components/parts.ts';
import { type Html, html } from '../html.ts';

/** The pages for whoever is not signed in. */

export interface SignInForm {
  readonly nonce: string;
  readonly next: string;
  readonly name?: string;
  readonly problem?: string;
  readonly note?: string;
}

export function signInPage({ nonce, next, name = '', problem, note }: SignInForm): Html {
  return door(
    { title: 'Sign in', nonce },
    html`<form class="stack" method="post" action="/sign-in">
<h1>Sign in</h1>
${problem === undefined ? '' : notice('bad', html`<p>${problem}</p>`)}${note === undefined ? '' : notice('good', html`<p>${note}</p>`)}
<input type="hidden" name="next" value="${next}">
${textField({ name: 'name', label: 'User name', value: name, isRequired: true, autocomplete: 'username', maxLength: 64, isFirst: name === '' })}
${textField({ name: 'password', label: 'Password', type: 'password', isRequired: true, autocomplete: 'current-password', maxLength: 512, isFirst: name !== '' })}
<button class="primary">Sign in</button>
</form>`,
  );
}

/** One hop over a page of our own: what the browser sends from here carries its cookie. */
export function bouncePage(nonce: string): Html {
  return door(
    { title: 'One moment', nonce },
    html`<meta http-equiv="refresh" content="0"><h1>One moment</h1><p class="lead">If nothing happens, <a href="">go on</a>.</p>`,
  );
}

export function refusalPage(nonce: string, words: string): Html {
  return door(
    { title: 'That did not work', nonce },
    html`<h1>That did not work</h1><p class="lead">${words}</p><p><a href="/">To the console</a></p>`,
  );
}
