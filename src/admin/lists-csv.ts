import { type Cell, CSV_HEADER, csvLine, csvRow } from '../audit/export/csv.ts';
import type { MatrixCell, MatrixRow } from './access-matrix.ts';
import { AdminError } from './error.ts';
import type { InstancesView } from './instances.ts';
import { bindingWords } from './restriction.ts';
import type { UsageFigures, UsagePoint, UsageTopItem } from './usage.ts';
import type { AccountView, ListedRole, ListedTeam, TeamMember } from './views.ts';
import type { WhoCan } from './who-can.ts';

/** Every list as a table for spreadsheets: a header, then a line for each item (RFC 4180). */
export interface CsvList<Item> {
  readonly header: string;
  line(item: Item): string;
  readonly names: readonly string[];
  /** The cells of its lines. */
  rows(item: Item): readonly (readonly Cell[])[];
}

type Columns<Item> = readonly (readonly [name: string, value: (item: Item) => Cell])[];

function listOf<Item>(columns: Columns<Item>): CsvList<Item> {
  const names = columns.map(([name]) => name);
  const cells = (item: Item) => columns.map(([, value]) => value(item));
  return {
    header: csvLine(names),
    line: (item) => csvLine(cells(item)),
    names,
    rows: (item) => [cells(item)],
  };
}

type MatrixLine = MatrixCell & Pick<MatrixRow, 'account' | 'standing'>;

/** Several lines for each item. */
function linesOf<Item, Line>(
  spread: (item: Item) => readonly Line[],
  columns: Columns<Line>,
): CsvList<Item> {
  const { header, line, names, rows } = listOf(columns);
  return {
    header,
    line: (item) => spread(item).map(line).join(''),
    names,
    rows: (item) => spread(item).flatMap(rows),
  };
}

const FIGURES = [
  ['calls', ({ calls }) => calls],
  ['missed', ({ missed }) => missed],
  ['refused', ({ refused }) => refused],
  ['requestBytes', ({ requestBytes }) => requestBytes],
  ['responseBytes', ({ responseBytes }) => responseBytes],
  ['p50Ms', ({ p50Ms }) => p50Ms],
  ['p99Ms', ({ p99Ms }) => p99Ms],
] as const satisfies Columns<UsageFigures & Pick<UsagePoint, 'missed'>>;

/** New columns come at the end: readers may go by position. */
export const CSV_LISTS = {
  accounts: listOf<AccountView>([
    ['name', ({ name }) => name],
    ['id', ({ id }) => id],
    ['kind', ({ kind }) => kind],
    ['status', ({ status }) => status],
    ['expired', ({ expired }) => String(expired)],
    ['role', ({ role }) => role],
    ['teams', ({ teams }) => teams.map(({ team, role }) => `${team}:${role}`).join(' ')],
    [
      'grants',
      ({ grants }) => grants.map(({ application, role }) => `${application}:${role}`).join(' '),
    ],
    ['expiresAt', ({ expiresAt }) => expiresAt],
    ['createdAt', ({ createdAt }) => createdAt],
    ['updatedAt', ({ updatedAt }) => updatedAt],
    ['tokenCreatedAt', ({ token }) => token?.createdAt],
    ['tokenLastUsedAt', ({ token }) => token?.lastUsed?.at],
    ['tokenLastUsedFrom', ({ token }) => token?.lastUsed?.address],
    ['allowedNetworks', ({ allowedNetworks }) => allowedNetworks.join(' ')],
    ['boundTo', ({ boundTo }) => bindingWords(boundTo)],
    ['honey', ({ honey }) => String(honey)],
    ['description', ({ description }) => description],
  ]),
  roles: listOf<ListedRole>([
    ['name', ({ name }) => name],
    ['usedBy', ({ uses }) => uses],
    ['permissions', ({ permissions }) => permissions.join(' ')],
    ['builtIn', ({ builtIn }) => String(builtIn)],
    ['createdAt', ({ createdAt }) => createdAt],
    ['updatedAt', ({ updatedAt }) => updatedAt],
    ['description', ({ description }) => description],
  ]),
  teams: listOf<ListedTeam>([
    ['name', ({ name }) => name],
    ['members', ({ memberCount }) => memberCount],
    ['applications', ({ applications }) => applications.join(' ')],
    ['createdAt', ({ createdAt }) => createdAt],
    ['updatedAt', ({ updatedAt }) => updatedAt],
    ['description', ({ description }) => description],
  ]),
  members: listOf<TeamMember>([
    ['account', ({ account }) => account],
    ['id', ({ id }) => id],
    ['kind', ({ kind }) => kind],
    ['role', ({ role }) => role],
  ]),
  whoCan: listOf<WhoCan>([
    ['account', ({ account }) => account],
    ['permission', ({ permission }) => permission],
    ['applications', ({ application, applications }) => application ?? applications.join(' ')],
    ['role', ({ role }) => role],
    ['rule', ({ rule }) => rule],
    ['allowedNetworks', ({ allowedNetworks }) => allowedNetworks.join(' ')],
    ['boundTo', ({ boundTo }) => bindingWords(boundTo)],
    ['team', ({ team }) => team],
  ]),
  matrix: linesOf<MatrixRow, MatrixLine>(
    ({ account, standing, cells }) => cells.map((cell) => ({ account, standing, ...cell })),
    [
      ['account', ({ account }) => account],
      ['application', ({ application }) => application],
      ['allowed', ({ allowed }) => String(allowed)],
      ['role', ({ role }) => role],
      ['rule', ({ rule }) => rule],
      ['team', ({ team }) => team],
      ['standing', ({ standing }) => standing],
    ],
  ),
  /** The columns of `audit export --format csv`. */
  activity: {
    header: CSV_HEADER,
    line: (event: unknown) => csvRow(typeof event === 'string' ? event : JSON.stringify(event)),
  },
  usageTop: listOf<UsageTopItem>([
    ['name', ({ name }) => name],
    ['id', ({ id }) => id],
    ...FIGURES,
  ]),
  usage: listOf<UsagePoint>([['from', ({ from }) => from], ...FIGURES]),
  instances: listOf<InstancesView['items'][number]>([
    ['instance', ({ instance }) => instance],
    ['version', ({ version }) => version],
    ['leaseMs', ({ leaseMs }) => leaseMs],
    ['leaseRemainingMs', ({ leaseRemainingMs }) => leaseRemainingMs],
    ['appliedSeq', ({ appliedSeq }) => appliedSeq],
    ['lag', ({ lag }) => lag],
    ['auditKey', ({ auditKey }) => auditKey],
  ]),
} as const;

export type CsvListName = keyof typeof CSV_LISTS;

/** The text of some items, without the header. */
export function csvLines(list: CsvListName, items: readonly unknown[]): string {
  const { line } = CSV_LISTS[list] as CsvList<unknown>;
  return items.map((item) => line(item)).join('');
}

/** The same columns for a terminal: `tokenCreatedAt` is TOKEN CREATED AT, and nothing is `-`. */
export function wideCells(list: CsvListName, items: readonly unknown[]) {
  const { names, rows } = CSV_LISTS[list] as CsvList<unknown>;
  const headings = names.map((name) => name.replace(/(?=[A-Z])/g, ' ').toUpperCase());
  const text = (cell: Cell) => (cell === null || cell === undefined || cell === '' ? '-' : cell);
  return {
    headings,
    rows: items.flatMap(rows).map((cells) => cells.map((cell) => String(text(cell)))),
  };
}

/**
 * A table has no place to say that records are missing from it, and would look whole: where some
 * cannot be read there is none. Throws `AdminError` (`unavailable`).
 */
export function mustBeWhole({ damaged = [] }: { readonly damaged?: readonly string[] }): void {
  if (damaged.length > 0)
    throw new AdminError(
      'unavailable',
      `these accounts cannot be read, and a table would not say so: ${damaged.join(', ')}`,
    );
}
