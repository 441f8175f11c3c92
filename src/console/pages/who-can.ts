import type { Hono } from 'hono';
import type { AdminActor } from '../../admin/actor.ts';
import type { RoutesFrom } from '../../admin/known-routes.ts';
import { bindingWords } from '../../admin/restriction.ts';
import type { WhoCan } from '../../admin/who-can.ts';
import { turn } from '../../turns.ts';
import { show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import { card, empty, table } from '../components/parts.ts';
import {
  addressOf,
  type CallWords,
  callFields,
  callOf,
  callWords,
  damagedNotice,
  type Failed,
  questionFault,
  roleLink,
  routesWords,
  ruleWords,
  WHO_CAN,
  whoCanViews,
} from '../components/question.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { plural } from '../words.ts';

const SECTION = WHO_CAN.call;
/** A page ends when so many are found, or so many have been asked about. */
const PAGE = { found: 100, examined: 2_000 } as const;

export function whoCanPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(SECTION, (c) => showWhoCan(c, parts));
}

async function showWhoCan(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const words = callWords(c);
  const tables = await administration.listRouteTables(actor, {});
  const asked = words.path !== '';
  const cursor = c.req.query('at') ?? '';
  const found = asked ? await attempt(() => findAll(parts, actor, words, cursor)) : null;
  const failed = found?.done === false ? found : null;
  const form = html`<form class="filters asking" method="get" action="${SECTION}" role="search">${callFields(words, tables, failed?.faults ?? [])}<button class="primary">Ask</button></form>`;
  const content = html`${whoCanViews(SECTION)}<section class="card"><div class="card-body">${form}</div></section>${
    failed === null ? '' : questionFault(failed)
  }${found?.done === true ? foundCard(words, found.value) : ''}`;
  const lead =
    'Ask about a call, and see everybody who would be let in with it, and by which rule.';
  return show(c, { title: 'Who Can', section: SECTION, lead }, content, statusOf(failed));
}

function statusOf(failed: Failed | null): 200 | Failed['status'] {
  return failed === null ? 200 : failed.status;
}

interface Found {
  readonly items: readonly WhoCan[];
  readonly examined: number;
  readonly damaged: readonly string[];
  readonly next: string | null;
  readonly routes: RoutesFrom;
}

/** Several answers as one page: one of them may be empty and have a next one. */
async function findAll(
  { control: { administration } }: ConsoleParts,
  actor: AdminActor,
  words: CallWords,
  from: string,
): Promise<Found> {
  const items: WhoCan[] = [];
  const damaged: string[] = [];
  let [examined, cursor] = [0, from];
  for (;;) {
    const page = await administration.whoCan(actor, {
      ...callOf(words),
      ...(cursor === '' ? {} : { cursor }),
    });
    items.push(...page.items);
    damaged.push(...page.damaged);
    examined += page.examined;
    const isFull = items.length >= PAGE.found || examined >= PAGE.examined;
    if (page.next === null || isFull)
      return { items, examined, damaged, next: page.next, routes: page.routes };
    cursor = page.next;
    await turn();
  }
}

const COLUMNS = ['Account', 'Role', 'By', 'Application', 'Permission', 'Only', 'Why'].map(
  (name) => ({ name }),
);

function foundCard(words: CallWords, { items, examined, damaged, next, routes }: Found): Html {
  const csv = html`<a class="button small" href="${addressOf(`/csv${SECTION}`, words)}" download>CSV</a>`;
  const title = `${words.method} ${words.path}`;
  const note = `${plural(items.length, 'account')} of the ${plural(examined, 'account')} that were asked about would be let in.`;
  const nobody = empty(
    next === null ? 'Nobody would be let in' : 'Nobody so far',
    next === null
      ? 'No account has the permission there.'
      : 'Nobody of those that were asked about; there are more.',
  );
  const rows = items.map((item) => rowOf(words, item));
  const more =
    next === null
      ? ''
      : html`<div class="pages"><span>There are more accounts to ask about.</span><a class="button small" rel="next" href="${addressOf(SECTION, { ...words, at: next })}">Go on</a></div>`;
  return html`${damagedNotice(damaged)}${card(
    { title, note, actions: csv },
    html`${items.length === 0 ? nobody : table('Who would be let in', COLUMNS, rows)}${more}`,
    { bare: true },
  )}${routesWords(routes)}`;
}

function rowOf(words: CallWords, found: WhoCan): readonly Slot[] {
  const { account, role, rule, team, application, applications, permission } = found;
  return [
    html`<a href="/find/${account}">${account}</a>`,
    roleLink(role),
    ruleWords(rule, team),
    html`<span class="mono">${application ?? (applications.join(', ') || (permission === null ? '–' : 'any'))}</span>`,
    permission === null ? '–' : html`<span class="mono">${permission}</span>`,
    onlyWords(found),
    html`<a href="${addressOf('/try', { account, ...words })}">Steps<span class="hidden"> for ${account}</span></a>`,
  ];
}

/** What the call must bring besides the token. */
function onlyWords({ allowedNetworks, boundTo }: WhoCan): string {
  const from = allowedNetworks.length === 0 ? [] : [`from ${allowedNetworks.join(', ')}`];
  const beside = boundTo === null ? [] : [`with ${bindingWords(boundTo)}`];
  return [...from, ...beside].join(', ') || '–';
}
