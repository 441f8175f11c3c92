import type { MatrixCell, MatrixPage, MatrixQuestion, MatrixRow } from '../admin/access-matrix.ts';
import { CSV_LISTS, mustBeWhole } from '../admin/lists-csv.ts';
import { type MatrixPlace, placeAfter } from '../admin/matrix-place.ts';
import { UsageError } from './exit.ts';
import { type Column, columnsOf, NOT_TOLD } from './matrix-columns.ts';
import { type CommonOptions, given } from './options.ts';
import { progressBar } from './progress.ts';
import { type Reached, withReach } from './reach.ts';
import { readOn, writeOut } from './screen/out.ts';
import { note, say, sayJson, sayWide, table } from './terminal.ts';

export interface MatrixOptions extends CommonOptions {
  readonly matrix: string;
  readonly search?: string;
  readonly application?: string;
  readonly instance?: string;
}

/** Accounts, where nobody says how many. */
const LIMIT = 100;
/** Applications and accounts of one question. */
const ASKED = { columns: 50, limit: 200 } as const;
/** Cells that are held in memory; a table as CSV holds none. */
const CELLS_MOST = 1_000_000;

/** Accounts by applications: who has one permission where, and by which role. */
export async function showMatrix(options: MatrixOptions): Promise<void> {
  await withReach(options, false, async (reached) => {
    if (options.csv === true) return writeCsv(reached, options);
    const { limit = LIMIT } = options;
    const matrix = await whole(pagesOf(reached, options, limit));
    const { items, applications, total, damaged } = matrix;
    if (options.json === true) return sayJson({ ...matrix, more: items.length < total });
    if (items.length === 0) note('no service account has such a name');
    else if (applications.length === 0)
      note(
        'no applications are known: give some to a team, or say --application with a whole name',
      );
    else if (options.output?.kind === 'wide') sayWide(CSV_LISTS.matrix, items);
    else showCells(items, applications);
    for (const id of damaged) note(`the record of account ${id} cannot be read`);
    if (items.length < total)
      note(`${items.length} of ${total} service accounts are shown (--limit)`);
  });
}

/** Page by page, however many there are. */
async function writeCsv(reached: Reached, options: MatrixOptions): Promise<void> {
  const { limit = Number.POSITIVE_INFINITY } = options;
  writeOut(CSV_LISTS.matrix.header);
  for await (const page of pagesOf(reached, options, limit)) {
    mustBeWhole(page);
    writeOut(page.items.map(CSV_LISTS.matrix.line).join(''));
    await readOn();
  }
}

/** All applications of some accounts, then those of further ones, for as many accounts. */
async function* pagesOf(
  { control, actor }: Reached,
  { matrix: permission, search, application, instance }: MatrixOptions,
  most: number,
): AsyncGenerator<MatrixPage> {
  const narrowed = { ...given('search', search), ...given('application', application) };
  const question: MatrixQuestion = { permission, ...narrowed, ...given('instance', instance) };
  const progress = progressBar('accounts');
  let place: MatrixPlace | null = {};
  let done = 0;
  try {
    while (place !== null && done < most) {
      const limit = Math.min(ASKED.limit, most - done);
      const asked: MatrixQuestion = { ...question, ...ASKED, limit, ...place };
      const page: MatrixPage = await control.administration.accessMatrix(actor, asked);
      yield page;
      place = placeAfter(place, page);
      if (page.nextAfter === null) done += page.items.length;
      progress.at(done, Math.min(page.total, most));
    }
  } finally {
    progress.end();
  }
}

interface Matrix extends Pick<MatrixPage, 'permission' | 'applications' | 'total' | 'damaged'> {
  readonly items: readonly MatrixRow[];
}

/** Pages put together again, a row for each account. */
async function whole(pages: AsyncIterable<MatrixPage>): Promise<Matrix> {
  const rows = new Map<string, MatrixRow & { readonly cells: MatrixCell[] }>();
  const applications = new Set<string>();
  const damaged = new Set<string>();
  let [permission, total, cells] = ['', 0, 0];
  for await (const page of pages) {
    ({ permission, total } = page);
    for (const application of page.applications) applications.add(application);
    for (const id of page.damaged) damaged.add(id);
    for (const row of page.items) {
      const there = rows.get(row.account);
      if (there === undefined) rows.set(row.account, { ...row, cells: [...row.cells] });
      else there.cells.push(...row.cells);
      cells += row.cells.length;
    }
    if (cells > CELLS_MOST)
      throw new UsageError(
        `these are more than ${CELLS_MOST} cells: narrow them down with --search or --application, or say -o csv`,
      );
  }
  const told = { permission, applications: [...applications], total, damaged: [...damaged] };
  return { ...told, items: [...rows.values()] };
}

const STANDING = {
  'account-inactive': ' (inactive)',
  'token-expired': ' (expired)',
  honey: ' (honey)',
} as const;

/** As many applications side by side as there is room for; in a pipe, all of them. */
function showCells(items: readonly MatrixRow[], applications: readonly string[]): void {
  const names = items.map(({ account, standing }) =>
    standing === null ? account : account + STANDING[standing],
  );
  const columns = columnsOf(items, applications);
  const room = process.stdout.isTTY === true ? process.stdout.columns : Number.POSITIVE_INFINITY;
  for (const [index, block] of sideBySide(
    columns,
    room - widest(['ACCOUNT', ...names]),
  ).entries()) {
    if (index > 0) say();
    table(
      ['ACCOUNT', ...block.map(({ heading }) => heading)],
      names.map((name, row) => [name, ...block.map(({ cells }) => cells[row] ?? '')]),
    );
  }
  note('a cell is the role that has the permission there; -: it is not allowed');
  if (columns.some(({ cells }) => cells.includes(NOT_TOLD)))
    note(`${NOT_TOLD}: not told, for accounts or applications changed meanwhile: ask again`);
}

/** Between two columns. */
const GAP = 2;

/** Blocks that are at most so wide, of one column at least. */
function sideBySide(columns: readonly Column[], room: number): readonly (readonly Column[])[] {
  const blocks: Column[][] = [];
  let left = 0;
  for (const column of columns) {
    const width = GAP + widest([column.heading, ...column.cells]);
    if (blocks.length === 0 || width > left) {
      blocks.push([]);
      left = room;
    }
    blocks.at(-1)?.push(column);
    left -= width;
  }
  return blocks;
}

function widest(words: readonly string[]): number {
  return words.reduce((most, { length }) => Math.max(most, length), 0);
}
