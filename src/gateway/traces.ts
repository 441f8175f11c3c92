import { readFileSync } from 'node:fs';
import { systemNames } from '../names/system.ts';
import { packageVersion } from '../telemetry/metrics.ts';
import { SpanExporter } from '../telemetry/traces/exporter.ts';
import { frameOf, posting } from '../telemetry/traces/otlp.ts';
import { Tracer } from '../telemetry/traces/tracer.ts';
import { type GateContext, own } from './context.ts';

/** Tells a collector of calls; null: `telemetry.otlp` names none. Its end sends what waits. */
export function openTraces(gate: GateContext): Tracer | null {
  const { clock, instance, log, metrics, state } = gate;
  const { otlp } = state.config.telemetry;
  if (otlp === null) return null;
  const { endpoint, caFile, serviceName } = otlp;
  const { requests, spans: counter } = metrics;
  const { count } = counter;
  const spans = new SpanExporter({
    endpoint,
    frame: frameOf({ serviceName, instance, version: packageVersion() }),
    post: posting({
      endpoint,
      ca: caFile === null ? null : readFileSync(caFile, 'utf8'),
      lookup: systemNames.lookup,
    }),
    count,
    log,
  });
  return new Tracer({
    sampling: () => state.config.telemetry.otlp ?? otlp,
    newTraces: () => state.config.telemetry.traces,
    spans: own(gate, spans),
    count,
    exemplar({ route, durationMs, overheadMs }, traceId, wallMs) {
      const number = requests.route(route?.name ?? null);
      requests.exemplify(number, durationMs, overheadMs, traceId, wallMs);
    },
    clock,
  });
}
