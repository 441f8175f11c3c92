import { turn } from '../../turns.ts';
import { UsageMerger } from './merge.ts';
import { mergedMinute } from './merged-minute.ts';
import type { UsageReader } from './port.ts';
import { KEPT, type Subject, type UsageTable } from './table.ts';
import { decodeTable } from './text.ts';

export type Step = 'minute' | 'hour';
export const STEP_MS: Readonly<Record<Step, number>> = { minute: 60_000, hour: 3_600_000 };

/** A stretch of time in steps: minutes or hours since the Unix epoch, both ends included. */
export interface Span {
  readonly of: Subject;
  readonly step: Step;
  readonly first: number;
  readonly last: number;
}

const HOUR_MINUTES = 60;
const DAY_HOURS = 24;

/**
 * The tables of each step, all instances together, oldest first, each in a turn of the loop of its
 * own. Throws `StoreUnavailable`.
 */
export async function* tablesOf(
  reader: UsageReader,
  span: Span,
): AsyncGenerator<readonly [at: number, table: UsageTable]> {
  if (span.step === 'minute') yield* minutesOf(reader, span);
  else yield* hoursOf(reader, span);
}

async function* minutesOf(reader: UsageReader, { of, first, last }: Span) {
  const lastHour = Math.floor(last / HOUR_MINUTES);
  // An hour at a time: what is held is bounded by that.
  for (let hour = Math.floor(first / HOUR_MINUTES); hour <= lastHour; hour += 1)
    yield* minutesIn(reader, of, hour, first, last);
}

async function* minutesIn(
  reader: UsageReader,
  of: Subject,
  hour: number,
  first: number,
  last: number,
) {
  const byMinute = new Map<number, string[]>();
  for (const { at, text } of await reader.minutes(of, hour)) {
    if (!(at >= first && at <= last)) continue;
    const texts = byMinute.get(at) ?? [];
    texts.push(text);
    byMinute.set(at, texts);
  }
  for (const [minute, texts] of [...byMinute].sort(([one], [other]) => one - other)) {
    const table = await mergedMinute(of, texts);
    if (table !== null) yield [minute, table] as const;
  }
}

/** Hours that nobody has made yet, as the present one, are put together from their minutes. */
async function* hoursOf(reader: UsageReader, { of, first, last }: Span) {
  for (let from = first; from <= last; from += DAY_HOURS) {
    const to = Math.min(last, from + DAY_HOURS - 1);
    const made = new Map<number, string>();
    for (const { at, text } of await reader.hours(of, from, to)) made.set(at, text);
    for (let hour = from; hour <= to; hour += 1) {
      const table = tableIn(made.get(hour)) ?? (await hourOfMinutes(reader, of, hour, last));
      if (table.rows.length > 0 || table.other.calls > 0) yield [hour, table] as const;
      await turn();
    }
  }
}

function tableIn(text: string | undefined): UsageTable | null {
  return text === undefined ? null : decodeTable(text);
}

const NOTHING: UsageTable = new UsageMerger(1).table();

async function hourOfMinutes(
  reader: UsageReader,
  of: Subject,
  hour: number,
  last: number,
): Promise<UsageTable> {
  // What is older has no minutes any more.
  if (hour < last - DAY_HOURS) return NOTHING;
  const merger = new UsageMerger(KEPT[of]);
  const minutes = minutesIn(reader, of, hour, 0, Number.POSITIVE_INFINITY);
  for await (const [, table] of minutes) merger.add(table);
  return merger.table();
}
