import type { Role, Team } from '../../account/model.ts';
import { timeInCursor } from '../../admin/activity-page.ts';
import { bindingWords } from '../../admin/restriction.ts';
import type { AccountView } from '../../admin/views.ts';
import { buttonForm, formFields } from '../components/form.ts';
import { LOG_ROWS, liveMark, logTable } from '../components/log.ts';
import { card, facts } from '../components/parts.ts';
import { eventRows } from '../event-row.ts';
import type { ConsoleContext } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { ago, moment, secondWords, spanWords, zone } from '../words.ts';

const SECTION = '/service-accounts';
/** Of bait, on its page. */
const NOTICES = 20;

export function detailsCard(account: AccountView, nowMs: number, mayWrite: boolean): Html {
  return card(
    { title: 'Details' },
    facts([
      ['Id', html`<code>${account.id}</code>`],
      ['Default role', html`<a href="/roles/${account.role}">${account.role}</a>`],
      [
        'Created',
        html`${moment(account.createdAt)} <span class="quiet">(${ago(account.createdAt, nowMs)})</span>`,
      ],
      ['Last change', moment(account.updatedAt)],
      [
        'Expires',
        account.expiresAt === null
          ? html`<span class="quiet">never</span>`
          : html`${moment(account.expiresAt)} (${ago(account.expiresAt, nowMs)})`,
      ],
      [
        'Let in from',
        account.allowedNetworks.length === 0
          ? html`<span class="quiet">anywhere</span>`
          : html`<code>${account.allowedNetworks.join(', ')}</code>`,
      ],
      [
        'Bound to',
        bindingWords(account.boundTo) ?? html`<span class="quiet">no certificate</span>`,
      ],
      ...(mayWrite
        ? []
        : [
            [
              'Your rights',
              html`<span class="quiet">You may look at this account and not change it.</span>`,
            ] as const,
          ]),
    ]),
  );
}

export function tokenCard(c: ConsoleContext, account: AccountView, nowMs: number): Html {
  const { token, previousToken, name } = account;
  const path = `${SECTION}/${name}`;
  const mayWrite = c.var.visitor.may('sallyport:registry:write');
  const rows: (readonly [string, Slot])[] =
    token === null
      ? account.honey
        ? [
            ['Handle', html`<code>${account.retiredTokens[0] ?? ''}</code>`],
            ['Let in', 'nowhere: it is bait, and using it raises an alarm'],
            ['Presented', 'see the notices below'],
          ]
        : [['Token', html`<span class="quiet">none: generate one</span>`]]
      : [
          ['Handle', html`<code>${token.id}</code>`],
          [
            'Age',
            html`${spanWords(nowMs - Date.parse(token.createdAt))} <span class="quiet">(since ${moment(token.createdAt)})</span>`,
          ],
          [
            'Last used',
            token.lastUsed === null
              ? html`<span class="quiet">never, as far as is known</span>`
              : html`${ago(token.lastUsed.at, nowMs)} <span class="quiet">from ${token.lastUsed.address}</span>`,
          ],
        ];
  const overlap =
    previousToken === null
      ? ''
      : html`<div class="notice warn"><p>The token before it works too, until ${moment(previousToken.validUntil)} ${zone()}.</p>${
          mayWrite
            ? html`<p>${buttonForm(c.var.visitor, `${path}/close-overlap`, 'Refuse it now', { tone: 'small' })}</p>`
            : ''
        }</div>`;
  const generate = mayWrite
    ? html`<p class="actions"><a class="button primary" href="${path}/new-token">Generate new Authentication Token</a></p>`
    : '';
  return card(
    { title: 'Authentication token' },
    html`<div class="flow">${facts(rows)}${overlap}${generate}</div>`,
  );
}

export function teamsCard(
  c: ConsoleContext,
  account: AccountView,
  roles: readonly Role[],
  teams: readonly Team[],
): Html {
  const { visitor } = c.var;
  const path = `${SECTION}/${account.name}`;
  const mayWrite = visitor.may('sallyport:registry:write');
  const rows = account.teams.map(
    ({ team, role }) =>
      html`<tr><th scope="row"><a href="/teams/${team}">${team}</a></th><td>${role}</td><td>${
        mayWrite
          ? buttonForm(visitor, `${path}/leave`, 'Leave', {
              tone: 'small',
              fields: { team },
              about: `the team ${team}`,
            })
          : ''
      }</td></tr>`,
  );
  const open = teams
    .filter(({ name }) => !account.teams.some(({ team }) => team === name))
    .map(({ name }) => name);
  const list =
    rows.length === 0
      ? html`<p class="quiet">In no team. ${teams.length === 0 ? 'There are no teams yet.' : 'In a team, its role there counts for the applications of that team.'}</p>`
      : html`<table class="tight"><caption class="hidden">Teams</caption><thead><tr><th scope="col">Team</th><th scope="col">Role in it</th><th scope="col"><span class="hidden">Leave</span></th></tr></thead><tbody>${rows}</tbody></table>`;
  const join =
    mayWrite && open.length > 0
      ? pairForm(c, `${path}/teams`, { name: 'team', label: 'Team', values: open }, roles, 'Join')
      : '';
  return card({ title: 'Teams' }, html`<div class="flow">${list}${join}</div>`);
}

export function grantsCard(
  c: ConsoleContext,
  account: AccountView,
  roles: readonly Role[],
  teams: readonly Team[],
): Html {
  const { visitor } = c.var;
  const path = `${SECTION}/${account.name}`;
  const mayWrite = visitor.may('sallyport:registry:write');
  const rows = account.grants.map(
    ({ application, role }) =>
      html`<tr><th scope="row" class="mono">${application}</th><td>${role}</td><td>${
        mayWrite
          ? buttonForm(visitor, `${path}/revoke`, 'Take back', {
              tone: 'small',
              fields: { application },
              about: `the grant on ${application}`,
            })
          : ''
      }</td></tr>`,
  );
  const list =
    rows.length === 0
      ? html`<p class="quiet">No grants. A grant gives another role on one application, whatever team owns it.</p>`
      : html`<table class="tight"><caption class="hidden">Grants</caption><thead><tr><th scope="col">Application</th><th scope="col">Role on it</th><th scope="col"><span class="hidden">Take back</span></th></tr></thead><tbody>${rows}</tbody></table>`;
  const known = teams.flatMap(({ applications }) => applications);
  const grant = mayWrite
    ? pairForm(
        c,
        `${path}/grants`,
        { name: 'application', label: 'Application', values: null, known },
        roles,
        'Grant',
      )
    : '';
  return card({ title: 'Grants' }, html`<div class="flow">${list}${grant}</div>`);
}

interface PairField {
  readonly name: string;
  readonly label: string;
  /** Null = any name may be typed; `known` are offered. */
  readonly values: readonly string[] | null;
  readonly known?: readonly string[];
}

/** Something, and the role on it. */
function pairForm(
  c: ConsoleContext,
  path: string,
  { name, label, values, known = [] }: PairField,
  roles: readonly Role[],
  words: string,
): Html {
  const id = `pair-${name}`;
  const control =
    values === null
      ? html`<input type="text" id="${id}" name="${name}" required maxlength="64" autocomplete="off" spellcheck="false" list="${id}-known"><datalist id="${id}-known">${known.map((one) => html`<option value="${one}"></option>`)}</datalist>`
      : html`<select id="${id}" name="${name}">${values.map((one) => html`<option>${one}</option>`)}</select>`;
  return html`<form method="post" action="${path}">${formFields(c.var.visitor)}<div class="pair">
<div class="field"><label for="${id}">${label}</label>${control}</div>
<div class="field"><label for="${id}-role">Role</label><select id="${id}-role" name="role">${roles.map((role) => html`<option>${role.name}</option>`)}</select></div>
<button>${words}</button></div></form>`;
}

/** Of bait: who has shown its token. It is refused, so nothing of that is activity of its own. */
export async function noticesCard(
  c: ConsoleContext,
  parts: ConsoleParts,
  { id, name, honey }: AccountView,
): Promise<Slot> {
  const { visitor } = c.var;
  if (!honey || !visitor.may('sallyport:activity:read')) return '';
  const { items, next } = await parts.control.administration.activityPage(visitor.actor, {
    ...{ account: { id }, phase: 'notice', limit: NOTICES },
  });
  // A look ends after so many notices about whatever, and older ones may follow.
  const back = next === null || items.length === NOTICES ? null : timeInCursor(next);
  const nothing =
    back === null
      ? 'Nobody has presented its token, as far as the log of notices reaches back.'
      : `Nobody has presented its token since ${secondWords(back)} UTC. Older notices were not looked at.`;
  const about = { caption: `Notices about ${name}`, stream: null, whenEmpty: nothing };
  const log =
    items.length === 0
      ? html`<p class="card-body quiet">${nothing}</p>`
      : logTable({ ...about, rows: eventRows(items) });
  const actions = html`<a class="button small" href="/activity?account=${name}&phase=notice">Search</a>`;
  const note =
    back === null || items.length === 0
      ? 'Who has presented its token.'
      : `Who has presented its token since ${secondWords(back)} UTC. Older notices were not looked at.`;
  return card({ title: 'Notices', note, actions }, log, { bare: true });
}

export async function activityCard(
  c: ConsoleContext,
  parts: ConsoleParts,
  account: AccountView,
): Promise<Slot> {
  const { visitor } = c.var;
  if (!visitor.may('sallyport:activity:read')) return '';
  const { items } = await parts.control.administration.activityPage(visitor.actor, {
    account: { id: account.id },
    limit: LOG_ROWS,
  });
  return card(
    {
      title: 'Activity',
      note: 'Its calls, and what was done to it.',
      actions: html`${liveMark()}<a class="button small" href="/activity?account=${account.name}">Search</a>`,
    },
    logTable({
      caption: `Activity of ${account.name}`,
      rows: eventRows(items),
      stream: `${SECTION}/${account.name}/stream`,
      whenEmpty: 'Once the account calls the gate with its token, its calls appear here.',
    }),
    { bare: true },
  );
}

export function deleteCard(path: string): Html {
  return card(
    { title: 'Delete this account' },
    html`<div class="flow"><p class="quiet">Its token is refused at once and its name becomes free. Deactivating it keeps it, and can be undone.</p><p class="actions"><a class="button danger" href="${path}/delete">Delete…</a></p></div>`,
  );
}
