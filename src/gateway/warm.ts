import type { Replica } from '../registry/replica/replica.ts';
import { WarmKeeper } from '../registry/warm/keeper.ts';
import { readWarmSnapshot, type WarmSnapshot } from '../registry/warm/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { type GateContext, own } from './context.ts';

/**
 * What was cached when the gate last ended; null: nothing that can be used.
 *
 * Only beside Redis: the embedded registry is a file on this machine, and asking it costs no more
 * than reading another.
 */
export async function readWarm({ clock, log, state }: GateContext): Promise<WarmSnapshot | null> {
  const { instance, store } = state.config;
  if (store.kind !== 'redis') return null;
  const { snapshot, why } = await readWarmSnapshot({
    folder: instance.dataDir,
    program: packageVersion(),
    nowMs: clock.wallMs(),
  });
  if (why !== null) logCold(log, why);
  return snapshot;
}

/** From now on the replica's accounts are written down, every few minutes and at the end. */
export function keepWarm(gate: GateContext, replica: Replica): void {
  const { instance, store } = gate.state.config;
  if (store.kind !== 'redis') return;
  own(
    gate,
    new WarmKeeper({
      folder: instance.dataDir,
      program: packageVersion(),
      clock: gate.clock,
      holdings: () => replica.holdings(),
      onFault: (error) =>
        gate.log.warn('the snapshot for the next start could not be written', { error }),
    }),
  );
}

export function logWarm(log: Log, accounts: number, why: string | null): void {
  if (why === null)
    log.info('the registry was loaded with the accounts of the last run', { accounts });
  else logCold(log, why);
}

function logCold(log: Log, why: string): void {
  log.warn('the snapshot of the last run is not used: accounts are read one by one', { why });
}
