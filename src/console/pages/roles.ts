import type { Hono } from 'hono';
import { ADMINISTRATOR_ROLE, NO_ROLE } from '../../account/role.ts';
import type { RoleView } from '../../admin/views.ts';
import { doneNotice, goOn, nameIn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { areaField, faultSummary, formFields, textField } from '../components/form.ts';
import { badge, card, chips, longTable, notice } from '../components/parts.ts';
import { asksReplay, replayButton, replayCard, replayFor } from '../components/replay.ts';
import { confirming } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { permissionsWords, plural } from '../words.ts';

const SECTION = '/roles';
/** Of what an address proposes, in characters. */
const LONGEST = 32_768;
const CRUMBS = [{ name: 'Roles', path: SECTION }];

type Failed = Extract<Attempted<unknown>, { done: false }>;

export function rolesPages(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration } = parts.control;
  app.get(SECTION, (c) => list(c, parts));
  app.get('/new/role', (c) => roleForm(c, parts, { name: '', description: '', permissions: '' }));
  app.post('/new/role', async (c) => {
    const { form, visitor } = c.var;
    const input = {
      name: form.word('name'),
      description: form.text('description'),
      permissions: form.list('permissions'),
    };
    const attempted = await attempt(() => administration.createRole(visitor.actor, input));
    if (attempted.done) return goOn(c, `${SECTION}/${input.name}`, 'created');
    return roleForm(c, parts, { ...input, permissions: form.text('permissions') }, attempted);
  });
  app.get(`${SECTION}/:name`, (c) => showRole(c, parts, doneNotice(c)));
  app.get(`${SECTION}/:name/edit`, async (c) => {
    const { role } = await administration.showRole(c.var.visitor.actor, { name: nameIn(c) });
    // Somebody has proposed them: shown, and saved by whoever looks at them.
    const proposed = c.req
      .query('permissions')
      ?.slice(0, LONGEST)
      .split(/[\s,]+/);
    return roleForm(c, parts, {
      ...role,
      permissions: (proposed ?? role.permissions).join('\n'),
      version: role.version,
    });
  });
  app.post(`${SECTION}/:name/edit`, async (c) => {
    const { form, visitor } = c.var;
    const name = nameIn(c);
    const description = form.text('description');
    const version = Number(form.word('version'));
    // The administrator's permissions are fixed; sending them would be taken for a wish to change
    // them.
    const permissions =
      name === ADMINISTRATOR_ROLE ? {} : { permissions: form.list('permissions') };
    const input = { name, description, version, ...permissions };
    const values = { name, description, permissions: form.text('permissions'), version };
    if (asksReplay(c)) {
      const replay = () => replayFor(parts.control, visitor.actor, 'editRole', input);
      const tried = await attempt(async () => replayCard(await replay()));
      return tried.done
        ? roleForm(c, parts, values, null, tried.value)
        : roleForm(c, parts, values, tried);
    }
    const attempted = await attempt(() => confirming(c, parts).editRole(visitor.actor, input));
    if (attempted.done) return goOn(c, `${SECTION}/${name}`, 'changed');
    return roleForm(c, parts, values, attempted);
  });
  app.post(`${SECTION}/:name/delete`, async (c) => {
    const attempted = await attempt(() =>
      administration.deleteRole(c.var.visitor.actor, { name: nameIn(c) }),
    );
    return attempted.done
      ? goOn(c, SECTION, 'deleted')
      : showRole(c, parts, faultSummary(attempted.message, attempted.faults), attempted.status);
  });
}

async function list(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { actor } = c.var.visitor;
  const { administration } = parts.control;
  const roles = await administration.listRoles(actor, {});
  const mayWrite = c.var.visitor.may('sallyport:registry:write');
  const cellsOf = (role: (typeof roles)[number]): readonly Slot[] => [
    html`<a href="${SECTION}/${role.name}">${role.name}</a>${builtIn(role)}${role.description === '' ? '' : html` <span class="small quiet">${role.description}</span>`}`,
    permissionsWords(role.permissions),
    role.uses === null
      ? html`<span class="quiet">–</span>`
      : role.uses === 0
        ? html`<span class="quiet">nobody</span>`
        : plural(role.uses, 'account'),
  ];
  const columns = ['Role', 'What it means', 'Used by'].map((name) => ({ name }));
  return show(
    c,
    {
      title: 'Roles',
      section: SECTION,
      lead: 'A role is a named set of permissions. An account has one by default, and may have others in teams and on single applications.',
      actions: html`<a class="button" href="/csv/roles" download>CSV</a>${mayWrite ? html`<a class="button primary" href="/new/role">New Role</a>` : ''}`,
    },
    html`${doneNotice(c)}<section class="card">${await longTable('Roles', columns, roles, cellsOf)}</section>`,
  );
}

function builtIn(role: RoleView): Slot {
  return role.builtIn ? html` <span class="badge plain">built in</span>` : '';
}

async function showRole(
  c: ConsoleContext,
  parts: ConsoleParts,
  said: Slot,
  status: 200 | Failed['status'] = 200,
): Promise<Response> {
  const { visitor } = c.var;
  const { role, usedBy, uses } = await parts.control.administration.showRole(visitor.actor, {
    name: nameIn(c),
  });
  const path = `${SECTION}/${role.name}`;
  const mayWrite = visitor.may('sallyport:registry:write') && !role.builtIn;
  const list =
    role.name === NO_ROLE
      ? html`<p class="quiet">Every account may have this role; who does is not counted.</p>`
      : usedBy.length === 0
        ? html`<p class="quiet">Nobody has this role. Choose it as the role of an account, in a team, or for a grant.</p>`
        : html`<p class="quiet">${plural(uses ?? usedBy.length, 'account')}, by default, in a team or by a grant: <a href="/service-accounts?role=${role.name}">service accounts</a>, <a href="/users?role=${role.name}">users</a>.${usedBy.length < (uses ?? 0) ? ` ${usedBy.length} of them:` : ''}</p><ul class="chips">${usedBy.map((name) => html`<li><a href="/find/${name}">${name}</a></li>`)}</ul>`;
  const { inDoubt = [] } = role;
  const doubt =
    inDoubt.length === 0
      ? ''
      : notice(
          'warn',
          html`The store has lost a change that took these away, so they do not count until you save the role: ${inDoubt.join(', ')}.`,
        );
  const content = html`${said}<div class="columns">${card(
    { title: 'What it means' },
    html`<div class="flow"><p>${permissionsWords(role.permissions)}.</p>${role.permissions.length === 0 ? '' : chips(role.permissions)}${doubt}</div>`,
  )}${card({ title: 'Used by' }, html`<div class="flow">${list}</div>`)}</div>`;
  const actions = html`<a class="button" href="${path}/edit">Edit</a>${
    usedBy.length === 0 && role.name !== ADMINISTRATOR_ROLE
      ? html`<form method="post" action="${path}/delete">${formFields(visitor)}<button class="danger">Delete</button></form>`
      : ''
  }`;
  return show(
    c,
    {
      title: role.name,
      section: SECTION,
      crumbs: CRUMBS,
      badge: role.builtIn ? badge('', 'Built in') : '',
      ...(role.description === '' ? {} : { lead: role.description }),
      ...(mayWrite ? { actions } : {}),
      ...(c.req.method === 'POST' ? { replaceUrl: path } : {}),
    },
    content,
    status,
  );
}

interface RoleValues {
  readonly name: string;
  readonly description: string;
  readonly permissions: string;
  /** Of a role that is there already. */
  readonly version?: number;
}

function roleForm(
  c: ConsoleContext,
  parts: ConsoleParts,
  values: RoleValues,
  failed: Failed | null = null,
  replay: Slot = '',
): Response | Promise<Response> {
  const isNew = values.version === undefined;
  const path = isNew ? SECTION : `${SECTION}/${values.name}`;
  const faults = failed?.faults ?? [];
  const isFixed = values.name === ADMINISTRATOR_ROLE && !isNew;
  const content = html`${faultSummary(failed?.message ?? null, faults)}${replay}<div class="columns"><section class="card"><div class="card-body">
<form class="stack" method="post" action="${isNew ? '/new/role' : `${path}/edit`}">${formFields(c.var.visitor)}
${isNew ? textField({ name: 'name', label: 'Name', value: values.name, isRequired: true, maxLength: 64, isFirst: true, faults }) : html`<input type="hidden" name="version" value="${values.version}">`}
${textField({ name: 'description', label: 'Description', value: values.description, faults, hint: 'What somebody with this role is there for.' })}
${isFixed ? html`<p class="quiet">The permissions of this role are fixed: somebody must always be able to put things right.</p>` : areaField({ name: 'permissions', label: 'Permissions', value: values.permissions, rows: 8, faults, hint: 'One on each line, such as deployments:read. An asterisk stands for all of a kind at the end (deployments:*), for any word in the middle (deployments:*:read)' })}
<div class="actions"><button class="primary">${isNew ? 'Create' : 'Save'}</button>${isNew ? '' : replayButton(c.var.visitor)}<a class="button" href="${path}">Cancel</a></div></form></div></section>
${card({ title: 'Permissions to choose from' }, askedFor(parts))}</div>`;
  const crumbs = isNew ? CRUMBS : [...CRUMBS, { name: values.name, path }];
  return show(
    c,
    { title: isNew ? 'New Role' : `Edit ${values.name}`, section: SECTION, crumbs },
    content,
    failed?.status ?? 200,
  );
}

/** What the routes in force ask for: a permission that no route asks for opens nothing. */
function askedFor(parts: ConsoleParts): Slot {
  const asked = [...new Set(parts.routes().flatMap(({ permission }) => permission ?? []))].sort();
  return html`<div class="flow"><p class="quiet">${asked.length === 0 ? 'No route asks for a permission at present.' : 'The routes of this gate ask for:'}</p>${asked.length === 0 ? '' : chips(asked)}${asked.some((permission) => permission.includes('{')) ? html`<p class="quiet">What stands in braces comes from each request: write a name there, or an asterisk for any.</p>` : ''}
<p class="quiet">For this console, and only as somebody's own role:</p>${chips(['sallyport:registry:read', 'sallyport:registry:write', 'sallyport:activity:read', 'sallyport:instances:read'])}</div>`;
}
