import type { Hono } from 'hono';
import type { AccountQuery, AccountViewPage } from '../../admin/list-accounts.ts';
import { USAGE_ORDERS } from '../../admin/usage-orders.ts';
import type { AccountView } from '../../admin/views.ts';
import { SUBJECTS } from '../../stats/usage/table.ts';
import { doneNotice, show } from '../answer.ts';
import { attempt } from '../attempt.ts';
import { type Axis, barList, callsChart, durationChart, legend } from '../components/chart.ts';
import { homeOf } from '../components/layout.ts';
import { card, empty, notice, table } from '../components/parts.ts';
import { subjectLinks, topTable } from '../components/usage.ts';
import { reasonWords } from '../event-row.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { type Html, html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { type Looked, labelsOf, lookedAt, type Preset, rangeLinks } from '../range.ts';
import { type Traffic, trafficOf } from '../traffic.ts';
import { countWords, msWords, plural, spanWords } from '../words.ts';

const PRESETS: readonly [Preset, ...Preset[]] = [
  { value: '1h', words: 'Hour', minutes: 60 },
  { value: '6h', words: '6 hours', minutes: 360 },
  { value: '24h', words: '24 hours', minutes: 1_440 },
];
/** Bars that a chart has room for. */
const BINS = 72;
const TOP = 10;

export function overviewPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get('/', async (c) => {
    if (!c.var.visitor.may('sallyport:activity:read'))
      return c.redirect(homeOf(c.var.visitor), 303);
    return overview(c, parts);
  });
}

async function overview(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const looked = lookedAt(c, PRESETS, parts.clock.wallMs());
  const { first, last, binMinutes, binCount } = binsOf(looked);
  const entries = await readCounts(parts, first, last);
  const traffic = trafficOf(entries ?? [], first, binMinutes, binCount);
  const hasCalls = traffic.total.letIn + traffic.total.refused > 0;
  const content = html`${doneNotice(c)}${entries === null ? notice('warn', html`<p>The figures cannot be read now.</p>`) : ''}
${figures(traffic)}
${hasCalls ? html`${charts(traffic, looked, binMinutes)}${await whoCalls(c, parts, looked)}` : card({ title: 'Calls' }, noCalls(c), { bare: true })}
${await attention(c, parts)}`;
  return show(
    c,
    { title: 'Overview', section: '/', actions: rangeLinks('/?', PRESETS, looked) },
    content,
  );
}

/** Whole minutes, in bins of as many as there must be in each. */
function binsOf({ sinceMs, untilMs }: Looked) {
  const last = Math.ceil(untilMs / 60_000) - 1;
  const minutes = Math.max(1, Math.round((untilMs - sinceMs) / 60_000));
  const binMinutes = Math.ceil(minutes / BINS);
  const binCount = Math.ceil(minutes / binMinutes);
  return { first: last - binMinutes * binCount + 1, last, binMinutes, binCount };
}

/** The busiest accounts, applications or routes of the same time. */
async function whoCalls(c: ConsoleContext, parts: ConsoleParts, looked: Looked): Promise<Slot> {
  const { visitor } = c.var;
  const [of, by] = [
    SUBJECTS.find((one) => one === c.req.query('of')) ?? 'account',
    USAGE_ORDERS.find((one) => one === c.req.query('by')) ?? 'calls',
  ] as const;
  const since = new Date(looked.sinceMs).toISOString();
  const until = new Date(looked.untilMs).toISOString();
  const attempted = await attempt(() =>
    parts.control.administration.topUsage(visitor.actor, { of, by, since, until, limit: TOP }),
  );
  if (!attempted.done)
    return card({ title: 'Who calls' }, notice('warn', html`<p>Who calls cannot be read now.</p>`));
  const { preset } = looked;
  const path = preset === null ? `/?since=${since}&until=${until}&` : `/?range=${preset.value}&`;
  const csv = `/csv/usage?of=${of}&by=${by}&since=${since}&until=${until}`;
  const actions = html`${subjectLinks(path, { of, by })}<a class="small" href="${csv}">CSV</a>`;
  const top = topTable(attempted.value, path, visitor.may('sallyport:registry:read'));
  return html`<div id="who">${card({ title: 'Who calls', actions }, top, { bare: true })}</div>`;
}

async function readCounts(parts: ConsoleParts, first: number, last: number) {
  try {
    return (await parts.stats?.read(first, last)) ?? [];
  } catch (error) {
    parts.log.warn('the figures cannot be read', { error });
    return null;
  }
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

function charts(traffic: Traffic, looked: Looked, binMinutes: number): Html {
  const startsMs = traffic.bins.map(({ startMs }) => startMs);
  const labels = labelsOf(startsMs, 0);
  const axis: Axis = { labels, startsMs, binMs: binMinutes * 60_000, zoom: '/?' };
  const bars = [
    { name: 'let-in', words: 'let in', values: traffic.bins.map(({ letIn }) => letIn) },
    { name: 'refused', words: 'refused', values: traffic.bins.map(({ refused }) => refused) },
  ] as const;
  const span = spanWords(looked.untilMs - looked.sinceMs);
  const when = looked.preset === null ? `in ${span}` : `in the last ${span}`;
  const all = `${plural(traffic.total.letIn, 'call')} let in and ${countWords(traffic.total.refused)} refused ${when}`;
  const lines = [
    {
      ...({ name: 'typical', words: 'half within' } as const),
      values: traffic.bins.map(({ medianMs }) => medianMs),
    },
    {
      ...({ name: 'slow', words: '95 of 100 within' } as const),
      values: traffic.bins.map(({ slowMs }) => slowMs),
    },
  ];
  return html`${card(
    {
      title: 'Calls',
      note: `Per ${plural(binMinutes, 'minute').replace(/^1 /, '')}, UTC`,
      actions: legend([
        ['let-in', 'Let in'],
        ['refused', 'Refused'],
      ]),
    },
    html`${callsChart(axis, bars, all)}${figureTable(traffic, labels)}`,
  )}<div class="columns">${card({ title: 'Refusals by reason' }, refusals(traffic))}${card(
    {
      title: 'Duration of calls',
      note: 'From the first byte to the last',
      actions: legend([
        ['typical', 'Half of them'],
        ['slow', '95 of 100'],
      ]),
    },
    durationChart(axis, lines, 'Duration of calls over time'),
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
    { title: 'Worth a look', actions: html`<a href="/advice">What was not used</a>` },
    html`<div class="columns">${part(expiring, 'These expire within 30 days.', 'expiring-30')}${part(unused, 'The tokens of these were not used for 90 days.', 'unused-90')}</div>`,
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
