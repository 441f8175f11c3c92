import { Registry } from 'prom-client';
import { type MetricsSnapshot, snapshotOf } from './aggregate.ts';
import { type LIMITS, limitCounter, type WordCounter } from './metrics.ts';
import { declareCounter, declareGauge } from './series.ts';
import { type CheckState, declareChecks } from './sources.ts';

/** The supervisor's own figures. */
export interface WorkerFigures {
  /** Workers that ended without being asked to, so far. */
  deaths(): number;
  /** Processes that were started in the place of one that had ended, so far. */
  restarts(): number;
  /** Workers that answer calls now. */
  serving(): number;
  /** The checks of `/readyz`, as they are now. */
  checks(): Iterable<CheckState>;
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
  declareCounter(
    registry,
    'sallyport_worker_restarts_total',
    'Processes that were started in the place of a worker that had ended.',
    (emit) => emit(figures.restarts()),
  );
  declareChecks(registry, figures.checks);
  declareGauge(registry, 'sallyport_workers_serving', 'Workers that answer calls.', 'sum', (emit) =>
    emit(figures.serving()),
  );
  return { limits: limitCounter(registry), snapshot: () => snapshotOf(registry) };
}
