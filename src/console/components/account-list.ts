import { type AccountQuery, LIST_ORDERS } from '../../admin/list-accounts.ts';
import { LIST_SORTS, type ListSort } from '../../registry/listing/query.ts';
import type { ConsoleContext } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import { countWords } from '../words.ts';
import { selectField, textField } from './form.ts';
import type { Column } from './parts.ts';

const PAGE = 100;

/** What is looked at, as it stands in the address: a link leads everybody to the same list. */
export interface ListView {
  readonly section: string;
  readonly search: string;
  /** Value of the filter; empty: none. */
  readonly show: string;
  /** Narrow by role or team; from links of their pages. */
  readonly role: string;
  readonly team: string;
  readonly sort: ListSort;
  readonly order: (typeof LIST_ORDERS)[number];
  readonly cursor: string | null;
}

export function listView(c: ConsoleContext, section: string): ListView {
  const word = (name: string) => (c.req.query(name) ?? '').trim().slice(0, 200);
  const cursor = c.req.query('at') ?? '';
  return {
    section,
    search: word('q'),
    show: word('show'),
    role: word('role'),
    team: word('team'),
    sort: LIST_SORTS.find((one) => one === word('sort')) ?? 'name',
    order: LIST_ORDERS.find((one) => one === word('order')) ?? 'ascending',
    cursor: cursor === '' ? null : cursor,
  };
}

/** The same as administration takes it. */
export function listQueryOf(view: ListView): AccountQuery {
  const { search, role, team, sort, order, cursor } = view;
  return {
    cursor,
    limit: PAGE,
    sort,
    order,
    ...(search === '' ? {} : { search }),
    ...(role === '' ? {} : { role }),
    ...(team === '' ? {} : { team }),
  };
}

export function isNarrowed({ search, show, role, team, cursor }: ListView): boolean {
  return [search, show, role, team].some((one) => one !== '') || cursor !== null;
}

function addressOf(view: ListView): string {
  const words = {
    q: view.search,
    show: view.show,
    role: view.role,
    team: view.team,
    sort: view.sort === 'name' ? '' : view.sort,
    order: view.order === 'ascending' ? '' : view.order,
    at: view.cursor ?? '',
  };
  const said = Object.entries(words).filter(([, value]) => value !== '');
  const query = new URLSearchParams(said).toString();
  return query === '' ? view.section : `${view.section}?${query}`;
}

/** Search and filter; what else narrows the list stays, and is said. */
export function listForm(
  view: ListView,
  filters: readonly { readonly value: string; readonly words: string }[],
): Html {
  const kept = { role: view.role, team: view.team, sort: view.sort, order: view.order };
  const hidden = Object.entries(kept).map(([name, value]) =>
    value === '' ? '' : html`<input type="hidden" name="${name}" value="${value}">`,
  );
  const search = textField({
    name: 'q',
    label: 'Search',
    type: 'search',
    value: view.search,
    maxLength: 200,
  });
  return html`<form class="filters" method="get" action="${view.section}" role="search">${hidden}
<div class="field wide">${search}</div>
${selectField({ name: 'show', label: 'Show', value: view.show, choices: filters })}
<button>Search</button></form><p class="saved small" data-saved-filters="${view.section}" hidden></p>${narrowedBy(view)}`;
}

function narrowedBy(view: ListView): Slot {
  if (view.role === '' && view.team === '') return '';
  const words = [
    view.role === '' ? '' : `with the role ${view.role}`,
    view.team === '' ? '' : `in the team ${view.team}`,
  ].filter((one) => one !== '');
  return html`<p class="small quiet">Only accounts ${words.join(' and ')}. <a href="${addressOf({ ...view, role: '', team: '', cursor: null })}">Show all</a></p>`;
}

/** A heading that sorts the list by its column, and the other way round when it does already. */
export function sortedColumn(view: ListView, name: string, sort: ListSort): Column {
  const isSorted = view.sort === sort;
  const order = isSorted && view.order === 'ascending' ? 'descending' : 'ascending';
  const link = addressOf({ ...view, sort, order, cursor: null });
  const mark = isSorted
    ? html` <span aria-hidden="true">${view.order === 'ascending' ? '↑' : '↓'}</span>`
    : '';
  return {
    name,
    heading: html`<a href="${link}">${name}${mark}</a>`,
    ...(isSorted ? { sorted: view.order } : {}),
  };
}

/** How many there are, and the way to those before and after. */
export function listPages(
  view: ListView,
  {
    total,
    previous,
    next,
  }: {
    readonly total: number;
    readonly previous: string | null;
    readonly next: string | null;
  },
  [one, many]: readonly [string, string],
): Html {
  const step = (cursor: string | null, words: string, rel: string) =>
    cursor === null
      ? ''
      : html`<a class="button small" rel="${rel}" href="${addressOf({ ...view, cursor })}">${words}</a>`;
  const csv = addressOf({ ...view, section: `/csv${view.section}`, cursor: null });
  const steps =
    previous === null && next === null
      ? ''
      : html`<nav class="actions" aria-label="Pages">${step(previous, 'Previous page', 'prev')}${step(next, 'Next page', 'next')}</nav>`;
  return html`<div class="pages"><span>${countWords(total)} ${total === 1 ? one : many}</span><a class="small" href="${csv}" download>CSV</a>${steps}</div>`;
}
