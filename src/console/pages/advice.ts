import type { Hono } from 'hono';
import type { Advice } from '../../admin/advice/advise.ts';
import { FINDING_KINDS, type Finding, type PreparedChange } from '../../admin/advice/finding.ts';
import { adviceWords, evidenceWords, KIND_WORDS } from '../../admin/advice/words.ts';
import { REPLAYED } from '../../admin/operations/rehearsed.ts';
import { windowLimits } from '../../admin/trail/words.ts';
import { show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { faultSummary } from '../components/form.ts';
import { card, empty, notice } from '../components/parts.ts';
import { REPLAY_PATH, replayCard, replayFor, replayForm } from '../components/replay.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { plural } from '../words.ts';

const ADVICE = '/advice';
const RANGES = [7, 30, 90] as const;
/** Answers that the page waits for: two million events. */
const ANSWERS_MAX = 10;
const TITLE = 'Worth a Look';

/** What is granted and was not used, with changes to review. */
export function advicePages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(ADVICE, (c) => showAdvice(c, parts));
  app.post(REPLAY_PATH, (c) => showReplay(c, parts));
}

async function showAdvice(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const days = RANGES.find((one) => String(one) === c.req.query('days')) ?? 30;
  const attempted = await attempt(() => asked(c, parts, days));
  const lead =
    'What is granted, held against the calls that were recorded: each finding with its evidence and a change to review. Nothing is changed here.';
  const frame = { title: TITLE, section: ADVICE, lead, actions: rangeLinks(days) };
  if (!attempted.done)
    return show(c, frame, faultSummary(attempted.message, attempted.faults), attempted.status);
  return show(c, frame, adviceContent(c, attempted.value));
}

async function asked(c: ConsoleContext, { control }: ConsoleParts, days: number): Promise<Advice> {
  const { actor } = c.var.visitor;
  const ask = (cursor: string | null) => control.administration.advise(actor, { days, cursor });
  let advice = await ask(null);
  for (let count = 1; advice.next !== null && count < ANSWERS_MAX; count += 1)
    advice = await ask(advice.next);
  return advice;
}

function rangeLinks(chosen: number): Html {
  return html`<nav class="ranges" aria-label="Days">${RANGES.map(
    (days) =>
      html`<a href="${ADVICE}?days=${days}"${days === chosen ? html` aria-current="true"` : ''}>${days} days</a>`,
  )}</nav>`;
}

function adviceContent(c: ConsoleContext, advice: Advice): Html {
  const { items, counts, window, next } = advice;
  const unread =
    next === null
      ? ''
      : notice(
          'warn',
          html`<p>The record is longer than a page can wait for. Choose fewer days, or ask on the command line: <code>sallyport advise</code>.</p>`,
        );
  const limits = [...adviceWords(advice), ...windowLimits(window)];
  const about = html`<ul class="small quiet">${limits.map((line) => html`<li>${line}</li>`)}</ul>`;
  const groups = FINDING_KINDS.flatMap((kind) => {
    const found = items.filter((item) => item.kind === kind);
    return found.length === 0 ? [] : [group(c, KIND_WORDS[kind], counts[kind], found)];
  });
  const nothing = html`<section class="card">${empty('Nothing to look at', 'All that is granted was used, as far as the record goes.')}</section>`;
  return html`${unread}${groups.length === 0 && next === null ? nothing : groups}${about}`;
}

function group(c: ConsoleContext, title: string, count: number, found: readonly Finding[]): Html {
  const note =
    count > found.length
      ? `${plural(count, 'finding')}, ${found.length} of them here`
      : plural(count, 'finding');
  const items = found.map((finding) => html`<li class="flow">${findingOf(c, finding)}</li>`);
  return card({ title, note }, html`<ul class="flow">${items}</ul>`);
}

function findingOf(c: ConsoleContext, { target, words, evidence, change }: Finding): Html {
  const lines = [evidenceWords(evidence), ...evidence.details].filter((line) => line !== '');
  const [sample] = evidence.samples;
  const example =
    sample === undefined
      ? ''
      : html` <a href="/activity?requestId=${sample}">See that request<span class="hidden"> of ${target.name}</span></a>`;
  return html`<p>${words} <a href="${pathOf(target)}">${target.name}</a></p>${
    lines.length === 0 ? '' : html`<p class="small quiet">${lines.join(' ')}${example}</p>`
  }${change === null ? '' : changeOf(c, target, change)}`;
}

function pathOf({ kind, name }: Finding['target']): string {
  const section = { account: 'service-accounts', role: 'roles', team: 'teams' }[kind];
  return `/${section}/${name}`;
}

function changeOf(c: ConsoleContext, target: Finding['target'], change: PreparedChange): Html {
  const { command, declaration } = change;
  const form = formPath(target, change);
  const replayed = replayForm(c.var.visitor, change, command);
  const open =
    form === null
      ? ''
      : html`<a class="button small" href="${form}">Open the form<span class="hidden"> of ${target.name}</span></a>`;
  return html`<details class="small"><summary>A change to review<span class="hidden">: ${command}</span></summary><div class="flow"><pre><code>${command}</code></pre>${
    declaration === null ? '' : html`<pre><code>${declaration}</code></pre>`
  }<div class="actions">${replayed}${open}</div></div></details>`;
}

/** The form of the change, filled in. */
function formPath(
  { kind, name }: Finding['target'],
  { operation, input }: PreparedChange,
): string | null {
  if (operation === 'editRole' && Array.isArray(input?.permissions))
    return `/roles/${name}/edit?permissions=${encodeURIComponent(input.permissions.join(' '))}`;
  if (operation === 'editTeam' && Array.isArray(input?.removeApplications))
    return `/teams/${name}/edit?without=${encodeURIComponent(input.removeApplications.join(' '))}`;
  return kind === 'account' ? pathOf({ kind, name }) : null;
}

async function showReplay(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { form, visitor } = c.var;
  const operation = REPLAYED.find((one) => one === form.word('operation'));
  const input = objectIn(form.text('input'));
  const crumbs = [{ name: TITLE, path: ADVICE }];
  const frame = { title: 'Try It on the Record', section: ADVICE, crumbs, replaceUrl: ADVICE };
  const back: Slot = html`<p><a class="button" href="${ADVICE}">Back</a></p>`;
  if (operation === undefined || input === null)
    return show(
      c,
      frame,
      html`${notice('bad', html`<p>That is no change that can be tried.</p>`)}${back}`,
      422,
    );
  const attempted: Attempted<Html> = await attempt(async () =>
    replayCard(await replayFor(parts.control, visitor.actor, operation, input)),
  );
  if (!attempted.done)
    return show(
      c,
      frame,
      html`${faultSummary(attempted.message, attempted.faults)}${back}`,
      attempted.status,
    );
  return show(c, frame, html`${attempted.value}${back}`);
}

function objectIn(text: string): object | null {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
