import type { Hono } from 'hono';
import type { WaitingView } from '../../admin/approvals/approvals.ts';
import { doneNotice, goOn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { buttonForm, faultSummary, formFields } from '../components/form.ts';
import { badge, card, empty, facts, notice, table } from '../components/parts.ts';
import { receiptNotice } from '../components/receipt.ts';
import { differencesOf } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { agoWords, moment } from '../words.ts';

/** Changes to protected roles, which wait here for a second administrator. */

export const APPROVALS = '/approvals';
const CRUMBS = [{ name: 'Approvals', path: APPROVALS }];

type Failed = Extract<Attempted<unknown>, { done: false }>;

export function approvalsPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(APPROVALS, (c) => list(c, parts));
  app.get(`${APPROVALS}/:id`, (c) => showChange(c, parts));
  app.post(`${APPROVALS}/:id/approve`, (c) => approve(c, parts));
  app.post(`${APPROVALS}/:id/withdraw`, (c) => withdraw(c, parts));
}

async function list(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { actor } = c.var.visitor;
  const { approvals } = await parts.control.administration.listApprovals(actor, {});
  const nowMs = parts.clock.wallMs();
  const rows = approvals.map((one): readonly Slot[] => [
    html`<a href="${APPROVALS}/${one.id}">${targetsOf(one)}</a>`,
    one.proposedBy.name,
    agoWords(one.proposedAt, nowMs),
    agoWords(one.expiresAt, nowMs),
    one.roles.join(', '),
  ]);
  const columns = ['Change', 'Proposed by', 'When', 'Lapses', 'Protected roles'].map((name) => ({
    name,
  }));
  const content = html`${doneNotice(c)}<section class="card">${
    rows.length === 0
      ? empty(
          'Nothing waits',
          'Changes to protected roles appear here until somebody approves them.',
        )
      : table('Changes that wait', columns, rows)
  }</section>`;
  const lead =
    'Changes to protected roles, and to who has them, are made when a second administrator approves them.';
  return show(c, { title: 'Approvals', section: APPROVALS, lead }, content);
}

/** The first of them by name. */
function targetsOf({ changes }: WaitingView): string {
  const [first] = changes;
  if (first === undefined) return 'something that cannot be read: decline it';
  const more = changes.length - 1;
  return `${first.kind} ${first.name}${more > 0 ? ` and ${more} more` : ''}`;
}

function idIn(c: ConsoleContext): string {
  return c.req.param('id') ?? '';
}

async function showChange(
  c: ConsoleContext,
  parts: ConsoleParts,
  failed: Failed | null = null,
): Promise<Response> {
  const { visitor } = c.var;
  const { administration } = parts.control;
  const { approval } = await administration.showApproval(visitor.actor, { approval: idIn(c) });
  const isOwn = approval.proposedBy.id === visitor.actor.id;
  const mayWrite = visitor.may('sallyport:registry:write');
  const content = html`${faultSummary(failed?.message ?? null, failed?.faults ?? [])}${doneNotice(c)}${card(
    { title: 'Proposal' },
    facts([
      ['Proposed by', approval.proposedBy.name],
      ['When', moment(approval.proposedAt)],
      ['Lapses', moment(approval.expiresAt)],
      ['Protected roles', approval.roles.join(', ')],
    ]),
  )}${approval.changes.map(changeCard)}${mayWrite ? decision(c, approval, isOwn) : ''}`;
  return show(
    c,
    {
      title: `Change of ${targetsOf(approval)}`,
      section: APPROVALS,
      crumbs: CRUMBS,
      badge: badge('warn', 'Waits'),
      ...(c.req.method === 'POST' ? { replaceUrl: `${APPROVALS}/${approval.id}` } : {}),
    },
    content,
    failed?.status ?? 200,
  );
}

function changeCard({ kind, name, before, after }: WaitingView['changes'][number]): Html {
  const title = `${before === null ? 'New' : after === null ? 'Deleted:' : 'Changed:'} ${kind} ${name}`;
  const rows = differencesOf(before, after).map((one): readonly Slot[] => [
    one.name,
    one.before,
    one.after,
  ]);
  const columns = ['Field', 'Before', 'After'].map((column) => ({ name: column }));
  return card({ title }, table(title, columns, rows), { bare: true });
}

function decision(c: ConsoleContext, { id, proposedBy }: WaitingView, isOwn: boolean): Html {
  const { visitor } = c.var;
  const path = `${APPROVALS}/${id}`;
  const form = isOwn
    ? notice('info', html`<p>You have proposed this: another administrator must approve it.</p>`)
    : html`<form class="stack" method="post" action="${path}/approve">${formFields(visitor)}
<label class="check"><input type="checkbox" name="confirm" value="yes" required> I have looked at what ${proposedBy.name} wants to change, and want it too</label>
<div class="actions"><button class="primary">Approve</button></div></form>`;
  const words = isOwn ? 'Withdraw' : 'Decline';
  return card(
    {
      title: isOwn ? 'What now' : 'Your decision',
      note: 'It is made exactly as it is shown here, or not at all.',
    },
    html`<div class="flow">${form}${buttonForm(visitor, `${path}/withdraw`, words, { tone: 'danger' })}</div>`,
  );
}

async function approve(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  if (c.var.form.word('confirm') !== 'yes')
    return showChange(c, parts, {
      ...{ done: false, status: 422, faults: [] },
      message: 'Look at the change and say so. Nothing was changed.',
    });
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const attempted = await attempt(() => administration.approveChange(actor, { approval: idIn(c) }));
  if (!attempted.done) return failedChange(c, parts, attempted);
  const { approval, revocation } = attempted.value;
  if (revocation === undefined) return goOn(c, APPROVALS, 'approved');
  const content = html`${receiptNotice('It is approved, and the change is made.', revocation)}${approval.changes.map(changeCard)}`;
  return show(
    c,
    {
      title: `Approved: ${targetsOf(approval)}`,
      ...{ section: APPROVALS, crumbs: CRUMBS, replaceUrl: APPROVALS },
    },
    content,
  );
}

async function withdraw(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const attempted = await attempt(() =>
    administration.withdrawChange(actor, { approval: idIn(c) }),
  );
  return attempted.done ? goOn(c, APPROVALS, 'withdrawn') : failedChange(c, parts, attempted);
}

/** With the change, where it still waits. */
async function failedChange(
  c: ConsoleContext,
  parts: ConsoleParts,
  failed: Failed,
): Promise<Response> {
  if (failed.status !== 404) return showChange(c, parts, failed);
  const words = 'It waits no more: somebody has approved or withdrawn it, or it has lapsed.';
  return show(
    c,
    { title: 'Settled already', section: APPROVALS, crumbs: CRUMBS },
    notice('info', html`<p>${words}</p>`),
    404,
  );
}
