import type { Control } from '../admin/control.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { HostPort } from '../config/values.ts';
import { assessReadiness, type Readiness } from '../ops/readiness.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import { createContext, type GateContext } from './context.ts';
import { drain } from './drain.ts';
import { type Address, type OpenGate, openGate } from './open.ts';
import { prepareReload, reload, reloadRefused } from './reload.ts';

export interface GatewayAddresses {
  readonly proxy: (Address & { readonly secure: boolean }) | null;
  readonly decision: (Address & { readonly secure: boolean }) | null;
  readonly admin: Address | null;
  readonly ops: Address | null;
}

/** A running gate. */
export interface Gateway {
  readonly instance: string;
  readonly addresses: GatewayAddresses;
  /**
   * Administration; null with Redis and without an admin listener, where this process holds no
   * right to change the registry.
   */
  readonly control: Control | null;
  readonly metrics: Metrics;
  readonly ready: boolean;
  /** What `/readyz` says. */
  readonly readiness: Readiness;
  /** What takes longest of a reload, ahead of it, in turns of the loop of its own. */
  prepareReload(config: Config): Promise<void>;
  /**
   * Takes over what a running gate can take over: routes, upstreams, limits, certificates. Throws,
   * and changes nothing, when something does not fit.
   */
  reload(config: Config): void;
  /** Shown in readiness until the next reload succeeds. */
  reloadRefused(why: string): void;
  /** The file of the access log was moved away: goes on in a new one of its name. */
  reopenLogs(): void;
  /** Seals TLS session tickets with other keys from now on. */
  setTicketKeys(keys: TicketKeys): void;
  /** Drains, as `drain.ts` says, and closes everything. A second call waits for the first one. */
  close(options?: CloseOptions): Promise<void>;
}

export interface CloseOptions {
  /** False: somebody waits at a terminal, and the step of `instance.lameDuckMs` is left out. */
  readonly lameDuck?: boolean;
}

export interface GatewayOptions {
  readonly log: Log;
  readonly clock?: Clock;
  /**
   * Of a worker: what it shares with the others, its port among them. Default: both are its own.
   */
  readonly shared?: { readonly ticketKeys: TicketKeys } | null;
}

/**
 * The one composition root: knows every concrete class, and owns and closes every resource.
 *
 * Resolves as soon as the ports are open, whether or not the store is there: until the first lease
 * every call gets 503 and `/readyz` says why. When something cannot be opened, what was opened
 * before it is closed again, and the promise rejects with its reason.
 */
export async function startGateway(
  config: Config,
  { log, clock, shared = null }: GatewayOptions,
): Promise<Gateway> {
  const gate = createContext(config, log, clock);
  try {
    const open = await openGate(gate, shared?.ticketKeys ?? null);
    const gateway = gatewayOf(gate, open);
    gate.log.info('the gate is open', { ready: gateway.ready, ...gateway.addresses });
    return gateway;
  } catch (error) {
    await gate.owned.disposeAsync().catch((fault: unknown) => {
      gate.log.error('not all that was opened could be closed', { error: fault });
    });
    throw error;
  }
}

function gatewayOf(gate: GateContext, open: OpenGate): Gateway {
  const { state, owned, log } = gate;
  const { core, plane, administration, checks } = open;
  const close = async (lameDuck: boolean) => {
    try {
      await drain(gate, { ...plane, ...core, administration }, lameDuck);
    } finally {
      await owned.disposeAsync();
    }
    log.info('the gate is closed');
  };
  let closing: Promise<void> | null = null;
  return {
    instance: gate.instance,
    metrics: gate.metrics,
    addresses: addressesOf(gate, open),
    control: administration?.control ?? null,
    get ready() {
      return !state.draining && core.registry.replica.current && core.records.outbox.healthy;
    },
    get readiness() {
      return assessReadiness(checks);
    },
    async prepareReload(next) {
      await core.assertions.lookAhead(next);
      await prepareReload(next);
    },
    reload: (next) => reload(gate, open.reloads, next),
    reloadRefused: (why) => reloadRefused(gate, why),
    reopenLogs: () => plane.accessLog?.reopen(),
    setTicketKeys: (keys) => {
      plane.proxy?.setTicketKeys(keys);
      plane.decisions?.setTicketKeys(keys);
    },
    close({ lameDuck = true } = {}) {
      closing ??= close(lameDuck);
      return closing;
    },
  };
}

function addressesOf({ state }: GateContext, open: OpenGate): GatewayAddresses {
  const { proxy, decision } = state.config.listen;
  return {
    proxy: addressOf(proxy, open.proxyPort),
    decision: addressOf(decision, open.decisionPort),
    admin: open.administration?.listener?.address ?? null,
    ops: open.opsAddress,
  };
}

function addressOf(
  listen: { readonly address: HostPort; readonly tls: object | null } | null,
  port: number | null,
): (Address & { readonly secure: boolean }) | null {
  return listen === null || port === null
    ? null
    : { host: listen.address.host, port, secure: listen.tls !== null };
}
