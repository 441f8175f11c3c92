import { type Cell, csvLine } from '../audit/export/csv-line.ts';

/** A list as a table for spreadsheets: a header, then a line for each item (RFC 4180). */
export interface CsvList<Item> {
  readonly header: string;
  line(item: Item): string;
  readonly names: readonly string[];
  /** The cells of its lines. */
  rows(item: Item): readonly (readonly Cell[])[];
}

export type Columns<Item> = readonly (readonly [name: string, value: (item: Item) => Cell])[];

export function listOf<Item>(columns: Columns<Item>): CsvList<Item> {
  const names = columns.map(([name]) => name);
  const cells = (item: Item) => columns.map(([, value]) => value(item));
  return {
    header: csvLine(names),
    line: (item) => csvLine(cells(item)),
    names,
    rows: (item) => [cells(item)],
  };
}

/** Several lines for each item. */
export function linesOf<Item, Line>(
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

/** The same columns for a terminal: `tokenCreatedAt` is TOKEN CREATED AT, and nothing is `-`. */
export function wideCells<Item>({ names, rows }: CsvList<Item>, items: readonly Item[]) {
  const headings = names.map((name) => name.replace(/(?=[A-Z])/g, ' ').toUpperCase());
  const text = (cell: Cell) => (cell === null || cell === undefined || cell === '' ? '-' : cell);
  return {
    headings,
    rows: items.flatMap(rows).map((cells) => cells.map((cell) => String(text(cell)))),
  };
}
