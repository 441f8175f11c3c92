import type { AskedCall } from '../../admin/explain-call.ts';
import type { KnownRoutes, RouteTablesView } from '../../admin/known-routes.ts';
import type { Explanation } from '../../decision/explain.ts';
import { ROUTABLE } from '../../http/method.ts';
import type { Attempted } from '../attempt.ts';
import type { ConsoleContext } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import { moment, plural } from '../words.ts';
import { selectField, textField } from './form.ts';
import { notice } from './parts.ts';

/** What the pages that ask the rules have in common. */

export type Failed = Extract<Attempted<unknown>, { done: false }>;

const CALL_FIELDS = ['method', 'path', 'host', 'variables', 'from', 'instance'] as const;

/** A call as it stands in the address of a page; what was not said is empty. */
export type CallWords = Readonly<Record<(typeof CALL_FIELDS)[number], string>>;

const LONGEST = 8192;

export function wordIn(c: ConsoleContext, name: string): string {
  return (c.req.query(name) ?? '').trim().slice(0, LONGEST);
}

export function callWords(c: ConsoleContext): CallWords {
  const words = CALL_FIELDS.map((name) => [name, wordIn(c, name)]);
  const { method, path, ...rest } = Object.fromEntries(words) as CallWords;
  // The query plays no part in any decision; people paste it all the same.
  return { ...rest, method: method === '' ? 'GET' : method, path: path.split('?', 1)[0]! };
}

/** The same as administration takes it. */
export function callOf(words: CallWords): AskedCall {
  return said(words) as Readonly<Record<string, string>> as unknown as AskedCall;
}

/** Without what is empty. */
export function said(words: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(words).filter(([, value]) => value !== ''));
}

export function addressOf(path: string, words: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(said(words)).toString();
  return query === '' ? path : `${path}?${query}`;
}

/** Method, path and what else a route can be decided by. */
export function callFields(
  words: CallWords,
  tables: RouteTablesView,
  faults: Failed['faults'],
): Html {
  const methods = [...new Set([...ROUTABLE, words.method])];
  const more = [words.host, words.variables, words.from].some((word) => word !== '');
  return html`${selectField({
    name: 'method',
    label: 'Method',
    value: words.method,
    choices: methods.map((value) => ({ value, words: value })),
    faults,
  })}
<div class="field wide">${textField({
    name: 'path',
    label: 'Path',
    value: words.path,
    isRequired: true,
    maxLength: LONGEST,
    hint: 'As a client calls it, without the query.',
    faults,
  })}</div>
<details${more || faults.length > 0 ? html` open` : ''}><summary>Host, body, client address</summary><div class="filters">
${textField({ name: 'host', label: 'Host', value: words.host, maxLength: 255, hint: 'Where routes tell hosts apart.', faults })}
${textField({ name: 'variables', label: 'Variables of the body', value: words.variables, maxLength: LONGEST, hint: 'Where the route is decided by them: app=CRM,to=Production', faults })}
${textField({ name: 'from', label: 'Client address', value: words.from, maxLength: 64, faults })}
</div></details>${instanceField(words.instance, tables, faults)}`;
}

/** Whose routes: asked where there is a choice. */
function instanceField(
  instance: string,
  { own, items }: RouteTablesView,
  faults: Failed['faults'],
): Slot {
  const tables = new Set(items.map(({ table }) => table));
  if (instance === '' && (items.length === 0 || (tables.size < 2 && !own))) return '';
  const names = [...new Set([...items.map((one) => one.instance), instance])].filter(
    (name) => name !== '',
  );
  const first = { value: '', words: own ? 'This gate' : 'The newest routes' };
  return selectField({
    name: 'instance',
    label: 'By the routes of',
    value: instance,
    choices: [first, ...names.map((value) => ({ value, words: value }))],
    faults,
  });
}

/** What was wrong with a question. */
export function questionFault({ message, faults }: Failed): Html {
  const sentence = `${message.slice(0, 1).toUpperCase()}${message.slice(1)}${message.endsWith('.') ? '' : '.'}`;
  return notice(
    'bad',
    faults.length === 0
      ? html`<p>${sentence}</p>`
      : html`<p>Please look at:</p><ul>${faults.map(
          (fault) => html`<li><strong>${fault.field}</strong> ${fault.message}</li>`,
        )}</ul>`,
  );
}

/** Whose routes an answer goes by. */
export function routesWords({ instance, since, toldAt, differing }: KnownRoutes['from']): Slot {
  if (instance === null || since === null || toldAt === null)
    return html`<p class="quiet small">By the routes of this gate.</p>`;
  const others =
    differing === 0
      ? ''
      : html` ${plural(differing, 'other instance')} ${differing === 1 ? 'has' : 'have'} other routes.`;
  return html`<p class="quiet small">By the routes of <span class="mono">${instance}</span>, in force there since ${moment(since)}, as it said at ${moment(toldAt)} UTC.${others}</p>`;
}

/** Which rule named a role. */
export function ruleWords(rule: Explanation['rule'], team: string | null): Slot {
  if (rule === 'grant') return 'direct grant';
  if (rule === 'in-doubt') return 'nobody: change its team';
  if (rule === 'team' && team !== null)
    return html`role in team <a href="/teams/${team}">${team}</a>`;
  return rule === null ? '–' : 'default role';
}

export function roleLink(role: string | null): Slot {
  return role === null ? '–' : html`<a href="/roles/${role}">${role}</a>`;
}

/** The two ways to ask who can. */
export const WHO_CAN = { call: '/who-can', matrix: '/who-can/matrix' } as const;

export function whoCanViews(here: string): Html {
  const view = (path: string, words: string) =>
    html`<a href="${path}"${path === here ? html` aria-current="page"` : ''}>${words}</a>`;
  return html`<nav class="ranges" aria-label="How to ask">${view(WHO_CAN.call, 'One call')}${view(WHO_CAN.matrix, 'Matrix')}</nav>`;
}

export function damagedNotice(damaged: readonly string[]): Slot {
  return damaged.length === 0
    ? ''
    : notice(
        'warn',
        html`<p>The records of these accounts cannot be read: ${damaged.join(', ')}.</p>`,
      );
}
