/**
 * A page of a list that is whole and sorted by its key. The cursor is the last key of the page
 * before.
 */
export function pageOf<T>(
  all: readonly T[],
  keyOf: (item: T) => string,
  {
    cursor,
    limit = 100,
  }: { readonly cursor?: string | undefined; readonly limit?: number | undefined },
): { readonly items: readonly T[]; readonly next: string | null } {
  const rest = cursor === undefined ? all : all.filter((item) => keyOf(item) > cursor);
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items, next: last !== undefined && rest.length > items.length ? keyOf(last) : null };
}
