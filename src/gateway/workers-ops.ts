import { ClientAddresses } from '../audit/event/client-address.ts';
import { assessReadiness, type Check, checkOf } from '../ops/readiness.ts';
import { type OpsServer, startOps } from '../ops/server.ts';
import { aggregatedText } from '../telemetry/aggregate.ts';
import type { Log } from '../telemetry/log.ts';
import type { TextFormat } from '../telemetry/text.ts';
import { createWorkerMetrics } from '../telemetry/worker-metrics.ts';
import { addressLimitOf } from './places.ts';
import type { FormerCounts } from './workers-counts.ts';
import type { WorkerSlot } from './workers-slot.ts';
import type { WorkersState } from './workers-state.ts';

/** Below a scraper's usual patience of ten seconds. */
const METRICS_MS = 2_000;

/** Health and metrics of all workers on one listener. Throws `ListenFault`. */
export function startWorkersOps(
  address: OpsServer['address'],
  state: WorkersState,
  slots: readonly WorkerSlot[],
  former: FormerCounts,
  log: Log,
): Promise<OpsServer> {
  const checks = checksOf(state, slots);
  const own = createWorkerMetrics({
    deaths: () => state.deaths,
    restarts: () => state.restarts,
    serving: () => servingOf(slots),
    checks: () => assessReadiness(checks).checks,
  });
  const text = async (format: TextFormat) => {
    await Promise.all(slots.map((slot) => slot.refreshSnapshot(METRICS_MS)));
    const snapshots = slots.map((slot) => slot.snapshot);
    return aggregatedText([...snapshots, former.counts, await own.snapshot()], format);
  };
  // Hashed, it has no key: then nothing is said.
  const addresses = new ClientAddresses(state.loaded.config.audit.clientAddress);
  return startOps({
    address,
    places: addressLimitOf(() => state.loaded.config),
    reached: (limit) => own.limits.count(limit),
    recordedAddress: addresses.recorded,
    checks,
    metrics: { text },
    log,
  });
}

/**
 * Ready = at least one worker serves: a host that is taken out for one of its workers takes the
 * others with it. What ails a worker is shown as a warning.
 */
function checksOf(state: WorkersState, slots: readonly WorkerSlot[]): readonly Check[] {
  return [
    checkOf('draining', () => (state.draining ? 'the gate is shutting down' : null)),
    checkOf('workers', () => (servingOf(slots) > 0 ? null : 'no worker serves')),
    ...slots.map(
      (slot): Check => ({ name: slot.name, result: () => warning(slot.trouble ?? slot.pending) }),
    ),
    { name: 'config', result: () => warning(state.reloadFault) },
  ];
}

function servingOf(slots: readonly WorkerSlot[]): number {
  return slots.filter(({ trouble }) => trouble === null).length;
}

function warning(why: string | null) {
  return why === null ? ({ state: 'ok' } as const) : ({ state: 'warning', why } as const);
}
