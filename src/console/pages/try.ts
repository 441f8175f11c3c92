import type { Hono } from 'hono';
import type { ExplainedCall } from '../../admin/explain-call.ts';
import { REFUSALS } from '../../refusal.ts';
import { show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import { textField } from '../components/form.ts';
import { badge, card, facts } from '../components/parts.ts';
import {
  addressOf,
  type CallWords,
  callFields,
  callOf,
  callWords,
  questionFault,
  roleLink,
  routesWords,
  ruleWords,
  wordIn,
} from '../components/question.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';

const SECTION = '/try';

export function tryPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get(SECTION, (c) => showTry(c, parts));
}

async function showTry(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { administration } = parts.control;
  const { actor } = c.var.visitor;
  const words = callWords(c);
  const account = wordIn(c, 'account').slice(0, 64);
  const tables = await administration.listRouteTables(actor, {});
  const asked = words.path !== '' && account !== '';
  const answer = asked
    ? await attempt(() => administration.explain(actor, { account, ...callOf(words) }))
    : null;
  const failed = answer?.done === false ? answer : null;
  const faults = failed?.faults ?? [];
  const form = html`<form class="filters asking" method="get" action="${SECTION}">${textField({ name: 'account', label: 'Account', value: account, isRequired: true, maxLength: 64, faults })}
${callFields(words, tables, faults)}<button class="primary">Try</button></form>`;
  const content = html`<section class="card"><div class="card-body">${form}</div></section>${
    failed === null ? '' : questionFault(failed)
  }${answer?.done === true ? verdictCard(account, words, answer.value) : ''}`;
  const lead =
    'Ask what would become of a call, and why. Nothing is sent, and no token is needed: the account is taken to show its own.';
  return show(
    c,
    { title: 'Try It', section: SECTION, lead },
    content,
    failed === null ? 200 : failed.status,
  );
}

function verdictCard(account: string, words: CallWords, answer: ExplainedCall): Html {
  const { reason, because, route, permission, application, applications, role, rule, team } =
    answer;
  const verdict =
    reason === 'permitted'
      ? badge('good', 'Let in')
      : html`${badge('bad', 'Refused')} <span class="mono">${reason}</span> <span class="quiet">${REFUSALS[reason].title}</span>`;
  const others = html`<a class="button small" href="${addressOf('/who-can', words)}">Who else can?</a>`;
  return html`${card(
    {
      title: `${words.method} ${words.path}`,
      note: html`As <a href="/find/${account}">${account}</a>`,
      actions: others,
    },
    html`<div class="flow"><p role="status">${verdict}</p><ol class="sentences">${because.map((step) => html`<li>${step}</li>`)}</ol>${facts(
      [
        ['Route', plain(route)],
        ['Permission', plain(permission)],
        ['Application', plain(application ?? (applications.join(', ') || null))],
        ['Role', roleLink(role)],
        ['By', ruleWords(rule, team)],
      ],
    )}</div>`,
  )}${routesWords(answer.routes)}`;
}

function plain(word: string | null): Slot {
  return word === null ? '–' : html`<span class="mono">${word}</span>`;
}
