import { crc32 } from 'node:zlib';
import type { EventBatch } from '../batch.ts';
import type { PermitNotes } from '../permits/notes.ts';

/**
 * A batch as it lies in a segment. All numbers are unsigned, 32 bits, the lowest byte first:
 *
 * ```
 *   "SPL1"  length of what follows the next number  CRC-32 of that length and of what follows
 *   length of the head  head (JSON)  marks  lines
 * ```
 */
const MAGIC = Buffer.from('SPL1', 'latin1');
const HEAD_BYTES = 12;
/** Larger ones are never written: a length beyond it is damage. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

interface RecordHead {
  readonly instance: string;
  readonly firstSeq: number;
  readonly count: number;
  readonly accounts: readonly string[];
  readonly notes?: PermitNotes;
}

/** In pieces, so that the events are not copied. */
export interface WrittenRecord {
  readonly parts: readonly Buffer[];
  readonly bytes: number;
}

/** Throws `RangeError` for a batch that is too large. */
export function recordOf(batch: EventBatch): WrittenRecord {
  const { instance, firstSeq, count, accounts, notes, marks, lines } = batch;
  const head: RecordHead = {
    instance,
    firstSeq,
    count,
    accounts,
    ...(notes === undefined ? {} : { notes }),
  };
  const json = Buffer.from(JSON.stringify(head));
  const length = 4 + json.length + marks.length + lines.length;
  if (length > MAX_RECORD_BYTES) throw new RangeError('a batch of events is too large to be kept');
  const start = Buffer.allocUnsafe(HEAD_BYTES + 4);
  MAGIC.copy(start);
  start.writeUInt32LE(length, 4);
  start.writeUInt32LE(json.length, HEAD_BYTES);
  const payload = [start.subarray(HEAD_BYTES), json, marks, lines];
  const checksum = payload.reduce((value, part) => crc32(part, value), crc32(start.subarray(4, 8)));
  start.writeUInt32LE(checksum, 8);
  return { parts: [start, json, marks, lines], bytes: HEAD_BYTES + length };
}

/** `short`: so many bytes from here on would be needed. `bad`: no whole record begins here. */
export type Found =
  | { readonly is: 'record'; readonly batch: EventBatch; readonly bytes: number }
  | { readonly is: 'short'; readonly bytes: number }
  | { readonly is: 'bad' };

/** What begins at a place. The batch's bytes are views. */
export function recordAt(bytes: Buffer, at: number): Found {
  const left = bytes.length - at;
  if (left < HEAD_BYTES) return { is: 'short', bytes: HEAD_BYTES };
  if (MAGIC.compare(bytes, at, at + MAGIC.length) !== 0) return { is: 'bad' };
  const length = bytes.readUInt32LE(at + 4);
  if (length < 4 || length > MAX_RECORD_BYTES) return { is: 'bad' };
  const whole = HEAD_BYTES + length;
  if (left < whole) return { is: 'short', bytes: whole };
  const payload = bytes.subarray(at + HEAD_BYTES, at + whole);
  const checksum = crc32(payload, crc32(bytes.subarray(at + 4, at + 8)));
  if (checksum !== bytes.readUInt32LE(at + 8)) return { is: 'bad' };
  const batch = batchIn(payload);
  return batch === null ? { is: 'bad' } : { is: 'record', batch, bytes: whole };
}

/** Where the next record may begin after a bad place; -1 = nowhere in these bytes. */
export function nextMagic(bytes: Buffer, after: number): number {
  return bytes.indexOf(MAGIC, after + 1);
}

/** Bytes at an end that may hold the beginning of a record without showing it. */
export const MAGIC_REST = MAGIC.length - 1;

function batchIn(payload: Buffer): EventBatch | null {
  const marksAt = 4 + payload.readUInt32LE(0);
  const head = marksAt > payload.length ? null : headIn(payload.toString('utf8', 4, marksAt));
  if (head === null) return null;
  const linesAt = marksAt + 2 * head.count;
  if (linesAt > payload.length) return null;
  return {
    ...head,
    marks: payload.subarray(marksAt, linesAt),
    lines: payload.subarray(linesAt),
  };
}

/** Null: whoever wrote it was no gate, or one that writes otherwise. */
function headIn(json: string): RecordHead | null {
  try {
    const head = JSON.parse(json) as Partial<RecordHead> | null;
    const numbers = [head?.firstSeq, head?.count].every((one) => Number.isSafeInteger(one));
    const isHead = numbers && typeof head?.instance === 'string' && Array.isArray(head.accounts);
    return isHead ? (head as RecordHead) : null;
  } catch {
    return null;
  }
}
