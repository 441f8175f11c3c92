import type { MatrixPage } from './access-matrix.ts';

/** Where a matrix goes on: first all applications of the same accounts, then other accounts. */
export interface MatrixPlace {
  readonly cursor?: string;
  readonly after?: string;
}

/** Null: that was all of it. */
export function placeAfter(
  { cursor }: MatrixPlace,
  { next, nextAfter }: Pick<MatrixPage, 'next' | 'nextAfter'>,
): MatrixPlace | null {
  const here = cursor === undefined ? {} : { cursor };
  if (nextAfter !== null) return { ...here, after: nextAfter };
  return next === null ? null : { cursor: next };
}
