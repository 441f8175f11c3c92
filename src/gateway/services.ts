import { CallEvents } from '../audit/event/call-event.ts';
import type { CallServices } from '../calls/port.ts';
import type { RenewToken } from '../calls/renewal.ts';
import type { Decider } from '../decision/decide.ts';
import { TrustedProxies } from '../http/client-address.ts';
import { BodyBudget } from '../limits/body-budget.ts';
import { TunnelPlaces } from '../limits/tunnels.ts';
import type { AccessLog } from '../telemetry/access/log.ts';
import type { Tracer } from '../telemetry/traces/tracer.ts';
import type { GateAssertions } from './assertions.ts';
import { createCallMeter } from './call-meter.ts';
import type { GateContext } from './context.ts';
import type { Descriptors } from './descriptors.ts';
import type { Records } from './records.ts';
import type { GateRegistry } from './registry.ts';
import type { UpstreamSet } from './upstream-set.ts';

/**
 * The name that `Via` and `Proxy-Status` give this gate. Not the instance's: that would tell
 * outsiders about the inside.
 */
const GATE = 'sallyport';
/** The memory of all bodies by which is decided, in each process. */
const HELD_BODIES_BYTES = 64 * 1024 * 1024;

export interface CallParts {
  readonly decider: Decider;
  readonly records: Records;
  readonly registry: GateRegistry;
  readonly upstreams: UpstreamSet;
  readonly assertions: GateAssertions;
  readonly descriptors: Descriptors;
  readonly renewToken: RenewToken | null;
  readonly accessLog: AccessLog | null;
  readonly tracer: Tracer | null;
}

/** What each call works with, made anew for each configuration. */
export function servicesOf(
  { addresses, clock, instance, log, metrics, nextRequestId, state, usage }: GateContext,
  {
    decider,
    records,
    registry,
    upstreams,
    assertions,
    descriptors,
    renewToken,
    accessLog,
    tracer,
  }: CallParts,
): () => CallServices {
  const heldBodies = new BodyBudget(HELD_BODIES_BYTES, () => state.config.limits.accountShare);
  const tunnels = new TunnelPlaces(() => state.config.limits.tunnelsPerAccount);
  metrics.connect({ tunnelsOpen: () => tunnels.open });
  const meter = createCallMeter(metrics, usage);
  const events = new CallEvents(instance);
  const named = new Set(state.config.audit.headers);
  const recordedHeaders = named.size === 0 ? null : named;
  return () => {
    const { audit, errors, limits, listen, realm, telemetry } = state.config;
    return {
      door: null,
      decider,
      outbox: records.outbox,
      events,
      floods: records.floods,
      honey: records.honey,
      meter,
      openCalls: registry.openCalls,
      uses: registry.uses,
      upstreams: upstreams.upstreams,
      assertions: assertions.current,
      renewToken,
      recordedAddress: addresses.recorded,
      recordedHeaders,
      guarantee: audit.guarantee,
      bodyBytes: limits.bodyBytes,
      heldBodies,
      accessLog,
      serverTiming: telemetry.serverTiming === 'authenticated',
      tunnels,
      traces: telemetry.traces,
      tracer,
      trustedProxies: new TrustedProxies(
        listen.proxy?.trustedProxies ?? [],
        listen.proxy?.clientAddressFrom,
      ),
      format: { errors, realm, gate: GATE },
      via: listen.proxy?.via === false ? '' : GATE,
      clock,
      log,
      exhausted: (code) => descriptors.exhausted(code),
      nextRequestId,
    };
  };
}
