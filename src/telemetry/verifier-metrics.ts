import { Registry } from 'prom-client';
import { declareCounter, declareGauge } from './series.ts';

/** What somebody who follows the record has found so far. */
export interface VerifierFigures {
  readonly events: number;
  readonly gaps: number;
  readonly edits: number;
  /** When all was read that was there, in ms since 1970; 0: not yet. */
  readonly readMs: number;
}

/** The metrics of a process that verifies and serves nothing. */
export function verifierMetrics(figures: () => VerifierFigures) {
  const registry = new Registry();
  const counter = (name: string, help: string, read: (figures: VerifierFigures) => number) =>
    declareCounter(registry, name, help, (emit) => emit(read(figures())));
  counter(
    'sallyport_audit_gaps_total',
    'Holes in the record that were found, by their number.',
    ({ gaps }) => gaps,
  );
  counter(
    'sallyport_audit_edits_total',
    'Changes, insertions and replacements in the record that were found.',
    ({ edits }) => edits,
  );
  counter(
    'sallyport_audit_verified_events_total',
    'Events that were read and judged.',
    ({ events }) => events,
  );
  declareGauge(
    registry,
    'sallyport_audit_verified_timestamp_seconds',
    'When all was read that was there.',
    'min',
    (emit) => emit(figures().readMs / 1000),
  );
  return { contentType: registry.contentType, text: () => registry.metrics() };
}
