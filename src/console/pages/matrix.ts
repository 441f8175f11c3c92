import type { Hono } from 'hono';
import { isOwn, isPermission } from '../../account/permission.ts';
import type { MatrixCell, MatrixPage, MatrixQuestion } from '../../admin/access-matrix.ts';
import { show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import { textField } from '../components/form.ts';
import { badge, card, empty, longTable } from '../components/parts.ts';
import {
  addressOf,
  damagedNotice,
  type Failed,
  questionFault,
  said,
  WHO_CAN,
  whoCanViews,
  wordIn,
} from '../components/question.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { countWords, plural } from '../words.ts';

const SECTION = WHO_CAN.call;
const PATH = WHO_CAN.matrix;
const FIELDS = ['permission', 'search', 'application', 'after', 'cursor'] as const;

type Asked = Readonly<Record<(typeof FIELDS)[number], string>>;

export function matrixPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(PATH, (c) => showMatrix(c, parts));
}

export function matrixAsked(c: ConsoleContext): Asked {
  const words = FIELDS.map((name) => [name, wordIn(c, name).slice(0, 512)]);
  return Object.fromEntries(words) as Asked;
}

/** The same as administration takes it. */
export function matrixQuestion(asked: Asked): MatrixQuestion {
  return said(asked) as unknown as MatrixQuestion;
}

async function showMatrix(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const asked = matrixAsked(c);
  const answer =
    asked.permission === ''
      ? null
      : await attempt(() => administration.accessMatrix(actor, matrixQuestion(asked)));
  const failed = answer?.done === false ? answer : null;
  const content = html`${whoCanViews(PATH)}<section class="card"><div class="card-body">${form(asked, await permissionsKnown(c, parts), failed?.faults ?? [])}</div></section>${
    failed === null ? '' : questionFault(failed)
  }${answer?.done === true ? await matrixCard(asked, answer.value) : ''}`;
  const lead =
    'One permission: which service accounts have it, on which applications, and by which rule.';
  const frame = { title: 'Access Matrix', section: SECTION, lead };
  return show(c, frame, content, failed === null ? 200 : failed.status);
}

/** Permissions that are offered. */
const OFFERED_MAX = 200;

/** Those that routes require, and those that roles name. */
async function permissionsKnown(
  c: ConsoleContext,
  parts: ConsoleParts,
): Promise<readonly string[]> {
  const roles = await parts.control.administration.listRoles(c.var.visitor.actor, {});
  const required = parts.routes().flatMap(({ permission }) => permission ?? []);
  const named = [...required, ...roles.flatMap(({ permissions }) => permissions)];
  const known = new Set(named.filter((one) => isPermission(one) && !isOwn(one)));
  return [...known].sort().slice(0, OFFERED_MAX);
}

function form(asked: Asked, known: readonly string[], faults: Failed['faults']): Html {
  return html`<form class="filters asking" method="get" action="${PATH}" role="search">
<div class="field wide">${textField({ name: 'permission', label: 'Permission', value: asked.permission, isRequired: true, maxLength: 128, list: known, hint: 'As a route requires it, such as deployments:write.', faults })}</div>
${textField({ name: 'search', label: 'Account', type: 'search', value: asked.search, maxLength: 200, hint: 'Part of the name.', faults })}
${textField({ name: 'application', label: 'Application', type: 'search', value: asked.application, maxLength: 64, hint: 'Part of the name.', faults })}
<button class="primary">Show</button></form>`;
}

const STANDING_WORDS = {
  'account-inactive': 'inactive',
  'token-expired': 'expired',
  honey: 'honey account',
} as const;

async function matrixCard(asked: Asked, page: MatrixPage): Promise<Html> {
  const { permission, applications, applicationsTotal, items, total, damaged } = page;
  const first = { ...asked, cursor: '', after: '' };
  const note = `${plural(total, 'service account')}, ${plural(applicationsTotal, 'application')}.`;
  const csv = html`<a class="button small" href="${addressOf(`/csv${PATH}`, first)}" download>CSV</a>`;
  const columns = [
    { name: 'Account' },
    ...applications.map((name) => ({ name, heading: html`<span class="mono">${name}</span>` })),
  ];
  const rows = () =>
    longTable(`Who has ${permission} where`, columns, items, ({ account, standing, cells }) => [
      html`<a href="/service-accounts/${account}">${account}</a>${standing === null ? '' : html` <span class="small quiet">${STANDING_WORDS[standing]}</span>`}`,
      ...cells.map(cellWords),
    ]);
  const nothing =
    items.length === 0
      ? empty('No account matches', 'No service account has such a name.')
      : empty(
          'No applications are known',
          'Give applications to a team, or type the whole name of one.',
        );
  const isEmpty = items.length === 0 || applications.length === 0;
  return html`${damagedNotice(damaged)}${card(
    { title: permission, note, actions: csv },
    html`${isEmpty ? nothing : await rows()}${pages(asked, page)}`,
    { bare: true },
  )}`;
}

function cellWords({ allowed, role, rule, team }: MatrixCell): Slot {
  const by = { grant: 'grant', team: `team ${team}`, default: 'default', 'in-doubt': 'in doubt' };
  return html`${allowed ? badge('good', 'Yes') : badge('', 'No')} <span class="small quiet">${by[rule]}: ${role}</span>`;
}

function pages(asked: Asked, page: MatrixPage): Slot {
  const step = (words: string, more: Partial<Asked>) =>
    html`<a class="button small" href="${addressOf(PATH, { ...asked, ...more })}">${words}</a>`;
  const { previous, next, nextAfter, total } = page;
  const links = [
    asked.after === '' ? '' : step('First applications', { after: '' }),
    nextAfter === null ? '' : step('More applications', { after: nextAfter }),
    previous === null ? '' : step('Previous accounts', { cursor: previous }),
    next === null ? '' : step('Next accounts', { cursor: next }),
  ].filter((link) => link !== '');
  return links.length === 0
    ? ''
    : html`<div class="pages"><span>${countWords(total)} accounts</span><nav class="actions" aria-label="Pages">${links}</nav></div>`;
}
