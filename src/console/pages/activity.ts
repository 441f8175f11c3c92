import type { Hono } from 'hono';
import { type ActivityPageQuery, timeInCursor } from '../../admin/activity-page.ts';
import { requestWords } from '../../audit/search/request-words.ts';
import { REFUSALS } from '../../refusal.ts';
import { show } from '../answer.ts';
import { selectField, textField } from '../components/form.ts';
import { LOG_ROWS, liveMark, logTable } from '../components/log.ts';
import { card, empty, facts } from '../components/parts.ts';
import { viewChoices } from '../components/view.ts';
import { eventRows } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { secondWords, zone } from '../words.ts';
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

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Back from now. Another one is said by its ends. */
const RANGES = [
  { value: '', words: 'Any time', ms: null },
  { value: '1h', words: 'Last hour', ms: HOUR_MS },
  { value: '24h', words: '24 hours', ms: DAY_MS },
  { value: '7d', words: '7 days', ms: 7 * DAY_MS },
  { value: '30d', words: '30 days', ms: 30 * DAY_MS },
  { value: '90d', words: '90 days', ms: 90 * DAY_MS },
] as const;

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
  'range',
  'since',
  'until',
] as const;

type AskedFor = (typeof ASKED_FOR)[number];

export function askedIn(c: ConsoleContext): Asked {
  const word = (name: string) => (c.req.query(name) ?? '').trim().slice(0, 128);
  return Object.fromEntries(ASKED_FOR.map((name) => [name, word(name)])) as unknown as Asked;
}

/** The same as administration takes it. Days and hours without a zone are of UTC. */
export function queryOf(asked: Asked, nowMs: number): ActivityPageQuery {
  const { account, until, method, range: _, ...compared } = asked;
  const since = sinceOf(asked, nowMs);
  return {
    account: account === '' ? null : { name: account },
    ...Object.fromEntries(Object.entries(compared).filter(([, value]) => value !== '')),
    ...(method === '' ? {} : { method: method.toUpperCase() }),
    ...(since === '' ? {} : { since: momentOf(since) }),
    ...(until === '' ? {} : { until: momentOf(until) }),
  };
}

/** Its own ends count before a range. */
function sinceOf({ since, until, range }: Asked, nowMs: number): string {
  const ms = RANGES.find(({ value }) => value === range)?.ms ?? null;
  if (since !== '' || until !== '' || ms === null) return since;
  return new Date(nowMs - ms).toISOString();
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MINUTE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?$/;

function momentOf(text: string): string {
  if (DAY.test(text)) return `${text}T00:00:00Z`;
  return MINUTE.test(text) ? `${text}Z` : text;
}

/** Nothing of a moment is lost on its way through the form: a cut export goes on by one. */
function momentField(name: 'since' | 'until', label: string, asked: Asked): Html {
  const value = fieldValue(asked[name]);
  const step = STEPS[value.length];
  return textField({
    ...{ name, label, type: 'datetime-local', value },
    ...(step === undefined ? {} : { step }),
  });
}

/** By the length of a moment with seconds, and with milliseconds. */
const STEPS: Readonly<Record<number, string>> = { 19: '1', 23: '0.001' };

/** As a field for a moment takes it, in UTC; what is none is shown as nothing. */
function fieldValue(text: string): string {
  const ms = text === '' ? Number.NaN : Date.parse(momentOf(text));
  return Number.isNaN(ms)
    ? ''
    : new Date(ms)
        .toISOString()
        .slice(0, 23)
        .replace(/(:00)?\.000$/, '');
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
  const { items, next, begins } = await parts.control.administration.activityPage(
    c.var.visitor.actor,
    {
      ...queryOf(asked, parts.clock.wallMs()),
      cursor,
      limit: LOG_ROWS,
    },
  );
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
  const ending = html`${endWords(asked, begins)}${next === null ? '' : olderLink(asked, next)}`;
  const content = html`${record}${told}<section class="card"><div class="card-body flow"><div class="line">${rangeLinks(asked)}${viewChoices()}</div>${filterForm(asked)}</div>${rows.length === 0 && !isWhole ? narrowed : log}
${ending}</section>`;
  return show(
    c,
    {
      title: 'Activity',
      section: SECTION,
      lead: html`Every call and its verdict, every change, and every sign-in. Times are ${zone()}.`,
      actions: html`${isWhole ? liveMark() : html`<a class="button" href="${SECTION}">Follow everything</a>`}${exportLinks(asked)}`,
    },
    content,
  );
}

function exportLinks(asked: Asked): Slot {
  const path = `${SECTION}/export`;
  return html`<a class="button" href="${addressOf(path, asked, { format: 'csv' })}" download>CSV</a><a class="button" href="${addressOf(path, asked)}" download>NDJSON</a>`;
}

function rangeLinks(asked: Asked): Html {
  const isOwn = asked.since !== '' || asked.until !== '';
  return html`<nav class="ranges" aria-label="Time range">${RANGES.map(({ value, words }) => {
    const address = addressOf(SECTION, { ...asked, since: '', until: '', range: value });
    return html`<a href="${address}"${!isOwn && value === asked.range ? html` aria-current="true"` : ''}>${words}</a>`;
  })}</nav>`;
}

/** A look ends after so many events, so that a page may be short although more follows. */
function olderLink(asked: Asked, next: string): Html {
  const back = asked.requestId === '' ? timeInCursor(next) : null;
  const words =
    back === null
      ? 'Older events follow.'
      : html`Looked back to <time datetime="${back}">${secondWords(back)}</time>; older events follow.`;
  return html`<div class="pages"><span>${words}</span><a class="button small" href="${addressOf(SECTION, asked, { after: next })}">Older</a></div>`;
}

/** What is not there is said not to be there. */
function endWords({ account, requestId }: Asked, begins: string | undefined): Slot {
  const kept =
    begins === undefined
      ? ''
      : html`Calls are on record from <time datetime="${begins}">${secondWords(begins)}</time> on: what was before is no longer kept, or was never recorded. `;
  const newest =
    account === '' || requestId !== ''
      ? ''
      : 'The log of one account holds its newest events; an export goes as far back as the record.';
  return kept === '' && newest === ''
    ? ''
    : html`<div class="pages"><span>${kept}${newest}</span></div>`;
}

function filterForm(asked: Asked): Html {
  return html`<form class="filters" method="get" action="${SECTION}" role="search" aria-label="Activity" data-moments>
${asked.range === '' ? '' : html`<input type="hidden" name="range" value="${asked.range}">`}
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
${momentField('since', 'Since', asked)}
${momentField('until', 'Until', asked)}
<button>Show</button></form>`;
}
