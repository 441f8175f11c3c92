import { Deadlines } from '../deadlines.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import { adminContext } from './administration.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import type { GateCore } from './core.ts';
import { openDescriptors } from './descriptors.ts';
import { createProxy, type GateProxy } from './proxy.ts';
import { renewalsBy, renewsOnlyWith } from './renewals.ts';
import { servicesOf } from './services.ts';
import { openUpstreams, type UpstreamSet } from './upstream-set.ts';

/** What calls go through, from the proxy's port to the upstreams. */
export interface DataPlane {
  readonly upstreams: UpstreamSet;
  /** Null: there is no `listen.proxy`. Its port is not open yet. */
  readonly proxy: GateProxy | null;
  readonly reloads: readonly PrepareReload[];
}

/**
 * Throws `CertificateFault`.
 *
 * @param ticketKeys of a worker; null: the keys, and the port, are its own
 */
export function createDataPlane(
  gate: GateContext,
  { stores, registry, records, decision }: GateCore,
  ticketKeys: TicketKeys | null,
): DataPlane {
  const { decider } = decision;
  const deadlines = own(gate, new Deadlines());
  const descriptors = openDescriptors(gate, () => proxy?.taken ?? 0);
  const upstreams = openUpstreams(gate, { deadlines, budget: descriptors.budget });
  const renewToken =
    stores.renewals === null
      ? null
      : renewalsBy(adminContext(gate, registry.replica, stores.renewals), gate.log);
  const services = servicesOf(gate, {
    decider,
    records,
    registry,
    upstreams,
    descriptors,
    renewToken,
  });
  const { proxy: listen } = gate.state.config.listen;
  const proxy: GateProxy | null =
    listen === null
      ? null
      : createProxy(gate, listen, { descriptors, deadlines, ticketKeys, services });
  const reloads = [
    renewsOnlyWith(renewToken),
    (next) => upstreams.prepare(next),
    (next) => () => descriptors.replan(next),
    // Behind the upstreams, which its calls go to.
    ...(proxy === null ? [] : [proxy.prepareReload]),
  ] satisfies PrepareReload[];
  return { upstreams, proxy, reloads };
}
