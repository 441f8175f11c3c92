/** UTF-8 of one UTF-16 unit (RFC 3629 §3; a surrogate pair has four bytes for its two units). */
const BYTES_PER_UNIT = 3;

/** Of a number with 32 bits. */
const MOST_DIGITS = 10;
const DIGIT_ZERO = 0x30;
const UNDERSCORE = 0x5f;
const LETTER_P = 0x70;
const TO_LOWER_CASE = 0x20;

/**
 * What one byte adds to the sum of a row of them (`isPlain`): the three counts do not reach each
 * other, as long as there are fewer than 4096 bytes of the first two kinds.
 *
 * `ODD` is what has to be quoted or escaped, what may be a part of an escaped token, and what
 * begins a query or a fragment. An underscore is in every token.
 */
const QUOTE = 1;
const TOKEN = 1 << 12;
const ODD = 1 << 24;
const LONGEST_LOOK = 4096;
const WEIGHTS = weights();

function weights(): Int32Array {
  const table = new Int32Array(256).fill(ODD);
  table.fill(0, 0x20, 0x7f);
  for (const odd of '\\%?#') table[odd.charCodeAt(0)] = ODD;
  table['"'.charCodeAt(0)] = QUOTE;
  table[UNDERSCORE] = TOKEN;
  return table;
}

/**
 * Writes one event as it stands in the log, without a line feed. `seq` is its number (unique and
 * consecutive per instance). What it wrote before it throws is taken back.
 */
export type WriteEvent<Facts> = (to: EventBytes, seq: number, facts: Facts) => void;

/** Events as bytes, one behind the other, in memory that grows as needed. */
export class EventBytes {
  #bytes: Buffer<ArrayBuffer>;
  #size = 0;

  /** @param bytes to begin with */
  constructor(bytes: number) {
    this.#bytes = Buffer.allocUnsafeSlow(bytes);
  }

  /** Bytes written. */
  get size(): number {
    return this.#size;
  }

  /** Bytes of memory taken. */
  get capacity(): number {
    return this.#bytes.length;
  }

  /** A view of what is written; good until something else is. */
  written(): Buffer<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Takes back what was written behind the first `size` bytes. */
  shorten(size: number): void {
    this.#size = size;
  }

  byte(value: number): void {
    this.#room(1)[this.#size++] = value;
  }

  /** Any JSON. */
  json(json: string): void {
    const bytes = this.#room(json.length * BYTES_PER_UNIT);
    this.#size += bytes.write(json, this.#size);
  }

  /** JSON that was made beforehand. */
  block(block: Uint8Array): void {
    this.#room(block.length).set(block, this.#size);
    this.#size += block.length;
  }

  /** A whole number that is not negative; any other as JSON has it. */
  number(value: number): void {
    if ((value | 0) !== value || value < 0) {
      this.json(Number.isSafeInteger(value) ? String(value) : 'null');
      return;
    }
    const bytes = this.#room(MOST_DIGITS);
    let end = this.#size + 1;
    for (let tenth = value; tenth > 9; tenth = (tenth / 10) | 0) end += 1;
    let rest = value;
    for (let at = end - 1; at >= this.#size; at -= 1) {
      const tenth = (rest / 10) | 0;
      bytes[at] = DIGIT_ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#size = end;
  }

  /** Bytes that were written, once more. */
  copy(from: number, to: number, length: number): void {
    const bytes = this.#bytes;
    for (let at = 0; at < length; at += 1) bytes[to + at] = bytes[from + at]!;
  }

  /** JSON that is ASCII. Answers false where it is not: then what was written is of no use. */
  ascii(json: string): boolean {
    const bytes = this.#room(json.length * BYTES_PER_UNIT);
    const written = bytes.write(json, this.#size);
    this.#size += written;
    return written === json.length;
  }

  /**
   * JSON with texts that nobody has looked at: fields as `,"NAME":"TEXT"`, printable ASCII without
   * anything that would have to be quoted, hidden or cut. Answers false where it is not so: then
   * what was written is of no use.
   *
   * @param quotes how many there are, unless there are some in a text
   */
  plain(json: string, quotes: number): boolean {
    const from = this.#size;
    return (
      json.length < LONGEST_LOOK &&
      this.ascii(json) &&
      isPlain(this.#bytes, from, this.#size, quotes)
    );
  }

  /** Memory with room for so many further bytes. */
  #room(bytes: number): Buffer<ArrayBuffer> {
    const needed = this.#size + bytes;
    if (needed <= this.#bytes.length) return this.#bytes;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, needed));
    this.#bytes.copy(larger, 0, 0, this.#size);
    this.#bytes = larger;
    return larger;
  }
}

/** Whether a row of ASCII holds so many quotes, no token, and nothing that is odd. */
function isPlain(bytes: Buffer, from: number, end: number, quotes: number): boolean {
  let sum = 0;
  let at = from;
  // Eight at a time, so that `ODD` is found before its count can overflow.
  for (; at < end - 7; at += 8) {
    const first =
      WEIGHTS[bytes[at]!]! +
      WEIGHTS[bytes[at + 1]!]! +
      WEIGHTS[bytes[at + 2]!]! +
      WEIGHTS[bytes[at + 3]!]!;
    const second =
      WEIGHTS[bytes[at + 4]!]! +
      WEIGHTS[bytes[at + 5]!]! +
      WEIGHTS[bytes[at + 6]!]! +
      WEIGHTS[bytes[at + 7]!]!;
    sum += first + second;
    if (sum >= ODD) return false;
  }
  for (; at < end; at += 1) sum += WEIGHTS[bytes[at]!]!;
  if (sum >= ODD || sum % TOKEN !== quotes) return false;
  return !mayHoldToken(bytes, from, (sum / TOKEN) | 0);
}

/** A token begins with `slp_`, in letters of either case (telemetry/redact.ts). */
function mayHoldToken(bytes: Buffer, from: number, underscores: number): boolean {
  let at = from;
  for (let seen = 0; seen < underscores; seen += 1) {
    at = bytes.indexOf(UNDERSCORE, at) + 1;
    if ((bytes[at - 2]! | TO_LOWER_CASE) === LETTER_P) return true;
  }
  return false;
}
