import type { Hono } from 'hono';
import { show } from '../answer.ts';
import { badge, empty, table } from '../components/parts.ts';
import type { ConsoleContext, Env } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { msWords, plural, spanWords } from '../words.ts';

export function instancesPages(app: Hono<Env>, parts: ConsoleParts): void {
  app.get('/instances', (c) => showInstances(c, parts));
}

async function showInstances(c: ConsoleContext, parts: ConsoleParts): Promise<Response> {
  const { items, seq } = await parts.control.administration.listInstances(c.var.visitor.actor, {});
  const rows = items.map(
    ({ instance, version, leaseMs, leaseRemainingMs, lag, auditKey }): readonly Slot[] => [
      html`<span class="mono">${instance}</span>`,
      lag === null
        ? badge('warn', 'Unknown')
        : lag === 0
          ? badge('good', 'Up to date')
          : badge('warn', `${plural(lag, 'change')} behind`),
      leaseRemainingMs <= 0
        ? badge('bad', 'Over')
        : `${spanWords(leaseRemainingMs)} left of ${msWords(leaseMs)}`,
      version,
      auditKey === null ? '–' : html`<span class="mono">${auditKey}</span>`,
    ],
  );
  const columns = ['Instance', 'Registry', 'Lease', 'Version', 'Audit key'].map((name) => ({
    name,
  }));
  const content = html`<section class="card">${
    items.length === 0
      ? empty(
          'No gate is running',
          'An instance appears here as soon as it holds a lease on the registry.',
        )
      : table('Running gates', columns, rows)
  }</section>
<p class="quiet small">The registry is at change ${seq}. An instance that cannot prove that it is up to date answers nothing once its lease is over.</p>`;
  const lead =
    'The gates that are running, and whether each has applied every change: what a revocation waits for.';
  const actions = html`<a class="button" href="/csv/instances" download>CSV</a>`;
  return show(c, { title: 'Instances', section: '/instances', lead, actions }, content);
}
