import { EVERY_ELEMENT, type JsonPointer } from '../config/json-pointer.ts';
import { looseKey } from './json-key.ts';
import { type JsonFault, JsonRefused, JsonScanner } from './json-scanner.ts';

/** As deep as the readers of the common frameworks go, and no deeper. */
export const DEPTH_MAX = 64;

/**
 * What stands in a JSON text at some pointers, or why it is not taken.
 *
 * - A text that two readers may read differently is none: a key twice in one object, beside a key
 *   of a pointer one that a lax reader takes for it (json-key.ts), half a surrogate pair, a
 *   deciding key or value written with escapes (names need none), deeper than `DEPTH_MAX`.
 * - `missing`: at one of the pointers stands no string, or not in every element.
 */
export type JsonValues =
  | { readonly fault: JsonFault | 'missing' }
  | { readonly fault: null; readonly values: readonly (readonly string[])[] };

/** @returns by pointer its values, in the order of the text, at least one each */
export function readJsonValues(text: string, pointers: readonly JsonPointer[]): JsonValues {
  const reader = new ValueReader(text, pointers);
  try {
    return reader.read();
  } catch (error) {
    if (error instanceof JsonRefused) return { fault: error.fault };
    throw error;
  }
}

/** A pointer of which so many steps are taken. */
interface Cursor {
  readonly pointer: JsonPointer;
  readonly taken: number;
  readonly values: string[];
}

const NOWHERE: readonly Cursor[] = [];
const NO_KEYS = new Set<string>();

class ValueReader {
  readonly #scanner: JsonScanner;
  readonly #cursors: readonly Cursor[];
  /** Told at the end only: whether the whole is JSON comes first. */
  #missing = false;

  constructor(text: string, pointers: readonly JsonPointer[]) {
    this.#scanner = new JsonScanner(text);
    this.#cursors = pointers.map((pointer) => ({ pointer, taken: 0, values: [] }));
  }

  read(): JsonValues {
    this.#value(this.#cursors, 0);
    if (this.#scanner.peek() !== '') throw new JsonRefused('json');
    return this.#missing || this.#cursors.some(({ values }) => values.length === 0)
      ? { fault: 'missing' }
      : { fault: null, values: this.#cursors.map(({ values }) => values) };
  }

  /** @param cursors the pointers that lead to this value, or through it */
  #value(cursors: readonly Cursor[], depth: number): void {
    if (depth > DEPTH_MAX) throw new JsonRefused('depth');
    const first = this.#scanner.peek();
    if (first === '{') this.#object(cursors, depth);
    else if (first === '[') this.#array(cursors, depth);
    else if (first === '"') this.#string(cursors);
    else {
      this.#scanner.scalar();
      if (cursors.length > 0) this.#missing = true;
    }
  }

  #string(cursors: readonly Cursor[]): void {
    const value = this.#scanner.string();
    if (cursors.length > 0 && this.#scanner.escaped) throw new JsonRefused('escaped');
    for (const { pointer, taken, values } of cursors) {
      if (taken === pointer.length) values.push(value);
      else this.#missing = true;
    }
  }

  #array(cursors: readonly Cursor[], depth: number): void {
    const scanner = this.#scanner;
    const inside = cursors.length === 0 ? NOWHERE : stepInto(cursors, EVERY_ELEMENT);
    if (inside.length < cursors.length) this.#missing = true;
    scanner.expect('[');
    if (scanner.takes(']')) {
      if (inside.length > 0) this.#missing = true;
      return;
    }
    do this.#value(inside, depth + 1);
    while (scanner.takes(','));
    scanner.expect(']');
  }

  #object(cursors: readonly Cursor[], depth: number): void {
    const scanner = this.#scanner;
    const wanted = wantedKeys(cursors);
    scanner.expect('{');
    if (scanner.takes('}')) {
      if (cursors.length > 0) this.#missing = true;
      return;
    }
    // Most objects of a large text are small, and lead nowhere.
    let seen: Set<string> | null = null;
    let only: string | null = null;
    const loosely = wanted === null ? NO_KEYS : new Set<string>();
    do {
      const key = scanner.string();
      if (only === null) only = key;
      else {
        seen ??= new Set([only]);
        if (seen.has(key)) throw new JsonRefused('duplicate');
        seen.add(key);
      }
      if (wanted !== null) this.#look(key, wanted, loosely);
      scanner.expect(':');
      const isNamed = wanted !== null && key !== EVERY_ELEMENT;
      this.#value(isNamed ? stepInto(cursors, key) : NOWHERE, depth + 1);
    } while (scanner.takes(','));
    scanner.expect('}');
    // Also where a pointer ends here, or goes on with an element.
    for (const { pointer, taken } of cursors) {
      const key = pointer[taken] ?? EVERY_ELEMENT;
      const isHere = key === only || seen?.has(key) === true;
      if (key === EVERY_ELEMENT || !isHere) this.#missing = true;
    }
  }

  /** Beside a key that decides, whatever could be taken for it is the same key. */
  #look(key: string, wanted: ReadonlySet<string>, loosely: Set<string>): void {
    const loose = looseKey(key);
    if (!wanted.has(loose)) return;
    if (this.#scanner.escaped) throw new JsonRefused('escaped');
    if (loosely.has(loose)) throw new JsonRefused('duplicate');
    loosely.add(loose);
  }
}

/** The loose forms of the keys that pointers name in this object; null: none does. */
function wantedKeys(cursors: readonly Cursor[]): ReadonlySet<string> | null {
  if (cursors.length === 0) return null;
  const wanted = new Set<string>();
  for (const { pointer, taken } of cursors) {
    const key = pointer[taken] ?? EVERY_ELEMENT;
    if (key !== EVERY_ELEMENT) wanted.add(looseKey(key));
  }
  return wanted;
}

function stepInto(cursors: readonly Cursor[], step: string): readonly Cursor[] {
  return cursors
    .filter(({ pointer, taken }) => pointer[taken] === step)
    .map((cursor) => ({ ...cursor, taken: cursor.taken + 1 }));
}
