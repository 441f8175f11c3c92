import { Deadlines } from '../deadlines.ts';
import { createRouteTable } from '../decision/route-table.ts';
import { type AccessLog, openAccessLog } from '../telemetry/access/log.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import { adminContext } from './administration.ts';
import { type GateContext, own, type PrepareReload } from './context.ts';
import type { GateCore } from './core.ts';
import { createDecisionDoor } from './decision-door.ts';
import { openDescriptors } from './descriptors.ts';
import type { GateListener } from './gate-listener.ts';
import { createProxy } from './proxy.ts';
import { renewalsBy, renewsOnlyWith } from './renewals.ts';
import { servicesOf } from './services.ts';
import { openTraces } from './traces.ts';
import { openUpstreams, type UpstreamSet } from './upstream-set.ts';

/** What calls go through, from the proxy's port to the upstreams. */
export interface DataPlane {
  readonly upstreams: UpstreamSet;
  /** Null: there is no `listen.proxy`. Its port is not open yet. */
  readonly proxy: GateListener | null;
  /** Null: there is no `listen.decision`. Its port is not open yet. */
  readonly decisions: GateListener | null;
  /** Null: there is no `log.access`. */
  readonly accessLog: AccessLog | null;
  readonly reloads: readonly PrepareReload[];
}

/**
 * Throws `CertificateFault`, and `AccessLogFault` for a file that cannot be opened.
 *
 * @param ticketKeys of a worker; null: the keys, and the port, are its own
 */
export function createDataPlane(
  gate: GateContext,
  { stores, registry, records, decision, assertions }: GateCore,
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
  const accessLog = accessLogOf(gate);
  const services = servicesOf(gate, {
    decider,
    records,
    registry,
    upstreams,
    assertions,
    descriptors,
    renewToken,
    accessLog,
    tracer: openTraces(gate),
  });
  const { listen } = gate.state.config;
  const parts = { descriptors, deadlines, ticketKeys, services };
  const proxy: GateListener | null =
    listen.proxy === null ? null : createProxy(gate, listen.proxy, parts);
  const decisions =
    listen.decision === null
      ? null
      : createDecisionDoor(gate, listen.decision, { ...parts, keySet: assertions.keySet });
  const reloads = [
    renewsOnlyWith(renewToken),
    (next) => upstreams.prepare(next),
    (next) => () => descriptors.replan(next),
    // Behind the upstreams, which its calls go to.
    ...(proxy === null ? [] : [proxy.prepareReload]),
    ...(decisions === null ? [] : [decisions.prepareReload]),
    (next) => () => registry.openCalls.rerouted(createRouteTable(next.routes)),
  ] satisfies PrepareReload[];
  return { upstreams, proxy, decisions, accessLog, reloads };
}

function accessLogOf(gate: GateContext): AccessLog | null {
  const { clock, log, state } = gate;
  const { access } = state.config.log;
  return access === null ? null : own(gate, openAccessLog({ ...access, clock, log }));
}
