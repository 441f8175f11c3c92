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
  const json = jsonIn(text);
  return json === null ? null : tableIn(jsonOf(json));
}

/** What a table says of one: its row, or null where it has none, and what that may lack. */
export interface UsageOfOne {
  readonly row: UsageRow | null;
  readonly least: number;
}

/**
 * One row of a table, without reading the others: a tenth of the time. Null for what cannot be
 * read.
 */
export function rowOfTable(text: string, id: string): UsageOfOne | null {
  const json = jsonIn(text);
  if (json === null) return null;
  const least = Number(LEAST.exec(json)?.[1]);
  if (!isAmount(least)) return null;
  const at = json.indexOf(`[${JSON.stringify(id)},`);
  if (at === -1) return { row: null, least };
  const end = json.indexOf(']', namesEnd(json, at + 1));
  const row = rowIn(jsonOf(json.slice(at, end + 1)));
  // A name may look like the beginning of a row.
  return row?.id === id ? { row, least } : rowAmongAll(text, id);
}

/** Of one that is looked for by something else, or that a name of another looks like. */
export function rowAmongAll(text: string, is: string | ((row: UsageRow) => boolean)) {
  const table = decodeTable(text);
  if (table === null) return null;
  const wanted = typeof is === 'string' ? ({ id }: UsageRow) => id === is : is;
  return { row: table.rows.find(wanted) ?? null, least: table.least };
}

const LEAST = new RegExp(`^\\[${FORM},([^,[]+),`);
const NAMES = /"(?:[^"\\]|\\.)*","(?:[^"\\]|\\.)*"/y;

/** Where the id and the name of a row end, which may hold any character. */
function namesEnd(json: string, at: number): number {
  NAMES.lastIndex = at;
  return NAMES.test(json) ? NAMES.lastIndex : at;
}

function jsonOf(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

function jsonIn(text: string): string | null {
  try {
    const bytes = Buffer.from(text, 'base64');
    return inflateRawSync(bytes, { maxOutputLength: TEXT_BYTES_MAX }).toString('utf8');
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
  if (!isAmount(least) || !Array.isArray(other) || !Array.isArray(rows)) return null;
  const counts = countsIn(other, 0);
  const read = rows.map(rowIn);
  if (counts === null || read.includes(null)) return null;
  return { rows: read as readonly UsageRow[], other: counts, least };
}

function rowIn(value: unknown): UsageRow | null {
  if (!Array.isArray(value)) return null;
  const [id, name, missed] = value as unknown as RowText;
  if (typeof id !== 'string' || typeof name !== 'string' || !isAmount(missed)) return null;
  const counts = countsIn(value, ROW_FIRST);
  return counts === null ? null : { id, name: name === '' ? id : name, missed, ...counts };
}

/** Where the counts of a row begin, and in these the buckets. */
const ROW_FIRST = 3;
const BUCKETS_FIRST = 4;

/** @param from where they begin; they reach to the end */
function countsIn(value: readonly unknown[], from: number): UsageCounts | null {
  const buckets = from + BUCKETS_FIRST;
  for (let at = from; at < Math.max(buckets, value.length); at += 1)
    if (!isAmount(value[at])) return null;
  const told = value.slice(from, buckets) as [number, number, number, number];
  const [refused, requestBytes, responseBytes, first] = told;
  if (!Number.isInteger(first) || first + value.length - buckets > BUCKETS) return null;
  const durations = new Array<number>(BUCKETS).fill(0);
  let calls = 0;
  for (let at = buckets; at < value.length; at += 1) {
    const count = value[at] as number;
    durations[first + at - buckets] = count;
    calls += count;
  }
  return { calls, refused, requestBytes, responseBytes, durations };
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
