import type { MatrixCell, MatrixRow } from '../admin/access-matrix.ts';

export interface Column {
  readonly heading: string;
  readonly cells: readonly string[];
}

/**
 * Stands where nothing was told: a matrix is asked for in parts, and an account may be made or
 * deleted between two of them. No role has such a name.
 */
export const NOT_TOLD = '?';

/** A column for each application, with a cell for each row. */
export function columnsOf(
  items: readonly MatrixRow[],
  applications: readonly string[],
): readonly Column[] {
  const cellsOf = items.map(({ cells }) => new Map(cells.map((cell) => [cell.application, cell])));
  return applications.map((heading) => ({
    heading,
    cells: cellsOf.map((cells) => cellWords(cells.get(heading))),
  }));
}

function cellWords(cell: MatrixCell | undefined): string {
  if (cell === undefined) return NOT_TOLD;
  return cell.allowed ? cell.role : '-';
}
