import { prepareDataDir } from '../config/data-dir.ts';
import type { Check } from '../ops/readiness.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import { type GateAdministration, openAdministration } from './administration.ts';
import { warnOfCertificates } from './certificate-warnings.ts';
import { checksOf, type PendingSecret } from './checks.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import { type GateCore, openCore } from './core.ts';
import { createDataPlane, type DataPlane } from './data-plane.ts';
import { metricSources, openOps, soonestExpiry } from './ops.ts';
import { publishRoutes } from './published.ts';
import { Rights } from './rights.ts';
import { keepStats, keepUsage } from './stats.ts';
import { watchProcess } from './watch.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A gate whose ports are open. */
export interface OpenGate {
  readonly core: GateCore;
  readonly plane: DataPlane;
  readonly administration: GateAdministration | null;
  /** Of `/readyz`. */
  readonly checks: readonly Check[];
  /** What a reload replaces, in the order in which it was opened. */
  readonly reloads: readonly PrepareReload[];
  readonly proxyPort: number | null;
  readonly decisionPort: number | null;
  readonly opsAddress: Address | null;
}

/**
 * Opens a gate from the inside to the outside: what it knows and decides by, what calls go through,
 * and only then the ports. The operations port is the first of them, because it tells how far the
 * others are. No port waits for a store that is away.
 *
 * Each part registers its end as it opens. When one throws, the caller closes what there is.
 *
 * @param ticketKeys of a worker; null: the keys, and the port, are its own
 */
export async function openGate(
  gate: GateContext,
  ticketKeys: TicketKeys | null,
): Promise<OpenGate> {
  const { log, metrics, state } = gate;
  for (const note of prepareDataDir(state.config.instance.dataDir)) log.warn(note);
  const core = await openCore(gate);
  const plane = createDataPlane(gate, core, ticketKeys);
  keepStats(gate, core.stores.stats);
  const usage = keepUsage(gate, core.stores.usage);
  const rights = createRights(gate, core);
  const pending: PendingSecret[] = [
    () => core.stores.secrets?.problem ?? null,
    () => core.stores.auditSecrets?.problem ?? null,
  ];
  const checks = checksOf(gate, core, plane.upstreams, rights, pending);
  metrics.connect(metricSources(gate, core, plane, checks));
  const watched = watchProcess(gate);
  const opsAddress = await openOps(gate, checks);
  // Only the first attempt is waited for: whether it led to a lease stands in readiness.
  await Promise.all([core.registry.replica.start(), core.assertions.lookAhead(gate.state.config)]);
  const proxyPort = (await plane.proxy?.listen()) ?? null;
  const decisionPort = (await plane.decisions?.listen()) ?? null;
  rights?.start();
  const administration = await openAdministration(gate, core, {
    pending,
    accessLog: plane.accessLog,
    usage,
  });
  const held = [plane.proxy, plane.decisions, administration?.listener].map(
    (listener) => listener?.certificates,
  );
  metrics.connect({ certificateExpirySeconds: () => soonestExpiry(held) });
  warnOfCertificates(gate, core.records, held);
  const reloads = [
    ...core.reloads,
    ...plane.reloads,
    watched,
    ...(administration === null ? [] : [administration.prepareReload]),
    publishRoutes(gate, core.stores.published),
  ];
  return { core, plane, administration, checks, reloads, proxyPort, decisionPort, opsAddress };
}

/** Null: there is no admin listener, which is for changing the registry. */
function createRights(gate: GateContext, { stores: { managed } }: GateCore): Rights | null {
  if (managed === null || gate.state.config.listen.admin === null) return null;
  return own(gate, new Rights(managed.store, gate.log));
}
