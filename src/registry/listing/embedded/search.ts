import { TEXT_PLACE } from './lists.ts';

const NEWLINE = 10;
/** Below it are the control characters, of which the places are made. No text or needle has any. */
const FIRST_OF_TEXT = 32;
/** So short that next to nothing would be leapt over. */
const SHORT = 3;

/**
 * Searches blocks of texts (`EmbeddedLists`) as the bytes that they are stored in. Neither a line
 * that holds what is searched nor one that does not costs a call or an object, and where the needle
 * is long enough most bytes are never looked at.
 */
export class TextSearch {
  readonly #needle: Uint8Array;
  readonly isPrefix: boolean;
  /** By the last byte of a window: how far the next window is, at least. */
  readonly #shifts: Int32Array;

  /** @param isPrefix only at the beginning of a text */
  constructor(needle: string, isPrefix: boolean) {
    this.#needle = Uint8Array.from(Buffer.from(needle));
    this.isPrefix = isPrefix;
    const { length } = this.#needle;
    this.#shifts = new Int32Array(256).fill(length);
    for (let n = 0; n < length - 1; n += 1) this.#shifts[this.#needle[n] ?? 0] = length - 1 - n;
  }

  /** Sets the bits of the places at which it is found. */
  mark(lines: Uint8Array, bits: Uint8Array): void {
    if (this.#needle.length <= SHORT) markStepping(lines, bits, this.#needle, this.isPrefix);
    else markLeaping(lines, bits, this.#needle, this.#shifts, this.isPrefix);
  }
}

/** From byte to byte. `place`: the last letter of the present line's place. */
function markStepping(
  lines: Uint8Array,
  bits: Uint8Array,
  needle: Uint8Array,
  isPrefix: boolean,
): void {
  const { length } = lines;
  const before = needle.length - 1;
  // -1: there is none. A loop over so few would take longer than all the rest.
  const last = needle[before] ?? -1;
  const secondLast = needle[before - 1] ?? -1;
  const thirdLast = needle[before - 2] ?? -1;
  let place = 0;
  for (let at = 0; at < length; at += 1) {
    const byte = lines[at];
    if (byte !== last) {
      if (byte !== NEWLINE) continue;
      place = at + TEXT_PLACE;
      at = place;
      if (last === -1) setBit(bits, lines, place);
    } else if (
      (secondLast === -1 || lines[at - 1] === secondLast) &&
      (thirdLast === -1 || lines[at - 2] === thirdLast) &&
      (!isPrefix || at - before === place + 1)
    )
      setBit(bits, lines, place);
  }
}

/** From window to window (Horspool, "Practical fast searching in strings", 1980). */
function markLeaping(
  lines: Uint8Array,
  bits: Uint8Array,
  needle: Uint8Array,
  shifts: Int32Array,
  isPrefix: boolean,
): void {
  const { length } = needle;
  const last = needle[length - 1];
  for (let end = length - 1; end < lines.length; ) {
    const byte = lines[end] as number;
    let before = end;
    if (byte === last)
      for (let n = length - 1; n >= 0 && lines[before] === needle[n]; n -= 1) before -= 1;
    if (before > end - length) {
      end += shifts[byte] as number;
      continue;
    }
    let place = before;
    while ((lines[place] as number) >= FIRST_OF_TEXT) place -= 1;
    if (!isPrefix || place === before) setBit(bits, lines, place);
    end += length;
  }
}

/** `place`: the last of the three letters that say which account of the block it is. */
function setBit(bits: Uint8Array, lines: Uint8Array, place: number): void {
  const high = (lines[place - 2] as number) & 15;
  const middle = (lines[place - 1] as number) & 15;
  const slot = (high << 8) | (middle << 4) | ((lines[place] as number) & 15);
  bits[slot >> 3] = (bits[slot >> 3] as number) | (1 << (slot & 7));
}
