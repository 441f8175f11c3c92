import type { RequestHead } from '../../http/request-head.ts';

/** Values of the fields of a request that the configuration names, by lower-cased name. */
export type RecordedHeaders = Readonly<Record<string, string>>;

/**
 * Reads what `audit.headers` names; a field that came several times is one value, with commas (RFC
 * 9110 §5.3). Null: none of them came.
 *
 * @param names lower-cased
 */
export function headersOf(
  head: Pick<RequestHead, 'names' | 'values'>,
  names: ReadonlySet<string>,
): RecordedHeaders | null {
  let found: Map<string, string> | null = null;
  head.names.forEach(({ lower }, at) => {
    if (!names.has(lower)) return;
    found ??= new Map();
    const before = found.get(lower);
    const value = head.values[at]!;
    found.set(lower, before === undefined ? value : `${before}, ${value}`);
  });
  return found === null ? null : Object.fromEntries(found);
}
