/**
 * Where a value stands in a JSON document: the steps of a pointer (RFC 6901), each the key of a
 * member, but for `*`, which is every element of an array.
 */
export type JsonPointer = readonly string[];

export const EVERY_ELEMENT = '*';
const STEPS_MAX = 16;
const KEY_LENGTH_MAX = 128;
/** Printable ASCII without what JSON escapes: one spelling in every document. */
const KEY = /^[ !#-[\]-~]+$/;

/** Reads a pointer; a string says what is wrong, in words for whoever wrote it. */
export function parseJsonPointer(text: string): JsonPointer | string {
  if (!text.startsWith('/'))
    return 'expected a JSON pointer such as /Operations/*/ApplicationKey (* = every element of an array)';
  const words = text.slice(1).split('/');
  if (words.length > STEPS_MAX) return `a pointer has at most ${STEPS_MAX} steps`;
  if (words.some((word) => /~(?![01])/.test(word)))
    return 'in a pointer ~ is written ~0, and / within a key ~1';
  const steps = words.map((word) => word.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (!steps.every((step) => KEY.test(step) && step.length <= KEY_LENGTH_MAX))
    return 'every step is a key of 1 to 128 printable ASCII characters without " and \\, or *';
  return steps;
}

/** Whether no document has values at both: at one of them stands what holds the other. */
export function excludeEachOther(one: JsonPointer, other: JsonPointer): boolean {
  const common = Math.min(one.length, other.length);
  for (let index = 0; index < common; index += 1) {
    if (one[index] === other[index]) continue;
    return one[index] === EVERY_ELEMENT || other[index] === EVERY_ELEMENT;
  }
  return one.length !== other.length;
}

/** As it is written. */
export function showJsonPointer(pointer: JsonPointer): string {
  return pointer.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
