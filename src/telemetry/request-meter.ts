import type { Registry } from 'prom-client';
import { METHODS as KNOWN_METHODS } from '../http/method.ts';
import { REFUSALS, type Reason } from '../refusal.ts';
import { declareCounter, declareGauge, declareHistogram, Histogram, NameTable } from './series.ts';

/** Counts requests on the hot path: small integers in, array cells up by one. */
export interface RequestMeter {
  /**
   * Number of a route, by name; null = no route matched. Ask once per route, not once per request.
   */
  route(name: string | null): number;
  /** Number of a method as received; whatever is none of the nine is `OTHER`. */
  method(name: string): number;
  /**
   * One finished request. `status`: what the client was told, 0 = nothing. `durationMs`: from the
   * first byte to the last. `overheadMs`: our share of it; negative = not known.
   */
  count(
    route: number,
    method: number,
    status: number,
    reason: Reason,
    durationMs: number,
    overheadMs: number,
  ): void;
  /**
   * A trace that tells more of a finished request, which is counted apart.
   *
   * @param wallMs when it ended, in ms since 1970
   */
  exemplify(
    route: number,
    durationMs: number,
    overheadMs: number,
    traceId: string,
    wallMs: number,
  ): void;
  /** Content that a finished call has carried, in bytes. */
  bytes(request: number, response: number): void;
  /** Calls that have begun and not ended; the owner of the calls counts here. */
  inFlight: number;
  /** All that was counted so far, over all routes. Costs nothing until it is asked for. */
  totals(): RequestTotals;
}

export interface RequestTotals {
  /** Requests by reason; only those that came up. */
  readonly reasons: ReadonlyMap<Reason, number>;
  /**
   * Requests that took so long in all, and that cost us so much, per bucket of `DURATION_BOUNDS`
   * and `OVERHEAD_BOUNDS`, with one more for what is longer.
   */
  readonly durations: readonly number[];
  readonly overheads: readonly number[];
}

/** Those that are known, and one name for all others. */
const METHODS = [...KNOWN_METHODS, 'OTHER'] as const;
const OTHER = METHODS.length - 1;
const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const;
const REASONS: readonly Reason[] = [
  'permitted',
  'client-aborted',
  'outcome-unknown',
  ...(Object.keys(REFUSALS) as (keyof typeof REFUSALS)[]),
];

const METHOD_INDEX: ReadonlyMap<string, number> = new Map(
  METHODS.map((name, index) => [name, index]),
);
const REASON_INDEX: ReadonlyMap<string, number> = new Map(
  REASONS.map((name, index) => [name, index]),
);
const UNKNOWN_REASON = REASON_INDEX.get('internal-fault') as number;

/** Seconds. Calls last from a millisecond to the minutes of an upload. */
export const DURATION_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
] as const;
/**
 * Seconds. Our own work lies between tens of microseconds and, with a store asked, some
 * milliseconds; a second is the audit's deadline.
 */
export const OVERHEAD_BOUNDS = [
  0.000_05, 0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1,
] as const;

/**
 * Cells of one route: every method, status class and reason. 18 KiB, made when the route sees its
 * first request.
 */
const CELLS = METHODS.length * STATUS_CLASSES.length * REASONS.length;

/**
 * What was counted of a route; `used`: the few cells that are not zero, which are all that is read.
 */
interface RouteCounts {
  readonly cells: Float64Array;
  readonly used: number[];
}

export function createRequestMeter(registry: Registry): RequestMeter {
  const routes = new NameTable('none');
  const counts: (RouteCounts | undefined)[] = [];
  const durations = new Histogram(DURATION_BOUNDS, (series) => ({ route: routes.name(series) }));
  const overhead = new Histogram(OVERHEAD_BOUNDS, null);

  declareCounter(
    registry,
    'sallyport_requests_total',
    'Requests by route (none: no route matched), method, class of the response (none: no response) and reason.',
    (emit) => {
      counts.forEach((counted, route) => {
        for (const cell of counted?.used ?? [])
          emit(counted?.cells[cell] as number, { route: routes.name(route), ...labelsOf(cell) });
      });
    },
  );
  declareHistogram(
    registry,
    'sallyport_request_duration_seconds',
    'From the first byte of a request to the last of its response.',
    durations,
  );
  declareHistogram(
    registry,
    'sallyport_overhead_seconds',
    'The share of a request that Sallyport itself took: without the upstream and the network.',
    overhead,
  );

  let requestBytes = 0;
  let responseBytes = 0;
  declareCounter(
    registry,
    'sallyport_body_bytes_total',
    'Content of bodies of calls that have ended, by direction.',
    (emit) => {
      emit(requestBytes, { direction: 'request' });
      emit(responseBytes, { direction: 'response' });
    },
  );
  declareGauge(
    registry,
    'sallyport_calls_in_flight',
    'Calls that have begun and not ended.',
    'sum',
    (emit) => emit(meter.inFlight),
  );

  const meter: RequestMeter = {
    inFlight: 0,
    bytes(request, response) {
      requestBytes += request;
      responseBytes += response;
    },
    route: (name) => (name === null ? 0 : routes.index(name)),
    method: (name) => METHOD_INDEX.get(name) ?? OTHER,
    count(route, method, status, reason, durationMs, overheadMs) {
      let counted = counts[route];
      if (counted === undefined) {
        counted = { cells: new Float64Array(CELLS), used: [] };
        counts[route] = counted;
      }
      const statusClass = status >= 100 && status < 600 ? (status / 100) | 0 : 0;
      const cell =
        (method * STATUS_CLASSES.length + statusClass) * REASONS.length +
        (REASON_INDEX.get(reason) ?? UNKNOWN_REASON);
      const before = counted.cells[cell] as number;
      if (before === 0) counted.used.push(cell);
      counted.cells[cell] = before + 1;
      durations.observe(route, durationMs / 1000);
      overhead.observe(0, overheadMs / 1000);
    },
    exemplify(route, durationMs, overheadMs, traceId, wallMs) {
      durations.exemplify(route, durationMs / 1000, traceId, wallMs);
      overhead.exemplify(0, overheadMs / 1000, traceId, wallMs);
    },
    totals: () => ({
      reasons: reasonsOf(counts),
      durations: durations.totals(),
      overheads: overhead.totals(),
    }),
  };
  return meter;
}

function reasonsOf(counts: readonly (RouteCounts | undefined)[]): Map<Reason, number> {
  const reasons = new Map<Reason, number>();
  for (const counted of counts)
    for (const cell of counted?.used ?? []) {
      const reason = REASONS[cell % REASONS.length] as Reason;
      reasons.set(reason, (reasons.get(reason) ?? 0) + (counted?.cells[cell] as number));
    }
  return reasons;
}

function labelsOf(cell: number) {
  const row = Math.floor(cell / REASONS.length);
  return {
    method: METHODS[Math.floor(row / STATUS_CLASSES.length)] ?? 'OTHER',
    status_class: STATUS_CLASSES[row % STATUS_CLASSES.length] ?? 'none',
    reason: REASONS[cell % REASONS.length] ?? 'internal-fault',
  };
}
