import type { PublishedStore } from '../published/port.ts';
import { RoutePublisher } from '../published/publisher.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';

/**
 * From now on whoever stands apart from this gate can see by which routes it decides. A gate that
 * takes no calls has none to tell of.
 */
export function publishRoutes(gate: GateContext, store: PublishedStore): PrepareReload {
  const { clock, instance, log } = gate;
  const { listen, routes } = gate.state.config;
  if (listen.proxy === null && listen.decision === null) return () => () => undefined;
  const publisher = own(
    gate,
    new RoutePublisher({
      store,
      instance,
      clock,
      onFault: (error) =>
        log.warn('the routes could not be published: they are tried again', { error }),
    }),
  );
  publisher.show(routes);
  return (next) => () => publisher.show(next.routes);
}
