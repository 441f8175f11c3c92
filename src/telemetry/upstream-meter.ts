import type { Registry } from 'prom-client';
import { declareCounter, declareHistogram, Histogram, NameTable } from './series.ts';

export interface UpstreamMeter {
  /** Number of an upstream, by name. Ask once. */
  upstream(name: string): number;
  /** From the first byte sent to it to the last received. */
  observe(upstream: number, durationMs: number): void;
  /** A request is sent again, to another place or on another connection. */
  retried(upstream: number): void;
  /** An address is left out from now on. */
  ejected(upstream: number): void;
}

/** Seconds; an upstream's answer may be an upload's end. */
const UPSTREAM_BOUNDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
] as const;

export function createUpstreamMeter(registry: Registry): UpstreamMeter {
  const names = new NameTable('other');
  const durations = new Histogram(UPSTREAM_BOUNDS, (series) => ({ upstream: names.name(series) }));
  declareHistogram(
    registry,
    'sallyport_upstream_duration_seconds',
    'From the request to the end of the response, as the upstream took it.',
    durations,
  );
  const counter = (name: string, help: string) => {
    const counts: number[] = [];
    // From zero on: what happens first is an increase, too.
    declareCounter(registry, name, help, (emit) => {
      for (let index = 0; index < names.size; index += 1)
        emit(counts[index] ?? 0, { upstream: names.name(index) });
    });
    return counts;
  };
  const retries = counter(
    'sallyport_upstream_retries_total',
    'Requests that were sent again, to another place or on another connection.',
  );
  const ejections = counter(
    'sallyport_upstream_ejections_total',
    'How often an address was left out, because it failed or did not pass its health checks.',
  );
  return {
    upstream: (name) => names.index(name),
    observe: (upstream, durationMs) => durations.observe(upstream, durationMs / 1000),
    retried: (upstream) => add(retries, upstream),
    ejected: (upstream) => add(ejections, upstream),
  };
}

function add(counts: number[], index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}
