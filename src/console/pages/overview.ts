import type { Hono } from 'hono';
import type { AccountQuery, AccountViewPage } from '../../admin/list-accounts.ts';
import type { AccountView } from '../../admin/views.ts';
import { doneNotice, show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import { barList, callsChart, durationChart } from '../components/chart.ts';
import { homeOf } from '../components/layout.ts';
import { card, empty, notice, table } from '../components/parts.ts';
import { reasonWords } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { type Traffic, trafficOf } from '../traffic.ts';
import { countWords, msWords, plural } from '../words.ts';

/** What is looked at: how long, and in how many bins. */
const RANGES = [
  { value: '1h', words: 'Hour', binMinutes: 1, bins: 60 },
  { value: '6h', words: '6 hours', binMinutes: 5, bins: 72 },
  { value: '24h', words: '24 hours', binMinutes: 20, bins: 72 },
] as const;

type Range = (typeof RANGES)[number];

export function overviewPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get('/', async (c) => {
    if (!c.var.visitor.may('sallyport:activity:read'))
      return c.redirect(homeOf(c.var.visitor), 303);
    return overview(c, parts);
  });
}

async function overview(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const range = RANGES.find(({ value }) => value === c.req.query('range')) ?? RANGES[0];
  const last = Math.floor(parts.clock.wallMs() / 60_000);
  const first = last - range.binMinutes * range.bins + 1;
  const entries = await readCounts(parts, first, last);
  const traffic = trafficOf(entries ?? [], first, range.binMinutes, range.bins);
  const content = html`${doneNotice(c)}${entries === null ? notice('warn', html`<p>The figures cannot be read now.</p>`) : ''}
${figures(traffic)}
${traffic.total.letIn + traffic.total.refused === 0 ? card({ title: 'Calls' }, noCalls(c), { bare: true }) : charts(traffic, range)}
${await attention(c, parts)}`;
  return show(c, { title: 'Overview', section: '/', actions: rangeLinks(range) }, content);
}

async function readCounts(parts: ConsoleParts, first: number, last: number) {
  try {
    return (await parts.stats?.read(first, last)) ?? [];
  } catch (error) {
    parts.log.warn('the figures cannot be read', { error });
    return null;
  }
}

function rangeLinks(chosen: Range): Html {
  return html`<nav class="ranges" aria-label="Time range">${RANGES.map(
    ({ value, words }) =>
      html`<a href="/?range=${value}"${value === chosen.value ? html` aria-current="true"` : ''}>${words}</a>`,
  )}</nav>`;
}

function figures({ total }: Traffic): Html {
  const all = total.letIn + total.refused;
  const share =
    all === 0
      ? ''
      : `${((total.refused / all) * 100).toFixed(total.refused === 0 ? 0 : 1)} % of all`;
  const figure = (name: string, value: string, note: string) =>
    html`<dl class="card figure"><dt>${name}</dt><dd>${value}</dd>${note === '' ? '' : html`<dd>${note}</dd>`}</dl>`;
  return html`<div class="figures">${figure('Calls', countWords(all), '')}${figure('Let in', countWords(total.letIn), '')}${figure('Refused', countWords(total.refused), share)}${figure(
    'A call takes',
    total.medianMs === null ? '–' : msWords(total.medianMs),
    total.slowMs === null ? '' : `95 of 100 up to ${msWords(total.slowMs)}`,
  )}${figure('The gate adds', total.overheadMs === null ? '–' : msWords(total.overheadMs), total.overheadMs === null ? '' : 'at most, in 95 of 100')}</div>`;
}

function noCalls(c: ConsoleContext): Html {
  const mayWrite = c.var.visitor.may('sallyport:registry:write');
  return empty(
    'No calls in this time',
    mayWrite
      ? 'Create a service account, give its token to a machine, and let it call an API through the gate: its calls are counted here, minute by minute.'
      : 'Calls through the gate are counted here, minute by minute.',
    mayWrite
      ? html`<a class="button primary" href="/new/service-account">New Service Account</a>`
      : '',
  );
}

function charts(traffic: Traffic, { binMinutes, words }: Range): Html {
  const labels = traffic.bins.map(({ startMs }) => new Date(startMs).toISOString().slice(11, 16));
  const bins = traffic.bins.map(({ letIn, refused }, index) => ({
    label: labels[index] ?? '',
    letIn,
    refused,
  }));
  const all = `${plural(traffic.total.letIn, 'call')} let in and ${countWords(traffic.total.refused)} refused in the last ${words.toLowerCase()}`;
  const lines = [
    { name: 'typical', values: traffic.bins.map(({ medianMs }) => medianMs) },
    { name: 'slow', values: traffic.bins.map(({ slowMs }) => slowMs) },
  ] as const;
  const legend = (rows: readonly (readonly [string, string])[]) =>
    html`<ul class="legend">${rows.map(([name, text]) => html`<li class="key ${name}">${text}</li>`)}</ul>`;
  return html`${card(
    {
      title: 'Calls',
      note: `Per ${plural(binMinutes, 'minute').replace(/^1 /, '')}, UTC`,
      actions: legend([
        ['let-in', 'Let in'],
        ['refused', 'Refused'],
      ]),
    },
    html`${callsChart(bins, all)}${figureTable(traffic, labels)}`,
  )}<div class="columns">${card({ title: 'Refusals by reason' }, refusals(traffic))}${card(
    {
      title: 'Duration of calls',
      note: 'From the first byte to the last',
      actions: legend([
        ['typical', 'Half of them'],
        ['slow', '95 of 100'],
      ]),
    },
    durationChart(lines, labels, 'Duration of calls over time'),
  )}</div>`;
}

function refusals({ refusals: rows }: Traffic): Slot {
  if (rows.length === 0) return html`<p class="quiet">Nothing was refused.</p>`;
  return barList(
    rows.slice(0, 8).map(({ reason, count }) => ({
      words: html`<a href="/activity?reason=${reason}">${sentence(reasonWords(reason))}</a> <span class="quiet small mono">${reason}</span>`,
      count,
    })),
  );
}

/** The same figures for who cannot see a chart, or wants to know exactly. */
function figureTable({ bins }: Traffic, labels: readonly string[]): Html {
  const rows = bins.flatMap(({ letIn, refused, medianMs, slowMs }, index) =>
    letIn + refused === 0
      ? []
      : [
          [
            labels[index] ?? '',
            countWords(letIn),
            countWords(refused),
            medianMs === null ? '–' : msWords(medianMs),
            slowMs === null ? '–' : msWords(slowMs),
          ],
        ],
  );
  const columns = ['From', 'Let in', 'Refused', 'Half within', '95 of 100 within'].map(
    (name, index) => ({
      name,
      isNumber: index > 0,
    }),
  );
  return html`<details class="small"><summary>Figures</summary>${table('Calls over time', columns, rows)}</details>`;
}

const SHOWN = 5;

/** Accounts that somebody should look at. */
async function attention(c: ConsoleContext, parts: ConsoleParts): Promise<Slot> {
  const { visitor } = c.var;
  if (!visitor.may('sallyport:registry:read')) return '';
  const ask = (query: AccountQuery) =>
    parts.control.administration.listAccounts(visitor.actor, {
      kind: 'service',
      status: 'active',
      limit: SHOWN,
      ...query,
    });
  // Who expires first, and who was not needed for longest, come first.
  const attempted = await attempt(() =>
    Promise.all([
      ask({ expiringWithinDays: 30, sort: 'expiresAt' }),
      ask({ unusedForDays: 90, sort: 'lastUsed' }),
    ]),
  );
  if (!attempted.done) return notice('warn', html`<p>${sentence(attempted.message)}.</p>`);
  const [expiring, unused] = attempted.value;
  if (expiring.total + unused.total === 0) return '';
  const names = (accounts: readonly AccountView[]) =>
    accounts.map(({ name }) => html`<li><a href="/service-accounts/${name}">${name}</a></li>`);
  const part = (page: AccountViewPage, title: string, filter: string) =>
    page.total === 0
      ? ''
      : html`<div class="flow"><p>${title} <a class="small" href="/service-accounts?show=${filter}">Show ${page.total > page.items.length ? `all ${countWords(page.total)}` : 'all'}</a></p><ul class="chips">${names(page.items)}</ul></div>`;
  return card(
    { title: 'Worth a look' },
    html`<div class="columns">${part(expiring, 'These expire within 30 days.', 'expiring-30')}${part(unused, 'The tokens of these were not used for 90 days.', 'unused-90')}</div>`,
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
