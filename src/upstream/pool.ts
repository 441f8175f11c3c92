import type { Deadlines } from '../deadlines.ts';
import type { EjectionOptions, HealthChange } from './address-health.ts';
import type { AddressPool } from './address-pool.ts';
import type { UpstreamConnection } from './connection.ts';
import type { DescriptorBudget } from './descriptors.ts';
import type { UpstreamAddress, UpstreamTls } from './dialer.ts';
import type { PlaceStates } from './place-states.ts';
import { type NameSource, PoolMembers } from './pool-members.ts';
import type { UpstreamTimeouts } from './port.ts';

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
  /** Connections to one place at most, idle and busy together. */
  readonly maxConnections: number;
  /** How long one connection serves, in milliseconds, give or take a tenth. */
  readonly maxConnectionAgeMs: number;
  readonly names: NameSource;
  /** Of this upstream, shared with the pools that a reload has replaced. */
  readonly places: PlaceStates;
  /** Shared by the pools of all upstreams. */
  readonly budget: DescriptorBudget;
  readonly ejection: EjectionOptions;
  /** Null = none. */
  readonly healthCheck: HealthCheckOptions | null;
  /** The Host that a health check of this address asks for. */
  readonly checkHost: (address: UpstreamAddress) => string;
  /** Field lines of a health check beside its own, each with its CRLF. They may hold a secret. */
  readonly checkFields?: () => string;
  /** Told when an address is left out and when it is back. Must not throw. */
  readonly healthChanged: (address: UpstreamAddress, change: HealthChange, why: string) => void;
  /** Told of the IP addresses of a name, and of those before. Must not throw. */
  readonly moved: (
    address: UpstreamAddress,
    to: readonly string[],
    from: readonly string[],
  ) => void;
}

export interface AddressState {
  readonly address: UpstreamAddress;
  /**
   * Requests go there, to one of its places at least. False: only if there is no better address.
   */
  readonly usable: boolean;
}

/** More than any number of exchanges under way. */
const UNUSABLE_COST = 1e9;
const PROBATION_COST = 1e6;

/** All connections to one upstream. */
export class UpstreamPool {
  readonly #addresses: readonly UpstreamAddress[];
  readonly #maxConnections: number;
  readonly #members: PoolMembers;
  #next = 0;

  /** @param former of the same upstream, which a reload replaces; the caller retires it */
  constructor(options: PoolOptions, deadlines: Deadlines, former: UpstreamPool | null = null) {
    this.#addresses = options.addresses;
    this.#members = new PoolMembers(options, deadlines, former === null ? null : former.#members);
    this.#maxConnections = options.maxConnections;
  }

  /**
   * Connections that calls can use now: to places that are neither left out nor on probation, where
   * one exchange at a time is risked. Those of one place at least: if all fail, all are tried, but
   * nobody knows how many will answer.
   */
  get usableConnections(): number {
    let places = 0;
    for (const { pool } of this.#members.list) if (pool.health.sound) places += 1;
    return this.#maxConnections * Math.max(1, places);
  }

  /**
   * Begins with the health checks, where there are any; they go on until `retire` or `close`. Once.
   */
  startChecks(): void {
    this.#members.startChecks();
  }

  /** No connection is left, not even of places that left a name. */
  get isEmpty(): boolean {
    for (const { pool } of this.#members.withLeaving()) if (!pool.isEmpty) return false;
    return true;
  }

  /** How many connections there are, by what they do. */
  counts(): { idle: number; active: number; connecting: number } {
    const sum = { idle: 0, active: 0, connecting: 0 };
    for (const { pool } of this.#members.withLeaving()) pool.addCounts(sum);
    return sum;
  }

  states(): readonly AddressState[] {
    const members = this.#members.list;
    return this.#addresses.map((address) => ({
      address,
      usable: members.some((one) => one.address === address && one.pool.health.usable),
    }));
  }

  /**
   * A connection for one exchange, perhaps still connecting; null when there are as many as there
   * may be.
   *
   * @param repeatable the request may be sent again if the connection turns out to be dead
   */
  take(repeatable: boolean): UpstreamConnection | null {
    return this.#choose(null).take(!repeatable);
  }

  /**
   * A new connection, for a further try of a request: an idle one may be as dead as the first, and
   * so may be the place that `failed` led to, which is left out while there is another. Null as for
   * `take`.
   */
  takeNew(failed: UpstreamConnection): UpstreamConnection | null {
    return this.#choose(failed.keeper).takeNew();
  }

  /**
   * The place with the fewest exchanges under way; ties go round; one that fails only if all do,
   * one on probation with one exchange at a time.
   */
  #choose(except: unknown): AddressPool {
    const members = this.#members.list;
    if (members.length === 1) return members[0]!.pool;
    this.#next = (this.#next + 1) % members.length;
    let best: AddressPool | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let step = 0; step < members.length; step += 1) {
      const { pool } = members[(this.#next + step) % members.length]!;
      const cost = costOf(pool);
      if (pool === except || cost >= bestCost) continue;
      best = pool;
      bestCost = cost;
    }
    return best!;
  }

  /**
   * Closes idle connections; busy ones go on, and close after their exchange. For a configuration
   * that no longer names this upstream, or says something else of it.
   */
  retire(): void {
    this.#members.stop();
    for (const { pool } of this.#members.withLeaving()) pool.retire();
  }

  close(): void {
    this.#members.stop();
    for (const { pool } of this.#members.withLeaving()) pool.closeAll();
  }
}

function costOf({ health, pending }: AddressPool): number {
  if (!health.usable) return pending + UNUSABLE_COST;
  return health.onProbation && pending > 0 ? pending + PROBATION_COST : pending;
}
