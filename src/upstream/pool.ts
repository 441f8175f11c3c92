import type { Deadlines } from '../deadlines.ts';
import type { UpstreamAddress } from './dialer.ts';
import type { PlacePool } from './place-pool.ts';
import { type Member, PoolMembers } from './pool-members.ts';
import type { PoolOptions } from './pool-options.ts';
import type { UpstreamChannel } from './port.ts';

export interface AddressState {
  readonly address: UpstreamAddress;
  /**
   * Requests go there, to one of its places at least. False: only if there is no better address.
   */
  readonly usable: boolean;
}

/** More than any number of exchanges under way. */
const UNUSABLE_COST = 1e9;
const PROBATION_COST = 1e8;
/** Of each priority of a service that goes before (RFC 2782): above any load, below what fails. */
const RANK_COST = 1e6;

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
   * A connection for one exchange, or a stream of one, perhaps still connecting; null when there
   * are as many as there may be.
   *
   * @param repeatable the request may be sent again if the connection turns out to be dead
   */
  take(repeatable: boolean): UpstreamChannel | null {
    return this.#choose(null).take(!repeatable);
  }

  /**
   * A new connection, for a further try of a request: an idle one may be as dead as the first, and
   * so may be the place that `failed` led to, which is left out while there is another. Null as for
   * `take`.
   */
  takeNew(failed: UpstreamChannel): UpstreamChannel | null {
    return this.#choose(failed.keeper).takeNew();
  }

  /**
   * The place with the fewest exchanges under way for its weight; ties go round, by weight where
   * there is one; one that fails only if all do, one on probation with one exchange at a time, and
   * one of a further priority if none before it can be used.
   */
  #choose(except: unknown): PlacePool {
    const members = this.#members.list;
    if (members.length === 1) return members[0]!.pool;
    this.#next = this.#members.isWeighted ? byWeight(members) : (this.#next + 1) % members.length;
    let best: PlacePool | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let step = 0; step < members.length; step += 1) {
      const member = members[(this.#next + step) % members.length]!;
      const { pool } = member;
      const cost = costOf(member);
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

function costOf({ pool: { health, pending }, rank, weight }: Member): number {
  const cost = pending / weight + rank * RANK_COST;
  if (!health.usable) return cost + UNUSABLE_COST;
  return health.onProbation && pending > 0 ? cost + PROBATION_COST : cost;
}

/** One of the first priority, each as often as its weight says. */
function byWeight(members: readonly Member[]): number {
  let sum = 0;
  for (const { rank, weight } of members) if (rank === 0) sum += weight;
  let left = Math.random() * sum;
  for (let index = 0; index < members.length; index += 1) {
    const { rank, weight } = members[index]!;
    if (rank === 0) left -= weight;
    if (left < 0) return index;
  }
  return 0;
}
