import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import type { Deadlines, Watched } from '../../wire/deadlines.ts';
import type { Peer } from '../../wire/request-head.ts';
import type { CallServices } from '../call.ts';
import { type Arrival, type ConnectionHost, type ConnectionLimits, Http1Connection } from './connection.ts';

export interface ListenerOptions {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Null = plain HTTP, which the configuration only allows when it is said. */
  readonly tls: TlsOptions | null;
  /** Connections at most; further ones are closed at once. */
  readonly maxConnections: number;
}

/** First byte of a TLS record that holds a handshake (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 22;

/**
 * The gate's own listener: accepts TCP connections, ends TLS, and gives each connection to the HTTP/1.1 engine.
 *
 * The first byte tells TLS from plain HTTP, so that a client that speaks plain HTTP to the TLS port is answered instead of dropped, and a token that it sent in the
 * clear is noticed.
 */
export class Http1Listener implements ConnectionHost {
  readonly #options: ListenerOptions;
  readonly #tcp: Server;
  readonly #tls: TlsServer | null;
  readonly #connections = new Set<Http1Connection>();
  /** TCP sockets that have not become a connection yet, waiting for a first byte or a handshake, by what tells them apart. */
  readonly #arriving = new Map<string, Socket>();
  readonly deadlines: Deadlines;
  services: CallServices;
  limits: ConnectionLimits;
  draining = false;
  #whenEmpty: (() => void) | null = null;

  constructor(options: ListenerOptions, services: CallServices, limits: ConnectionLimits, deadlines: Deadlines) {
    this.#options = options;
    this.services = services;
    this.limits = limits;
    this.deadlines = deadlines;
    this.#tcp = createTcpServer({ noDelay: true }, (socket) => this.#guarded(socket, () => this.#onSocket(socket)));
    this.#tls = options.tls === null ? null : this.#createTls(options.tls);
  }

  #createTls(tls: TlsOptions): TlsServer {
    const server = createTlsServer({ ...tls, handshakeTimeout: this.limits.headTimeoutMs });
    server.on('secureConnection', (socket: TLSSocket) => this.#guarded(socket, () => this.#onHandshake(socket)));
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return server;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Opens the port. Rejects with the system's error (EADDRINUSE, EACCES, …). @returns the port */
  listen(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', reject);
      this.#tcp.listen({ host: this.#options.host, port: this.#options.port, backlog: 1024 }, () => {
        this.#tcp.off('error', reject);
        // Failing to accept one connection (EMFILE, ECONNABORTED) must not end the others.
        this.#tcp.on('error', (error) => this.services.log.error('accepting a connection failed', { error }));
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
  }

  /** New connections get the new certificates; existing ones keep theirs. */
  setSecureContext(tls: TlsOptions): void {
    this.#tls?.setSecureContext(tls);
  }

  #onSocket(socket: Socket): void {
    if (this.#connections.size + this.#arriving.size >= this.#options.maxConnections) {
      socket.destroy();
      return;
    }
    if (this.#tls === null) this.#adopt(socket, socket, false);
    else this.#awaitFirstByte(socket, this.#tls);
  }

  #awaitFirstByte(socket: Socket, tls: TlsServer): void {
    const waiting: Watched = {
      deadlineMs: this.deadlines.nowMs + this.limits.headTimeoutMs,
      expired: () => socket.destroy(),
    };
    this.deadlines.watch(waiting);
    const key = pairOf(socket);
    // A pair that comes again is a new connection: the old one has gone without our having heard of it yet.
    this.#arriving.get(key)?.destroy();
    this.#arriving.set(key, socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      this.deadlines.forget(waiting);
      if (this.#arriving.get(key) === socket) this.#arriving.delete(key);
    });
    socket.once('readable', () => {
      this.deadlines.forget(waiting);
      this.#guarded(socket, () => this.#onFirstByte(socket, key, tls));
    });
  }

  #onFirstByte(socket: Socket, key: string, tls: TlsServer): void {
    const first = socket.read() as Buffer | null;
    if (first === null) {
      socket.destroy();
      return;
    }
    socket.unshift(first);
    if (first[0] === TLS_HANDSHAKE) {
      // `handshakeTimeout` is the next deadline.
      tls.emit('connection', socket);
    } else {
      this.#arriving.delete(key);
      this.#adopt(socket, socket, true);
    }
  }

  #onHandshake(socket: TLSSocket): void {
    const key = pairOf(socket);
    const transport = this.#arriving.get(key);
    this.#arriving.delete(key);
    if (transport === undefined) socket.destroy();
    else this.#adopt(socket, transport, false);
  }

  /** A fault of ours ends one connection, never the process. */
  #guarded(socket: Socket, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.services.log.error('a connection failed inside the gate', { error });
      socket.destroy();
    }
  }

  #adopt(socket: Socket, transport: Socket, refusesPlaintext: boolean): void {
    if (this.draining) {
      socket.destroy();
      return;
    }
    const arrival: Arrival = { socket, transport, peer: peerOf(socket, socket !== transport), refusesPlaintext };
    this.#connections.add(new Http1Connection(arrival, this));
  }

  closed(connection: Http1Connection): void {
    this.#connections.delete(connection);
    this.#checkEmpty();
  }

  /**
   * Stops accepting, closes what is idle, and lets the rest finish.
   *
   * @param deadlineMs how long the rest may take; then it is cut off
   * @returns how many connections had to be cut off
   */
  async drain(deadlineMs: number): Promise<number> {
    this.draining = true;
    this.#tcp.close();
    for (const socket of this.#arriving.values()) socket.destroy();
    for (const connection of [...this.#connections]) connection.drain();
    if (this.#connections.size > 0) await this.#emptied(deadlineMs);
    const left = [...this.#connections];
    for (const connection of left) connection.destroy();
    return left.length;
  }

  #emptied(deadlineMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #checkEmpty(): void {
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }
}

function peerOf(socket: Socket, secure: boolean): Peer {
  const address = socket.remoteAddress ?? '';
  return { address: address.startsWith('::ffff:') ? address.slice(7) : address, port: socket.remotePort ?? 0, secure };
}

/** A TCP connection is known by both its ends; a TLS socket answers for the one beneath it. */
function pairOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
