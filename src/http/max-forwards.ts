import type { FieldName } from './field-names.ts';

const DIGITS = /^[0-9]+$/;
/** The largest number that is passed on (RFC 9110 §7.6.2 leaves it to the recipient). */
const LARGEST = 255;

/**
 * How many more servers may pass an OPTIONS request on (RFC 9110 §7.6.2). Null: the request does
 * not say. Given more than once, or no number, it is `invalid`.
 */
export function maxForwards(
  names: readonly FieldName[],
  values: readonly string[],
): number | null | 'invalid' {
  let found: number | null = null;
  for (let index = 0; index < names.length; index += 1) {
    if (names[index]!.lower !== 'max-forwards') continue;
    if (found !== null || !DIGITS.test(values[index]!)) return 'invalid';
    found = Math.min(Number(values[index]), LARGEST);
  }
  return found;
}
