import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createRequestMeter, type RequestMeter } from './request-meter.ts';
import { declareCounter, declareGauge, declareHistogram, Histogram, NameTable } from './series.ts';
import { type MetricPiece, piecesOf, textOf } from './text.ts';

/** A counter over a closed set of words. */
export interface WordCounter<Word extends string> {
  count(word: Word, by?: number): void;
}

export interface UpstreamMeter {
  /** Number of an upstream, by name. Ask once. */
  upstream(name: string): number;
  /** From the first byte sent to it to the last received. */
  observe(upstream: number, durationMs: number): void;
}

const CACHE_RESULTS = ['hit', 'miss', 'absent', 'unavailable'] as const;
export const AUDIT_OUTCOMES = [
  'accepted',
  'lost',
  'unrecorded',
  'resent',
  'spooled',
  'replayed',
  'activity_lost',
] as const;
export const RELOAD_RESULTS = ['applied', 'refused'] as const;
export const CONNECTION_STATES = ['connecting', 'active', 'idle'] as const;

export const CLIENT_STATES = ['arriving', 'idle', 'active'] as const;
export const HANDSHAKE_RESULTS = ['completed', 'timeout', 'aborted', 'failed'] as const;
/**
 * `connections`, `connections_per_address`, `half_open`: of clients · `http2_flood`: connections of
 * HTTP/2 that asked for much that leads to nothing · `places`: of the ports for
 * operations and administration · `upstream_descriptors`: no connection to an upstream was begun,
 * so that the reserve remains · `descriptors`: the system had none left.
 */
export const LIMITS = [
  'connections',
  'connections_per_address',
  'half_open',
  'http2_flood',
  'places',
  'upstream_descriptors',
  'descriptors',
] as const;

export interface ConnectionCount {
  readonly upstream: string;
  readonly state: (typeof CONNECTION_STATES)[number];
  readonly count: number;
}

export interface AddressUse {
  readonly upstream: string;
  /** `host:port`, from the configuration. */
  readonly address: string;
  readonly usable: boolean;
}

/**
 * Figures that are read when somebody asks for the metrics. Null = there is none now, so none is
 * shown. Must not throw.
 */
export interface MetricSources {
  /** Account look-ups so far, by where the answer came from. */
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
  /** Of the certificate that expires first: seconds since the Unix epoch. */
  certificateExpirySeconds(): number | null;
  clientConnections(): Readonly<Record<(typeof CLIENT_STATES)[number], number>>;
  upstreamConnections(): Iterable<ConnectionCount>;
  upstreamAddresses(): Iterable<AddressUse>;
}

/** Every metric that Sallyport has. One per process. */
export interface Metrics {
  readonly requests: RequestMeter;
  readonly upstreams: UpstreamMeter;
  readonly audit: WordCounter<(typeof AUDIT_OUTCOMES)[number]>;
  readonly reloads: WordCounter<(typeof RELOAD_RESULTS)[number]>;
  readonly handshakes: WordCounter<(typeof HANDSHAKE_RESULTS)[number]>;
  /** What was turned away, or closed for something else, because a limit was reached. */
  readonly limits: WordCounter<(typeof LIMITS)[number]>;
  /** Holes in this instance's part of the record that it has noticed itself. */
  gap(): void;
  /** From a revocation's commit to the last instance's acknowledgement. */
  revocation(durationMs: number): void;
  /** Says where the figures come from, part by part as the parts come to life. */
  connect(sources: Partial<MetricSources>): void;
  readonly contentType: string;
  /** Prometheus text format, version 0.0.4. */
  text(): Promise<string>;
  /** The same as plain values, in pieces: for a supervisor that sums up its workers. */
  pieces(): AsyncIterable<MetricPiece>;
}

/** Seconds; an upstream's answer may be an upload's end. */
const UPSTREAM_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
] as const;
const REVOCATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/**
 * `processMetrics` false leaves out the process and Node defaults, which watch the whole process
 * and belong to one registry only.
 */
export function createMetrics({
  processMetrics = true,
}: {
  readonly processMetrics?: boolean;
} = {}): Metrics {
  const registry = new Registry();
  const sources: Partial<MetricSources> = {};
  const revocations = new Histogram(REVOCATION_BOUNDS, null);
  let gaps = 0;
  const metrics: Metrics = {
    requests: createRequestMeter(registry),
    upstreams: upstreamMeter(registry),
    audit: wordCounter(
      registry,
      'sallyport_audit_events_total',
      'Audit events by what became of them.',
      'outcome',
      AUDIT_OUTCOMES,
    ),
    reloads: wordCounter(
      registry,
      'sallyport_config_reloads_total',
      'Configuration reloads.',
      'result',
      RELOAD_RESULTS,
    ),
    handshakes: wordCounter(
      registry,
      'sallyport_tls_handshakes_total',
      'TLS handshakes of clients by how they ended.',
      'result',
      HANDSHAKE_RESULTS,
    ),
    limits: limitCounter(registry),
    gap: () => {
      gaps += 1;
    },
    revocation: (durationMs) => revocations.observe(0, durationMs / 1000),
    connect: (more) => void Object.assign(sources, more),
    contentType: registry.contentType,
    text: () => textOf(piecesOf(registry)),
    pieces: () => piecesOf(registry),
  };
  declareHistogram(
    registry,
    'sallyport_revocation_seconds',
    'From a revocation to its last acknowledgement.',
    revocations,
  );
  declareCounter(
    registry,
    'sallyport_audit_gaps_total',
    'Losses of accepted audit events that this instance has noticed; each may be of many events.',
    (emit) => emit(gaps),
  );
  declareSources(registry, sources);
  declareBuildInfo(registry);
  if (processMetrics) collectDefaultMetrics({ register: registry });
  return metrics;
}

function upstreamMeter(registry: Registry): UpstreamMeter {
  const names = new NameTable('other');
  const durations = new Histogram(UPSTREAM_BOUNDS, (series) => ({ upstream: names.name(series) }));
  declareHistogram(
    registry,
    'sallyport_upstream_duration_seconds',
    'From the request to the end of the answer, as the upstream took it.',
    durations,
  );
  return {
    upstream: (name) => names.index(name),
    observe: (upstream, durationMs) => durations.observe(upstream, durationMs / 1000),
  };
}

/** Of a gate, and of the supervisor of several. */
export function limitCounter(registry: Registry): WordCounter<(typeof LIMITS)[number]> {
  const help = 'How often a limit was reached.';
  return wordCounter(registry, 'sallyport_limits_reached_total', help, 'limit', LIMITS);
}

function wordCounter<Word extends string>(
  registry: Registry,
  name: string,
  help: string,
  label: string,
  words: readonly Word[],
): WordCounter<Word> {
  const counts = new Map<Word, number>(words.map((word) => [word, 0]));
  declareCounter(registry, name, help, (emit) => {
    for (const [word, count] of counts) emit(count, { [label]: word });
  });
  return { count: (word, by = 1) => void counts.set(word, (counts.get(word) ?? 0) + by) };
}

function declareSources(registry: Registry, sources: Partial<MetricSources>): void {
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
    'Account look-ups by where the answer came from.',
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
  gauge(
    'sallyport_tls_certificate_expiry_timestamp_seconds',
    'When the first certificate expires.',
    'min',
    () => sources.certificateExpirySeconds?.(),
  );
  declareGauge(
    registry,
    'sallyport_client_connections',
    'Connections of clients by what they do; arriving: the handshake has not ended.',
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
}

function declareBuildInfo(registry: Registry): void {
  const labels = { version: packageVersion(), node: process.versions.node };
  declareGauge(
    registry,
    'sallyport_build_info',
    'Always 1; the labels say what runs.',
    'max',
    (emit) => emit(1, labels),
  );
}

/** From package.json, two folders up in the repository and in a built package alike. */
export function packageVersion(): string {
  const about = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { version?: unknown };
  return typeof about.version === 'string' ? about.version : 'unknown';
}
