import type { UsageFigures, UsageTop, UsageTopItem } from '../admin/usage.ts';
import { visible } from './terminal.ts';

/** What `top` shows, as lines of text without colours. */

const TITLES = { account: 'ACCOUNT', application: 'APPLICATION', route: 'ROUTE' } as const;
const NAME_MOST = 40;
/** Below that width bytes are left out, and below the other one what half of the calls took. */
const WIDE = 96;
const MIDDLE = 72;
const TREND_LEAST = 8;

export interface TopTable {
  readonly heading: string;
  readonly rows: readonly string[];
}

/**
 * @param width columns of the terminal
 * @param bars signs from nothing to the most, from `barsFor`
 */
export function topTable({ of, items }: UsageTop, width: number, bars: string): TopTable {
  const columns = columnsFor(width);
  const cells = items.map((item) => columns.map(({ cell }) => cell(item)));
  const widths = columns.map(({ title }, at) =>
    Math.max(title.length, ...cells.map((row) => row[at]?.length ?? 0)),
  );
  const figures = (row: readonly string[]) =>
    row.map((cell, at) => cell.padStart(widths[at] ?? 0)).join('  ');
  const taken = widths.reduce((sum, each) => sum + each + 2, 0);
  const room = Math.max(8, width - taken - TREND_LEAST - 2);
  const names = items.map(({ name }) => cut(visible(name), Math.min(NAME_MOST, room)));
  const nameWidth = Math.max(TITLES[of].length, ...names.map((name) => name.length));
  const trendWidth = width - nameWidth - taken - 2;
  const line = (name: string, row: readonly string[], trend: string) =>
    `${name.padEnd(nameWidth)}  ${figures(row)}  ${trend}`.trimEnd();
  const hasTrend = trendWidth >= TREND_LEAST;
  return {
    heading: line(
      TITLES[of],
      columns.map(({ title }) => title),
      hasTrend ? 'CALLS OVER TIME' : '',
    ),
    rows: items.map(({ trend }, at) =>
      line(names[at]!, cells[at]!, hasTrend ? sparkline(trend, trendWidth, bars) : ''),
    ),
  };
}

interface Column {
  readonly title: string;
  readonly cell: (item: UsageTopItem) => string;
}

function columnsFor(width: number): readonly Column[] {
  return [
    // At least so many: it was not among the busiest all the time.
    { title: 'CALLS', cell: ({ calls, missed }) => `${countText(calls)}${missed > 0 ? '+' : ''}` },
    { title: 'REFUSED', cell: ({ refused }) => countText(refused) },
    ...(width < WIDE
      ? []
      : [
          { title: 'IN', cell: ({ requestBytes }: UsageTopItem) => bytesText(requestBytes) },
          { title: 'OUT', cell: ({ responseBytes }: UsageTopItem) => bytesText(responseBytes) },
        ]),
    ...(width < MIDDLE ? [] : [{ title: 'P50', cell: ({ p50Ms }: UsageTopItem) => msText(p50Ms) }]),
    { title: 'P99', cell: ({ p99Ms }) => msText(p99Ms) },
  ];
}

/** One line about all calls of the range. */
export function totalText({
  calls,
  refused,
  requestBytes,
  responseBytes,
  p50Ms,
  p99Ms,
}: UsageFigures) {
  if (calls === 0) return 'no calls';
  const share = ((refused / calls) * 100).toFixed(refused === 0 ? 0 : 1);
  const bytes = `${bytesText(requestBytes)} in, ${bytesText(responseBytes)} out`;
  return `${countText(calls)} ${calls === 1 ? 'call' : 'calls'}, ${countText(refused)} refused (${share} %), ${bytes}, p50 ${msText(p50Ms)}, p99 ${msText(p99Ms)}`;
}

const BLOCKS = ' ▁▂▃▄▅▆▇█';
const LETTERS = ' .:-=+*#@';

/** Blocks where the locale has them; else letters that every terminal has. */
export function barsFor({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): string {
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '');
  return /utf-?8/i.test(locale ?? '') ? BLOCKS : LETTERS;
}

/** The newest of the values at the right end, each as high as it is beside the highest. */
function sparkline(values: readonly number[], width: number, bars: string): string {
  const each = Math.ceil(values.length / Math.max(1, width));
  const sums: number[] = [];
  for (let end = values.length; end > 0; end -= each)
    sums.unshift(values.slice(Math.max(0, end - each), end).reduce((sum, one) => sum + one, 0));
  const most = Math.max(1, ...sums);
  const highest = bars.length - 1;
  // Whatever is not nothing is seen.
  return sums
    .map((sum) => bars[sum === 0 ? 0 : Math.max(1, Math.round((sum / most) * highest))])
    .join('');
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, Math.max(1, most - 1))}~`;
}

/** `12,345` */
function countText(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** `1.2 MB`: powers of a thousand. */
function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value < 10 && unit > 0 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit]}`;
}

/** `3.2 ms`, `1.5 s` */
function msText(ms: number | null): string {
  if (ms === null) return '-';
  if (ms >= 999.5) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}
