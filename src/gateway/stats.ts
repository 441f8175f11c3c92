import { randomInt } from 'node:crypto';
import type { StatsStore } from '../stats/port.ts';
import { StatsRecorder } from '../stats/recorder.ts';
import { freshReader } from '../stats/usage/fresh.ts';
import { UsageHourMaker } from '../stats/usage/hours.ts';
import type { UsageReader, UsageStore } from '../stats/usage/port.ts';
import { UsageRecorder } from '../stats/usage/recorder.ts';
import { type GateContext, own } from './context.ts';

/** From now on what calls are counted is written down minute by minute, for the console. */
export function keepStats(gate: GateContext, store: StatsStore): void {
  const { clock, instance, log, metrics } = gate;
  own(
    gate,
    new StatsRecorder({
      store,
      instance,
      clock,
      totals: () => metrics.requests.totals(),
      onFault: (error) => log.warn('what was counted could not be written', { error }),
    }),
  );
}

/** Gates look at times of their own whether an hour is to be made: mostly one of them finds it. */
const HOURS_EVERY_MS = { least: 240_000, spread: 120_000 } as const;

/**
 * From now on it is written down who calls, and hours are made from minutes.
 *
 * @returns reads it, for administration
 */
export function keepUsage(gate: GateContext, store: UsageStore): UsageReader {
  const { clock, instance, log, usage: meter } = gate;
  const onFault = (error: unknown) => log.warn('who called could not be written', { error });
  const recorder = own(gate, new UsageRecorder({ store, instance, clock, meter, onFault }));
  const everyMs = HOURS_EVERY_MS.least + randomInt(HOURS_EVERY_MS.spread);
  own(gate, new UsageHourMaker({ store, clock, everyMs, onFault }));
  return freshReader(store, recorder, clock);
}
