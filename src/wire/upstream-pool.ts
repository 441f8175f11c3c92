import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type SecureContext } from 'node:tls';
import type { Deadlines } from './deadlines.ts';
import { type ConnectionKeeper, UpstreamConnection, type UpstreamTimeouts } from './upstream-connection.ts';

export interface UpstreamAddress {
  readonly host: string;
  readonly port: number;
}

export interface UpstreamTls {
  readonly context: SecureContext;
  /** Name that the certificate must bear, and that is sent as SNI; null = the address's host. */
  readonly serverName: string | null;
  readonly rejectUnauthorized: boolean;
}

export interface PoolOptions extends UpstreamTimeouts {
  readonly addresses: readonly UpstreamAddress[];
  /** Null = plain HTTP. */
  readonly tls: UpstreamTls | null;
  /** Connections to one address at most, idle and busy together. */
  readonly maxConnections: number;
}

/** Below the 5 s after which Node's own servers close an idle connection, the shortest default among common servers. */
const IDLE_TIMEOUT_MS = 4000;
/** How recently a connection must have served to be trusted with a request that cannot be sent twice. */
const FRESH_MS = 1000;
/** How long an address that refused a connection is passed over while others will do. */
const SHUNNED_MS = 2000;

/** The connections to one address: the idle ones as a stack, so that the surplus grows old and is closed. */
class AddressPool implements ConnectionKeeper {
  readonly address: UpstreamAddress;
  readonly #open: (keeper: ConnectionKeeper) => UpstreamConnection;
  readonly #deadlines: Deadlines;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  #retired = false;
  shunnedUntilMs = 0;

  constructor(address: UpstreamAddress, open: (keeper: ConnectionKeeper) => UpstreamConnection, deadlines: Deadlines) {
    this.address = address;
    this.#open = open;
    this.#deadlines = deadlines;
  }

  get busyCount(): number {
    return this.#all.size - this.#idle.length;
  }

  addCounts(sum: { idle: number; active: number; connecting: number }): void {
    let connecting = 0;
    for (const connection of this.#all) if (!connection.connected) connecting += 1;
    sum.connecting += connecting;
    sum.idle += this.#idle.length;
    sum.active += this.busyCount - connecting;
  }

  /** An idle connection, or a new one. `mustBeFresh`: the request cannot be repeated, so no connection that may have been closed meanwhile. */
  take(mustBeFresh: boolean, maxConnections: number): UpstreamConnection | null {
    const last = this.#idle.at(-1);
    if (last !== undefined && (!mustBeFresh || this.#deadlines.nowMs - last.idleSinceMs <= FRESH_MS)) {
      this.#idle.pop();
      return last;
    }
    if (this.#all.size >= maxConnections) {
      // The oldest idle one makes room for one that can be trusted.
      const oldest = this.#idle[0];
      if (oldest === undefined) return null;
      oldest.destroy();
    }
    return this.openNew();
  }

  openNew(): UpstreamConnection {
    const connection = this.#open(this);
    this.#all.add(connection);
    return connection;
  }

  free(connection: UpstreamConnection): void {
    if (this.#retired) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = this.#deadlines.nowMs;
    connection.deadlineMs = this.#deadlines.nowMs + IDLE_TIMEOUT_MS;
    this.#idle.push(connection);
  }

  gone(connection: UpstreamConnection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    if (connection.refused) this.shunnedUntilMs = this.#deadlines.nowMs + SHUNNED_MS;
  }

  /** Keeps nothing any more: what is idle closes now, what is busy after its exchange. */
  retire(): void {
    this.#retired = true;
    for (const connection of [...this.#idle]) connection.destroy();
  }

  closeAll(): void {
    for (const connection of [...this.#all]) connection.destroy();
  }
}

/** All connections to one upstream. */
export class UpstreamPool {
  readonly #options: PoolOptions;
  readonly #addresses: readonly AddressPool[];
  readonly #deadlines: Deadlines;
  #next = 0;

  constructor(options: PoolOptions, deadlines: Deadlines) {
    this.#options = options;
    this.#deadlines = deadlines;
    this.#addresses = options.addresses.map(
      (address) => new AddressPool(address, (keeper) => openConnection(address, options, keeper, deadlines), deadlines),
    );
  }

  /** How many connections there are, by what they do. */
  counts(): { idle: number; active: number; connecting: number } {
    const sum = { idle: 0, active: 0, connecting: 0 };
    for (const address of this.#addresses) address.addCounts(sum);
    return sum;
  }

  /**
   * A connection for one exchange, perhaps still connecting; null when every address has as many as it may.
   *
   * @param repeatable the request may be sent again if the connection turns out to be dead
   */
  take(repeatable: boolean): UpstreamConnection | null {
    return this.#choose().take(!repeatable, this.#options.maxConnections);
  }

  /** A new connection, for the second try of a request: an idle one may be as dead as the first. */
  takeNew(): UpstreamConnection {
    return this.#choose().openNew();
  }

  /** The address with the fewest exchanges under way; ties go round; one that just refused a connection only if all did. */
  #choose(): AddressPool {
    if (this.#addresses.length === 1) return this.#addresses[0]!;
    this.#next += 1;
    let best: AddressPool | null = null;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let step = 0; step < this.#addresses.length; step += 1) {
      const address = this.#addresses[(this.#next + step) % this.#addresses.length]!;
      const cost = address.busyCount + (address.shunnedUntilMs > this.#deadlines.nowMs ? 1e9 : 0);
      if (cost < bestCost) {
        best = address;
        bestCost = cost;
      }
    }
    return best!;
  }

  /** Closes idle connections; busy ones go on, and close after their exchange. For a configuration that no longer names this upstream. */
  retire(): void {
    for (const address of this.#addresses) address.retire();
  }

  close(): void {
    for (const address of this.#addresses) address.closeAll();
  }
}

function openConnection(
  address: UpstreamAddress,
  options: PoolOptions,
  keeper: ConnectionKeeper,
  deadlines: Deadlines,
): UpstreamConnection {
  if (options.tls === null) {
    const socket = connectTcp({ host: address.host, port: address.port, noDelay: true });
    return new UpstreamConnection(socket, 'connect', keeper, deadlines, options);
  }
  const name = options.tls.serverName ?? address.host;
  const socket = connectTls({
    host: address.host,
    port: address.port,
    secureContext: options.tls.context,
    rejectUnauthorized: options.tls.rejectUnauthorized,
    ALPNProtocols: ['http/1.1'],
    // RFC 6066 §3: no IP addresses in SNI. The name is still what the certificate is checked against.
    ...(/^[\d.]+$|:/.test(name) ? {} : { servername: name }),
  });
  socket.setNoDelay(true);
  return new UpstreamConnection(socket, 'secureConnect', keeper, deadlines, options);
}
