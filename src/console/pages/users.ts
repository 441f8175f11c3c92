import type { Hono } from 'hono';
import type { AccountView } from '../../admin/views.ts';
import { doneNotice, goOn, nameIn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import {
  isNarrowed,
  listForm,
  listPages,
  listQueryOf,
  listView,
  sortedColumn,
} from '../components/account-list.ts';
import { bulkBar, selectBox } from '../components/bulk-bar.ts';
import {
  buttonForm,
  faultSummary,
  formFields,
  selectField,
  textField,
} from '../components/form.ts';
import { card, empty, facts, statusBadge, table } from '../components/parts.ts';
import { receiptNotice } from '../components/receipt.ts';
import { confirming } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { ago, moment, permissionsWords } from '../words.ts';
import { expiryFrom } from './account-forms.ts';
import { narrowedBy, roleChoices } from './service-accounts.ts';

const SECTION = '/users';
const CRUMBS = [{ name: 'Users', path: SECTION }];

type Failed = Extract<Attempted<unknown>, { done: false }>;

export function usersPages(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration } = parts.control;
  app.get(SECTION, (c) => list(c, parts));
  app.get('/new/user', (c) => newForm(c, parts));
  app.post('/new/user', (c) => create(c, parts));
  app.get(`${SECTION}/:name`, (c) => showUser(c, parts, doneNotice(c)));
  app.post(`${SECTION}/:name/activate`, async (c) => {
    const attempted = await attempt(() =>
      administration.activateAccount(c.var.visitor.actor, { name: nameIn(c), kind: 'user' }),
    );
    return after(c, parts, attempted, 'The user may sign in again.');
  });
  app.post(`${SECTION}/:name/deactivate`, async (c) => {
    const attempted = await attempt(() =>
      confirming(c, parts).deactivateAccount(c.var.visitor.actor, {
        name: nameIn(c),
        kind: 'user',
      }),
    );
    return after(c, parts, attempted, 'The user is inactive, and all their sessions have ended.');
  });
  app.get(`${SECTION}/:name/password`, async (c) => {
    const [name, { actor }] = [nameIn(c), c.var.visitor];
    const { subject } = await administration.showAccount(actor, { name, kind: 'user' });
    return subject === null ? passwordForm(c) : showUser(c, parts, '');
  });
  app.post(`${SECTION}/:name/password`, async (c) => {
    const name = nameIn(c);
    const { form, visitor } = c.var;
    const password = form.text('password');
    const attempted =
      password === form.text('repeated')
        ? await attempt(() =>
            administration.setPassword(visitor.actor, { name, kind: 'user', password }),
          )
        : DIFFERENT;
    return attempted.done ? goOn(c, `${SECTION}/${name}`, 'password') : passwordForm(c, attempted);
  });
}

/** Two fields, because nobody sees what they type. */
export const DIFFERENT: Failed = {
  done: false,
  status: 422,
  message: 'the two passwords differ',
  faults: [{ field: 'repeated', message: 'is not the same password' }],
};

const FILTERS = [
  { value: '', words: 'All' },
  { value: 'active', words: 'Active' },
  { value: 'inactive', words: 'Inactive' },
  { value: 'expired', words: 'Expired' },
] as const;

async function list(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const view = listView(c, SECTION);
  const page = await parts.control.administration.listAccounts(c.var.visitor.actor, {
    ...listQueryOf(view),
    kind: 'user',
    ...narrowedBy('user', view),
  });
  const mayWrite = c.var.visitor.may('sallyport:registry:write');
  const nowMs = parts.clock.wallMs();
  const button = mayWrite ? html`<a class="button primary" href="/new/user">New User</a>` : '';
  const columns = [
    sortedColumn(view, 'Name', 'name'),
    sortedColumn(view, 'Status', 'status'),
    sortedColumn(view, 'Role', 'role'),
    sortedColumn(view, 'Created', 'createdAt'),
  ];
  const rows = page.items.map((user): readonly Slot[] => [
    html`${mayWrite ? selectBox(user) : ''}<a href="${SECTION}/${user.name}">${user.name}</a>${user.description === '' ? '' : html` <span class="small quiet">${user.description}</span>`}`,
    statusBadge(user),
    user.role,
    ago(user.createdAt, nowMs),
  ]);
  const nothing = isNarrowed(view)
    ? empty(
        'Nothing matches',
        'No user matches.',
        html`<a class="button" href="${SECTION}">Show all</a>`,
      )
    : empty('No users here', 'Users are the people who sign in to this console.', button);
  const content = html`${doneNotice(c)}<section class="card"><div class="card-body">${listForm(view, FILTERS)}</div>
${page.damaged.length === 0 ? '' : html`<div class="card-body"><p class="fault">These accounts cannot be read: ${page.damaged.join(', ')}</p></div>`}
${page.items.length === 0 ? nothing : table('Users', columns, rows)}
${mayWrite && page.items.length > 0 ? bulkBar(c.var.visitor, SECTION) : ''}
${page.total === 0 ? '' : listPages(view, page, ['user', 'users'])}</section>`;
  const lead =
    'People who sign in to this console. They hold no token, and the APIs behind the gate refuse them.';
  return show(
    c,
    { title: 'Users', section: SECTION, lead, ...(mayWrite ? { actions: button } : {}) },
    content,
  );
}

async function create(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { form, visitor } = c.var;
  const [name, password] = [form.word('name'), form.text('password')];
  const input = {
    name,
    password,
    role: form.word('role'),
    description: form.text('description'),
    expiresAt: expiryFrom(form.word('expiresAt')),
  };
  const attempted =
    password === form.text('repeated')
      ? await attempt(() => parts.control.administration.createUser(visitor.actor, input))
      : DIFFERENT;
  return attempted.done ? goOn(c, `${SECTION}/${name}`, 'created') : newForm(c, parts, attempted);
}

async function newForm(
  c: ConsoleContext,
  parts: ConsoleParts,
  failed: Failed | null = null,
): Promise<Response> {
  const given = (name: string) => (failed === null ? '' : c.var.form.text(name));
  const faults = failed?.faults ?? [];
  const choices = roleChoices(
    await parts.control.administration.listRoles(c.var.visitor.actor, {}),
  );
  const content = html`${faultSummary(failed?.message ?? null, faults)}<section class="card"><div class="card-body">
<form class="stack" method="post" action="/new/user">${formFields(c.var.visitor)}
${textField({ name: 'name', label: 'User name', value: given('name'), isRequired: true, maxLength: 64, isFirst: true, faults })}
${textField({ name: 'description', label: 'Description', value: given('description'), faults, hint: 'Who that is.' })}
${selectField({ name: 'role', label: 'Role', value: given('role') || 'none', choices, faults, hint: 'Only permissions that begin with sallyport: let somebody do anything here.' })}
${passwordFields(faults)}
${textField({ name: 'expiresAt', label: 'Expires (optional)', type: 'date', value: given('expiresAt'), faults, hint: 'At the end of that day, UTC. Empty: never.' })}
<div class="actions"><button class="primary">Create</button><a class="button" href="${SECTION}">Cancel</a></div></form></div></section>`;
  return show(
    c,
    { title: 'New User', section: SECTION, crumbs: CRUMBS },
    content,
    failed?.status ?? 200,
  );
}

export function passwordFields(faults: Failed['faults']): Slot {
  return html`${textField({ name: 'password', label: 'New password', type: 'password', isRequired: true, autocomplete: 'new-password', maxLength: 256, faults, hint: 'At least 12 characters. A sentence is easier to remember than signs.' })}
${textField({ name: 'repeated', label: 'The same again', type: 'password', isRequired: true, autocomplete: 'new-password', maxLength: 256, faults })}`;
}

async function after(
  c: ConsoleContext,
  parts: ConsoleParts,
  attempted: Attempted<{ readonly changed: boolean }>,
  words: string,
): Promise<Response> {
  if (!attempted.done)
    return showUser(c, parts, faultSummary(attempted.message, attempted.faults), attempted.status);
  return showUser(
    c,
    parts,
    receiptNotice(attempted.value.changed ? words : 'Nothing had to be changed.', undefined),
  );
}

async function showUser(
  c: ConsoleContext,
  parts: ConsoleParts,
  said: Slot,
  status: 200 | Failed['status'] = 200,
): Promise<Response> {
  const { visitor } = c.var;
  const user = await parts.control.administration.showAccount(visitor.actor, {
    name: nameIn(c),
    kind: 'user',
  });
  const { role } = await parts.control.administration.showRole(visitor.actor, { name: user.role });
  const path = `${SECTION}/${user.name}`;
  const mayWrite = visitor.may('sallyport:registry:write');
  const content = html`${said}<div class="columns">${card(
    { title: 'Details' },
    facts([
      ['Id', html`<code>${user.id}</code>`],
      ['Role', html`<a href="/roles/${user.role}">${user.role}</a>`],
      ['What that means', permissionsWords(role.permissions)],
      ['Created', moment(user.createdAt)],
      ['Last change', moment(user.updatedAt)],
      [
        'Expires',
        user.expiresAt === null ? html`<span class="quiet">never</span>` : moment(user.expiresAt),
      ],
    ]),
  )}${user.subject === null ? (mayWrite ? passwordCard(path) : '') : providerCard('This user signs in by the identity provider, and has no password here.')}</div>`;
  return show(
    c,
    {
      title: user.name,
      section: SECTION,
      crumbs: CRUMBS,
      badge: statusBadge(user),
      ...(user.description === '' ? {} : { lead: user.description }),
      ...(mayWrite ? { actions: userActions(c, user) } : {}),
      ...(c.req.method === 'POST' ? { replaceUrl: path } : {}),
    },
    content,
    status,
  );
}

/** In the place of the password: nobody can set one. */
export function providerCard(words: string): Slot {
  return card({ title: 'Sign-in' }, html`<p class="quiet">${words}</p>`);
}

function passwordCard(path: string): Slot {
  return card(
    { title: 'Password' },
    html`<div class="flow"><p class="quiet">Setting a password ends all sessions of this user.</p><p class="actions"><a class="button" href="${path}/password">Set a password</a></p></div>`,
  );
}

function userActions(c: ConsoleContext, { name, status }: AccountView): Slot {
  const path = `${SECTION}/${name}`;
  return html`<a class="button" href="${path}/edit">Edit</a>${
    status === 'active'
      ? buttonForm(c.var.visitor, `${path}/deactivate`, 'Deactivate', { tone: 'danger' })
      : buttonForm(c.var.visitor, `${path}/activate`, 'Activate', { tone: 'primary' })
  }<a class="button danger" href="${path}/delete">Delete…</a>`;
}

function passwordForm(
  c: ConsoleContext,
  failed: Failed | null = null,
): Response | Promise<Response> {
  const name = nameIn(c);
  const path = `${SECTION}/${name}`;
  const faults = failed?.faults ?? [];
  const content = html`${faultSummary(failed?.message ?? null, faults)}<section class="card"><div class="card-body">
<form class="stack" method="post" action="${path}/password">${formFields(c.var.visitor)}
<p>All sessions of ${name} end, and the old password counts no more.</p>
${passwordFields(faults)}
<div class="actions"><button class="primary">Set password</button><a class="button" href="${path}">Cancel</a></div></form></div></section>`;
  return show(
    c,
    { title: `Password of ${name}`, section: SECTION, crumbs: [...CRUMBS, { name, path }] },
    content,
    failed?.status ?? 200,
  );
}
