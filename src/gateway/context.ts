import { randomBytes } from 'node:crypto';
import { ClientAddresses } from '../audit/event/client-address.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import { createRequestIds } from '../http/request-id.ts';
import { UsageMeter } from '../stats/usage/meter.ts';
import type { Log } from '../telemetry/log.ts';
import { createMetrics, type Metrics } from '../telemetry/metrics.ts';

/** What changes while a gate runs. All else is decided when it opens. */
export interface GateState {
  /** The configuration in force. */
  config: Config;
  /** The end has begun: `/readyz` says no. */
  draining: boolean;
  /** Why the last reload was refused; null when it was not. */
  reloadFault: string | null;
}

/** What each part of a gate is opened with. */
export interface GateContext {
  /** Name of this run: the configured name, and something that no other run has. */
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Counts calls by who makes them and what they are about. */
  readonly usage: UsageMeter;
  readonly nextRequestId: () => string;
  /** In which form the record holds addresses of clients. */
  readonly addresses: ClientAddresses;
  readonly state: GateState;
  /**
   * Owns what is opened: a function that opens something registers its end here at once, before
   * anything else can fail. The stack closes in reverse order.
   */
  readonly owned: AsyncDisposableStack;
}

/**
 * What a reload changes in one part. Reads what the next configuration names; throws, and changes
 * nothing, when something does not fit.
 *
 * @returns takes it over; never throws
 */
export type PrepareReload = (next: Config) => () => void;

export function createContext(
  config: Config,
  log: Log,
  clock: Clock = systemClock,
  owned = new AsyncDisposableStack(),
): GateContext {
  const instance = `${config.instance.name}-${randomBytes(4).toString('hex')}`;
  return {
    instance,
    clock,
    log: log.with({ instance }),
    metrics: createMetrics(),
    usage: new UsageMeter(),
    nextRequestId: createRequestIds(),
    addresses: new ClientAddresses(config.audit.clientAddress),
    state: { config, draining: false, reloadFault: null },
    owned,
  };
}

/** Registers the end of what has just been opened. */
export function own<Opened extends { close(): void | Promise<void> }>(
  { owned }: Pick<GateContext, 'owned'>,
  opened: Opened,
): Opened {
  return owned.adopt(opened, (one) => one.close());
}

/** Does something every second from now on; keeps no process alive. */
export function everySecond({ owned }: Pick<GateContext, 'owned'>, work: () => void): void {
  const timer = setInterval(work, 1000).unref();
  owned.defer(() => clearInterval(timer));
}
