import type { Hono } from 'hono';
import { isName } from '../../account/model.ts';
import { AdminError } from '../../admin/error.ts';
import { withoutTokens } from '../../telemetry/redact.ts';
import { nameIn, show } from '../answer.ts';
import { empty, notice } from '../components/parts.ts';
import { storyPath } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';

/**
 * From what somebody was told to its page: a name alone does not say whether it is a machine's or a
 * person's, and an id in a refusal is in the middle of its body.
 */
export function findPages(app: Hono<Env>, parts: ConsoleParts): void {
  // By a form that is posted: what is pasted may be a token, and an address is kept in many places.
  app.post('/find', (c) => find(c, parts));
  app.get('/find', (c) => nothing(c, ''));
  app.get('/find/:name', async (c) => {
    return c.redirect(await accountPath(c, parts, nameIn(c)), 303);
  });
}

async function accountPath(c: ConsoleContext, parts: ConsoleParts, of: string): Promise<string> {
  const { administration } = parts.control;
  const { kind, name } = await administration.showAccount(c.var.visitor.actor, { name: of });
  return `${kind === 'user' ? '/users' : '/service-accounts'}/${name}`;
}

/** As gates make them. A whole refusal may be pasted. */
const REQUEST_ID = /(?<![0-9A-Za-z])[0-9a-z]{12}-[0-9a-z]{9}(?![0-9A-Za-z-])/;

async function find(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const whole = c.var.form.word('q');
  if (withoutTokens(whole) !== whole) return tokenPasted(c);
  const text = whole.slice(0, 2000);
  const { visitor } = c.var;
  const [requestId] = REQUEST_ID.exec(text) ?? [];
  if (requestId !== undefined && visitor.may('sallyport:activity:read'))
    return c.redirect(storyPath(requestId), 303);
  const path = isName(text) ? await accountPath(c, parts, text).catch(unlessUnknown) : null;
  return path === null ? nothing(c, text) : c.redirect(path, 303);
}

/** Whoever may not look at accounts is told no more than that nothing was found. */
function unlessUnknown(fault: unknown): null {
  if (fault instanceof AdminError && ['not-found', 'forbidden'].includes(fault.code)) return null;
  throw fault;
}

/** Neither repeated nor linked to: it goes no further than here. */
function tokenPasted(c: ConsoleContext): Response | Promise<Response> {
  const content = notice(
    'warn',
    html`<p><strong>What you pasted holds a token.</strong> It was not looked up, is not stored and stands in no log and no address.</p>
<p>If it was found where it should not be, take it out of use with <code>sallyport token found</code>, or generate a new one on the page of its service account. To find an account, paste its name.</p>`,
  );
  return show(c, { title: 'Find', section: '', replaceUrl: '/find' }, content, 422);
}

function nothing(c: ConsoleContext, text: string): Response | Promise<Response> {
  const { visitor } = c.var;
  const isId = /^[!-~]{1,128}$/.test(text);
  const links = [
    ...(visitor.may('sallyport:registry:read')
      ? (['/service-accounts', '/users'] as const).map((section) => ({
          path: `${section}?${new URLSearchParams({ q: text.slice(0, 64) }).toString()}`,
          words: section === '/users' ? 'Search users' : 'Search service accounts',
        }))
      : []),
    ...(isId && visitor.may('sallyport:activity:read')
      ? [{ path: storyPath(text), words: 'Look for an event with this id' }]
      : []),
  ];
  const actions = html`<div class="actions center">${links.map(({ path, words }) => html`<a class="button" href="${path}">${words}</a>`)}</div>`;
  const words =
    text === ''
      ? 'Nothing was asked for.'
      : html`Nothing is called <strong>${text.slice(0, 128)}</strong>.`;
  const content = html`<section class="card">${empty('Nothing found', words, actions)}</section>`;
  return show(c, { title: 'Find', section: '', replaceUrl: '/find' }, content, 404);
}
