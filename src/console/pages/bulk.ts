import type { Hono } from 'hono';
import type { AccountKind } from '../../account/model.ts';
import type { BulkAnswer, BulkChange, BulkItem } from '../../admin/bulk.ts';
import type { ChangePreview } from '../../admin/preview.ts';
import { show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { BULK_ACTS, type BulkAct } from '../components/bulk-bar.ts';
import { faultSummary, formFields, selectField, textField } from '../components/form.ts';
import { badge, empty, longTable, notice } from '../components/parts.ts';
import { receiptNotice } from '../components/receipt.ts';
import { HERE, previewNotices, USE_COLUMNS, useCells } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { plural } from '../words.ts';
import { expiryFrom } from './account-forms.ts';
import { roleChoices } from './service-accounts.ts';

/**
 * Many accounts at a time: chosen on a list, shown with what each would lose, and changed when that
 * is confirmed.
 */

interface Kind {
  readonly kind: AccountKind;
  readonly section: string;
  readonly name: string;
  readonly noun: string;
}

const KINDS: readonly Kind[] = [
  {
    kind: 'service',
    section: '/service-accounts',
    name: 'Service Accounts',
    noun: 'service account',
  },
  { kind: 'user', section: '/users', name: 'Users', noun: 'user' },
];

type Failed = Extract<Attempted<unknown>, { done: false }>;

export function bulkPages(app: Hono<Env>, parts: ConsoleParts): void {
  for (const kind of KINDS) app.post(`/bulk${kind.section}`, (c) => bulk(c, parts, kind));
}

interface Asked {
  readonly ids: readonly string[];
  readonly act: BulkAct | null;
  readonly role: string;
  readonly team: string;
  readonly expires: string;
  readonly isPreviewed: boolean;
}

async function bulk(c: ConsoleContext, parts: ConsoleParts, kind: Kind): Promise<Response> {
  const asked = askedIn(c);
  if (asked.ids.length === 0) return nobody(c, kind);
  const change = changeOf(asked);
  if (change === null) return detailsForm(c, parts, kind, asked);
  const { administration } = parts.control;
  const isDone = c.var.form.word('confirm') === 'yes';
  const input = { kind: kind.kind, ids: asked.ids, ...change, preview: !isDone };
  const attempted = await attempt(() => administration.changeAccounts(c.var.visitor.actor, input));
  if (!attempted.done) return detailsForm(c, parts, kind, asked, attempted);
  if (isDone) return result(c, kind, attempted.value);
  const effect = await effectOf(c, parts, input);
  return preview(c, kind, asked, attempted.value.items, effect, parts.clock.wallMs());
}

/** Who uses what they would lose; null: it cannot be looked up, and the change says why. */
async function effectOf(
  c: ConsoleContext,
  { control }: ConsoleParts,
  input: object,
): Promise<ChangePreview | null> {
  const asked = { operation: 'changeAccounts', input: { ...input, preview: false } } as const;
  const attempted = await attempt(() =>
    control.administration.previewChange(c.var.visitor.actor, asked),
  );
  return attempted.done ? attempted.value : null;
}

function askedIn(c: ConsoleContext): Asked {
  const { form } = c.var;
  const act = form.word('act');
  return {
    ids: form.all('id').filter((id) => id !== ''),
    act: BULK_ACTS.find(({ value }) => value === act)?.value ?? null,
    role: form.word('role'),
    team: form.word('team'),
    expires: form.word('expiresAt'),
    isPreviewed: form.word('previewed') === 'yes',
  };
}

/** Null: more is to be said first. */
function changeOf({ act, role, team, expires, isPreviewed }: Asked): BulkChange | null {
  switch (act) {
    case 'deactivate':
      return { status: 'inactive' };
    case 'activate':
      return { status: 'active' };
    case 'expire':
      return isPreviewed ? { expiresAt: expiryFrom(expires) } : null;
    case 'role':
      return role === '' ? null : { role };
    case 'join':
      return team === '' || role === '' ? null : { join: { team, role } };
    case 'leave':
      return team === '' ? null : { leave: team };
    default:
      return null;
  }
}

function nobody(c: ConsoleContext, { section, name }: Kind): Response | Promise<Response> {
  const back = html`<a class="button" href="${section}">Back to the list</a>`;
  return show(
    c,
    { title: 'Change many', section, crumbs: [{ name, path: section }] },
    empty('Nobody is selected', 'Select accounts in the list first.', back),
    422,
  );
}

function kept({ ids, act, role, team, expires }: Asked): Html {
  const fields = { act: act ?? '', role, team, expiresAt: expires };
  return html`${ids.map((id) => html`<input type="hidden" name="id" value="${id}">`)}${Object.entries(
    fields,
  )
    .filter(([, value]) => value !== '')
    .map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}`;
}

async function detailsForm(
  c: ConsoleContext,
  parts: ConsoleParts,
  { kind, section, name, noun }: Kind,
  asked: Asked,
  failed: Failed | null = null,
): Promise<Response> {
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const { act } = asked;
  const [roles, teams] = await Promise.all([
    act === 'role' || act === 'join' ? administration.listRoles(actor, {}) : [],
    act === 'join' || act === 'leave' ? administration.listTeams(actor, {}) : [],
  ]);
  const faults = failed?.faults ?? [];
  const teamChoices = teams.map((team) => ({ value: team.name, words: team.name }));
  const choices = roleChoices(roles);
  const blank: Asked = { ...asked, role: '', team: '', expires: '' };
  const content = html`${faultSummary(failed?.message ?? null, faults)}<section class="card"><div class="card-body">
<form class="stack" method="post" action="/bulk${section}">${formFields(c.var.visitor)}${kept({ ...blank, act: null })}<input type="hidden" name="previewed" value="yes">
${act === null ? selectField({ name: 'act', label: 'What is to be done', value: '', choices: BULK_ACTS }) : html`<input type="hidden" name="act" value="${act}">`}
${act === 'join' || act === 'leave' ? selectField({ name: 'team', label: 'Team', value: asked.team, choices: teamChoices, faults }) : ''}
${act === 'role' || act === 'join' ? selectField({ name: 'role', label: act === 'role' ? 'Default role' : 'Role in the team', value: asked.role, choices, faults }) : ''}
${act === 'expire' ? textField({ name: 'expiresAt', label: 'Expires', type: 'date', value: asked.expires, faults, hint: 'At the end of that day, UTC. Empty: never.' }) : ''}
<div class="actions"><button class="primary">Preview</button><a class="button" href="${section}">Cancel</a></div></form></div></section>`;
  const words = BULK_ACTS.find(({ value }) => value === act)?.words ?? 'Change';
  return show(
    c,
    {
      title: `${words.replace('…', '')}: ${plural(asked.ids.length, noun)}`,
      section,
      crumbs: [{ name, path: section }],
      lead: `Nothing is changed yet: the next page shows what each ${kind === 'service' ? 'account' : 'user'} would lose.`,
    },
    content,
    failed?.status ?? 200,
  );
}

const COLUMNS = ['Name', 'What happens', 'It loses'];

type UseOf = (item: BulkItem) => readonly Slot[];

/** @param useOf what is known of the use of each; null: that is not shown */
function itemsTable(
  section: string,
  items: readonly BulkItem[],
  isDone: boolean,
  useOf: UseOf | null = null,
): Promise<Html> {
  const words = {
    changed: isDone ? badge('good', 'Changed') : badge('info', 'Will change'),
    unchanged: badge('', 'No change needed'),
    refused: badge('bad', 'Refused'),
  };
  const columns = [...COLUMNS, ...(useOf === null ? [] : USE_COLUMNS)].map((name) => ({ name }));
  return longTable('Accounts', columns, items, (item): readonly Slot[] => {
    const { id, name, outcome, why, loses } = item;
    return [
      name === null ? html`<code>${id}</code>` : html`<a href="${section}/${name}">${name}</a>`,
      words[outcome],
      why ?? (loses.length === 0 ? html`<span class="quiet">nothing</span>` : loses.join('; ')),
      ...(useOf?.(item) ?? []),
    ];
  });
}

/** Of whoever loses nothing it is not asked. */
function usesIn({ losers }: ChangePreview, nowMs: number): UseOf {
  const byId = new Map(losers.map((loser) => [loser.id, loser]));
  return ({ id, loses }) => {
    const loser = byId.get(id);
    if (loser !== undefined) return useCells(loser, nowMs);
    return USE_COLUMNS.map(() =>
      loses.length === 0 ? '–' : html`<span class="quiet">not looked up</span>`,
    );
  };
}

async function preview(
  c: ConsoleContext,
  { section, name, noun }: Kind,
  asked: Asked,
  items: readonly BulkItem[],
  effect: ChangePreview | null,
  nowMs: number,
): Promise<Response> {
  const useOf = effect === null || effect.losers.length === 0 ? null : usesIn(effect, nowMs);
  const count = items.filter(({ outcome }) => outcome === 'changed').length;
  const button =
    count === 0
      ? ''
      : html`<form method="post" action="/bulk${section}">${formFields(c.var.visitor)}${kept(asked)}<input type="hidden" name="previewed" value="yes"><input type="hidden" name="confirm" value="yes"><button class="${asked.act === 'activate' ? 'primary' : 'danger'}">Change ${plural(count, noun)}</button></form>`;
  const words = BULK_ACTS.find(({ value }) => value === asked.act)?.words ?? 'Change';
  return show(
    c,
    {
      title: `${words.replace('…', '')}: ${plural(items.length, noun)}`,
      section,
      crumbs: [{ name, path: section }],
      lead: 'Nothing is changed yet. This is what would become of each.',
    },
    html`${effect === null ? '' : previewNotices(effect)}<section class="card">${await itemsTable(section, items, false, useOf)}${useOf === null ? '' : html`<p class="card-body small quiet">${HERE}</p>`}<div class="card-body"><div class="actions">${button}<a class="button" href="${section}">Cancel</a></div></div></section>`,
  );
}

async function result(
  c: ConsoleContext,
  { section, name, noun }: Kind,
  { items, revocation }: BulkAnswer,
): Promise<Response> {
  const of = (outcome: BulkItem['outcome']) =>
    items.filter((item) => item.outcome === outcome).length;
  const refused = of('refused');
  const words = `Changed ${plural(of('changed'), noun)}.`;
  return show(
    c,
    { title: 'Changed', section, crumbs: [{ name, path: section }], replaceUrl: section },
    html`${receiptNotice(words, revocation)}${refused === 0 ? '' : notice('warn', html`<p>${plural(refused, noun)} could not be changed, and are as they were.</p>`)}<section class="card">${await itemsTable(section, items, true)}<div class="card-body"><a class="button" href="${section}">Back to the list</a></div></section>`,
  );
}
