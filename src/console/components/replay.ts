import type { AdminActor } from '../../admin/actor.ts';
import type { Control } from '../../admin/control.ts';
import { REPLAYED, type Rehearsed } from '../../admin/operations/rehearsed.ts';
import type { ReplayItem } from '../../admin/trail/replay.ts';
import type { Replay } from '../../admin/trail/replay-change.ts';
import { replayLimits, replayWords } from '../../admin/trail/words.ts';
import type { ConsoleContext } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { Visitor } from '../visitor.ts';
import { countWords, moment } from '../words.ts';
import { buttonForm } from './form.ts';
import { badge, card, longTable } from './parts.ts';

/** Days that a page looks back. */
const REPLAY_DAYS = 7;
/** Answers that a page waits for: two million events. */
const ANSWERS_MAX = 10;

/** What a change would have done to the calls of the last days, as far as a page can wait. */
export async function replayFor(
  { administration }: Pick<Control, 'administration'>,
  actor: AdminActor,
  operation: Rehearsed,
  given: object,
): Promise<Replay> {
  const input = given as Readonly<Record<string, unknown>>;
  const ask = (cursor: string | null) =>
    administration.replayChange(actor, { operation, input, days: REPLAY_DAYS, cursor });
  let answer = await ask(null);
  for (let asked = 1; answer.next !== null && asked < ANSWERS_MAX; asked += 1)
    answer = await ask(answer.next);
  return answer;
}

/** Where a change is posted, as operation and input, to be tried on the record. */
export const REPLAY_PATH = '/advice/replay';

/**
 * A form of its own that has a change tried on the record; nothing where that is not for the change
 * or for who looks.
 */
export function replayForm(
  visitor: Visitor,
  { operation, input }: { readonly operation: string | null; readonly input: object | null },
  about = '',
): Slot {
  const known = REPLAYED.find((one) => one === operation);
  const may = visitor.may('sallyport:registry:write') && visitor.may('sallyport:activity:read');
  if (known === undefined || !may) return '';
  return buttonForm(visitor, REPLAY_PATH, `Try it on the last ${REPLAY_DAYS} days`, {
    fields: { operation: known, input: JSON.stringify(input) },
    ...(about === '' ? {} : { about }),
  });
}

/** In a form of a change: has it tried on the record instead of made. */
export function replayButton(visitor: Visitor): Slot {
  return visitor.may('sallyport:activity:read')
    ? html`<button name="replay" value="yes">Try it on the last ${REPLAY_DAYS} days</button>`
    : '';
}

export function asksReplay({ var: { form } }: ConsoleContext): boolean {
  return form.word('replay') !== '';
}

const COLUMNS = [
  { name: 'Account' },
  { name: 'Would be' },
  { name: 'Permission' },
  { name: 'Application' },
  { name: 'Role' },
  { name: 'Calls', isNumber: true },
  { name: 'Last' },
  { name: 'For example' },
];

/** What the change would have done: a sentence, the calls, and how far that reaches. */
export async function replayCard(replay: Replay): Promise<Html> {
  const { refuses, letsIn } = replay;
  const items = [
    ...refuses.items.map((item) => ({ item, verdict: badge('bad', 'Refused') })),
    ...letsIn.items.map((item) => ({ item, verdict: badge('good', 'Let in') })),
  ];
  const rows =
    items.length === 0
      ? ''
      : await longTable('Calls that would have been decided otherwise', COLUMNS, items, cellsOf);
  const limits = replayLimits(replay);
  const words = html`<div class="card-body flow"><p role="status"><strong>${replayWords(replay, REPLAY_DAYS)}</strong> Nothing is changed.</p>${
    limits.length === 0
      ? ''
      : html`<ul class="small quiet">${limits.map((line) => html`<li>${line}</li>`)}</ul>`
  }</div>`;
  return card({ title: 'Against the recorded calls' }, html`${words}${rows}`, { bare: true });
}

function cellsOf({ item, verdict }: { item: ReplayItem; verdict: Html }): readonly Slot[] {
  const { account, permissions, applications, before, after, calls, last, samples } = item;
  const roles = before.role === after.role ? [after.role] : [before.role, after.role];
  const [sample] = samples;
  return [
    html`<a href="/service-accounts/${account}">${account}</a>`,
    verdict,
    html`<span class="mono">${permissions.join(' ') || '–'}</span>`,
    applications?.join(' ') ?? '–',
    roles.map((role) => role ?? '–').join(' → '),
    countWords(calls),
    moment(last),
    sample === undefined
      ? '–'
      : html`<a class="mono small" href="/activity?requestId=${sample}">${sample.slice(0, 8)}<span class="hidden"> of ${account}</span></a>`,
  ];
}
