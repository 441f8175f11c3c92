import type { AccountView } from '../../admin/views.ts';
import { attempt } from '../attempt.ts';
import { card, notice } from '../components/parts.ts';
import { usageCharts } from '../components/usage.ts';
import type { ConsoleContext } from '../guard.ts';
import { html, type Slot } from '../html.ts';
import type { ConsoleParts } from '../parts.ts';
import { lookedAt, type Preset, rangeLinks } from '../range.ts';

const HOUR = 60;
const DAY = 24 * HOUR;
const PRESETS: readonly [Preset, ...Preset[]] = [
  { value: '24h', words: '24 hours', minutes: DAY },
  { value: '1h', words: 'Hour', minutes: HOUR },
  { value: '6h', words: '6 hours', minutes: 6 * HOUR },
  { value: '7d', words: '7 days', minutes: 7 * DAY },
  { value: '90d', words: '90 days', minutes: 90 * DAY },
];
/** Bars that a chart has room for. */
const PARTS = 96;
const HOURS_FIRST = ['1h', '6h', '24h', '7d', '90d'];

/** What an account's calls were like; nothing for whoever may not read the activity. */
export async function usageCard(
  c: ConsoleContext,
  parts: ConsoleParts,
  { id, name }: AccountView,
): Promise<Slot> {
  const { visitor } = c.var;
  if (!visitor.may('sallyport:activity:read')) return '';
  const looked = lookedAt(c, PRESETS, parts.clock.wallMs());
  const attempted = await attempt(() =>
    parts.control.administration.usageOf(visitor.actor, {
      ...{ of: 'account', name: id, parts: PARTS },
      since: new Date(looked.sinceMs).toISOString(),
      until: new Date(looked.untilMs).toISOString(),
    }),
  );
  const base = `/service-accounts/${name}?`;
  const presets = HOURS_FIRST.map((value) => PRESETS.find((one) => one.value === value)!);
  const head = {
    title: 'Calls over time',
    note: 'UTC. Where it was not among the busiest of a minute, its calls are not shown here but in its activity.',
    actions: rangeLinks(base, presets, looked),
  };
  if (!attempted.done)
    return card(head, notice('warn', html`<p>The figures cannot be read now.</p>`));
  return card(head, usageCharts({ ...attempted.value, name }, base));
}
