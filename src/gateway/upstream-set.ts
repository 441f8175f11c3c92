import { isSame } from '../config/change.ts';
import type { Config } from '../config/schema.ts';
import type { Upstream } from '../forwarding/upstream.ts';
import type { ConnectionCount } from '../telemetry/sources.ts';
import { PlaceStates } from '../upstream/place-states.ts';
import type { UpstreamPool } from '../upstream/pool.ts';
import { UpstreamShares } from '../upstream/shares.ts';
import { type GateContext, own } from './context.ts';
import {
  openPool,
  type PoolSurroundings,
  type PreparedUpstream,
  prepareUpstream,
  upstreamOf,
} from './upstreams.ts';

/** What counts for an upstream of that name, whatever its configuration was when it was taken. */
interface Held {
  readonly shares: UpstreamShares;
  readonly places: PlaceStates;
}

/** An upstream as it is in force. */
interface Current {
  readonly prepared: PreparedUpstream;
  readonly upstream: Upstream;
}

/** A pool that a reload has replaced. */
interface Former {
  readonly name: string;
  readonly pool: UpstreamPool;
}

/**
 * The upstreams of a running gate, from reload to reload.
 *
 * ```
 *   says the same as before     the pool is kept: its connections, its names, its health checks
 *   says something else         a new pool; the former one drains, and shares, connections and the
 *                               health of addresses that stay are counted over both, by its name
 *   is no longer named          the pool drains; what it still holds counts if the name comes back
 * ```
 */
export class UpstreamSet {
  readonly #surroundings: PoolSurroundings;
  readonly #wallMs: () => number;
  readonly #held = new Map<string, Held>();
  #current: ReadonlyMap<string, Current> = new Map();
  #upstreams: ReadonlyMap<string, Upstream> = new Map();
  /** Those that still end what they have begun, as of the last reload. */
  #former: readonly Former[] = [];

  /** @param wallMs the wall clock, for the validity of certificates */
  constructor(wallMs: () => number, surroundings: PoolSurroundings) {
    this.#wallMs = wallMs;
    this.#surroundings = surroundings;
  }

  /** By name, as the configuration in force has them. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#upstreams;
  }

  /**
   * Reads what the upstreams of a configuration need. Throws `CertificateFault`, and changes
   * nothing.
   *
   * @returns takes them over; never throws
   */
  prepare({ upstreams, routes, limits }: Config): () => void {
    const nowMs = this.#wallMs();
    const all = upstreams.map((upstream) => prepareUpstream(upstream, routes, nowMs));
    return () => this.#takeOver(all, limits);
  }

  #takeOver(all: readonly PreparedUpstream[], limits: Config['limits']): void {
    const before = this.#current;
    this.#forgetEnded(all);
    this.#current = new Map(
      all.map((one) => [one.config.name, this.#next(one, before.get(one.config.name), limits)]),
    );
    this.#upstreams = new Map([...this.#current].map(([name, { upstream }]) => [name, upstream]));
    for (const [name, { upstream }] of before)
      if (this.#upstreams.get(name)?.pool !== upstream.pool) this.#retire(name, upstream.pool);
  }

  #next(next: PreparedUpstream, before: Current | undefined, limits: Config['limits']): Current {
    const { shares, places } = this.#heldBy(next.config.name, limits);
    const former = before?.upstream.pool ?? null;
    const keeps = former !== null && saysTheSame(before!.prepared, next);
    const pool = keeps ? former : openPool(next, places, former, this.#surroundings);
    shares.change(limits, () => pool.usableConnections);
    if (!keeps) pool.startChecks();
    return { prepared: next, upstream: upstreamOf(next, pool, shares, this.#surroundings.meter) };
  }

  #heldBy(name: string, limits: Config['limits']): Held {
    const known = this.#held.get(name);
    if (known !== undefined) return known;
    const held = {
      shares: new UpstreamShares(limits, () => 0),
      places: new PlaceStates(this.#surroundings.deadlines),
    };
    this.#held.set(name, held);
    return held;
  }

  /** The next pool is there already, so that what both use is not forgotten in between. */
  #retire(name: string, pool: UpstreamPool): void {
    pool.retire();
    this.#former = [...this.#former, { name, pool }];
  }

  #forgetEnded(next: readonly PreparedUpstream[]): void {
    this.#former = this.#former.filter(({ pool }) => !pool.isEmpty);
    const named = new Set([...this.#current.keys(), ...next.map(({ config }) => config.name)]);
    for (const [name, { shares, places }] of this.#held)
      if (!named.has(name) && shares.isEmpty && places.size === 0) this.#held.delete(name);
  }

  /** For the gauge `sallyport_upstream_connections`. */
  connectionCounts(): readonly ConnectionCount[] {
    const sums = new Map<string, ReturnType<UpstreamPool['counts']>>();
    const busy = this.#former.filter(({ pool }) => !pool.isEmpty);
    for (const { name, pool } of [...this.#upstreams.values(), ...busy]) {
      const { idle, active, connecting } = pool.counts();
      const sum = sums.get(name);
      if (sum === undefined) sums.set(name, { idle, active, connecting });
      else {
        sum.idle += idle;
        sum.active += active;
        sum.connecting += connecting;
      }
    }
    return [...sums].flatMap(([upstream, { idle, active, connecting }]) => [
      { upstream, state: 'idle', count: idle },
      { upstream, state: 'active', count: active },
      { upstream, state: 'connecting', count: connecting },
    ]);
  }

  /** Closes all connections, those under way too. */
  close(): void {
    for (const { pool } of [...this.#upstreams.values(), ...this.#former]) pool.close();
  }
}

function saysTheSame(before: PreparedUpstream, next: PreparedUpstream): boolean {
  return before.tlsDigest === next.tlsDigest && isSame(before.config, next.config);
}

/** The upstreams of the configuration. Throws `CertificateFault`. */
export function openUpstreams(
  gate: GateContext,
  surroundings: Omit<PoolSurroundings, 'log' | 'meter'>,
): UpstreamSet {
  const { clock, log, metrics, state } = gate;
  const all = { ...surroundings, log, meter: metrics.upstreams };
  const upstreams = own(gate, new UpstreamSet(() => clock.wallMs(), all));
  upstreams.prepare(state.config)();
  return upstreams;
}
