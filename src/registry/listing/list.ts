import type { Account } from '../../account/model.ts';
import { turn } from '../../turns.ts';
import { type Cursor, isByName, readCursor, writeCursor } from './cursor.ts';
import type { ListingData } from './data.ts';
import { folded, type ListingRow, type Time } from './entry.ts';
import { First, type Ranked } from './order.ts';
import {
  isListed,
  type ListedAccount,
  type ListPage,
  type ListQuery,
  type ListSort,
  needsUses,
} from './query.ts';
import { type Selection, select, type Visitor } from './selection.ts';

/** How often a list is read again because something changed meanwhile. */
const TRIES = 3;
/** So few are brought into order here; more are found along the list that is in order already. */
const SORTED_HERE = 5_000;
/** Places of a list, or rows, that are read at once. */
const READ_AT_ONCE = 1_000;
/** Ids of unreadable records that are named at once. */
const DAMAGED_MOST = 100;
/** Records read in one turn of the loop: a few milliseconds. */
const RECORDS_AT_ONCE = 50;

/** What was found, before the accounts themselves are read. */
interface Found {
  readonly total: number;
  /** In the order in which they were looked for, one more than asked for if there are more. */
  readonly ranked: readonly Ranked[];
}

/**
 * One page. What is shown was read from the records at the end and judged by the rule itself; the
 * total is that of one moment, unless changes come faster than it can be counted. Throws
 * `BadCursor`.
 */
export async function listAccounts(data: ListingData, query: ListQuery): Promise<ListPage> {
  const cursor = query.cursor === null ? null : readCursor(query, query.cursor);
  const withUses = needsUses(query) || query.sort === 'lastUsed';
  for (let attempt = 1; ; attempt += 1) {
    const { numbers, revision } = await data.current(withUses);
    const found = await find(data, query, cursor, numbers);
    const page = await readPage(data, query, cursor, found);
    if (attempt === TRIES || (await data.current(false)).revision === revision) return page;
  }
}

function find(
  data: ListingData,
  query: ListQuery,
  cursor: Cursor | null,
  numbers: number,
): Promise<Found> {
  const list = wholeList(query);
  if (list !== null) return findInList(data, list, query, cursor);
  return isByName(query.sort)
    ? findByName(data, query, cursor, numbers)
    : findByTime(data, query, cursor, numbers);
}

/** The list that holds just what is asked for, in its order; null: there is none. */
function wholeList(query: ListQuery): string | null {
  const { search, namePrefix, status, sort, neverUsed } = query;
  const { unusedSinceMs, expiresUntilMs, tokenIssuedUntilMs } = query;
  const isNarrowed =
    neverUsed ||
    [search, namePrefix, status, unusedSinceMs, expiresUntilMs, tokenIssuedUntilMs].some(
      (one) => one !== null,
    );
  if (isNarrowed || !isByName(sort)) return null;
  const [list, ...others] = listsOf(query);
  return others.length === 0 || (sort === 'name' && others.length === 1)
    ? (others[0] ?? list ?? null)
    : null;
}

/** Lists that hold all that is asked for, in its order; the first always does. */
function listsOf({ kind, sort, role, team, honey }: ListQuery): readonly string[] {
  const letter = kind === 'service' ? 's' : 'u';
  const narrower = [
    ...(role === null ? [] : [`${letter} r:${role}`]),
    ...(team === null ? [] : [`${letter} t:${team}`]),
    ...(honey ? [`${letter} h`] : []),
  ];
  return [sort === 'role' ? `${letter} =` : letter, ...narrower];
}

/** Ascending is up; going back turns it round. */
function isDown({ descending }: ListQuery, cursor: Cursor | null): boolean {
  return descending !== (cursor?.isBack ?? false);
}

async function findInList(
  data: ListingData,
  list: string,
  query: ListQuery,
  cursor: Cursor | null,
): Promise<Found> {
  const walk = {
    from: cursor === null ? null : String(cursor.key),
    descending: isDown(query, cursor),
    limit: query.limit + 1,
  };
  const [total, ranked] = await Promise.all([data.count(list), data.walk(list, walk)]);
  return { total, ranked };
}

async function findByName(
  data: ListingData,
  query: ListQuery,
  cursor: Cursor | null,
  numbers: number,
): Promise<Found> {
  const selection = await select(data, query, numbers, {
    sortTime: null,
    isDescending: false,
    visit: null,
  });
  const { total } = selection;
  const ranked =
    total <= SORTED_HERE
      ? await sortHere(data, query, cursor, selection)
      : await walkAlong(data, query, cursor, selection);
  return { total, ranked };
}

async function sortHere(
  data: ListingData,
  query: ListQuery,
  cursor: Cursor | null,
  selection: Selection,
): Promise<readonly Ranked[]> {
  const first = new First<string>(isDown(query, cursor), cursor, query.limit + 1);
  const numbers = [...selection.numbers()];
  for (let from = 0; from < numbers.length; from += READ_AT_ONCE) {
    const slice = numbers.slice(from, from + READ_AT_ONCE);
    const rows = await data.rows(slice);
    await turn();
    for (const [index, text] of rows.entries()) {
      if (text === null) continue;
      const [, name, , , role] = rowFrom(text);
      first.offer(query.sort === 'role' ? `${role} ${name}` : name, slice[index] ?? 0);
    }
  }
  return first.ranked;
}

/** Along the shortest list that has them all. */
async function walkAlong(
  data: ListingData,
  query: ListQuery,
  cursor: Cursor | null,
  selection: Selection,
): Promise<readonly Ranked[]> {
  const list = await shortestList(data, query);
  const found: Ranked[] = [];
  const descending = isDown(query, cursor);
  const prefix = query.sort === 'name' && query.namePrefix !== null ? folded(query.namePrefix) : '';
  // Names that begin so stand together: nobody before or after them is looked at.
  const edge = prefix === '' ? null : descending ? `${prefix}\x7f` : prefix;
  let from = cursor === null ? edge : String(cursor.key);
  for (;;) {
    const places = await data.walk(list, { from, descending, limit: READ_AT_ONCE });
    await turn();
    for (const place of places) {
      if (!place.key.startsWith(prefix)) return found;
      if (selection.has(place.number)) found.push(place);
      if (found.length > query.limit) return found;
    }
    if (places.length < READ_AT_ONCE) return found;
    from = places.at(-1)?.key ?? null;
  }
}

async function shortestList(data: ListingData, query: ListQuery): Promise<string> {
  const [whole = '', ...narrower] = listsOf(query);
  if (query.sort === 'role' || narrower.length === 0) return whole;
  const counts = await Promise.all(narrower.map((list) => data.count(list)));
  return narrower[counts.indexOf(Math.min(...counts))] ?? whole;
}

const TIME_OF: Partial<Record<ListSort, Time>> = {
  createdAt: 'created',
  updatedAt: 'updated',
  expiresAt: 'expires',
  tokenCreatedAt: 'token',
  lastUsed: 'used',
  // What has expired is told by it.
  status: 'expires',
};

async function findByTime(
  data: ListingData,
  query: ListQuery,
  cursor: Cursor | null,
  numbers: number,
): Promise<Found> {
  const down = isDown(query, cursor);
  const first = new First<number>(down, cursor, query.limit + 1);
  const { total } = await select(data, query, numbers, {
    sortTime: TIME_OF[query.sort] ?? null,
    isDescending: down,
    visit: visitorFor(query.sort, first),
  });
  return { total, ranked: first.ranked };
}

/** What never expires does so after all others; what was never used was used before all others. */
function visitorFor(sort: ListSort, first: First<number>): Visitor {
  if (sort === 'status') return (number, _time, status) => first.offer(status, number);
  if (sort === 'lastUsed') return (number, time) => first.offer(time, number);
  return (number, time) => first.offer(time === 0 ? Number.POSITIVE_INFINITY : time, number);
}

async function readPage(
  data: ListingData,
  query: ListQuery,
  cursor: Cursor | null,
  { total, ranked }: Found,
): Promise<ListPage> {
  const isMore = ranked.length > query.limit;
  const isBack = cursor?.isBack ?? false;
  const taken = ranked.slice(0, query.limit);
  const shown = isBack ? taken.toReversed() : taken;
  const at = (place: Ranked | undefined, back: boolean) =>
    writeCursor(query, { isBack: back, ...(place ?? cursor ?? { key: '', number: 0 }) });
  return {
    ...(await readAccounts(data, query, shown, cursor === null)),
    total,
    previous: (isBack ? isMore : cursor !== null) ? at(shown[0], true) : null,
    next: isBack || isMore ? at(shown.at(-1), false) : null,
  };
}

async function readAccounts(
  data: ListingData,
  query: ListQuery,
  shown: readonly Ranked[],
  isBeginning: boolean,
): Promise<Pick<ListPage, 'items' | 'damaged'>> {
  const lost = isBeginning
    ? (await data.walk('d', { from: null, descending: false, limit: DAMAGED_MOST })).map(
        ({ key }) => key.trimEnd(),
      )
    : [];
  const rows = await data.rows(shown.map(({ number }) => number));
  const ids = rows.flatMap((text) => (text === null ? [] : [rowFrom(text)[0]]));
  const accounts: (Account | 'damaged' | null)[] = [];
  for (let from = 0; from < ids.length; from += RECORDS_AT_ONCE) {
    await turn();
    accounts.push(...(await data.accounts(ids.slice(from, from + RECORDS_AT_ONCE))));
  }
  const damaged = ids.filter((_, index) => accounts[index] === 'damaged');
  const readable = accounts.filter((one) => one !== null && one !== 'damaged');
  const reads = query.kind === 'service' && (query.withUses || needsUses(query));
  const items = await Promise.all(
    readable.map(async (account): Promise<ListedAccount> => {
      return { account, uses: reads ? await data.uses(account.id) : [] };
    }),
  );
  return {
    items: items.filter((item) => isListed(item, query)),
    damaged: [...new Set([...lost, ...damaged])],
  };
}

function rowFrom(text: string): ListingRow {
  return JSON.parse(text) as ListingRow;
}
