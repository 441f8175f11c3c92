import type { Deadlines } from '../../deadlines.ts';
import type { AddressHealth } from '../address-health.ts';
import type { AddressPoolOptions } from '../address-pool.ts';
import type { Dialer } from '../dialer.ts';
import type { PlacePool } from '../place-pool.ts';
import type { UpstreamChannel, UpstreamFailure, UpstreamTimeouts } from '../port.ts';
import { Http2Connection, type Http2ConnectionKeeper } from './connection.ts';
import { Http2Exchange, type Http2Place } from './exchange.ts';

/**
 * The connections of HTTP/2 to one place: as many calls on the oldest one as it takes, then a
 * further one. `maxConnections` counts calls, as it does with HTTP/1.1, where each has a connection
 * of its own: so the shares of callers mean the same with both.
 */
export class Http2PlacePool implements PlacePool, Http2Place, Http2ConnectionKeeper {
  readonly #dialer: Dialer;
  readonly #options: AddressPoolOptions;
  readonly #deadlines: Deadlines;
  /** The oldest first. */
  readonly #connections = new Set<Http2Connection>();
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

  get isEmpty(): boolean {
    return this.#connections.size === 0;
  }

  get pending(): number {
    return this.#options.state.connections;
  }

  get timeouts(): UpstreamTimeouts {
    return this.#options.timeouts;
  }

  addCounts(sum: { idle: number; active: number; connecting: number }): void {
    for (const connection of this.#connections) {
      if (connection.connecting) sum.connecting += 1;
      else if (connection.idle) sum.idle += 1;
      else sum.active += 1;
    }
  }

  /**
   * A connection that ends says which streams it did not look at: none is too old to be trusted.
   */
  take(): UpstreamChannel | null {
    return this.#exchange(() => this.#withRoom(null, false) ?? this.#open());
  }

  /** Those that fail together share the new one. */
  takeNew(): UpstreamChannel | null {
    return this.#exchange(() => this.#withRoom(null, true) ?? this.#open());
  }

  #exchange(connection: () => Http2Connection | null): UpstreamChannel | null {
    const { state, maxConnections } = this.#options;
    if (state.connections >= maxConnections) return null;
    const found = connection();
    if (found === null) return null;
    state.opened();
    return new Http2Exchange(this, found, this.#deadlines);
  }

  #withRoom(except: Http2Connection | null, isNew: boolean): Http2Connection | null {
    for (const connection of this.#connections) {
      if (connection === except || (isNew && !connection.connecting)) continue;
      if (connection.hasRoom) return connection;
    }
    return null;
  }

  #open(): Http2Connection | null {
    const { budget, timeouts, maxConnectionAgeMs } = this.#options;
    if (!budget.take()) return null;
    const connection = new Http2Connection(this.#dialer, this, this.#deadlines, timeouts);
    connection.servesUntilMs =
      this.#deadlines.nowMs + maxConnectionAgeMs * (0.9 + Math.random() * 0.2);
    this.#connections.add(connection);
    return connection;
  }

  another(than: Http2Connection): Http2Connection | null {
    return this.#withRoom(than, false) ?? this.#open();
  }

  /** Closes the oldest connection without a call. @returns false when there is none */
  spare(): boolean {
    for (const connection of this.#connections) {
      if (!connection.idle || connection.connecting) continue;
      connection.close();
      return true;
    }
    return false;
  }

  left(connection: Http2Connection): void {
    if (this.#retired) connection.retire();
  }

  gone(connection: Http2Connection): void {
    if (this.#connections.delete(connection)) this.#options.budget.give();
  }

  over(): void {
    this.#options.state.closed();
  }

  answered(status: number): void {
    this.health.answered(status);
  }

  failed({ kind, neverSent, staleConnection, detail }: UpstreamFailure): void {
    // As with HTTP/1.1: what is wanting here, or closed by chance, says nothing about the address.
    if (kind !== 'exhausted' && !staleConnection) this.health.failed(neverSent, detail);
  }

  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#options.budget.leave(this);
    for (const connection of [...this.#connections]) connection.retire();
    this.#options.state.left();
  }

  closeAll(): void {
    this.retire();
    for (const connection of [...this.#connections]) connection.close();
  }
}

/** A connection of its own for one exchange: for health checks. */
export function openSingle(
  dialer: Dialer,
  timeouts: UpstreamTimeouts,
  deadlines: Deadlines,
): UpstreamChannel {
  const connection = new Http2Connection(dialer, NOBODY, deadlines, timeouts);
  return new Http2Exchange(
    {
      timeouts,
      another: () => null,
      answered: () => {},
      failed: () => {},
      over: () => connection.close(),
    },
    connection,
    deadlines,
  );
}

const NOBODY: Http2ConnectionKeeper = { left: () => {}, gone: () => {} };
