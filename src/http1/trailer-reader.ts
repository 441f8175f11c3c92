import { trimmed } from '../http/blank.ts';
import type { FieldName, FieldNameTable } from '../http/field-names.ts';
import type { Trailers } from '../http/trailers.ts';
import { isControl, isTokenByte } from './bytes.ts';

const CR = 13;
const LF = 10;
const COLON = 58;

const STEP = { start: 0, name: 1, value: 2, lf: 3, endLf: 4 } as const;

/** Nobody needs more of them. */
const MAX_TRAILERS = 100;
/**
 * RFC 9110 §6.5.1: framing has no place in a trailer, and whoever sends it there hopes that
 * somebody believes it.
 */
const NEVER_IN_TRAILER: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding']);

/**
 * Reads the fields behind a chunked body (RFC 9112 §7.1.2), byte by byte: there are rarely any.
 *
 * ```
 *   name `:` value CR ─▶ lf ─▶ name …
 *   CR ─▶ end-lf ─▶ done
 * ```
 */
export class TrailerReader implements Trailers {
  readonly #grammar: FieldNameTable;
  #bytesLeft: number;
  #step: number = STEP.start;
  #text = '';
  readonly names: FieldName[] = [];
  readonly values: string[] = [];

  /**
   * @param grammar of the names: that of the heads in the same direction
   * @param maxBytes of all of them together
   */
  constructor(grammar: FieldNameTable, maxBytes: number) {
    this.#grammar = grammar;
    this.#bytesLeft = maxBytes;
  }

  push(byte: number): 'more' | 'done' | 'broken' {
    this.#bytesLeft -= 1;
    if (this.#bytesLeft < 0) return 'broken';
    switch (this.#step) {
      case STEP.endLf:
        return byte === LF ? 'done' : 'broken';
      case STEP.lf:
        return this.#expect(byte === LF, STEP.start);
      case STEP.value:
        return this.#valueByte(byte);
      default:
        return this.#nameByte(byte);
    }
  }

  #expect(isValid: boolean, next: number): 'more' | 'broken' {
    this.#step = next;
    return isValid ? 'more' : 'broken';
  }

  #nameByte(byte: number): 'more' | 'broken' {
    if (byte === CR && this.#step === STEP.start) return this.#expect(true, STEP.endLf);
    if (byte === COLON && this.#step === STEP.name) return this.#nameEnded();
    this.#text += String.fromCharCode(byte);
    return this.#expect(isTokenByte(byte), STEP.name);
  }

  /** Names that heads of the same direction may not have are no names here either. */
  #nameEnded(): 'more' | 'broken' {
    const name = this.#grammar.get(this.#text);
    this.#text = '';
    if (name === null || NEVER_IN_TRAILER.has(name.lower)) return 'broken';
    return this.#expect(this.names.push(name) <= MAX_TRAILERS, STEP.value);
  }

  #valueByte(byte: number): 'more' | 'broken' {
    if (byte !== CR) {
      this.#text += String.fromCharCode(byte);
      return this.#expect(!isControl(byte), STEP.value);
    }
    this.values.push(trimmed(this.#text, 0, this.#text.length));
    this.#text = '';
    return this.#expect(true, STEP.lf);
  }
}
