import { turn } from '../../turns.ts';
import { DAY_HOURS, HOUR_MINUTES, HOUR_MS, MINUTE_MS } from '../times.ts';
import { UsageMerger } from './merge.ts';
import { mergedMinute } from './merged-minute.ts';
import { byMinute, type UsageReader, type UsageText } from './port.ts';
import { KEPT, type Subject, type UsageRow, type UsageTable } from './table.ts';
import { decodeTable, rowAmongAll, rowOfTable, type UsageOfOne } from './text.ts';

export type Step = 'minute' | 'hour';
export const STEP_MS: Readonly<Record<Step, number>> = { minute: MINUTE_MS, hour: HOUR_MS };

/** A stretch of time in steps: minutes or hours since the Unix epoch, both ends included. */
export interface Span {
  readonly of: Subject;
  readonly step: Step;
  readonly first: number;
  readonly last: number;
}

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

/**
 * All minutes of a span in as few tables as can be: those of its whole hours as hours, each at its
 * first minute.
 */
export async function* fewTablesOf(
  reader: UsageReader,
  { of, first, last }: Omit<Span, 'step'>,
): AsyncGenerator<readonly [minute: number, table: UsageTable]> {
  const from = Math.ceil(first / HOUR_MINUTES);
  const to = Math.floor((last + 1) / HOUR_MINUTES) - 1;
  if (to < from) return yield* minutesOf(reader, { of, first, last });
  yield* minutesOf(reader, { of, first, last: from * HOUR_MINUTES - 1 });
  for await (const [hour, table] of hoursOf(reader, { of, first: from, last: to }))
    yield [hour * HOUR_MINUTES, table];
  yield* minutesOf(reader, { of, first: (to + 1) * HOUR_MINUTES, last });
}

/** Who is looked for: by its id, or by whatever a row says. */
export type Wanted = string | ((row: UsageRow) => boolean);

/** Texts in which one is looked for in one turn of the loop: about a millisecond. */
const TEXTS_AT_ONCE = 8;

/**
 * What the tables of a span say of one, in no order within an hour: of each instance for itself
 * where they were not put together. Throws `StoreUnavailable`.
 */
export async function* rowsOf(
  reader: UsageReader,
  span: Span,
  wanted: Wanted,
): AsyncGenerator<readonly [at: number, one: UsageOfOne]> {
  // To read all rows of a text takes a turn of its own.
  const atOnce = typeof wanted === 'string' ? TEXTS_AT_ONCE : 1;
  let read = 0;
  for await (const { at, text } of textsOf(reader, span)) {
    if (read % atOnce === 0) await turn();
    read += 1;
    const one = typeof wanted === 'string' ? rowOfTable(text, wanted) : rowAmongAll(text, wanted);
    if (one !== null) yield [at, one];
  }
}

async function* textsOf(reader: UsageReader, { of, step, first, last }: Span) {
  if (step === 'minute')
    for (const hour of hoursFrom(first, last)) yield* await textsIn(reader, of, hour, first, last);
  else
    for await (const [hour, made] of madeHours(reader, { of, first, last }))
      if (made !== undefined) yield { at: hour, text: made };
      else if (hour >= last - DAY_HOURS)
        for (const { text } of await reader.minutes(of, hour)) yield { at: hour, text };
}

function hoursFrom(first: number, last: number): readonly number[] {
  const from = Math.floor(first / HOUR_MINUTES);
  const count = Math.floor(last / HOUR_MINUTES) - from + 1;
  return Array.from({ length: Math.max(0, count) }, (_, index) => from + index);
}

async function* minutesOf(reader: UsageReader, { of, first, last }: Omit<Span, 'step'>) {
  if (last < first) return;
  // An hour at a time: what is held is bounded by that.
  for (const hour of hoursFrom(first, last)) yield* minutesIn(reader, of, hour, first, last);
}

async function* minutesIn(
  reader: UsageReader,
  of: Subject,
  hour: number,
  first: number,
  last: number,
) {
  for (const [minute, texts] of byMinute(await textsIn(reader, of, hour, first, last))) {
    const table = await mergedMinute(of, texts);
    if (table !== null) yield [minute, table] as const;
  }
}

async function textsIn(
  reader: UsageReader,
  of: Subject,
  hour: number,
  first: number,
  last: number,
): Promise<readonly UsageText[]> {
  return (await reader.minutes(of, hour)).filter(({ at }) => at >= first && at <= last);
}

/** Hours that nobody has made yet, as the present one, are put together from their minutes. */
async function* hoursOf(reader: UsageReader, span: Omit<Span, 'step'>) {
  for await (const [hour, made] of madeHours(reader, span)) {
    const table = tableIn(made) ?? (await hourOfMinutes(reader, span.of, hour, span.last));
    if (table.rows.length > 0 || table.other.calls > 0) yield [hour, table] as const;
    await turn();
  }
}

/** Every hour with its text; undefined: nobody has made it. */
async function* madeHours(
  reader: UsageReader,
  { of, first, last }: Omit<Span, 'step'>,
): AsyncGenerator<readonly [hour: number, text: string | undefined]> {
  for (let from = first; from <= last; from += DAY_HOURS) {
    const to = Math.min(last, from + DAY_HOURS - 1);
    const made = new Map<number, string>();
    for (const { at, text } of await reader.hours(of, from, to)) made.set(at, text);
    for (let hour = from; hour <= to; hour += 1) yield [hour, made.get(hour)];
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
