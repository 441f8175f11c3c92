import type { Hono } from 'hono';
import { NEIGHBOURS, type Neighbours, type Story, type StoryTiming } from '../../admin/story.ts';
import { type ReadEvent, readableEvent, readEvent } from '../../audit/event/read.ts';
import { type Answered, requestWords } from '../../audit/search/request-words.ts';
import { show } from '../answer.ts';
import { logTable } from '../components/log.ts';
import { badge, card, empty, facts } from '../components/parts.ts';
import { timingBar } from '../components/timing.ts';
import { type EventRow, eventRows, storyPath } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';

const ACTIVITY = '/activity';
const LEAD_ANSWERS = ['time', 'request'];
const DECISION = ['decision', 'why', 'rule'];
const CALLER = ['who', 'client', 'trace', 'instance'];
const MINUTE_MS = 60_000;

/** One request on a page of its own: what became of it, and what happened around it. */
export function storyPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(`${ACTIVITY}/requests/:id`, (c) => showStory(c, parts));
}

async function showStory(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const requestId = c.req.param('id') ?? '';
  const cursor = c.req.query('after') ?? null;
  const story = await parts.control.administration.showRequest(c.var.visitor.actor, {
    requestId,
    cursor,
  });
  const [row] = eventRows(story.items);
  const frame = { section: ACTIVITY, crumbs: [{ name: 'Activity', path: ACTIVITY }] };
  const title = `Request ${requestId}`;
  if (row === undefined) return show(c, { ...frame, title }, notFound(story), 200);
  const answers = requestWords(story.items);
  return show(
    c,
    {
      ...frame,
      title,
      badge: badge(row.tone, row.verdict),
      lead: html`<span class="mono">${row.what}</span> · <time datetime="${row.iso}">${row.time}</time>`,
      actions: actionsOf(c, story),
    },
    html`<div class="columns">${answerCard('What was decided', answers, [...LEAD_ANSWERS, ...DECISION])}${callerCard(c, story, answers)}</div>
${endCard(answers, story.timing)}
${neighboursCard(story, row)}
${rawCard(story)}`,
  );
}

function notFound({ requestId, next }: Story): Html {
  const path = storyPath(requestId);
  const further = html`<a class="button" href="${path}?${new URLSearchParams({ after: next ?? '' }).toString()}">Look further back</a>`;
  return html`<section class="card">${empty(
    next === null ? 'Nothing is recorded under this id' : 'Not found yet',
    next === null
      ? 'It is what X-Request-Id of a response says, and requestId in the body of a refusal. What is older than the record is kept is gone.'
      : 'It is not among the newest 200,000 events. It may lie further back.',
    next === null ? html`<a class="button" href="${ACTIVITY}">All activity</a>` : further,
  )}</section>`;
}

function only(answers: readonly Answered[], names: readonly string[]): readonly Answered[] {
  return answers.filter(([name]) => names.includes(name));
}

function named(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}

function rowsOf(answers: readonly Answered[]): (readonly [string, Slot])[] {
  return answers.map(([name, words]) => [named(name), words]);
}

function answerCard(title: string, answers: readonly Answered[], names: readonly string[]): Slot {
  const told = only(answers, names);
  return told.length === 0 ? '' : card({ title }, facts(rowsOf(told)));
}

/** Whoever may look at accounts goes on to theirs. */
function callerCard(c: ConsoleContext, { items }: Story, answers: readonly Answered[]): Slot {
  const told = only(answers, CALLER);
  if (told.length === 0) return '';
  const doer = c.var.visitor.may('sallyport:registry:read') ? doerIn(items) : null;
  const rows = told.map(([name, words]): readonly [string, Slot] =>
    name === 'who' && doer !== null && words.startsWith(doer.name)
      ? [named(name), html`${accountLink(doer)}${words.slice(doer.name.length)}`]
      : [named(name), words],
  );
  return card({ title: 'Who asked' }, facts(rows));
}

type Named = { readonly name: string; readonly kind: string; readonly id: string | null };

function doerIn(items: readonly string[]): Named | null {
  const known = items.map((line) => {
    const event = readEvent(line) as { readonly account?: Named | null; readonly actor?: Named };
    return event.account ?? event.actor ?? null;
  });
  return known.find((one) => one !== null && one.id !== null) ?? null;
}

function accountLink({ kind, name }: Named): Html {
  const section = kind === 'user' ? '/users' : '/service-accounts';
  return html`<a href="${section}/${encodeURIComponent(name)}">${name}</a>`;
}

function endCard(answers: readonly Answered[], timing: StoryTiming | null): Slot {
  const told = answers.filter(
    ([name]) => ![...LEAD_ANSWERS, ...DECISION, ...CALLER, 'took'].includes(name),
  );
  if (told.length === 0 && timing === null) return '';
  return card(
    { title: 'What came of it' },
    html`<div class="flow">${facts(rowsOf(told))}${timing === null ? '' : timingBar(timing)}</div>`,
  );
}

/** Its own row stands among those of its caller. */
function neighboursCard({ items, neighbours }: Story, own: EventRow): Slot {
  if (neighbours === null) return '';
  const rows = rowsAround(neighbours, items, own);
  const whose = neighbours.of === 'account' ? `of ${neighbours.name}` : `from ${neighbours.name}`;
  const content = neighbours.reached
    ? logTable({
        caption: `What happened before and after, ${whose}`,
        rows,
        stream: null,
        whenEmpty: '',
        current: own.id,
      })
    : html`<p class="card-body quiet">More than 5,000 events are newer, or this log no longer reaches back so far: these are not known here.</p>`;
  return card({ title: 'Before and after', note: `What else was recorded ${whose}.` }, content, {
    bare: true,
  });
}

function rowsAround({ before, after }: Neighbours, items: readonly string[], own: EventRow) {
  const rows = eventRows([...after, ...items, ...before]);
  const at = rows.findIndex(({ id }) => id === own.id);
  return rows.slice(Math.max(0, at - NEIGHBOURS), at + NEIGHBOURS + 1);
}

function rawCard({ items }: Story): Html {
  const lines = items
    .toReversed()
    .map((line) => JSON.stringify(JSON.parse(readableEvent(line)), null, 2));
  return html`<section class="card"><div class="card-body"><details><summary>As it is recorded</summary><pre class="raw" tabindex="0" aria-label="Events as they are recorded">${lines.join('\n')}</pre></details></div></section>`;
}

interface Called {
  readonly account?: Named | null;
  readonly type: string;
  readonly phase: string;
  readonly method?: string;
  readonly path?: string;
}

/** Forms that ask the same of the rules as they are now. */
function askedAgain(c: ConsoleContext, items: readonly string[]): (readonly [string, string])[] {
  const events = items.map((line) => readEvent(line) as Called);
  const call = events.find(({ type, phase }) => type === 'call' && phase === 'decision');
  if (!c.var.visitor.may('sallyport:registry:read') || !call?.method || !call.path) return [];
  const { method, path, account = null } = call;
  const who = new URLSearchParams({ method, path }).toString();
  const trying = account === null ? null : new URLSearchParams({ account: account.name });
  return [
    ...(trying === null ? [] : [['Try It Now', `/try?${trying.toString()}&${who}`] as const]),
    ['Who Can', `/who-can?${who}`],
  ];
}

function actionsOf(c: ConsoleContext, { items, neighbours }: Story): Slot {
  const [event] = items.map(readEvent).toReversed() as [ReadEvent];
  const ms = Date.parse(event.time);
  const links: (readonly [string, Readonly<Record<string, string>>])[] = [];
  if (neighbours?.of === 'account')
    links.push([`Activity of ${neighbours.name}`, { account: neighbours.name }]);
  if (neighbours?.of === 'address')
    links.push(['All from this address', { address: neighbours.name }]);
  if (!Number.isNaN(ms))
    links.push([
      'Everything in that minute',
      { since: minuteOf(ms - MINUTE_MS / 2), until: minuteOf(ms + MINUTE_MS + MINUTE_MS / 2) },
    ]);
  const addresses = links.map(
    ([words, asked]) => [words, `${ACTIVITY}?${new URLSearchParams(asked).toString()}`] as const,
  );
  return [...askedAgain(c, items), ...addresses].map(
    ([words, address]) => html`<a class="button" href="${address}">${words}</a>`,
  );
}

/** `2026-11-24T07:19Z`, rounded down. */
function minuteOf(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16)}Z`;
}
