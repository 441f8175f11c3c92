import { assessReadiness, type Check } from '../ops/readiness.ts';
import { startOps } from '../ops/server.ts';
import type { MetricSources } from '../telemetry/sources.ts';
import type { ServerCertificates } from '../tls/server-certificates.ts';
import { configHash } from './config-hash.ts';
import type { GateContext } from './context.ts';
import type { GateCore } from './core.ts';
import type { DataPlane } from './data-plane.ts';
import { addressLimitOf } from './places.ts';
import { addressUses } from './upstreams.ts';

/** How long the last probes and scrapes may take. */
const CLOSE_MS = 1000;
const NO_CLIENTS = { arriving: 0, idle: 0, active: 0 } as const;

/** Opens `listen.ops`. Throws `ListenFault`. @returns where it listens; null: there is none */
export async function openOps(gate: GateContext, checks: readonly Check[]) {
  const { log, metrics, owned, state } = gate;
  const { ops } = state.config.listen;
  if (ops === null) return null;
  const server = await startOps({
    address: ops.address,
    places: addressLimitOf(() => state.config),
    reached: (limit) => metrics.limits.count(limit),
    recordedAddress: gate.addresses.recorded,
    checks,
    metrics,
    log,
  });
  owned.defer(() => server.close(CLOSE_MS));
  return server.address;
}

/** Figures that are there already: read when somebody asks. */
export function metricSources(
  { state }: GateContext,
  { registry, records }: Pick<GateCore, 'registry' | 'records'>,
  { upstreams, proxy }: DataPlane,
  checks: readonly Check[],
): Partial<MetricSources> {
  const { leaseMs } = state.config.registry;
  const { replica } = registry;
  return {
    lookups: () => {
      const { hit, miss, negative, unavailable } = replica.counts;
      return { hit, miss, absent: negative, unavailable };
    },
    registryLagSeconds: () => Math.max(0, leaseMs - replica.status().leaseRemainingMs) / 1000,
    leaseRemainingSeconds: () => replica.status().leaseRemainingMs / 1000,
    auditPending: () => records.outbox.pending,
    auditSpoolBytes: () => records.spool?.bytes ?? 0,
    auditSpoolUnreadable: () => records.spool?.unreadableFiles ?? 0,
    auditActivityLagSeconds: () => records.activityLagMs / 1000,
    clientConnections: () => proxy?.counts() ?? NO_CLIENTS,
    upstreamConnections: () => upstreams.connectionCounts(),
    upstreamAddresses: () => addressUses(upstreams.upstreams),
    checks: () => assessReadiness(checks).checks,
    configHash: () => configHash(state.config),
  };
}

/** Of the certificate that ends first, in seconds since 1970; null: there is none. */
export function soonestExpiry(
  listeners: readonly (ServerCertificates | null | undefined)[],
): number | null {
  const expiries = listeners.flatMap((one) =>
    (one?.certificates ?? []).map(({ expiresAtMs }) => expiresAtMs / 1000),
  );
  return expiries.length === 0 ? null : Math.min(...expiries);
}
