import type { Hono } from 'hono';
import type { AccountView } from '../../admin/views.ts';
import { goOn, nameIn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { faultSummary, formFields, selectField } from '../components/form.ts';
import { notice } from '../components/parts.ts';
import { callsOf } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import { spend } from '../once.ts';
import type { ConsoleParts } from '../parts.ts';
import { ago } from '../words.ts';
import { showToken } from './token.ts';

const SECTION = '/service-accounts';
const PATH = `${SECTION}/:name/new-token`;

const OVERLAPS = [
  { value: '0', words: 'Refuse it at once (recommended)' },
  { value: '600000', words: 'Let it in for 10 more minutes' },
  { value: '3600000', words: 'Let it in for one more hour' },
  { value: '86400000', words: 'Let it in for one more day' },
] as const;

/** Says what will happen, and then does it. */
export function newTokenPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(PATH, async (c) => {
    const account = await parts.control.administration.showAccount(c.var.visitor.actor, {
      name: nameIn(c),
      kind: 'service',
    });
    return ask(c, parts, account);
  });

  app.post(PATH, async (c) => {
    const name = nameIn(c);
    if (!(await spend(c, parts))) return goOn(c, `${SECTION}/${name}`, 'shown');
    const { administration } = parts.control;
    const { actor } = c.var.visitor;
    const overlapMs = Number(
      OVERLAPS.find(({ value }) => value === c.var.form.text('overlap'))?.value ?? 0,
    );
    const attempted = await attempt(() =>
      administration.rotateToken(actor, { name, kind: 'service', overlapMs }),
    );
    if (attempted.done) return showToken(c, { issued: attempted.value, isNew: false });
    return ask(
      c,
      parts,
      await administration.showAccount(actor, { name, kind: 'service' }),
      attempted,
    );
  });
}

/** Whoever uses the present token loses it: what is known of them. */
async function useWords(
  c: ConsoleContext,
  { control, clock }: ConsoleParts,
  { id, name, token }: AccountView,
): Promise<Slot> {
  if (token === null) return '';
  const input = { id, kind: 'service', overlapMs: 0 };
  const asked = { operation: 'rotateToken', input } as const;
  // What keeps it from being made, the form says when it comes.
  const preview = await attempt(() =>
    control.administration.previewChange(c.var.visitor.actor, asked),
  );
  const loser = preview.done ? preview.value.losers.find((one) => one.id === id) : undefined;
  const used = token.lastUsed ?? null;
  if (used === null && (loser?.calls?.count ?? 0) === 0) return '';
  const words = [
    used === null
      ? html`Whoever uses the present token of ${name} will need the new one.`
      : html`The present token was last used ${ago(used.at, clock.wallMs())} from ${used.address}. Whoever uses it will need the new one.`,
    ...(loser?.calls == null ? [] : [html`Calls in 24 hours: ${callsOf(loser)}.`]),
    ...(loser?.underWay == null
      ? []
      : [
          html`Under way here: ${loser.underWay}, streams and tunnels among them; other gates, and other workers of this one, are not asked.`,
        ]),
  ];
  return notice('warn', html`<p>${words.map((one) => html`${one} `)}</p>`);
}

async function ask(
  c: ConsoleContext,
  parts: ConsoleParts,
  account: AccountView,
  failed: Extract<Attempted<unknown>, { done: false }> | null = null,
): Promise<Response> {
  const path = `${SECTION}/${account.name}`;
  const { token } = account;
  const content = html`${faultSummary(failed?.message ?? null, failed?.faults ?? [])}
${await useWords(c, parts, account)}
<section class="card"><div class="card-head"><h2>What will happen</h2></div><div class="card-body">
<form class="stack" method="post" action="${path}/new-token">${formFields(c.var.visitor, { once: true })}
<ol>
<li>A new token is made for <strong>${account.name}</strong> and shown to you once, on the next page.</li>
<li>${token === null ? 'The account has no token at present, so nothing stops working.' : 'The present token is refused from that moment on, on all running gates. Calls with it that are under way are cut off.'}</li>
<li>Name, role, teams and grants stay as they are.</li>
</ol>
${token === null ? '' : selectField({ name: 'overlap', label: 'The present token', value: '0', choices: OVERLAPS, hint: 'Letting both in for a while is for machines that cannot be changed at one moment. If the token may be known to others, refuse it at once.' })}
<div class="actions"><button class="primary">Continue</button><a class="button" href="${path}">Cancel</a></div>
</form></div></section>`;
  const crumbs = [
    { name: 'Service Accounts', path: SECTION },
    { name: account.name, path },
  ];
  return show(
    c,
    { title: 'Generate new Authentication Token', section: SECTION, crumbs },
    content,
    failed?.status ?? 200,
  );
}
