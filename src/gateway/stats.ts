import type { StatsStore } from '../stats/port.ts';
import { StatsRecorder } from '../stats/recorder.ts';
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
