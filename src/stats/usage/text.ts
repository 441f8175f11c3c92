import { promisify } from 'node:util';
import { deflateRaw, inflateRawSync } from 'node:zlib';
import { BUCKETS, type UsageCounts, type UsageRow, type UsageTable } from './table.ts';

/**
 * A table as it is stored: JSON, deflated, in base64. Whatever is new to the form gets another
 * number, and an earlier version leaves out what it cannot read.
 */
const FORM = 1;
const TEXT_BYTES_MAX = 1024 * 1024;

const deflated = promisify(deflateRaw);

/**
 * Refused, bytes in both directions, the first bucket that is not empty, and what follows there.
 */
type CountsText = readonly number[];
type RowText = readonly [id: string, name: string, missed: number, ...counts: CountsText];

export async function encodeTable({ rows, other, least }: UsageTable): Promise<string> {
  const listed = rows.map(({ id, name, missed, ...counts }) => [
    id,
    name === id ? '' : name,
    missed,
    ...countsText(counts),
  ]);
  const text = JSON.stringify([FORM, least, countsText(other), listed]);
  return (await deflated(text)).toString('base64');
}

/** Null for what cannot be read. */
export function decodeTable(text: string): UsageTable | null {
  try {
    const raw = inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: TEXT_BYTES_MAX });
    return tableIn(JSON.parse(raw.toString('utf8')));
  } catch {
    return null;
  }
}

function countsText({ refused, requestBytes, responseBytes, durations }: UsageCounts): CountsText {
  const first = durations.findIndex((count) => count > 0);
  const last = durations.findLastIndex((count) => count > 0);
  const buckets = first === -1 ? [] : durations.slice(first, last + 1);
  return [refused, requestBytes, responseBytes, Math.max(0, first), ...buckets];
}

function tableIn(value: unknown): UsageTable | null {
  if (!Array.isArray(value) || value[0] !== FORM) return null;
  const [, least, other, rows] = value as readonly unknown[];
  if (!isAmount(least) || !Array.isArray(rows)) return null;
  const counts = countsIn(other);
  const read = rows.map(rowIn);
  if (counts === null || read.includes(null)) return null;
  return { rows: read as readonly UsageRow[], other: counts, least };
}

function rowIn(value: unknown): UsageRow | null {
  if (!Array.isArray(value)) return null;
  const [id, name, missed, ...rest] = value as unknown as RowText;
  const counts = countsIn(rest);
  if (typeof id !== 'string' || typeof name !== 'string' || !isAmount(missed)) return null;
  return counts === null ? null : { id, name: name === '' ? id : name, missed, ...counts };
}

function countsIn(value: unknown): UsageCounts | null {
  if (!Array.isArray(value) || value.length < 4 || !value.every(isAmount)) return null;
  const [refused, requestBytes, responseBytes, first, ...buckets] = value as [
    number,
    number,
    number,
    number,
    ...number[],
  ];
  if (first + buckets.length > BUCKETS) return null;
  const durations = Array.from({ length: BUCKETS }, (_, bucket) => buckets[bucket - first] ?? 0);
  const calls = buckets.reduce((sum, count) => sum + count, 0);
  return { calls, refused, requestBytes, responseBytes, durations };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
