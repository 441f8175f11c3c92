import type { Hono } from 'hono';
import type { AccountAnswer } from '../../admin/accounts.ts';
import type { AccountView } from '../../admin/views.ts';
import { doneNotice, nameIn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { effectiveTable } from '../components/effective.ts';
import { buttonForm, faultSummary } from '../components/form.ts';
import { card, statusBadge } from '../components/parts.ts';
import { receiptNotice } from '../components/receipt.ts';
import { confirming } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { usageCard } from './account-usage.ts';
import {
  activityCard,
  deleteCard,
  detailsCard,
  grantsCard,
  noticesCard,
  teamsCard,
  tokenCard,
} from './service-account-cards.ts';

const SECTION = '/service-accounts';

export function serviceAccountPage(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration } = parts.control;
  const path = `${SECTION}/:name`;
  app.get(path, (c) => showAccount(c, parts));

  app.post(`${path}/activate`, (c) =>
    act(c, parts, 'The account is active.', (ref) =>
      administration.activateAccount(c.var.visitor.actor, ref),
    ),
  );
  app.post(`${path}/deactivate`, (c) =>
    act(
      c,
      parts,
      'The account is inactive: its token is refused until it is activated again.',
      (ref) => confirming(c, parts).deactivateAccount(c.var.visitor.actor, ref),
    ),
  );
  app.post(`${path}/close-overlap`, (c) =>
    act(c, parts, 'The old token is refused from now on.', (ref) =>
      administration.closeOverlap(c.var.visitor.actor, ref),
    ),
  );
  app.post(`${path}/teams`, (c) =>
    act(c, parts, 'The membership is set.', (ref) =>
      confirming(c, parts).joinTeam(c.var.visitor.actor, {
        ...ref,
        team: c.var.form.word('team'),
        role: c.var.form.word('role'),
      }),
    ),
  );
  app.post(`${path}/leave`, (c) =>
    act(c, parts, 'The account has left the team.', (ref) =>
      confirming(c, parts).leaveTeam(c.var.visitor.actor, {
        ...ref,
        team: c.var.form.word('team'),
      }),
    ),
  );
  app.post(`${path}/grants`, (c) =>
    act(c, parts, 'The grant is made.', (ref) =>
      confirming(c, parts).grantRole(c.var.visitor.actor, {
        ...ref,
        application: c.var.form.word('application'),
        role: c.var.form.word('role'),
      }),
    ),
  );
  app.post(`${path}/revoke`, (c) =>
    act(c, parts, 'The grant is taken back.', (ref) =>
      confirming(c, parts).revokeGrant(c.var.visitor.actor, {
        ...ref,
        application: c.var.form.word('application'),
      }),
    ),
  );
}

type Ref = { readonly name: string; readonly kind: 'service' };

/**
 * Does one thing and shows the account again, with where the change is in force by now. Doing it
 * twice changes nothing more.
 */
async function act(
  c: ConsoleContext,
  parts: ConsoleParts,
  words: string,
  work: (ref: Ref) => Promise<AccountAnswer>,
): Promise<Response> {
  const attempted = await attempt(() => work({ name: nameIn(c), kind: 'service' }));
  const said = attempted.done
    ? receiptNotice(
        attempted.value.changed ? words : 'Nothing had to be changed.',
        attempted.value.revocation,
      )
    : faultSummary(attempted.message, attempted.faults);
  return showAccount(c, parts, { said, status: statusOf(attempted) });
}

function statusOf(attempted: Attempted<unknown>) {
  return attempted.done ? 200 : attempted.status;
}

async function showAccount(
  c: ConsoleContext,
  parts: ConsoleParts,
  { said, status }: { readonly said: Slot; readonly status: ReturnType<typeof statusOf> } = {
    said: doneNotice(c),
    status: 200,
  },
): Promise<Response> {
  const { administration } = parts.control;
  const { visitor } = c.var;
  const name = nameIn(c);
  const [account, roles, teams] = await Promise.all([
    administration.showAccount(visitor.actor, { name, kind: 'service' }),
    administration.listRoles(visitor.actor, {}),
    administration.listTeams(visitor.actor, {}),
  ]);
  const path = `${SECTION}/${name}`;
  const mayWrite = visitor.may('sallyport:registry:write');
  const content = html`${said}
<div class="columns">${detailsCard(account, parts.clock.wallMs(), mayWrite)}${tokenCard(c, account, parts.clock.wallMs())}</div>
${card({ title: 'Effective permissions', note: 'What the gate decides by, application by application.' }, effectiveTable(account, roles, teams), { bare: true })}
<div class="columns">${teamsCard(c, account, roles, teams)}${grantsCard(c, account, roles, teams)}</div>
${await usageCard(c, parts, account)}
${await noticesCard(c, parts, account)}
${await activityCard(c, parts, account)}
${mayWrite ? deleteCard(path) : ''}`;
  return show(
    c,
    {
      title: name,
      section: SECTION,
      crumbs: [{ name: 'Service Accounts', path: SECTION }],
      badge: statusBadge(account),
      ...(account.description === '' ? {} : { lead: account.description }),
      actions: html`<a class="button" href="/try?account=${name}">Try It</a>${mayWrite ? accountActions(c, account) : ''}`,
      ...(c.req.method === 'POST' ? { replaceUrl: path } : {}),
    },
    content,
    status,
  );
}

function accountActions(c: ConsoleContext, { name, status }: AccountView): Slot {
  const path = `${SECTION}/${name}`;
  return html`<a class="button" href="${path}/edit">Edit</a>${
    status === 'active'
      ? buttonForm(c.var.visitor, `${path}/deactivate`, 'Deactivate', { tone: 'danger' })
      : buttonForm(c.var.visitor, `${path}/activate`, 'Activate', { tone: 'primary' })
  }`;
}
