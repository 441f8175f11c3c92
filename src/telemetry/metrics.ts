import { readFileSync } from 'node:fs';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { createRequestMeter, type RequestMeter } from './request-meter.ts';
import { declareCounter, declareGauge, declareHistogram, Histogram } from './series.ts';
import { declareSources, type MetricSources } from './sources.ts';
import { createStoreMeters, type StoreMeters } from './store-meter.ts';
import { type MetricPiece, piecesOf, type TextFormat, textOf } from './text.ts';
import { createTopAccounts, type TopAccounts } from './top-accounts.ts';
import { createUpstreamMeter, type UpstreamMeter } from './upstream-meter.ts';

/** A counter over a closed set of words. */
export interface WordCounter<Word extends string> {
  count(word: Word, by?: number): void;
}

export const AUDIT_OUTCOMES = [
  'accepted',
  'lost',
  'unrecorded',
  'resent',
  'spooled',
  'replayed',
  'activity_lost',
] as const;
/** `over_limit`: of calls whose callers had asked for spans, or were strangers, too often. */
const SPAN_OUTCOMES = ['sent', 'dropped', 'rejected', 'over_limit'] as const;
export const RELOAD_RESULTS = ['applied', 'refused'] as const;
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

/** Every metric that Sallyport has. One per process. */
export interface Metrics {
  readonly requests: RequestMeter;
  readonly upstreams: UpstreamMeter;
  readonly stores: StoreMeters;
  readonly accounts: TopAccounts;
  readonly audit: WordCounter<(typeof AUDIT_OUTCOMES)[number]>;
  readonly reloads: WordCounter<(typeof RELOAD_RESULTS)[number]>;
  readonly spans: WordCounter<(typeof SPAN_OUTCOMES)[number]>;
  readonly handshakes: WordCounter<(typeof HANDSHAKE_RESULTS)[number]>;
  /** What was turned away, or closed for something else, because a limit was reached. */
  readonly limits: WordCounter<(typeof LIMITS)[number]>;
  /** A token was presented that was issued to be found. */
  honeyToken(): void;
  /** An attempt to tell a webhook of an event, or the end of them. */
  webhooks(hook: string, result: 'delivered' | 'failed' | 'dropped'): void;
  /** Holes in this instance's part of the record that it has noticed itself. */
  gap(): void;
  /** An append to the audit log was accepted: how long it took, and of how many events it was. */
  appended(tookMs: number, events: number): void;
  /** How late the event loop came to a timer. */
  loopDelay(delayMs: number): void;
  /** From a revocation's commit to the last instance's acknowledgement. */
  revocation(durationMs: number): void;
  /** Says where the figures come from, part by part as the parts come to life. */
  connect(sources: Partial<MetricSources>): void;
  text(format?: TextFormat): Promise<string>;
  /** The same as plain values, in pieces: for a supervisor that sums up its workers. */
  pieces(): AsyncIterable<MetricPiece>;
}

const REVOCATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** Seconds. An append waits for an fsync; after a second its events count as not recorded. */
const APPEND_BOUNDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
] as const;
const BATCH_BOUNDS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] as const;
const LOOP_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5] as const;

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
  const appends = new Histogram(APPEND_BOUNDS, null);
  const batches = new Histogram(BATCH_BOUNDS, null);
  const delays = new Histogram(LOOP_BOUNDS, null);
  let gaps = 0;
  let honeyTokens = 0;
  const deliveries = new Map<string, Record<'delivered' | 'failed' | 'dropped', number>>();
  const metrics: Metrics = {
    requests: createRequestMeter(registry),
    upstreams: createUpstreamMeter(registry),
    stores: createStoreMeters(registry),
    accounts: createTopAccounts(registry),
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
    spans: wordCounter(
      registry,
      'sallyport_trace_spans_total',
      'Spans by what became of them; over_limit: none were made, because callers or strangers came too often.',
      'outcome',
      SPAN_OUTCOMES,
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
    honeyToken: () => {
      honeyTokens += 1;
    },
    webhooks: (hook, result) => {
      const counts = deliveries.get(hook) ?? { delivered: 0, failed: 0, dropped: 0 };
      counts[result] += 1;
      deliveries.set(hook, counts);
    },
    appended(tookMs, events) {
      appends.observe(0, tookMs / 1000);
      batches.observe(0, events);
    },
    loopDelay: (delayMs) => delays.observe(0, delayMs / 1000),
    revocation: (durationMs) => revocations.observe(0, durationMs / 1000),
    connect: (more) => void Object.assign(sources, more),
    text: (format) => textOf(piecesOf(registry), format),
    pieces: () => piecesOf(registry),
  };
  declareHistogram(
    registry,
    'sallyport_revocation_seconds',
    'From a revocation to its last acknowledgement.',
    revocations,
  );
  declareHistogram(
    registry,
    'sallyport_audit_append_seconds',
    'From the sending of a batch of audit events to its acceptance, by the store or the spool.',
    appends,
  );
  declareHistogram(
    registry,
    'sallyport_audit_batch_events',
    'Audit events that one append carried.',
    batches,
  );
  declareHistogram(
    registry,
    'sallyport_event_loop_delay_seconds',
    'How late the event loop came to a timer that is due ten times a second.',
    delays,
  );
  declareCounter(
    registry,
    'sallyport_audit_gaps_total',
    'Losses of accepted audit events that this instance has noticed; each may be of many events.',
    (emit) => emit(gaps),
  );
  declareCounter(
    registry,
    'sallyport_honey_tokens_presented_total',
    'Requests with a token that was issued to be found; each was refused.',
    (emit) => emit(honeyTokens),
  );
  declareCounter(
    registry,
    'sallyport_webhook_deliveries_total',
    'Attempts to tell webhooks of events, by what came of them; dropped: an event was given up.',
    (emit) => {
      for (const [hook, counts] of deliveries)
        for (const [result, count] of Object.entries(counts)) emit(count, { hook, result });
    },
  );
  declareSources(registry, sources);
  declareBuildInfo(registry);
  if (processMetrics) collectProcessMetrics(registry);
  return metrics;
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

/**
 * Without the three gauges whose names end in `_total`, as only those of counters should: the sums
 * of the gauges beside them.
 */
function collectProcessMetrics(registry: Registry): void {
  collectDefaultMetrics({ register: registry });
  for (const what of ['resources', 'handles', 'requests'])
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  // Of several workers that of the oldest; left to itself it would be left out.
  const started = registry.getSingleMetric('process_start_time_seconds');
  Object.assign(started ?? {}, { aggregator: 'min' });
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
