import type { EjectionOptions, HealthChange } from './address-health.ts';
import { AddressPool } from './address-pool.ts';
import type { Deadlines } from './deadlines.ts';
import { Dialer, type UpstreamAddress, type UpstreamTls } from './dialer.ts';
import { HealthProber } from './health-prober.ts';
import type { UpstreamConnection } from './upstream-connection.ts';
import type { UpstreamTimeouts } from './upstream-port.ts';

export interface HealthCheckOptions {
  /** Origin-form target. */
  readonly path: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Checks in a row that must fail, or pass, for the verdict to change. */
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}

export interface PoolOptions extends UpstreamTimeouts {
  readonly addresses: readonly UpstreamAddress[];
  /** Null = plain HTTP. */
  readonly tls: UpstreamTls | null;
  /** Connections to one address at most, idle and busy together. */
  readonly maxConnections: number;
  readonly ejection: EjectionOptions;
  /** Null = none. */
  readonly healthCheck: HealthCheckOptions | null;
  /** The Host that a health check of this address asks for. */
  readonly checkHost: (address: UpstreamAddress) => string;
  /** Told when an address is left out and when it is back. Must not throw. */
  readonly healthChanged: (address: UpstreamAddress, change: HealthChange, why: string) => void;
}

export interface AddressState {
  readonly address: UpstreamAddress;
  /** Requests go there. False: only if there is no better address. */
  readonly usable: boolean;
}

/** More than any number of exchanges under way. */
const UNUSABLE_COST = 1e9;
const PROBATION_COST = 1e6;

interface Member {
  readonly address: UpstreamAddress;
  readonly dialer: Dialer;
  readonly pool: AddressPool;
}

/** All connections to one upstream. */
export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #members: readonly Member[];
  #probers: readonly HealthProber[] = [];
  #next = 0;

  constructor(options: PoolOptions, deadlines: Deadlines) {
    this.#options = options;
    this.#members = options.addresses.map((address) => newMember(address, options, deadlines));
  }

  /**
   * Begins with the health checks, where there are any; they go on until `retire` or `close`. Once.
   */
  startChecks(): void {
    const { healthCheck } = this.#options;
    if (healthCheck !== null)
      this.#probers = this.#members.map((member) => newProber(member, this.#options, healthCheck));
  }

  /** How many connections there are, by what they do. */
  counts(): { idle: number; active: number; connecting: number } {
    const sum = { idle: 0, active: 0, connecting: 0 };
    for (const { pool } of this.#members) pool.addCounts(sum);
    return sum;
  }

  states(): readonly AddressState[] {
    return this.#members.map(({ address, pool }) => ({ address, usable: pool.health.usable }));
  }

  /**
   * A connection for one exchange, perhaps still connecting; null when there are as many as there
   * may be.
   *
   * @param repeatable the request may be sent again if the connection turns out to be dead
   */
  take(repeatable: boolean): UpstreamConnection | null {
    return this.#choose().take(!repeatable);
  }

  /**
   * A new connection, for the second try of a request: an idle one may be as dead as the first.
   * Null as for `take`.
   */
  takeNew(): UpstreamConnection | null {
    return this.#choose().takeNew();
  }

  /**
   * The address with the fewest exchanges under way; ties go round; one that fails only if all do,
   * one on probation with one exchange at a time.
   */
  #choose(): AddressPool {
    const members = this.#members;
    if (members.length === 1) return members[0]!.pool;
    this.#next = (this.#next + 1) % members.length;
    let best = members[this.#next]!.pool;
    let bestCost = costOf(best);
    for (let step = 1; step < members.length; step += 1) {
      const { pool } = members[(this.#next + step) % members.length]!;
      const cost = costOf(pool);
      if (cost < bestCost) {
        best = pool;
        bestCost = cost;
      }
    }
    return best;
  }

  /**
   * Closes idle connections; busy ones go on, and close after their exchange. For a configuration
   * that no longer names this upstream.
   */
  retire(): void {
    for (const prober of this.#probers) prober.stop();
    for (const { pool } of this.#members) pool.retire();
  }

  close(): void {
    for (const prober of this.#probers) prober.stop();
    for (const { pool } of this.#members) pool.closeAll();
  }
}

function costOf({ health, pending }: AddressPool): number {
  if (!health.usable) return pending + UNUSABLE_COST;
  return health.onProbation && pending > 0 ? pending + PROBATION_COST : pending;
}

function newMember(address: UpstreamAddress, options: PoolOptions, deadlines: Deadlines): Member {
  const { healthCheck, maxConnections, ejection } = options;
  const dialer = new Dialer(address, options.tls, deadlines);
  const pool = new AddressPool(
    dialer,
    {
      timeouts: options,
      maxConnections,
      ejection,
      checks: healthCheck,
      observer: (change, why) => options.healthChanged(address, change, why),
    },
    deadlines,
  );
  return { address, dialer, pool };
}

function newProber(
  { address, dialer, pool }: Member,
  options: PoolOptions,
  check: HealthCheckOptions,
): HealthProber {
  const host = options.checkHost(address);
  const head = `GET ${check.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: sallyport-health-check\r\nConnection: close\r\n\r\n`;
  const result = (passed: boolean, why: string) => pool.health.checked(passed, why);
  return new HealthProber(dialer, {
    head,
    intervalMs: check.intervalMs,
    timeoutMs: check.timeoutMs,
    result,
  });
}
