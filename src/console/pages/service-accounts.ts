import type { Hono } from 'hono';
import type { AccountKind } from '../../account/model.ts';
import type { AccountQuery } from '../../admin/list-accounts.ts';
import type { AccountView, RoleView } from '../../admin/views.ts';
import { doneNotice, goOn, show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import {
  isNarrowed,
  type ListView,
  listForm,
  listPages,
  listQueryOf,
  listView,
  sortedColumn,
} from '../components/account-list.ts';
import { bulkBar, selectBox } from '../components/bulk-bar.ts';
import { faultSummary, formFields, selectField, textField } from '../components/form.ts';
import { empty, statusBadge, table } from '../components/parts.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import { spend } from '../once.ts';
import type { ConsoleParts } from '../parts.ts';
import { ago, spanWords } from '../words.ts';
import { expiryFrom } from './account-forms.ts';
import { showToken } from './token.ts';

const SECTION = '/service-accounts';

export function serviceAccountsPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(SECTION, (c) => list(c, parts));
  app.get('/new/service-account', (c) => newForm(c, parts, EMPTY));
  app.post('/new/service-account', (c) => create(c, parts));
}

const FILTERS = [
  { value: '', words: 'All' },
  { value: 'active', words: 'Active' },
  { value: 'inactive', words: 'Inactive' },
  { value: 'expired', words: 'Expired' },
  { value: 'never-used', words: 'Never used' },
  { value: 'unused-90', words: 'Active, not used for 90 days' },
  { value: 'expiring-30', words: 'Active, expiring within 30 days' },
  { value: 'token-365', words: 'Token older than a year' },
  { value: 'honey', words: 'Honey accounts' },
] as const;

const NARROWED: Readonly<Record<string, Partial<AccountQuery>>> = {
  active: { status: 'active' },
  inactive: { status: 'inactive' },
  expired: { status: 'expired' },
  'never-used': { neverUsed: true },
  'unused-90': { status: 'active', unusedForDays: 90 },
  'expiring-30': { status: 'active', expiringWithinDays: 30 },
  'token-365': { tokenOlderThanDays: 365 },
  honey: { honey: true },
};

/** What the filter of a list narrows it to. */
export function narrowedBy(kind: AccountKind, { show: shown }: ListView): Partial<AccountQuery> {
  if (kind === 'service') return Object.hasOwn(NARROWED, shown) ? NARROWED[shown]! : {};
  const status = (['active', 'inactive', 'expired'] as const).find((one) => one === shown);
  return status === undefined ? {} : { status };
}

async function list(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const view = listView(c, SECTION);
  const page = await parts.control.administration.listAccounts(c.var.visitor.actor, {
    ...listQueryOf(view),
    kind: 'service',
    lastUsed: true,
    ...narrowedBy('service', view),
  });
  const { items, damaged } = page;
  const mayWrite = c.var.visitor.may('sallyport:registry:write');
  const content = html`${doneNotice(c)}<section class="card"><div class="card-body">${listForm(view, FILTERS)}</div>
${damaged.length === 0 ? '' : html`<div class="card-body"><p class="fault">These accounts cannot be read: ${damaged.join(', ')}</p></div>`}
${items.length === 0 ? nothing(c, isNarrowed(view)) : accountTable(view, items, parts.clock.wallMs(), mayWrite)}
${mayWrite && items.length > 0 ? bulkBar(c.var.visitor, SECTION) : ''}
${page.total === 0 ? '' : listPages(view, page, ['service account', 'service accounts'])}
</section>`;
  return show(
    c,
    {
      title: 'Service Accounts',
      section: SECTION,
      lead: 'Machines that may call the APIs behind the gate. Each has one token of its own.',
      ...(mayWrite ? { actions: newButton() } : {}),
    },
    content,
  );
}

function newButton(): Html {
  return html`<a class="button primary" href="/new/service-account">New Service Account</a>`;
}

function nothing(c: ConsoleContext, isNarrowed: boolean): Html {
  if (isNarrowed)
    return empty(
      'Nothing matches',
      'No service account matches.',
      html`<a class="button" href="${SECTION}">Show all</a>`,
    );
  return empty(
    'No service accounts yet',
    'A service account is a machine with a token of its own: a pipeline, a scheduler, a monitor. Create one, give its token to the machine, and see here what it does.',
    c.var.visitor.may('sallyport:registry:write') ? newButton() : '',
  );
}

function accountTable(
  view: ListView,
  accounts: readonly AccountView[],
  nowMs: number,
  mayWrite: boolean,
): Html {
  const columns = [
    sortedColumn(view, 'Name', 'name'),
    sortedColumn(view, 'Status', 'status'),
    sortedColumn(view, 'Role', 'role'),
    { name: 'Teams' },
    sortedColumn(view, 'Expires', 'expiresAt'),
    sortedColumn(view, 'Last used', 'lastUsed'),
    sortedColumn(view, 'Token age', 'tokenCreatedAt'),
  ];
  return table(
    'Service accounts',
    columns,
    accounts.map((account) => accountRow(account, nowMs, mayWrite)),
  );
}

function accountRow(account: AccountView, nowMs: number, mayWrite: boolean): readonly Slot[] {
  const { name, description, role, teams, expiresAt, token } = account;
  return [
    html`${mayWrite ? selectBox(account) : ''}<a href="${SECTION}/${name}">${name}</a>${description === '' ? '' : html` <span class="small quiet">${description}</span>`}`,
    statusBadge(account),
    role,
    teams.length === 0
      ? html`<span class="quiet">none</span>`
      : teams.map(({ team }) => team).join(', '),
    expiresAt === null
      ? html`<span class="quiet">never</span>`
      : html`<span class="date">${expiresAt.slice(0, 10)}</span>`,
    token?.lastUsed == null
      ? html`<span class="quiet">never</span>`
      : ago(token.lastUsed.at, nowMs),
    token === null
      ? html`<span class="quiet">${account.honey ? 'bait' : 'no token'}</span>`
      : spanWords(nowMs - Date.parse(token.createdAt)),
  ];
}

interface NewValues {
  readonly name: string;
  readonly description: string;
  readonly role: string;
  readonly expires: string;
  readonly honey: boolean;
  readonly teams: readonly { readonly team: string; readonly role: string }[];
}

const EMPTY: NewValues = {
  name: '',
  description: '',
  role: 'none',
  expires: '',
  honey: false,
  teams: [],
};
/** Teams that the form offers; more can be joined on the account's page. */
const TEAM_ROWS = 3;

async function create(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { form, visitor } = c.var;
  const [teams, roles] = [form.all('team'), form.all('teamRole')];
  const values: NewValues = {
    name: form.word('name'),
    description: form.text('description'),
    role: form.word('role'),
    expires: form.word('expiresAt'),
    honey: form.word('honey') === 'yes',
    teams: teams
      .map((team, index) => ({ team, role: roles[index] ?? '' }))
      .filter(({ team }) => team !== ''),
  };
  if (!(await spend(c, parts)))
    return goOn(
      c,
      values.name === '' ? SECTION : `${SECTION}/${encodeURIComponent(values.name)}`,
      'shown',
    );
  const { name, role, description } = values;
  const input = {
    name,
    role,
    description,
    teams: values.teams,
    expiresAt: expiryFrom(values.expires),
    honey: values.honey,
  };
  const attempted = await attempt(() =>
    parts.control.administration.createServiceAccount(visitor.actor, input),
  );
  if (!attempted.done) return newForm(c, parts, values, attempted);
  return showToken(c, { issued: attempted.value, isNew: true });
}

async function newForm(
  c: ConsoleContext,
  parts: ConsoleParts,
  values: NewValues,
  failed: Extract<Awaited<ReturnType<typeof attempt>>, { done: false }> | null = null,
): Promise<Response> {
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const [roles, teams] = await Promise.all([
    administration.listRoles(actor, {}),
    administration.listTeams(actor, {}),
  ]);
  const faults = failed?.faults ?? [];
  const choices = roleChoices(roles);
  const content = html`${faultSummary(failed?.message ?? null, faults)}<section class="card"><div class="card-body">
<form class="stack" method="post" action="/new/service-account">${formFields(c.var.visitor, { once: true })}
${textField({ name: 'name', label: 'Username', value: values.name, isRequired: true, maxLength: 64, isFirst: true, faults, hint: 'Letters, digits, dots, hyphens and underscores, such as billing-pipeline. It cannot be changed later.' })}
${textField({ name: 'description', label: 'Description', value: values.description, faults, hint: 'What it does and whom to ask about it.' })}
${selectField({ name: 'role', label: 'Role', value: values.role, choices, faults, hint: 'Counts wherever neither a grant nor a team says otherwise.' })}
${
  teams.length === 0
    ? ''
    : teamRows(
        values,
        teams.map(({ name }) => name),
        choices,
      )
}
${textField({ name: 'expiresAt', label: 'Expires (optional)', type: 'date', value: values.expires, faults, hint: 'At the end of that day, UTC. Empty: never.' })}
<label class="check"><input type="checkbox" name="honey" value="yes"${values.honey ? html` checked` : ''}><span><strong>Honey account</strong> <span class="hint">Its token is bait: put it where only a thief would look. It is let in nowhere, and using it raises an alarm. This cannot be changed later.</span></span></label>
<div class="actions"><button class="primary">Create</button><a class="button" href="${SECTION}">Cancel</a></div>
</form></div></section>`;
  const crumbs = [{ name: 'Service Accounts', path: SECTION }];
  return show(
    c,
    {
      title: 'New Service Account',
      section: SECTION,
      crumbs,
      lead: 'Its token is shown once, on the next page.',
    },
    content,
    failed?.status ?? 200,
  );
}

function teamRows(
  values: NewValues,
  teams: readonly string[],
  roles: readonly { value: string; words: string }[],
): Html {
  const teamChoices = [
    { value: '', words: 'No team' },
    ...teams.map((name) => ({ value: name, words: name })),
  ];
  const select = (
    name: string,
    label: string,
    value: string,
    choices: readonly { value: string; words: string }[],
  ) =>
    html`<select name="${name}" aria-label="${label}">${choices.map(
      (choice) =>
        html`<option value="${choice.value}"${choice.value === value ? html` selected` : ''}>${choice.words}</option>`,
    )}</select>`;
  const rows = Array.from({ length: TEAM_ROWS }, (_, index) => {
    const { team, role } = values.teams[index] ?? { team: '', role: 'none' };
    return html`<div class="pair">${select('team', `Team ${index + 1}`, team, teamChoices)}${select('teamRole', `Role in team ${index + 1}`, role, roles)}</div>`;
  });
  return html`<details${values.teams.length > 0 ? html` open` : ''}><summary>Teams (optional)</summary><fieldset class="stack field"><legend class="hidden">Teams</legend>
<p class="hint">In the applications of a team its role there counts instead of the role above.</p>${rows}</fieldset></details>`;
}

export function roleChoices(
  roles: readonly RoleView[],
): readonly { value: string; words: string }[] {
  return roles.map(({ name, description }) => ({
    value: name,
    words: description === '' ? name : `${name} · ${description.slice(0, 80)}`,
  }));
}
