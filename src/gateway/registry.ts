import { LastUses } from '../calls/last-uses.ts';
import { OpenCalls } from '../calls/open-calls.ts';
import type { RegistrySource } from '../registry/port.ts';
import type { ReplicaObserver } from '../registry/replica/options.ts';
import { Replica } from '../registry/replica/replica.ts';
import type { WarmSnapshot } from '../registry/warm/snapshot.ts';
import type { Log } from '../telemetry/log.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { everySecond, type GateContext, own } from './context.ts';
import { keepRevoked, rememberedRevoked } from './revoked.ts';
import { keepWarm, logWarm, readWarm } from './warm.ts';

/** Different lines about one outage at most. */
const OUTAGE_LINES = 20;

/** What a gate knows of the registry, and whom it concerns. */
export interface GateRegistry {
  /** Not started yet. */
  readonly replica: Replica;
  readonly openCalls: OpenCalls;
  readonly uses: LastUses;
  /** Told after each change, once the calls under way have been judged by it. Must not throw. */
  readonly changed: Set<() => void>;
}

/**
 * The replica of the registry, and what is written down of it: what was revoked and what is cached,
 * for the next start, and when tokens were used last. Each is opened after the replica, so its last
 * lines are written while the replica still knows something.
 */
export async function openRegistry(
  gate: GateContext,
  source: RegistrySource,
): Promise<GateRegistry> {
  const { clock, log } = gate;
  const warm = await readWarm(gate);
  const changed = new Set<() => void>();
  const replica = own(
    gate,
    createReplica(gate, source, warm, () => openCalls, changed),
  );
  const openCalls = new OpenCalls(replica, clock, (nowMs) => replica.covers(nowMs));
  // What time alone has ended: no change tells of it.
  everySecond(gate, () => openCalls.sweep());
  keepRevoked(gate, replica);
  keepWarm(gate, replica);
  const uses = own(
    gate,
    new LastUses(source, (error) =>
      log.warn('the last uses of tokens could not be written', { error }),
    ),
  );
  return { replica, openCalls, uses, changed };
}

/** @param openCalls who is cut off by a change; asked once the replica has been started */
function createReplica(
  { clock, instance, log, state: { config } }: GateContext,
  source: RegistrySource,
  warm: WarmSnapshot | null,
  openCalls: () => OpenCalls,
  changed: ReadonlySet<() => void>,
): Replica {
  const { leaseMs, cacheAccounts } = config.registry;
  const tell = () => {
    for (const told of changed) told();
  };
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
        openCalls().changed(event);
        tell();
      },
      onLoaded: () => {
        openCalls().reloaded();
        tell();
      },
      onLapsed: () => {
        openCalls().lapsed();
        tell();
      },
      judged: () => openCalls().judged,
      settled: () => openCalls().settled(),
      onRevived: (records) =>
        log.error('the registry has lost changes: what they took away stays taken away', {
          records,
        }),
      onLost: (why) => log.warn('the registry is loaded anew', { why }),
      ...tellOutages(log),
    },
  });
}

/** One line for each thing that an outage shows, however often it is tried, and one at its end. */
function tellOutages(log: Log): Pick<ReplicaObserver, 'onFault' | 'onRenewed'> {
  const told = new Set<string>();
  return {
    onFault(step, fault) {
      if (told.has(fault.message) || told.size === OUTAGE_LINES) return;
      told.add(fault.message);
      log.warn('the registry does not answer', { step, error: fault });
    },
    onRenewed() {
      if (told.size > 0) log.info('the registry answers again');
      told.clear();
    },
  };
}
