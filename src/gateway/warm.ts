import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Replica } from '../registry/replica/replica.ts';
import { WarmKeeper } from '../registry/warm/keeper.ts';
import { readWarmSnapshot, type WarmSnapshot } from '../registry/warm/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import { packageVersion } from '../telemetry/metrics.ts';

/** What was cached when the gate last ended, and the writing down of what is cached now. */
export interface WarmStart {
  readonly snapshot: WarmSnapshot | null;
  /** From now on the replica's accounts are written down, every few minutes and at the end. */
  keep(replica: Replica): void;
  /** Writes a last time: before the replica is closed. */
  close(): Promise<void>;
}

/**
 * Only beside Redis: the embedded registry is a file on this machine, and asking it costs no more
 * than reading another.
 */
export async function openWarmStart(config: Config, clock: Clock, log: Log): Promise<WarmStart> {
  if (config.store.kind !== 'redis')
    return { snapshot: null, keep: () => undefined, close: async () => undefined };
  const folder = config.instance.dataDir;
  const program = packageVersion();
  const { snapshot, why } = await readWarmSnapshot({ folder, program, nowMs: clock.wallMs() });
  if (why !== null) logCold(log, why);
  let keeper: WarmKeeper | null = null;
  return {
    snapshot,
    keep: (replica) => {
      const onFault = (error: unknown) =>
        log.warn('the snapshot for the next start could not be written', { error });
      keeper = new WarmKeeper({
        folder,
        program,
        clock,
        holdings: () => replica.holdings(),
        onFault,
      });
    },
    close: async () => keeper?.close(),
  };
}

export function logWarm(log: Log, accounts: number, why: string | null): void {
  if (why === null)
    log.info('the registry was loaded with the accounts of the last run', { accounts });
  else logCold(log, why);
}

function logCold(log: Log, why: string): void {
  log.warn('the snapshot of the last run is not used: accounts are read one by one', { why });
}
