import type { Socket } from 'node:net';

/**
 * TCP connections that have not become ours yet: they wait for a PROXY preface, or for the first
 * byte or the end of a handshake of TLS. Bounded: past `max()`, the one that has waited longest
 * goes. An honest client is done within some round trips; whoever holds a place longer is the
 * likeliest not to be one.
 */
export class Arrivals {
  readonly #max: () => number;
  readonly #full: () => void;
  /** By what tells them apart, the oldest first. */
  readonly #sockets = new Map<string, Socket>();
  /** Of those that have no pair of addresses: they came by a socket file, or have gone already. */
  #nameless = 0;

  /** @param full told each time that one has to go for another. Must not throw */
  constructor(max: () => number, full: () => void) {
    this.#max = max;
    this.#full = full;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** Answers what it is known by from now on: a socket that has closed can no longer say. */
  add(socket: Socket): string {
    const key = socket.remoteAddress === undefined ? this.#nextName() : pairOf(socket);
    // A pair that comes again is a new connection: the old one has gone without our having heard of
    // it yet.
    this.#drop(key);
    if (this.#sockets.size >= this.#max()) {
      this.#drop(this.#sockets.keys().next().value!);
      this.#full();
    }
    this.#sockets.set(key, socket);
    return key;
  }

  /** It has become a connection, or has gone. */
  gone(key: string, socket: Socket): void {
    if (this.#sockets.get(key) === socket) this.#sockets.delete(key);
  }

  /** The TCP socket beneath a TLS socket, which waits no longer; null when it has gone. */
  takeBeneath(secured: Socket): Socket | null {
    const key = pairOf(secured);
    const socket = this.#sockets.get(key) ?? null;
    this.#sockets.delete(key);
    return socket;
  }

  destroy(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#sockets.clear();
  }

  #nextName(): string {
    this.#nameless += 1;
    return `${this.#nameless}`;
  }

  #drop(key: string): void {
    this.#sockets.get(key)?.destroy();
    this.#sockets.delete(key);
  }
}

/** A TCP connection is known by both its ends; a TLS socket answers for the one beneath it. */
function pairOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
