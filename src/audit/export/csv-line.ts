export type Cell = string | number | undefined | null;

/**
 * A text that a spreadsheet would take for a formula (CWE-1236) begins with an apostrophe, which a
 * spreadsheet takes for "this is text". Numbers are ours, and stay numbers.
 */
const FORMULA = /^[=+\-@\t\r\n\uff0b\uff0d\uff1d\uff20]/;

/** Lines end as RFC 4180 has it. */
const LINE_END = '\r\n';

/** One line of a table. */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(cell).join(',')}${LINE_END}`;
}

function cell(value: Cell): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
