import type { Hono } from 'hono';
import type { TeamView } from '../../admin/views.ts';
import { doneNotice, goOn, nameIn, show } from '../answer.ts';
import { type Attempted, attempt } from '../attempt.ts';
import { areaField, faultSummary, formFields, textField } from '../components/form.ts';
import { card, chips, empty, longTable, notice } from '../components/parts.ts';
import { receiptNotice } from '../components/receipt.ts';
import { asksReplay, replayButton, replayCard, replayFor } from '../components/replay.ts';
import { confirming } from '../confirming.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { countWords, moment, plural, zone } from '../words.ts';

const SECTION = '/teams';
/** Of what an address proposes, in characters. */
const LONGEST = 65_536;
const CRUMBS = [{ name: 'Teams', path: SECTION }];
/** Applications named in the list of teams. */
const NAMED = 6;

type Failed = Extract<Attempted<unknown>, { done: false }>;

export function teamsPages(app: Hono<Env>, parts: ConsoleParts): void {
  const { administration } = parts.control;
  app.get(SECTION, (c) => list(c, parts));
  app.get('/new/team', (c) => teamForm(c, { name: '', description: '', applications: '' }));
  app.post('/new/team', async (c) => {
    const { form, visitor } = c.var;
    const input = {
      name: form.word('name'),
      description: form.text('description'),
      applications: form.list('applications'),
    };
    const attempted = await attempt(() => administration.createTeam(visitor.actor, input));
    if (attempted.done) return goOn(c, `${SECTION}/${input.name}`, 'created');
    return teamForm(c, { ...input, applications: form.text('applications') }, attempted);
  });
  app.get(`${SECTION}/:name`, (c) => showTeam(c, parts, doneNotice(c)));
  app.get(`${SECTION}/:name/edit`, async (c) => {
    const team = await administration.showTeam(c.var.visitor.actor, { name: nameIn(c) });
    // Somebody has proposed to take these away: shown, and saved by whoever looks at it.
    const without = new Set(
      c.req
        .query('without')
        ?.slice(0, LONGEST)
        .split(/[\s,]+/),
    );
    const applications = team.applications.filter((one) => !without.has(one)).join('\n');
    return teamForm(c, { ...team, applications });
  });
  app.post(`${SECTION}/:name/edit`, async (c) => {
    const { form, visitor } = c.var;
    const name = nameIn(c);
    const values = {
      name,
      description: form.text('description'),
      version: Number(form.word('version')),
    };
    const input = { ...values, applications: form.list('applications') };
    const shown = { ...values, applications: form.text('applications') };
    if (asksReplay(c)) {
      const replay = () => replayFor(parts.control, visitor.actor, 'editTeam', input);
      const tried = await attempt(async () => replayCard(await replay()));
      return tried.done ? teamForm(c, shown, null, tried.value) : teamForm(c, shown, tried);
    }
    const attempted = await attempt(() => confirming(c, parts).editTeam(visitor.actor, input));
    if (!attempted.done) return teamForm(c, shown, attempted);
    return showTeam(c, parts, receiptNotice('The change is made.', attempted.value.revocation));
  });
  app.post(`${SECTION}/:name/delete`, async (c) => {
    const attempted = await attempt(() =>
      administration.deleteTeam(c.var.visitor.actor, { name: nameIn(c) }),
    );
    return attempted.done
      ? goOn(c, SECTION, 'deleted')
      : showTeam(c, parts, faultSummary(attempted.message, attempted.faults), attempted.status);
  });
}

async function list(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const teams = await parts.control.administration.listTeams(c.var.visitor.actor, {});
  const mayWrite = c.var.visitor.may('sallyport:registry:write');
  const button = mayWrite ? html`<a class="button primary" href="/new/team">New Team</a>` : '';
  const cellsOf = ({
    name,
    description,
    applications,
    memberCount,
  }: (typeof teams)[number]): readonly Slot[] => [
    html`<a href="${SECTION}/${name}">${name}</a>${description === '' ? '' : html` <span class="small quiet">${description}</span>`}`,
    applications.length === 0
      ? html`<span class="quiet">none</span>`
      : `${applications.slice(0, NAMED).join(', ')}${applications.length > NAMED ? ` and ${applications.length - NAMED} more` : ''}`,
    memberCount === 0 ? html`<span class="quiet">nobody</span>` : plural(memberCount, 'account'),
  ];
  const columns = ['Team', 'Applications', 'Members'].map((name) => ({ name }));
  const nothing = empty(
    'No teams yet',
    'A team owns applications and has members. Each member has one role there, which counts for the applications of the team.',
    button,
  );
  const content = html`${doneNotice(c)}<section class="card">${
    teams.length === 0 ? nothing : await longTable('Teams', columns, teams, cellsOf)
  }</section>`;
  const lead = 'Who looks after which applications. An application belongs to at most one team.';
  return show(
    c,
    {
      title: 'Teams',
      section: SECTION,
      lead,
      actions: html`<a class="button" href="/csv/teams" download>CSV</a>${button}`,
    },
    content,
  );
}

async function showTeam(
  c: ConsoleContext,
  parts: ConsoleParts,
  said: Slot,
  status: 200 | Failed['status'] = 200,
): Promise<Response> {
  const { visitor } = c.var;
  const team = await parts.control.administration.showTeam(visitor.actor, { name: nameIn(c) });
  const path = `${SECTION}/${team.name}`;
  const cellsOf = ({ account, kind, role }: (typeof team.members)[number]): readonly Slot[] => [
    html`<a href="${kind === 'user' ? '/users' : '/service-accounts'}/${account}">${account}</a>`,
    html`<a href="/roles/${role}">${role}</a>`,
  ];
  const columns = [{ name: 'Account' }, { name: 'Role in this team' }];
  const { members, inDoubt = [] } = team;
  const doubt =
    inDoubt.length === 0
      ? ''
      : notice(
          'warn',
          html`The store has lost a change of who owns these, so members have no role there until you save the team: ${inDoubt.join(', ')}.`,
        );
  const owned =
    team.applications.length === 0
      ? html`<p class="quiet">None yet: edit the team to add some.</p>`
      : chips(team.applications);
  const content = html`${said}<div class="columns">${card(
    { title: 'Applications', note: plural(team.applications.length, 'application') },
    html`${owned}${doubt}`,
  )}${card(
    { title: 'Members', note: membersNote(team) },
    members.length === 0
      ? empty(
          'No members',
          'Open a service account and let it join this team.',
          html`<a class="button" href="/service-accounts">Service Accounts</a>`,
        )
      : await longTable('Members', columns, members, cellsOf),
    { bare: true },
  )}</div><p class="quiet small">Created ${moment(team.createdAt)}, last changed ${moment(team.updatedAt)} ${zone()}.</p>`;
  const actions = html`<a class="button" href="${path}/edit">Edit</a>${
    members.length === 0
      ? html`<form method="post" action="${path}/delete">${formFields(visitor)}<button class="danger">Delete</button></form>`
      : ''
  }`;
  return show(
    c,
    {
      title: team.name,
      section: SECTION,
      crumbs: CRUMBS,
      ...(team.description === '' ? {} : { lead: team.description }),
      ...(visitor.may('sallyport:registry:write') ? { actions } : {}),
      ...(c.req.method === 'POST' ? { replaceUrl: path } : {}),
    },
    content,
    status,
  );
}

/** Where to find all of them, too: a card shows no more than a thousand. */
function membersNote({ name, memberCount, members }: TeamView): Slot {
  const shown =
    members.length < memberCount ? ` ${countWords(members.length)} of them are shown here.` : '';
  return html`${plural(memberCount, 'account')}: <a href="/service-accounts?team=${name}">service accounts</a>, <a href="/users?team=${name}">users</a>.${shown} An account joins a team on its own page.`;
}

interface TeamValues {
  readonly name: string;
  readonly description: string;
  readonly applications: string;
  readonly version?: number;
}

function teamForm(
  c: ConsoleContext,
  values: TeamValues,
  failed: Failed | null = null,
  replay: Slot = '',
): Response | Promise<Response> {
  const isNew = values.version === undefined;
  const path = isNew ? SECTION : `${SECTION}/${values.name}`;
  const faults = failed?.faults ?? [];
  const content = html`${faultSummary(failed?.message ?? null, faults)}${replay}<section class="card"><div class="card-body">
<form class="stack" method="post" action="${isNew ? '/new/team' : `${path}/edit`}">${formFields(c.var.visitor)}
${isNew ? textField({ name: 'name', label: 'Name', value: values.name, isRequired: true, maxLength: 64, isFirst: true, faults }) : html`<input type="hidden" name="version" value="${values.version}">`}
${textField({ name: 'description', label: 'Description', value: values.description, faults })}
${areaField({ name: 'applications', label: 'Applications', value: values.applications, rows: 8, faults, hint: 'One on each line, as the paths of the routes name them.' })}
<div class="actions"><button class="primary">${isNew ? 'Create' : 'Save'}</button>${isNew ? '' : replayButton(c.var.visitor)}<a class="button" href="${path}">Cancel</a></div></form></div></section>`;
  const crumbs = isNew ? CRUMBS : [...CRUMBS, { name: values.name, path }];
  return show(
    c,
    { title: isNew ? 'New Team' : `Edit ${values.name}`, section: SECTION, crumbs },
    content,
    failed?.status ?? 200,
  );
}
