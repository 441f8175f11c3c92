import type { Deadlines } from '../deadlines.ts';
import type { AddressHealth } from './address-health.ts';
import type { ConnectionKeeper, UpstreamConnection } from './connection.ts';
import type { DescriptorBudget } from './descriptors.ts';
import type { Dialer } from './dialer.ts';
import type { PlacePool } from './place-pool.ts';
import type { PlaceState } from './place-states.ts';
import type { UpstreamFailure, UpstreamTimeouts } from './port.ts';

/**
 * Below the 5 s after which Node's own servers close an idle connection, the shortest default among
 * common servers.
 */
const IDLE_TIMEOUT_MS = 4000;
/**
 * How recently a connection must have served to be trusted with a request that cannot be sent
 * twice.
 */
const FRESH_MS = 1000;

export interface AddressPoolOptions {
  readonly timeouts: UpstreamTimeouts;
  /** Connections at most, idle and busy together, those of former pools included. */
  readonly maxConnections: number;
  /**
   * A connection older than this serves no further exchange, give or take a tenth, so that those
   * that began together do not end together.
   */
  readonly maxConnectionAgeMs: number;
  /** Shared with the pools that a reload has replaced. */
  readonly state: PlaceState;
  /** Shared by the pools of all upstreams. */
  readonly budget: DescriptorBudget;
}

/**
 * The connections to one address: the idle ones as a stack, so that the surplus grows old and is
 * closed.
 */
export class AddressPool implements PlacePool, ConnectionKeeper {
  readonly #dialer: Dialer;
  readonly #options: AddressPoolOptions;
  readonly #deadlines: Deadlines;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  #retired = false;

  constructor(dialer: Dialer, options: AddressPoolOptions, deadlines: Deadlines) {
    this.#dialer = dialer;
    this.#options = options;
    this.#deadlines = deadlines;
    options.budget.join(this);
  }

  get health(): AddressHealth {
    return this.#options.state.health;
  }

  /** No connection is left. */
  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Exchanges under way, those of former pools included. */
  get pending(): number {
    return this.#options.state.connections - this.#idle.length;
  }

  addCounts(sum: { idle: number; active: number; connecting: number }): void {
    let connecting = 0;
    for (const connection of this.#all) if (!connection.connected) connecting += 1;
    sum.connecting += connecting;
    sum.idle += this.#idle.length;
    sum.active += this.#all.size - this.#idle.length - connecting;
  }

  /**
   * An idle connection, or a new one; null when there are as many as there may be, and all busy.
   * `mustBeFresh`: the request cannot be repeated, so no connection that may have been closed
   * meanwhile.
   */
  take(mustBeFresh: boolean): UpstreamConnection | null {
    const last = this.#idle.at(-1);
    if (last === undefined || (mustBeFresh && this.#deadlines.nowMs - last.idleSinceMs > FRESH_MS))
      return this.takeNew();
    this.#idle.pop();
    return last;
  }

  /** A new connection; null when there are as many as there may be, and all busy. */
  takeNew(): UpstreamConnection | null {
    // The oldest idle one makes room for one that can be trusted.
    const { state, maxConnections, budget } = this.#options;
    if (state.connections >= maxConnections && !this.spare()) return null;
    if (!budget.take()) return null;
    const connection = this.#dialer.open(this, this.#options.timeouts);
    const ageMs = this.#options.maxConnectionAgeMs * (0.9 + Math.random() * 0.2);
    connection.servesUntilMs = this.#deadlines.nowMs + ageMs;
    this.#all.add(connection);
    state.opened();
    return connection;
  }

  /** Closes the oldest idle connection. @returns false when there is none */
  spare(): boolean {
    const oldest = this.#idle[0];
    oldest?.destroy();
    return oldest !== undefined;
  }

  free(connection: UpstreamConnection): void {
    if (this.#retired || this.#deadlines.nowMs >= connection.servesUntilMs) {
      connection.destroy();
      return;
    }
    connection.idle(IDLE_TIMEOUT_MS);
    this.#idle.push(connection);
  }

  gone(connection: UpstreamConnection): void {
    if (this.#all.delete(connection)) {
      this.#options.budget.give();
      this.#options.state.closed();
    }
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  answered(status: number): void {
    this.health.answered(status);
  }

  failed({ kind, neverSent, staleConnection, detail }: UpstreamFailure): void {
    // The want is ours, and no other address would be better.
    if (kind === 'exhausted') return;
    // An idle connection may be closed at any time: that says nothing about the address.
    if (!staleConnection) this.health.failed(neverSent, detail);
  }

  /** Keeps nothing any more: what is idle closes now, what is busy after its exchange. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#options.budget.leave(this);
    for (const connection of [...this.#idle]) connection.destroy();
    this.#options.state.left();
  }

  closeAll(): void {
    this.retire();
    for (const connection of [...this.#all]) connection.destroy();
  }
}
