import type { IssuedToken } from '../../admin/service-accounts.ts';
import { show } from '../answer.ts';
import { notice } from '../components/parts.ts';
import { receiptNotice } from '../components/receipt.ts';
import type { ConsoleContext } from '../guard.ts';
import { html } from '../html.ts';
import { moment, zone } from '../words.ts';

const USE = html`<ol>
<li>Give it to the machine as a secret, never in a file that is checked in.</li>
<li>The machine sends it with each call: <code>Authorization: Bearer slp_…</code></li>
<li>Its calls appear in the activity log of the account.</li></ol>`;

const BAIT = html`<ol>
<li>Put it where nobody has a reason to look, and a thief would: a wiki, a backup, a home folder.</li>
<li>Give it to no machine: it is let in nowhere.</li>
<li>Whoever presents it is refused like with any token that counts no more, and the activity log tells of it.</li></ol>`;

/**
 * The one page that ever holds a token: the very answer to the form that issued it. Nothing is kept
 * for it, so there is nothing to show again; a reload shows the account instead (the script says so
 * to the browser's history; without one, the form's mark is spent).
 */
export function showToken(
  c: ConsoleContext,
  { issued, isNew }: { readonly issued: IssuedToken; readonly isNew: boolean },
): Response | Promise<Response> {
  const { account, token, revocation } = issued;
  const path = `/service-accounts/${account.name}`;
  const overlap = account.previousToken;
  const old =
    overlap === null
      ? receiptNotice('The old token is refused from now on.', revocation)
      : notice(
          'warn',
          html`<p><strong>The old token works beside the new one until ${moment(overlap.validUntil)} ${zone()}.</strong></p>`,
        );
  const content = html`${isNew ? '' : old}
<section class="card"><div class="card-body flow">
<div><h2 id="token-label">Authentication token of ${account.name}</h2>
<p class="quiet">Copy it now. It is shown this once and is not kept: not here, and not in the store.</p></div>
<div class="token"><output id="token" aria-labelledby="token-label">${token}</output>
<button class="primary" type="button" data-copy="token" aria-describedby="copied" hidden>Copy</button></div>
<p class="small quiet" id="copied" role="status"></p>
</div></section>
<section class="card"><div class="card-head"><h2>What to do with it</h2></div><div class="card-body">${account.honey ? BAIT : USE}</div></section>
<div class="actions"><a class="button primary" href="${path}">I have copied it</a></div>`;
  return show(
    c,
    {
      title: isNew ? 'Service account created' : 'New token generated',
      section: '/service-accounts',
      crumbs: [
        { name: 'Service Accounts', path: '/service-accounts' },
        { name: account.name, path },
      ],
      replaceUrl: path,
    },
    content,
  );
}
