import type { Administration } from '../admin/administration.ts';
import { administrationOf } from '../admin/administration.ts';
import { PREVIEWED } from '../admin/operations/rehearsed.ts';
import type { ChangePreview, Loser } from '../admin/preview.ts';
import { show } from './answer.ts';
import { attempt } from './attempt.ts';
import { formFields } from './components/form.ts';
import { card, notice, table } from './components/parts.ts';
import { replayForm } from './components/replay.ts';
import type { ConsoleContext } from './guard.ts';
import { type Html, html, type Slot } from './html.ts';
import type { ConsoleParts } from './parts.ts';
import { ago, plural } from './words.ts';

/** What takes something from somebody is shown first, and made when the form comes again. */

/** The field by which a form says that this was seen. */
const SEEN = 'seen';

type Asked = Parameters<Administration['previewChange']>[1];

/** A change that is not made yet, because somebody would lose by it. */
export class LookFirst extends Error {
  override readonly name = 'LookFirst';
  readonly preview: ChangePreview;
  readonly asked: Asked;

  constructor(preview: ChangePreview, asked: Asked) {
    super('somebody loses by it');
    this.preview = preview;
    this.asked = asked;
  }
}

/**
 * Administration for the form of this request: throws `LookFirst` instead of a change by which
 * somebody loses, unless that was seen.
 */
export function confirming(c: ConsoleContext, parts: ConsoleParts): Administration {
  const { administration } = parts.control;
  if (c.var.form.word(SEEN) === 'yes') return administration;
  return administrationOf((name) => async (actor, input) => {
    const operation = PREVIEWED.find((one) => one === name);
    if (operation !== undefined) {
      const asked = { operation, input: input as Readonly<Record<string, unknown>> };
      // What is wrong with it, the operation itself says.
      const preview = await attempt(() => administration.previewChange(actor, asked));
      if (preview.done && isGrave(preview.value)) throw new LookFirst(preview.value, asked);
    }
    return administration[name](actor, input as never);
  });
}

function isGrave({ losers, abandoned }: ChangePreview): boolean {
  return losers.length > 0 || abandoned.length > 0;
}

/** The same form once more, below what it would do. */
export function lookFirst(
  c: ConsoleContext,
  { preview, asked }: LookFirst,
  nowMs: number,
): Response | Promise<Response> {
  const { form, visitor } = c.var;
  const [, section = ''] = c.req.path.split('/');
  const fields = form.entries().filter(([name]) => name !== 'form' && name !== SEEN);
  const content = html`${previewCards(preview, nowMs)}<section class="card"><div class="card-body">
<form class="stack" method="post" action="${c.req.path}">${formFields(visitor)}${fields.map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  )}<input type="hidden" name="${SEEN}" value="yes">
<div class="actions"><button class="danger">${preview.approval.length === 0 ? 'Do it' : 'Propose it'}</button><a class="button" href="${c.req.path.replace(/\/[^/]*$/, '')}">Cancel</a></div></form><div class="actions">${replayForm(visitor, asked)}</div></div></section>`;
  const [first] = preview.changes;
  return show(
    c,
    {
      title: `Change ${first?.kind} ${first?.name}?`,
      section: `/${section}`,
      lead: 'Nothing is changed yet. This is what it would do.',
    },
    content,
  );
}

/** Who would lose what by a change, and what else people should know before it. */
export function previewCards(preview: ChangePreview, nowMs: number): Html {
  const { losers, losing, accounts, examined } = preview;
  const rows = losers.map((loser): readonly Slot[] => [
    html`<a href="/find/${loser.name}">${loser.name}</a>`,
    html`${loser.loses.map((line) => html`<div>${line}</div>`)}`,
    ...useCells(loser, nowMs),
  ]);
  const columns = ['Account', 'It loses', ...USE_COLUMNS].map((name) => ({ name }));
  const [hidden, rest] = [losing - losers.length, accounts - examined];
  const notes = [
    ...(losers.some(({ underWay }) => underWay !== null) ? [HERE] : []),
    ...(hidden > 0 ? [`${hidden} more of them are not shown.`] : []),
    ...(rest > 0 ? [`${plural(rest, 'account')} more were not looked at.`] : []),
  ];
  return html`${previewNotices(preview)}${
    losers.length === 0
      ? ''
      : card(
          {
            title: `${plural(losing, 'account')} of ${accounts} would lose by it`,
            ...(notes.length > 0 ? { note: notes.join(' ') } : {}),
          },
          table('Who would lose what', columns, rows),
          { bare: true },
        )
  }`;
}

/** What else people should know before. */
export function previewNotices({ approval, abandoned }: ChangePreview): Html {
  return html`${
    approval.length === 0
      ? ''
      : notice(
          'info',
          html`<p>It concerns the protected ${approval.length === 1 ? 'role' : 'roles'} ${approval.join(', ')}: it waits until another administrator approves it.</p>`,
        )
  }${
    abandoned.length === 0
      ? ''
      : notice('warn', html`<p>No member is left who is let in on ${abandoned.join(', ')}.</p>`)
  }`;
}

/** Of what counts calls under way. */
export const HERE =
  'Under way here: calls that the process which answers serves now, streams and tunnels among them. Other gates, and other workers of this one, are not asked.';

/** What is known of the use of whoever would lose. */
export const USE_COLUMNS = ['Calls in 24 hours', 'Under way here', 'Last let in'] as const;

export function useCells(loser: Loser, nowMs: number): readonly Slot[] {
  return [
    callsOf(loser),
    loser.underWay === null
      ? html`<span class="quiet">not looked up</span>`
      : String(loser.underWay),
    loser.lastUsedAt === null
      ? html`<span class="quiet">never, as far as is known</span>`
      : ago(loser.lastUsedAt, nowMs),
  ];
}

export function callsOf({ kind, calls }: Pick<Loser, 'kind' | 'calls'>): Slot {
  if (kind === 'user') return html`<span class="quiet">a person</span>`;
  if (calls === null) return html`<span class="quiet">not looked up</span>`;
  return `${calls.count}${calls.isMore ? ' or more' : ''}`;
}
