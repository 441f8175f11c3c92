import type { CallMeasure, CallMeter } from '../calls/meter.ts';
import type { Route } from '../decision/route.ts';
import type { UsageMeter } from '../stats/usage/meter.ts';
import type { Metrics } from '../telemetry/metrics.ts';

interface RouteNumbers {
  readonly route: number;
  readonly upstream: number;
}

/**
 * From what a call knows to the small numbers that metrics count by. Routes are told apart as
 * objects: a reload brings new ones.
 */
export function createCallMeter(metrics: Metrics, usage: UsageMeter): CallMeter {
  const numbers = new WeakMap<Route, RouteNumbers>();
  const numbersOf = (route: Route): RouteNumbers => {
    let known = numbers.get(route);
    if (known === undefined) {
      known = {
        route: metrics.requests.route(route.name),
        // `OPTIONS *` has none, and asks none.
        upstream: route.upstream === '' ? 0 : metrics.upstreams.upstream(route.upstream),
      };
      numbers.set(route, known);
    }
    return known;
  };
  return {
    callBegan(): void {
      metrics.requests.inFlight += 1;
    },
    callEnded(measure: CallMeasure): void {
      metrics.requests.inFlight -= 1;
      const known = measure.route === null ? null : numbersOf(measure.route);
      const method = metrics.requests.method(measure.method ?? '');
      metrics.requests.count(
        known?.route ?? 0,
        method,
        measure.status,
        measure.reason,
        measure.durationMs,
        measure.overheadMs,
      );
      metrics.requests.bytes(measure.requestBytes, measure.responseBytes);
      usage.count(measure);
      if (measure.account !== null) metrics.accounts.count(measure.account);
      if (known !== null && measure.upstreamMs !== null)
        metrics.upstreams.observe(known.upstream, measure.upstreamMs);
    },
  };
}
