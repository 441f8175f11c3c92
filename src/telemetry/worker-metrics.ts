import { Registry } from 'prom-client';
import { type MetricsSnapshot, snapshotOf } from './aggregate.ts';
import { type LIMITS, limitCounter, type WordCounter } from './metrics.ts';
import { declareCounter, declareGauge } from './series.ts';

/** The supervisor's own figures. */
export interface WorkerFigures {
  /** Workers that ended without being asked to, so far. */
  deaths(): number;
  /** Workers that answer calls now. */
  serving(): number;
}

export function createWorkerMetrics(figures: WorkerFigures): {
  readonly limits: WordCounter<(typeof LIMITS)[number]>;
  snapshot(): Promise<MetricsSnapshot>;
} {
  const registry = new Registry();
  declareCounter(
    registry,
    'sallyport_worker_deaths_total',
    'Workers that ended without being asked to.',
    (emit) => emit(figures.deaths()),
  );
  declareGauge(registry, 'sallyport_workers_serving', 'Workers that answer calls.', 'sum', (emit) =>
    emit(figures.serving()),
  );
  return { limits: limitCounter(registry), snapshot: () => snapshotOf(registry) };
}
