import type { Hono } from 'hono';
import type {
  EndedVerification,
  RunningVerification,
  VerificationState,
} from '../../admin/audit-runs.ts';
import { limitsOf, resultWords, WITHOUT_TRUST } from '../../admin/verification-words.ts';
import type { AuditVerification } from '../../admin/verify-audit.ts';
import { show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import { buttonForm } from '../components/form.ts';
import { badge, card, empty, facts, notice, table } from '../components/parts.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { countWords, moment, plural, zone } from '../words.ts';

const ACTIVITY = '/activity';
const PAGE = '/activity/verification';
/** The page shows how far it has come, without a script. */
const LOOK_AGAIN_S = 2;

export function verificationPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(PAGE, (c) => showVerification(c, parts));
  app.post(PAGE, (c) => verify(c, parts));
}

/** Begins one; where one is under way, its page is what was asked for. */
async function verify(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const begun = await attempt(() =>
    parts.control.administration.startVerification(c.var.visitor.actor, {}),
  );
  if (begun.done || begun.status === 409) return c.redirect(PAGE, 303);
  const frame = { title: 'Audit trail', section: ACTIVITY };
  return show(c, frame, notice('bad', html`<p>${begun.message}</p>`), begun.status);
}

/** The line on the page of all activity. */
export async function verificationLine(c: ConsoleContext, parts: ConsoleParts): Promise<Html> {
  const state = await parts.control.administration.verificationState(c.var.visitor.actor, {});
  const more =
    state.running === null && state.last === null
      ? ''
      : html`<a class="button small" href="${PAGE}">What was found</a>`;
  return html`<section class="card"><div class="card-body line"><p>Audit trail: ${lineWords(state)}</p>
<div class="actions">${more}${verifyButton(c, state)}</div></div></section>`;
}

function verifyButton(c: ConsoleContext, { running }: VerificationState): Slot {
  return running === null ? buttonForm(c.var.visitor, PAGE, 'Verify now') : '';
}

function lineWords({ running, last }: VerificationState): Slot {
  if (running !== null) return runningWords(running);
  if (last === null) return 'not verified since this gate was started.';
  const { result, endedAt } = last;
  if (result === null) return html`the last verification failed, at ${moment(endedAt)}.`;
  return html`${verdict(result)}, ${plural(result.events, 'event')}, checked at ${moment(endedAt)}.`;
}

function verdict({ gaps, edits }: AuditVerification): Html {
  return badge(gaps + edits === 0 ? 'good' : 'bad', `${gaps} gaps, ${edits} edits`);
}

function runningWords({ events, of, by }: RunningVerification): string {
  return `${by} verifies it: ${countWords(events)} of about ${plural(of, 'event')} are read.`;
}

async function showVerification(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const state = await parts.control.administration.verificationState(c.var.visitor.actor, {});
  const { running, last } = state;
  if (running !== null) c.header('refresh', String(LOOK_AGAIN_S));
  const content = html`${running === null ? '' : notice('info', html`<p>${runningWords(running)} This page shows how it goes on.</p>`)}
${last === null ? (running === null ? never() : '') : ended(last)}`;
  return show(
    c,
    {
      title: 'Audit trail',
      section: ACTIVITY,
      crumbs: [{ name: 'Activity', path: ACTIVITY }],
      lead: 'Whether an event of the record is missing, changed, moved, doubled or put in, as its chains and signatures tell.',
      actions: verifyButton(c, state),
    },
    content,
  );
}

function never(): Html {
  const words = 'It reads the whole record between calls, and changes nothing.';
  return html`<section class="card">${empty('Not verified since this gate was started', words)}</section>`;
}

function ended({ result, fault, by, startedAt, endedAt }: EndedVerification): Html {
  const times = [
    ['Began', moment(startedAt)],
    ['Checked at', moment(endedAt)],
    ['By', by],
  ] as const;
  if (result === null)
    return html`${notice('bad', html`<p>It could not be verified: ${fault}.</p>`)}${card({ title: 'The last verification' }, facts(times))}`;
  const found = [
    ['Result', verdict(result)],
    ['Read', resultWords(result)],
    ['Signed heads', countWords(result.heads)],
    ['Trust file', result.trusted ? 'compared with one' : 'none'],
  ] as const;
  return html`${card({ title: 'The last verification' }, facts([...found, ...times]))}
${findings(result)}${card({ title: 'What is not proved' }, notProved(result))}`;
}

function findings({ findings: all, gaps, edits }: AuditVerification): Slot {
  if (all.length === 0) return '';
  const columns = [
    { name: 'Kind' },
    { name: 'What' },
    { name: 'Time', heading: html`Time (${zone()})` },
  ];
  const rows = all.map(({ kind, message, time }) => [
    kind,
    message,
    time === null ? '' : moment(time),
  ]);
  const more = gaps + edits - all.length;
  const note = more > 0 ? { note: `${countWords(more)} more are not shown.` } : {};
  return card({ title: 'Findings', ...note }, table('Findings', columns, rows), { bare: true });
}

function notProved(result: AuditVerification): Html {
  const limits = [
    ...limitsOf(result),
    ...(result.trusted ? [] : [`Without a trust file: ${WITHOUT_TRUST}`]),
  ];
  if (limits.length === 0) return html`<p>Nothing that a chain can prove.</p>`;
  return html`<ul class="sentences">${limits.map((line) => html`<li>${line}</li>`)}</ul>`;
}
