import type { Hono } from 'hono';
import type { CertificateBinding } from '../../account/model.ts';
import type { AccountView } from '../../admin/views.ts';
import { goOn, nameIn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { faultSummary, formFields, selectField, textField } from '../components/form.ts';
import { notice } from '../components/parts.ts';
import { confirming, previewCards } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { dayOf, expiryFrom } from './account-forms.ts';
import { roleChoices } from './service-accounts.ts';

/** What can be done to machines and to people alike: editing and deleting. */

interface Kind {
  readonly kind: 'service' | 'user';
  readonly section: string;
  readonly sectionName: string;
  readonly word: string;
  /** What goes with it. */
  readonly loses: string;
}

const KINDS: readonly Kind[] = [
  {
    kind: 'service',
    section: '/service-accounts',
    sectionName: 'Service Accounts',
    word: 'service account',
    loses: 'Its token is refused from then on, on all running gates.',
  },
  {
    kind: 'user',
    section: '/users',
    sectionName: 'Users',
    word: 'user',
    loses: 'All sessions of that person end at once.',
  },
];

type Failed = Extract<Attempted<unknown>, { done: false }>;

export function accountChangePages(app: Hono<Env>, parts: ConsoleParts): void {
  for (const kind of KINDS) {
    app.get(`${kind.section}/:name/edit`, async (c) =>
      editForm(c, parts, kind, valuesOf(await read(c, parts, kind))),
    );
    app.post(`${kind.section}/:name/edit`, (c) => edit(c, parts, kind));
    app.get(`${kind.section}/:name/delete`, async (c) =>
      deleteForm(c, parts, kind, await read(c, parts, kind)),
    );
    app.post(`${kind.section}/:name/delete`, (c) => remove(c, parts, kind));
  }
}

function read(c: ConsoleContext, parts: ConsoleParts, { kind }: Kind): Promise<AccountView> {
  return parts.control.administration.showAccount(c.var.visitor.actor, { name: nameIn(c), kind });
}

interface EditValues {
  readonly version: string;
  readonly description: string;
  readonly role: string;
  readonly expires: string;
  /** Of a service account. */
  readonly networks: string;
  readonly thumbprint: string;
  readonly subject: string;
}

function valuesOf(account: AccountView): EditValues {
  const { version, description, role, expiresAt, allowedNetworks, boundTo } = account;
  return {
    version: String(version),
    description,
    role,
    expires: dayOf(expiresAt),
    networks: allowedNetworks.join(' '),
    thumbprint: boundTo !== null && 'thumbprint' in boundTo ? boundTo.thumbprint : '',
    subject: boundTo !== null && 'subject' in boundTo ? boundTo.subject : '',
  };
}

/** From where a service account is let in, and beside which certificate. */
function restrictionIn({ networks, thumbprint, subject }: EditValues) {
  const named = {
    ...(thumbprint === '' ? {} : { thumbprint }),
    ...(subject === '' ? {} : { subject }),
  };
  return {
    allowedNetworks: networks.split(/[\s,]+/).filter((one) => one !== ''),
    // Both at once are refused as one fault, by the function that reads it.
    boundTo: Object.keys(named).length === 0 ? null : (named as CertificateBinding),
  };
}

async function edit(c: ConsoleContext, parts: ConsoleParts, kind: Kind): Promise<Response> {
  const { form, visitor } = c.var;
  const name = nameIn(c);
  const before = await read(c, parts, kind);
  const values = {
    version: form.word('version'),
    description: form.text('description'),
    role: form.word('role'),
    expires: form.word('expiresAt'),
    networks: form.text('allowedNetworks'),
    thumbprint: form.word('thumbprint'),
    subject: form.text('subject').trim(),
  };
  // The form knows days only: an expiry in the middle of one stays as it is unless another day is
  // chosen.
  const expiry =
    values.expires === dayOf(before.expiresAt) ? {} : { expiresAt: expiryFrom(values.expires) };
  const { description, role } = values;
  const input = {
    name,
    kind: kind.kind,
    version: Number(values.version),
    description,
    role,
    ...expiry,
    ...(kind.kind === 'service' ? restrictionIn(values) : {}),
  };
  const attempted = await attempt(() => confirming(c, parts).editAccount(visitor.actor, input));
  if (attempted.done) return goOn(c, `${kind.section}/${name}`, 'changed');
  return editForm(c, parts, kind, values, attempted);
}

async function editForm(
  c: ConsoleContext,
  parts: ConsoleParts,
  kind: Kind,
  values: EditValues,
  failed: Failed | null = null,
): Promise<Response> {
  const name = nameIn(c);
  const faults = failed?.faults ?? [];
  const path = `${kind.section}/${name}`;
  const choices = roleChoices(
    await parts.control.administration.listRoles(c.var.visitor.actor, {}),
  );
  const content = html`${faultSummary(failed?.message ?? null, faults)}<section class="card"><div class="card-body">
<form class="stack" method="post" action="${path}/edit">${formFields(c.var.visitor)}<input type="hidden" name="version" value="${values.version}">
${textField({ name: 'description', label: 'Description', value: values.description, faults, isFirst: true })}
${selectField({ name: 'role', label: kind.kind === 'service' ? 'Default role' : 'Role', value: values.role, choices, faults })}
${textField({ name: 'expiresAt', label: 'Expires', type: 'date', value: values.expires, faults, hint: 'At the end of that day, UTC. Empty: never.' })}
${kind.kind === 'service' ? restrictionFields(values, faults) : ''}
<div class="actions"><button class="primary">Save</button><a class="button" href="${path}">Cancel</a></div>
</form></div></section>`;
  const crumbs = [
    { name: kind.sectionName, path: kind.section },
    { name, path },
  ];
  return show(
    c,
    { title: `Edit ${name}`, section: kind.section, crumbs },
    content,
    failed?.status ?? 200,
  );
}

function restrictionFields(
  { networks, thumbprint, subject }: EditValues,
  faults: Failed['faults'],
): Html {
  return html`${textField({ name: 'allowedNetworks', label: 'Allowed networks', value: networks, faults, hint: 'Addresses and ranges of clients, such as 10.0.0.0/8 192.0.2.7. Empty: from anywhere.' })}
${textField({ name: 'thumbprint', label: 'Bound to the certificate with the thumbprint', value: thumbprint, faults, hint: 'SHA-256, in base64url or hex: the token counts only beside this client certificate. Empty: not bound.' })}
${textField({ name: 'subject', label: 'Or to any certificate of the subject', value: subject, faults, hint: 'Such as CN=ci-pipeline,O=Example. A CA for clients must vouch for it.' })}`;
}

async function remove(c: ConsoleContext, parts: ConsoleParts, kind: Kind): Promise<Response> {
  const name = nameIn(c);
  const account = await read(c, parts, kind);
  if (c.var.form.word('confirm') !== name) {
    return deleteForm(c, parts, kind, account, {
      done: false,
      status: 422,
      message: 'That is not the name. Nothing was deleted.',
      faults: [],
    });
  }
  const attempted = await attempt(() =>
    parts.control.administration.deleteAccount(c.var.visitor.actor, {
      id: account.id,
      kind: kind.kind,
    }),
  );
  if (attempted.done) return goOn(c, kind.section, 'deleted');
  return deleteForm(c, parts, kind, account, attempted);
}

async function deleteForm(
  c: ConsoleContext,
  parts: ConsoleParts,
  kind: Kind,
  { id, name }: AccountView,
  failed: Failed | null = null,
): Promise<Response> {
  const { administration } = parts.control;
  const asked = { operation: 'deleteAccount', input: { id, kind: kind.kind } } as const;
  const preview = await attempt(() => administration.previewChange(c.var.visitor.actor, asked));
  const path = `${kind.section}/${name}`;
  const content = html`${faultSummary(failed?.message ?? null, failed?.faults ?? [])}
${notice('warn', html`<p><strong>This cannot be undone.</strong> ${kind.loses} What the ${kind.word} did stays in the activity log. The name becomes free for another.</p>`)}${preview.done ? previewCards(preview.value, parts.clock.wallMs()) : ''}
<section class="card"><div class="card-body"><form class="stack" method="post" action="${path}/delete">${formFields(c.var.visitor)}
${textField({ name: 'confirm', label: `Type ${name} to delete it`, isRequired: true, maxLength: 64, isFirst: true })}
<div class="actions"><button class="danger">Delete ${name}</button><a class="button" href="${path}">Cancel</a></div></form></div></section>`;
  const crumbs = [
    { name: kind.sectionName, path: kind.section },
    { name, path },
  ];
  return show(
    c,
    { title: `Delete ${name}?`, section: kind.section, crumbs },
    content,
    failed?.status ?? 200,
  );
}
