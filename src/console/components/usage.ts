import type { UsageFigures, UsageSeries, UsageTop } from '../../admin/usage.ts';
import { USAGE_ORDERS, type UsageOrder } from '../../admin/usage-orders.ts';
import { NO_ACCOUNT, SUBJECTS, type Subject } from '../../stats/usage/table.ts';
import { type Html, html, type Slot } from '../html.ts';
import { labelsOf } from '../range.ts';
import { bytesWords, countWords, msWords, plural } from '../words.ts';
import { type Axis, bytesChart, callsChart, durationChart, legend, spark } from './chart.ts';
import { table } from './parts.ts';

/** Who calls, as pages show it. */

const SUBJECT_WORDS: Readonly<Record<Subject, string>> = {
  account: 'Accounts',
  application: 'Applications',
  route: 'Routes',
};
const ORDER_WORDS: Readonly<Record<UsageOrder, string>> = {
  calls: 'Calls',
  refused: 'Refused',
  bytes: 'Bytes',
  p99: '99 of 100 within',
};

/** At least so many, where calls may lack. */
function callWords(calls: number, missed: number): Slot {
  return missed === 0
    ? countWords(calls)
    : html`<span title="At least so many, and ${countWords(missed)} more at most">${countWords(calls)}+</span>`;
}

function msCell(ms: number | null): string {
  return ms === null ? '–' : msWords(ms);
}

/** @param path address of the same page, up to where `of` and `by` follow */
export function subjectLinks(path: string, { of, by }: Pick<UsageTop, 'of' | 'by'>): Html {
  return html`<nav class="ranges" aria-label="Of what">${SUBJECTS.map(
    (subject) =>
      html`<a href="${path}of=${subject}&by=${by}#who"${subject === of ? html` aria-current="true"` : ''}>${SUBJECT_WORDS[subject]}</a>`,
  )}</nav>`;
}

/**
 * The busiest, by what the heading says that was chosen.
 *
 * @param path address of the same page, up to where `of` and `by` follow
 * @param linked an account's name leads to its page
 */
export function topTable({ of, by, items }: UsageTop, path: string, linked: boolean): Html {
  const order = (order: UsageOrder) => ({
    name: ORDER_WORDS[order],
    isNumber: true,
    heading: html`<a href="${path}of=${of}&by=${order}#who">${ORDER_WORDS[order]}</a>`,
    ...(order === by ? { sorted: 'descending' as const } : {}),
  });
  const [calls, refused, bytes, slow] = USAGE_ORDERS.map(order) as [Col, Col, Col, Col];
  const columns = [
    { name: SUBJECT_WORDS[of].replace(/s$/, '') },
    ...[calls, refused, bytes],
    { name: 'Half within', isNumber: true },
    slow,
    { name: 'Calls over time' },
  ];
  const rows = items.map((item) => [
    linked && of === 'account' && item.id !== NO_ACCOUNT.id
      ? html`<a href="/find/${item.name}">${item.name}</a>`
      : html`<span class="mono">${item.name}</span>`,
    callWords(item.calls, item.missed),
    countWords(item.refused),
    bytesWords(item.requestBytes + item.responseBytes),
    msCell(item.p50Ms),
    msCell(item.p99Ms),
    spark(item.trend),
  ]);
  return table('Who calls', columns, rows);
}

type Col = { readonly name: string; readonly isNumber: boolean; readonly heading: Slot };

/** Graphs of one of them, and the same figures as a table. @param zoom as of `Axis` */
export function usageCharts(series: UsageSeries, zoom: string): Html {
  const { items, since, until, itemMinutes } = series;
  const startsMs = items.map(({ from }) => Date.parse(from));
  const labels = labelsOf(startsMs, Date.parse(until) - Date.parse(since));
  const axis: Axis = { labels, startsMs, binMs: itemMinutes * 60_000, zoom };
  const calls = [
    {
      ...({ name: 'let-in', words: 'let in' } as const),
      values: items.map((item) => item.calls - item.refused),
    },
    {
      ...({ name: 'refused', words: 'refused' } as const),
      values: items.map((item) => item.refused),
    },
  ];
  const lines = [
    {
      ...({ name: 'typical', words: 'half within' } as const),
      values: items.map(({ p50Ms }) => p50Ms),
    },
    {
      ...({ name: 'slow', words: '99 of 100 within' } as const),
      values: items.map(({ p99Ms }) => p99Ms),
    },
  ];
  const bytes = [
    { ...({ name: 'in', words: 'in' } as const), values: items.map((item) => item.requestBytes) },
    {
      ...({ name: 'out', words: 'out' } as const),
      values: items.map((item) => item.responseBytes),
    },
  ];
  const { name, total } = series;
  const part = (title: string, keys: Html, chart: Html) =>
    html`<div class="flow"><div class="chart-head"><h3>${title}</h3>${keys}</div>${chart}</div>`;
  return html`<p>${totalWords(total)}</p>
${part(
  'Calls',
  legend([
    ['let-in', 'Let in'],
    ['refused', 'Refused'],
  ]),
  callsChart(axis, calls, `Calls of ${name}`),
)}
<div class="columns">${part(
    'Duration',
    legend([
      ['typical', 'Half of them'],
      ['slow', '99 of 100'],
    ]),
    durationChart(axis, lines, `Duration of calls of ${name}`),
  )}${part(
    'Bytes',
    legend([
      ['in', 'In'],
      ['out', 'Out'],
    ]),
    bytesChart(axis, bytes, `Bytes of calls of ${name}`),
  )}</div>
${figureTable(series, labels)}`;
}

function totalWords({
  calls,
  refused,
  requestBytes,
  responseBytes,
  p50Ms,
  p99Ms,
}: UsageFigures): string {
  if (calls === 0) return 'No calls in this time.';
  const share = refused === 0 ? '' : ` (${((refused / calls) * 100).toFixed(1)} %)`;
  const bytes = `${bytesWords(requestBytes)} in, ${bytesWords(responseBytes)} out`;
  return `${plural(calls, 'call')}, ${countWords(refused)} refused${share}; ${bytes}; half within ${msCell(p50Ms)}, 99 of 100 within ${msCell(p99Ms)}.`;
}

/** The same figures for who cannot see a chart, or wants to know exactly. */
function figureTable({ items, name }: UsageSeries, labels: readonly string[]): Html {
  const columns = ['From', 'Calls', 'Refused', 'In', 'Out', 'Half within', '99 of 100 within'].map(
    (column, index) => ({ name: column, isNumber: index > 0 }),
  );
  const rows = items.flatMap((item, index) =>
    item.calls === 0
      ? []
      : [
          [
            labels[index] ?? '',
            callWords(item.calls, item.missed),
            countWords(item.refused),
            bytesWords(item.requestBytes),
            bytesWords(item.responseBytes),
            msCell(item.p50Ms),
            msCell(item.p99Ms),
          ],
        ],
  );
  return html`<details class="small"><summary>Figures</summary>${table(`Calls of ${name} over time`, columns, rows)}</details>`;
}
