import type { Registry } from 'prom-client';
import { declareCounter, declareGauge } from './series.ts';

const CACHE_RESULTS = ['hit', 'miss', 'absent', 'unavailable'] as const;
const CLIENT_STATES = ['arriving', 'idle', 'active'] as const;
type ConnectionState = 'connecting' | 'active' | 'idle';

export interface ConnectionCount {
  readonly upstream: string;
  readonly state: ConnectionState;
  readonly count: number;
}

export interface AddressUse {
  readonly upstream: string;
  /** `host:port`, from the configuration. */
  readonly address: string;
  readonly usable: boolean;
}

/** What one check of `/readyz` says. */
export interface CheckState {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
}

/**
 * Figures that are read when somebody asks for the metrics. Null = there is none now, so none is
 * shown. Must not throw.
 */
export interface MetricSources {
  /** Account look-ups so far, by where the account was found. */
  lookups(): Readonly<Record<(typeof CACHE_RESULTS)[number], number>>;
  /** How long ago the cache was last proved to be up to date, in seconds. */
  registryLagSeconds(): number | null;
  /** Until the instance would answer 503 to all; 0 when it does. */
  leaseRemainingSeconds(): number | null;
  auditPending(): number;
  auditSpoolBytes(): number;
  /** Files of the spool that cannot be read, or could not be. */
  auditSpoolUnreadable(): number;
  /** Null: the store has no copies to wait for. */
  auditActivityLagSeconds(): number | null;
  /** Accounts that expire soon, by how many days; none where another instance counts them. */
  accountsExpiring(): Iterable<{ readonly days: number; readonly count: number }>;
  /** Of the certificate that expires first: seconds since the Unix epoch. */
  certificateExpirySeconds(): number | null;
  /** Handshakes that an upstream has yet to agree to included. */
  tunnelsOpen(): number;
  clientConnections(): Readonly<Record<(typeof CLIENT_STATES)[number], number>>;
  upstreamConnections(): Iterable<ConnectionCount>;
  upstreamAddresses(): Iterable<AddressUse>;
  /** The checks of `/readyz`, as they are now. */
  checks(): Iterable<CheckState>;
  /** Hash of the configuration in force (gateway/config-hash.ts). */
  configHash(): string;
}

/** Declares what is read from `sources`, part by part as they come to life. */
export function declareSources(registry: Registry, sources: Partial<MetricSources>): void {
  const gauge = (
    name: string,
    help: string,
    across: 'sum' | 'max' | 'min',
    read: () => number | null | undefined,
  ) =>
    declareGauge(registry, name, help, across, (emit) => {
      const value = read();
      if (typeof value === 'number') emit(value);
    });
  declareCounter(
    registry,
    'sallyport_registry_cache_total',
    'Account look-ups by where the account was found.',
    (emit) => {
      const lookups = sources.lookups?.();
      for (const result of CACHE_RESULTS) emit(lookups?.[result] ?? 0, { result });
    },
  );
  gauge(
    'sallyport_registry_lag_seconds',
    'How long ago the cache was last proved to be up to date.',
    'max',
    () => sources.registryLagSeconds?.(),
  );
  gauge(
    'sallyport_lease_remaining_seconds',
    'Until the lease ends and every call is refused.',
    'min',
    () => sources.leaseRemainingSeconds?.(),
  );
  gauge('sallyport_audit_pending', 'Audit events that are not accepted yet.', 'sum', () =>
    sources.auditPending?.(),
  );
  gauge('sallyport_audit_spool_bytes', 'Size of the local spool on disk.', 'sum', () =>
    sources.auditSpoolBytes?.(),
  );
  gauge(
    'sallyport_audit_spool_unreadable_files',
    'Files of the local spool that cannot be read, those set aside included.',
    'max',
    () => sources.auditSpoolUnreadable?.(),
  );
  gauge(
    'sallyport_audit_activity_lag_seconds',
    'How long ago the oldest event was recorded that the activity log of its account lacks.',
    'max',
    () => sources.auditActivityLagSeconds?.(),
  );
  declareGauge(
    registry,
    'sallyport_accounts_expiring',
    'Accounts that expire within so many days; from the one instance that looks.',
    'max',
    (emit) => {
      for (const { days, count } of sources.accountsExpiring?.() ?? [])
        emit(count, { days: String(days) });
    },
  );
  gauge(
    'sallyport_tls_certificate_expiry_timestamp_seconds',
    'When the first certificate expires.',
    'min',
    () => sources.certificateExpirySeconds?.(),
  );
  gauge(
    'sallyport_tunnels_open',
    'WebSockets and other upgrades that are open, or about to be.',
    'sum',
    () => sources.tunnelsOpen?.(),
  );
  declareGauge(
    registry,
    'sallyport_client_connections',
    'Connections of clients by what they do; arriving: a PROXY preface or a handshake is due.',
    'sum',
    (emit) => {
      const counts = sources.clientConnections?.();
      if (counts === undefined) return;
      for (const state of CLIENT_STATES) emit(counts[state], { state });
    },
  );
  declareGauge(
    registry,
    'sallyport_upstream_connections',
    'Connections to upstreams by what they do.',
    'sum',
    (emit) => {
      for (const { upstream, state, count } of sources.upstreamConnections?.() ?? [])
        emit(count, { upstream, state });
    },
  );
  declareGauge(
    registry,
    'sallyport_upstream_healthy',
    '1: the address is used; 0: it fails and is left out.',
    'min',
    (emit) => {
      for (const { upstream, address, usable } of sources.upstreamAddresses?.() ?? [])
        emit(usable ? 1 : 0, { upstream, address });
    },
  );
  declareChecks(registry, () => sources.checks?.() ?? []);
  declareGauge(
    registry,
    'sallyport_config_info',
    'Always 1; sha256: of the configuration in force but for instance and listen, cut to 12 digits.',
    'max',
    (emit) => {
      const sha256 = sources.configHash?.();
      if (sha256 !== undefined) emit(1, { sha256 });
    },
  );
}

/** Of a gate, and of the supervisor of several. */
export function declareChecks(registry: Registry, checks: () => Iterable<CheckState>): void {
  declareGauge(
    registry,
    'sallyport_ready',
    'Checks of /readyz; 0: failed, and calls are not served or should go elsewhere.',
    'min',
    (emit) => {
      for (const { name, state } of checks()) emit(state === 'failed' ? 0 : 1, { check: name });
    },
  );
  declareGauge(
    registry,
    'sallyport_check_warning',
    'Checks of /readyz; 1: calls are served, and somebody should look.',
    'max',
    (emit) => {
      for (const { name, state } of checks()) emit(state === 'warning' ? 1 : 0, { check: name });
    },
  );
}
