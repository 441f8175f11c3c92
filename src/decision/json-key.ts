/** Letters and digits, which need no folding but of case. */
const PLAIN = /^[A-Za-z0-9]+$/;

/**
 * A key as the laxest reader may take it: without letter case, in compatibility forms, and without
 * what is neither letter nor digit. Readers bind `appKey`, `APPKEY`, `app_key` and `app\u212Aey` (a
 * Kelvin sign) to one and the same field, .NET's and Go's by default.
 */
export function looseKey(key: string): string {
  if (PLAIN.test(key)) return key.toLowerCase();
  const folded = key
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^\p{L}\p{N}]/gu, '');
  return folded === '' ? key : folded;
}
