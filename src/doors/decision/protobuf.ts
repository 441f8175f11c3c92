/**
 * As much of protocol buffers as questions and verdicts of ext_authz need: fields of texts, bytes
 * and messages are read, all others are passed over, and whoever reads can tell that a field stands
 * twice, of which other readers would take the last one, or both together.
 */

/** Of one message, the values of its length-delimited fields by their number, in order. */
export type WireFields = ReadonlyMap<number, readonly Buffer[]>;

const VARINT = 0;
const FIXED_64 = 1;
const DELIMITED = 2;
const FIXED_32 = 5;
/** Groups are not read: nobody writes them any more. */
const FIXED_BYTES: Readonly<Record<number, number>> = { [FIXED_64]: 8, [FIXED_32]: 4 };

/** A varint of more bytes holds more than 32 bits: as a tag or a length it is none. */
const LENGTH_BYTES = 5;
const VARINT_BYTES = 10;

/** Null where the bytes are no message. */
export function readWireFields(bytes: Buffer): WireFields | null {
  const fields = new Map<number, Buffer[]>();
  const from = { at: 0 };
  while (from.at < bytes.length) {
    const tag = readLength(bytes, from);
    if (tag === null || tag >>> 3 === 0) return null;
    const value = readValue(bytes, from, tag & 7);
    if (value === null) return null;
    if ((tag & 7) !== DELIMITED) continue;
    const known = fields.get(tag >>> 3);
    if (known === undefined) fields.set(tag >>> 3, [value]);
    else known.push(value);
  }
  return fields;
}

/** Bytes are left where they stand. Null: there are not as many as there must be. */
function readValue(bytes: Buffer, from: { at: number }, wire: number): Buffer | null {
  if (wire === VARINT) {
    const begin = from.at;
    while (from.at < bytes.length && bytes[from.at]! >= 0x80) from.at += 1;
    from.at += 1;
    return from.at - begin <= VARINT_BYTES ? cut(bytes, begin, from.at) : null;
  }
  const length = wire === DELIMITED ? readLength(bytes, from) : (FIXED_BYTES[wire] ?? null);
  if (length === null) return null;
  from.at += length;
  return cut(bytes, from.at - length, from.at);
}

function cut(bytes: Buffer, begin: number, end: number): Buffer | null {
  return end <= bytes.length ? bytes.subarray(begin, end) : null;
}

/** A tag or a length: 32 bits at most. */
function readLength(bytes: Buffer, from: { at: number }): number | null {
  let value = 0;
  for (let index = 0; index < LENGTH_BYTES; index += 1) {
    const byte = bytes[from.at];
    if (byte === undefined) return null;
    from.at += 1;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value < 2 ** 32 ? value : null;
  }
  return null;
}

/** A field of a text, of bytes, or of a message whose fields these are. */
export function delimited(number: number, ...content: readonly (string | Buffer)[]): Buffer {
  const pieces = content.map((piece) => Buffer.from(piece as string));
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return Buffer.concat([varint(number * 8 + DELIMITED), varint(length), ...pieces]);
}

/** A field of a whole number, a truth or a word of a list. */
export function numeric(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8 + VARINT), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  return Buffer.from([...bytes, rest]);
}
