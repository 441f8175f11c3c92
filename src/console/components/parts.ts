import type { AccountView } from '../../admin/views.ts';
import { turn } from '../../turns.ts';
import { type Html, html, type Slot } from '../html.ts';

export type Tone = 'good' | 'bad' | 'warn' | 'info' | '';

export function badge(tone: Tone, words: string): Html {
  return html`<span class="badge ${tone}">${words}</span>`;
}

/** How an account stands: what lets it in or keeps it out. */
function statusWords(account: AccountView): { readonly tone: Tone; readonly words: string } {
  if (account.status !== 'active') return { tone: 'bad', words: 'Inactive' };
  return account.expired ? { tone: 'warn', words: 'Expired' } : { tone: 'good', words: 'Active' };
}

export function statusBadge(account: AccountView): Html {
  const { tone, words } = statusWords(account);
  return html`${badge(tone, words)}${account.honey ? html` ${badge('warn', 'Honey')}` : ''}`;
}

export interface CardHead {
  readonly title: string;
  readonly note?: Slot;
  readonly actions?: Slot;
}

/** A titled box. `bare`: the content brings its own margins, as tables do. */
export function card(
  { title, note, actions }: CardHead,
  content: Slot,
  { bare = false } = {},
): Html {
  return html`<section class="card"><div class="card-head"><div><h2>${title}</h2>${note === undefined ? '' : html`<p>${note}</p>`}</div>${
    actions === undefined ? '' : html`<div class="actions">${actions}</div>`
  }</div>${bare ? content : html`<div class="card-body">${content}</div>`}</section>`;
}

export function facts(rows: readonly (readonly [name: string, value: Slot])[]): Html {
  return html`<dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** `alert` for what went wrong: it is read out at once. */
export function notice(tone: 'good' | 'warn' | 'bad' | 'info', content: Slot): Html {
  return html`<div class="notice ${tone}" role="${tone === 'bad' ? 'alert' : 'status'}">${content}</div>`;
}

/** Nothing to list yet: says so, and what to do next. */
export function empty(title: string, words: Slot, action: Slot = ''): Html {
  return html`<div class="empty"><h2>${title}</h2><p class="empty-words">${words}</p>${action}</div>`;
}

export function chips(words: readonly string[]): Html {
  return html`<ul class="chips">${words.map((word) => html`<li class="mono">${word}</li>`)}</ul>`;
}

export interface Column {
  readonly name: string;
  readonly isNumber?: boolean;
  /** Instead of the name; a link, say. */
  readonly heading?: Slot;
  /** The table is sorted by this column. */
  readonly sorted?: 'ascending' | 'descending';
}

/** A table whose rows become small cards on a phone. The first cell names the row. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Slot[])[],
): Html {
  return tableOf(
    caption,
    columns,
    rows.map((cells) => rowOf(columns, cells)),
  );
}

/** Rows of a long table that are put together in one turn of the loop. */
const ROWS_AT_ONCE = 100;

/** The same of as many rows as there are, put together in slices. */
export async function longTable<T>(
  caption: string,
  columns: readonly Column[],
  items: readonly T[],
  cellsOf: (item: T) => readonly Slot[],
): Promise<Html> {
  const rows: Html[] = [];
  for (const item of items) {
    if (rows.length % ROWS_AT_ONCE === 0) await turn();
    rows.push(rowOf(columns, cellsOf(item)));
  }
  await turn();
  return tableOf(caption, columns, rows);
}

function tableOf(caption: string, columns: readonly Column[], rows: readonly Html[]): Html {
  return html`<div class="scroll"><table class="folding"><caption class="hidden">${caption}</caption>
<thead><tr>${columns.map(
    (column) =>
      html`<th scope="col"${numberOf(column)}${column.sorted === undefined ? '' : html` aria-sort="${column.sorted}"`}>${column.heading ?? column.name}</th>`,
  )}</tr></thead>
<tbody>${rows}</tbody></table></div>`;
}

function rowOf(columns: readonly Column[], cells: readonly Slot[]): Html {
  return html`<tr>${cells.map((cell, index) =>
    index === 0
      ? html`<th scope="row">${cell}</th>`
      : html`<td data-label="${columns[index]?.name ?? ''}"${numberOf(columns[index])}>${cell}</td>`,
  )}</tr>`;
}

function numberOf(column: Column | undefined): Slot {
  return column?.isNumber === true ? html` class="number"` : '';
}
