import type { OpenCalls } from '../calls/open-calls.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { RegistrySource } from '../registry/port.ts';
import { Replica } from '../registry/replica/replica.ts';
import type { WarmSnapshot } from '../registry/warm/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { rememberedRevoked } from './revoked.ts';
import { logWarm } from './warm.ts';

export interface ReplicaParts {
  readonly config: Config;
  readonly source: RegistrySource;
  readonly clock: Clock;
  readonly instance: string;
  readonly warm: WarmSnapshot | null;
  readonly log: Log;
  /** Who is cut off by a change; null until there can be any. */
  openCalls(): OpenCalls | null;
  /** Something in the registry is another than before. */
  changed(): void;
}

/** The replica, whose news reach the calls under way and the log. */
export function openReplica(parts: ReplicaParts): Replica {
  const { config, source, clock, instance, warm, log } = parts;
  const { leaseMs, cacheAccounts } = config.registry;
  return new Replica({
    source,
    clock,
    instance,
    leaseMs,
    maxAccounts: cacheAccounts,
    version: packageVersion(),
    warm,
    remembered: rememberedRevoked(config, log),
    observer: {
      onWarm: (accounts, why) => logWarm(log, accounts, why),
      onApplied: (event) => {
        parts.openCalls()?.changed(event);
        parts.changed();
      },
      onLoaded: () => {
        parts.openCalls()?.reloaded();
        parts.changed();
      },
      onLapsed: () => {
        parts.openCalls()?.lapsed();
        parts.changed();
      },
      judged: () => parts.openCalls()?.judged ?? true,
      settled: () => parts.openCalls()?.settled() ?? true,
      onRevived: (records) =>
        log.error('the registry has lost changes: what they took away stays taken away', {
          records,
        }),
      onLost: (why) => log.warn('the registry is loaded anew', { why }),
      onFault: (step, fault) => log.warn('the registry does not answer', { step, error: fault }),
    },
  });
}
