import type { Hono } from 'hono';
import type { ActivityPageQuery } from '../../admin/activity-page.ts';
import { requestWords } from '../../audit/search/request-words.ts';
import { REFUSALS } from '../../refusal.ts';
import { show } from '../answer.ts';
import { selectField, textField } from '../components/form.ts';
import { LOG_ROWS, liveMark, logTable } from '../components/log.ts';
import { card, empty, facts } from '../components/parts.ts';
import { eventRows } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { verificationLine } from './verification.ts';

const SECTION = '/activity';

export function activityPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(SECTION, (c) => showActivity(c, parts));
}

const KINDS = [
  { value: '', words: 'Everything' },
  { value: 'decision', words: 'Calls' },
  { value: 'change', words: 'Changes' },
  { value: 'sign-in', words: 'Sign-ins' },
  { value: 'notice', words: 'Notices' },
  { value: 'chain', words: 'The record itself' },
] as const;

const DECISIONS = [
  { value: '', words: 'Any' },
  { value: 'permit', words: 'Let in' },
  { value: 'refusal', words: 'Refused' },
] as const;

const REASONS = [
  { value: '', words: 'Any' },
  { value: 'permitted', words: 'Let in' },
  ...Object.entries(REFUSALS).map(([value, { title }]) => ({ value, words: `${value}: ${title}` })),
];

/** What the form asks, as it stands in the address. */
export interface Asked extends Readonly<Record<AskedFor, string>> {}

const ASKED_FOR = [
  'requestId',
  'account',
  'phase',
  'decision',
  'reason',
  'application',
  'route',
  'status',
  'method',
  'address',
  'actor',
  'since',
  'until',
] as const;

type AskedFor = (typeof ASKED_FOR)[number];

export function askedIn(c: ConsoleContext): Asked {
  const word = (name: string) => (c.req.query(name) ?? '').trim().slice(0, 128);
  return Object.fromEntries(ASKED_FOR.map((name) => [name, word(name)])) as unknown as Asked;
}

/** The same as administration takes it. A day counts from its beginning in UTC. */
export function queryOf(asked: Asked): ActivityPageQuery {
  const { account, since, until, method, ...compared } = asked;
  return {
    account: account === '' ? null : { name: account },
    ...Object.fromEntries(Object.entries(compared).filter(([, value]) => value !== '')),
    ...(method === '' ? {} : { method: method.toUpperCase() }),
    ...(since === '' ? {} : { since: momentOf(since) }),
    ...(until === '' ? {} : { until: momentOf(until) }),
  };
}

function momentOf(text: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text;
}

function addressOf(
  path: string,
  asked: Asked,
  more: Readonly<Record<string, string>> = {},
): string {
  const filled = Object.entries({ ...asked, ...more }).filter(([, value]) => value !== '');
  return filled.length === 0 ? path : `${path}?${new URLSearchParams(filled).toString()}`;
}

async function showActivity(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const asked = askedIn(c);
  const cursor = c.req.query('after') ?? null;
  const { items, next } = await parts.control.activityPage(c.var.visitor.actor, {
    ...queryOf(asked),
    cursor,
    limit: LOG_ROWS,
  });
  const rows = eventRows(items);
  // What goes on by itself is the whole log: a narrowed one, or one from further back, stays as it
  // is.
  const isWhole = cursor === null && Object.values(asked).every((value) => value === '');
  const narrowed = empty(
    'Nothing matches',
    'Nothing like that was recorded, as far as this look reached back.',
    html`<a class="button" href="${SECTION}">Show everything</a>`,
  );
  const log = logTable({
    caption: 'Activity',
    rows,
    stream: isWhole ? `${SECTION}/stream` : null,
    whenEmpty: 'Calls at the gate, changes and sign-ins appear here.',
  });
  const answers = asked.requestId === '' ? [] : requestWords(items);
  const told =
    answers.length === 0 ? '' : card({ title: `Request ${asked.requestId}` }, facts(answers));
  const record = isWhole ? await verificationLine(c, parts) : '';
  const content = html`${record}${told}<section class="card"><div class="card-body">${filterForm(asked)}</div>${rows.length === 0 && !isWhole ? narrowed : log}
${next === null ? '' : html`<div class="pages"><span>Older events follow.</span><a class="button small" href="${addressOf(SECTION, asked, { after: next })}">Older</a></div>`}</section>`;
  return show(
    c,
    {
      title: 'Activity',
      section: SECTION,
      lead: 'Every call and its verdict, every change, and every sign-in. Times are UTC.',
      actions: html`${isWhole ? liveMark() : html`<a class="button" href="${SECTION}">Follow everything</a>`}<a class="button" href="${addressOf(`${SECTION}/export`, asked)}">Export as NDJSON</a>`,
    },
    content,
  );
}

function filterForm(asked: Asked): Html {
  return html`<form class="filters" method="get" action="${SECTION}" role="search">
${textField({ name: 'requestId', label: 'Request', value: asked.requestId, maxLength: 128 })}
${textField({ name: 'account', label: 'Account', value: asked.account, maxLength: 64 })}
${selectField({ name: 'phase', label: 'What', value: asked.phase, choices: KINDS })}
${selectField({ name: 'decision', label: 'Verdict', value: asked.decision, choices: DECISIONS })}
${selectField({ name: 'reason', label: 'Reason', value: asked.reason, choices: REASONS })}
${textField({ name: 'application', label: 'Application', value: asked.application, maxLength: 64 })}
${textField({ name: 'route', label: 'Route', value: asked.route, maxLength: 64 })}
${textField({ name: 'status', label: 'Status', value: asked.status, maxLength: 3 })}
${textField({ name: 'method', label: 'Method', value: asked.method, maxLength: 32 })}
${textField({ name: 'address', label: 'Address or network', value: asked.address, maxLength: 128 })}
${textField({ name: 'actor', label: 'Changed by', value: asked.actor, maxLength: 128 })}
${textField({ name: 'since', label: 'Since', type: 'date', value: asked.since })}
${textField({ name: 'until', label: 'Until', type: 'date', value: asked.until })}
<button>Show</button></form>`;
}
