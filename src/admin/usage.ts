import { quantileOf } from '../stats/quantile.ts';
import { UsageMerger } from '../stats/usage/merge.ts';
import type { UsageReader } from '../stats/usage/port.ts';
import {
  fewTablesOf,
  rowsOf,
  type Span,
  STEP_MS,
  type Step,
  tablesOf,
  type Wanted,
} from '../stats/usage/read.ts';
import {
  NO_ACCOUNT,
  NO_COUNTS,
  type Subject,
  totalOf,
  type UsageCounts,
  type UsageRow,
  UsageSum,
  type UsageTable,
} from '../stats/usage/table.ts';
import { StoreUnavailable } from '../store/fault.ts';
import { DURATION_BOUNDS } from '../telemetry/request-meter.ts';
import type { AdminActor } from './actor.ts';
import { reading } from './change.ts';
import type { AdminContext } from './context.ts';
import { AdminError } from './error.ts';
import { type MustGoOn, type OneByOne, oneByOne } from './one-by-one.ts';
import type { UsageOrder } from './usage-orders.ts';
import { type AskedRange, isReadByHours, momentsOf, spanOf } from './usage-span.ts';
import { evenTrends, HELD, hourlyTrends, type Trends } from './usage-trends.ts';

/** Figures of some calls, as they are told. */
export interface UsageFigures {
  readonly calls: number;
  readonly refused: number;
  /** Content, in bytes. */
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** What half of the calls, and 99 of 100, took at most, in milliseconds; null without calls. */
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
}

export interface UsageTopItem extends UsageFigures {
  /** Of an account; applications and routes have their name. */
  readonly id: string;
  readonly name: string;
  /** It may have had so many calls more. */
  readonly missed: number;
  /**
   * Its calls over time: at most 60 parts of the range, of equal length. Of more than six hours by
   * minutes: the hours of the clock.
   */
  readonly trend: readonly number[];
}

export interface UsageRange {
  readonly since: string;
  readonly until: string;
  readonly step: Step;
}

export interface UsageTop extends UsageRange {
  readonly of: Subject;
  readonly by: UsageOrder;
  readonly items: readonly UsageTopItem[];
  /** Of all, those without a name included. */
  readonly total: UsageFigures;
}

export interface UsagePoint extends UsageFigures {
  /** Beginning of the minute, the hour, or the part of several. */
  readonly from: string;
  readonly missed: number;
}

export interface UsageSeries extends UsageRange {
  readonly of: Subject;
  readonly name: string;
  /** How many minutes an item covers. */
  readonly itemMinutes: number;
  /** One for each part of the range, also where there were no calls. */
  readonly items: readonly UsagePoint[];
  readonly total: UsageFigures;
}

export interface UsageTopQuery extends AskedRange {
  readonly of: Subject;
  readonly by?: UsageOrder | undefined;
  readonly limit?: number | undefined;
}

export interface UsageQuery extends AskedRange {
  readonly of: Subject;
  /** Of an account: its name or its id. */
  readonly name: string;
  /** Steps are put together so that there are as many items at most; default: they are not. */
  readonly parts?: number | undefined;
}

const LIMIT = 20;

/** Who called most, or was refused most, or took longest. */
export function topUsage(
  context: AdminContext,
  actor: AdminActor,
  { of, by = 'calls', limit = LIMIT, ...range }: UsageTopQuery,
): Promise<UsageTop> {
  const nowMs = context.clock.wallMs();
  const span = spanOf(range, nowMs);
  const question = ['top', of, span.step, span.first, span.last].join(' ');
  return readingUsage(context, async (reader, alone) => {
    const read = (mustGoOn: MustGoOn) =>
      gathered(whileAsked(reader, mustGoOn), { of, ...span }, mustGoOn);
    const { table, trends } = await alone(actor, question, read);
    const items = table.rows
      .map((row) => ({ row, weight: WEIGHTS[by](row) }))
      .filter(({ weight }) => weight > 0)
      .sort((one, other) => other.weight - one.weight || byName(one.row, other.row))
      .slice(0, limit)
      .map(({ row }) => ({
        ...{ id: row.id, name: row.name, missed: row.missed },
        ...figuresOf(row),
        trend: trends.of(row.id),
      }));
    return { of, by, ...momentsOf(span, nowMs), items, total: figuresOf(totalOf(table)) };
  });
}

interface GatheredUsage {
  readonly table: UsageTable;
  readonly trends: Trends;
}

async function gathered(
  reader: UsageReader,
  span: Span,
  mustGoOn: MustGoOn,
): Promise<GatheredUsage> {
  const byHours = isReadByHours(span);
  const trends = byHours ? hourlyTrends(span) : evenTrends(span);
  const all = new UsageMerger(HELD);
  for await (const [at, table] of byHours ? fewTablesOf(reader, span) : tablesOf(reader, span)) {
    mustGoOn();
    all.add(table);
    trends.add(at, table.rows);
  }
  return { table: all.table(), trends };
}

/** What one of them did, part by part. */
export function usageOf(
  context: AdminContext,
  actor: AdminActor,
  { of, name, parts, ...range }: UsageQuery,
): Promise<UsageSeries> {
  const nowMs = context.clock.wallMs();
  const span = spanOf(range, nowMs);
  return readingUsage(context, async (reader, alone) => {
    const wanted = await wantedBy(context, of, name);
    const steps = span.last - span.first + 1;
    const each = Math.ceil(steps / (parts ?? steps));
    const sums = Array.from({ length: Math.ceil(steps / each) }, () => new PartSum());
    const total = new UsageSum();
    const read = async (mustGoOn: MustGoOn) => {
      const asked = whileAsked(reader, mustGoOn);
      for await (const [at, { row, least }] of rowsOf(asked, { of, ...span }, wanted)) {
        mustGoOn();
        const sum = sums[Math.floor((at - span.first) / each)];
        if (row !== null) total.add(row);
        sum?.addStep(row ?? { ...NO_COUNTS, missed: least });
      }
    };
    await alone(actor, Symbol(), read);
    const stepMs = STEP_MS[span.step];
    const items = sums.map((sum, index) => {
      const from = new Date((span.first + index * each) * stepMs).toISOString();
      return { from, ...figuresOf(sum), missed: sum.missed };
    });
    const itemMinutes = (each * stepMs) / STEP_MS.minute;
    const figures = { items, total: figuresOf(total) };
    return { of, name, ...momentsOf(span, nowMs), itemMinutes, ...figures };
  });
}

class PartSum extends UsageSum {
  missed = 0;

  addStep(counts: UsageCounts & Pick<UsagePoint, 'missed'>): void {
    this.add(counts);
    this.missed += counts.missed;
  }
}

const WEIGHTS: Readonly<Record<UsageOrder, (row: UsageRow) => number>> = {
  calls: ({ calls }) => calls,
  refused: ({ refused }) => refused,
  bytes: ({ requestBytes, responseBytes }) => requestBytes + responseBytes,
  p99: ({ durations }) => quantileOf(durations, DURATION_BOUNDS, 0.99) ?? 0,
};

function byName({ name: one }: UsageRow, { name: other }: UsageRow): number {
  return one < other ? -1 : 1;
}

const ID = /^[0-9A-Za-z]{12}$/;

/** One that was deleted is found by what it was called then. */
async function wantedBy({ store }: AdminContext, of: Subject, name: string): Promise<Wanted> {
  if (of !== 'account') return name;
  if (name === NO_ACCOUNT.name) return NO_ACCOUNT.id;
  const account = await reading(() => store.accountByName(name));
  if (account !== null) return account.id;
  if (ID.test(name) && (await reading(() => store.account(name))).account !== null) return name;
  return (row) => row.id === name || row.name === name;
}

function figuresOf(counts: UsageCounts): UsageFigures {
  const { calls, refused, requestBytes, responseBytes, durations } = counts;
  return {
    ...{ calls, refused, requestBytes, responseBytes },
    p50Ms: withinMs(durations, 0.5),
    p99Ms: withinMs(durations, 0.99),
  };
}

function withinMs(durations: readonly number[], part: number): number | null {
  const seconds = quantileOf(durations, DURATION_BOUNDS, part);
  return seconds === null ? null : Math.round(seconds * 100_000) / 100;
}

/** Where nobody called there is nothing to be told of, and much to be read. */
function whileAsked(reader: UsageReader, mustGoOn: MustGoOn): UsageReader {
  return {
    async minutes(...asked) {
      mustGoOn();
      return reader.minutes(...asked);
    },
    async hours(...asked) {
      mustGoOn();
      return reader.hours(...asked);
    },
  };
}

async function readingUsage<T>(
  { usage = null }: AdminContext,
  read: (reader: UsageReader, alone: OneByOne) => Promise<T>,
): Promise<T> {
  if (usage === null)
    throw new AdminError('unavailable', 'this process does not know who calls: ask a running gate');
  const alone =
    ALONE.get(usage) ??
    oneByOne('too many others ask who calls at the moment: try again in a few seconds');
  ALONE.set(usage, alone);
  try {
    return await read(usage, alone);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new AdminError('unavailable', `who calls cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}

/** However many ask a gate, it reads for one of them at a time. */
const ALONE = new WeakMap<UsageReader, OneByOne>();
