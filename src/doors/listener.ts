import { createServer, type Server, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Call } from '../calls/call.ts';
import type { CallClient, CallServices } from '../calls/port.ts';
import type { Deadlines } from '../deadlines.ts';
import { plainAddress } from '../http/ip-address.ts';
import type { ClientCertificate, Peer, RequestHead } from '../http/request-head.ts';
import { SOCKET_PEER, socketPathOf } from '../http/socket-address.ts';
import { TCP_KEEP_ALIVE } from '../http1/keep-alive.ts';
import type { ConveyedClient } from '../http1/proxy-protocol.ts';
import { ERROR, type ErrorCode } from '../http2/frames.ts';
import type { SessionLimits } from '../http2/server-session.ts';
import { type AddressLimit, Places, type PlacesOptions } from '../limits/places.ts';
import type { HandshakeResult } from '../tls/acceptor.ts';
import type { HostCheck } from '../tls/server-certificates.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import { ClientPlace } from './client-place.ts';
import type { Arrival, ConnectionLimits, DoorConnection, Exchange } from './connection.ts';
import { HalfOpen, type HalfOpenHost, type ListenerTls } from './half-open.ts';
import { Http1Connection } from './http1/connection.ts';
import { Http2Connection, type Http2Host } from './http2/connection.ts';
import { OpenConnections } from './open-connections.ts';
import { resetAndDestroy } from './reset.ts';
import { SilentConnection } from './silent-connection.ts';
import { listenOnFile } from './socket-file.ts';

export interface ListenerOptions extends AddressLimit, Pick<PlacesOptions, 'full'> {
  /** An address, a name, or `unix:` and the path of a socket, which is opened for our group. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /**
   * Other processes of ours listen on the same port: the system deals connections out
   * (SO_REUSEPORT).
   */
  readonly shared?: boolean;
  /** Null = plain HTTP, which the configuration only allows when it is said. */
  readonly tls: ListenerTls | null;
  /**
   * Whether connections from this address begin with the PROXY protocol: those that do not are
   * closed.
   */
  sendsPreface(address: string): boolean;
  /**
   * Whether connections from this address are taken at all; the others are closed before anything
   * is read. Default: all are.
   */
  readonly admits?: (address: string) => boolean;
  /**
   * What becomes of a request (`ConnectionHost.open`). Default: a call that is forwarded, on a
   * connection whose certificate is for its host.
   */
  readonly exchange?: (
    services: CallServices,
    client: CallClient,
    head: RequestHead | null,
  ) => Exchange;
  /**
   * Connections at most; further ones take the place of idle ones, or are closed at once. Asked at
   * each arrival: a reload may have changed it.
   */
  maxConnections(): number;
  /** Told of the end of each handshake. Must not throw. */
  handshake(result: HandshakeResult): void;
  /** Told each time that an unfinished handshake has to go for another. Must not throw. */
  halfOpen(): void;
  /** Told each time that a connection of HTTP/2 is closed for a flood. Must not throw. */
  http2Flood(): void;
}

/** How HTTP/2 is spoken. */
export interface Http2Options extends SessionLimits {
  readonly enabled: boolean;
}

/** Connections that the system keeps until they are accepted. */
const BACKLOG = 1024;

/**
 * The gate's own listener: accepts TCP connections, ends TLS, and gives each connection to the
 * engine of its protocol: HTTP/2 where TLS agreed on it (ALPN), or, on a port without TLS, where
 * the connection begins with its preface; else HTTP/1.1.
 *
 * The first byte tells TLS from plain HTTP, so that a client that speaks plain HTTP to the TLS port
 * is answered instead of dropped, and a token that it sent in the clear is noticed.
 */
export class DoorListener implements Http2Host, HalfOpenHost {
  readonly #options: ListenerOptions;
  readonly #tcp: Server;
  readonly #halfOpen: HalfOpen;
  readonly #connections = new OpenConnections();
  readonly #places: Places;
  /** By the TCP socket. */
  readonly #placeOf = new Map<Socket, ClientPlace>();
  readonly deadlines: Deadlines;
  services: CallServices;
  #limits: ConnectionLimits;
  #http2: Http2Options | null;
  draining = false;
  #closed = false;
  /** Null: the listener is a port. */
  readonly #path: string | null;

  constructor(
    options: ListenerOptions,
    services: CallServices,
    limits: ConnectionLimits,
    http2: Http2Options | null,
    deadlines: Deadlines,
  ) {
    this.#options = options;
    this.#path = socketPathOf(options.host);
    this.#http2 = http2;
    this.services = services;
    this.#limits = limits;
    this.deadlines = deadlines;
    this.#places = new Places({
      total: () => options.maxConnections(),
      perAddress: () => options.perAddress(),
      isExempt: (address) => options.isExempt(address),
      full: (what) => options.full(what),
    });
    this.#tcp = createServer({ noDelay: true, ...TCP_KEEP_ALIVE }, (socket) =>
      this.guarded(socket, () => this.#onSocket(socket)),
    );
    this.#halfOpen = new HalfOpen(options.tls, this);
  }

  // ── what half-open connections are told ──

  maxConnections(): number {
    return this.#options.maxConnections();
  }

  handshake(result: HandshakeResult): void {
    this.#options.handshake(result);
  }

  halfOpen(): void {
    this.#options.halfOpen();
  }

  get limits(): ConnectionLimits {
    return this.#limits;
  }

  /** They count from the next request, connection or handshake on. */
  set limits(limits: ConnectionLimits) {
    const before = this.#limits;
    this.#limits = limits;
    if (limits.headTimeoutMs !== before.headTimeoutMs) this.#halfOpen.refresh();
  }

  get http2Limits(): SessionLimits {
    return this.#http2!;
  }

  /** Counts from the next connection on. */
  set http2(http2: Http2Options | null) {
    const before = this.speaksHttp2;
    // Handshakes that offered it may be under way: its limits stay.
    this.#http2 = http2 ?? this.#http2;
    if (this.speaksHttp2 !== before) this.#halfOpen.refresh();
  }

  get speaksHttp2(): boolean {
    return this.#http2?.enabled === true;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Connections that take a place, those that arrive included. */
  get taken(): number {
    return this.#places.taken;
  }

  /** Connections by what they do. Looks at each: for whoever asks now and then. */
  counts(): { arriving: number; idle: number; active: number } {
    return { arriving: this.#halfOpen.size, ...this.#connections.counts() };
  }

  /**
   * Opens the port, or the socket file. Rejects with the system's error (EADDRINUSE, EACCES, …), or
   * `SocketFileFault`. @returns the port; 0: it is a file
   */
  async listen(): Promise<number> {
    if (this.#path === null) await this.#listenOnPort();
    else await listenOnFile(this.#tcp, this.#path, BACKLOG);
    // Failing to accept one connection (EMFILE, ECONNABORTED) must not end the others.
    this.#tcp.on('error', (error) =>
      this.services.log.error('accepting a connection failed', { error }),
    );
    const address = this.#tcp.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  #listenOnPort(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', reject);
      const { host, port, shared = false } = this.#options;
      this.#tcp.listen({ host, port, backlog: BACKLOG, reusePort: shared }, () => {
        this.#tcp.off('error', reject);
        resolve();
      });
    });
  }

  #addressOf({ remoteAddress }: Socket): string {
    return this.#path === null ? plainAddress(remoteAddress ?? '') : SOCKET_PEER;
  }

  /** From now on tickets are sealed with other keys. */
  setTicketKeys(keys: TicketKeys): void {
    this.#halfOpen.setTicketKeys(keys);
  }

  #onSocket(socket: Socket): void {
    const address = this.#addressOf(socket);
    if (this.#options.admits?.(address) === false) {
      resetAndDestroy(socket);
      return;
    }
    if (this.#options.sendsPreface(address)) this.#enterBehindPreface(socket, address);
    else this.#enter(socket, address, null);
  }

  /** Who is not admitted any more is closed, whatever is under way. */
  expel(): void {
    const { admits } = this.#options;
    if (admits === undefined) return;
    for (const [socket, place] of [...this.#placeOf])
      if (!admits(this.#addressOf(socket))) place.makeRoom();
  }

  /** Of a balancer: whose place the connection takes is known when it has said so. */
  #enterBehindPreface(socket: Socket, balancer: string): void {
    this.#halfOpen.awaitProxyPreface(socket, balancer, (client) =>
      this.#enter(socket, client?.address ?? balancer, client),
    );
  }

  #enter(socket: Socket, address: string, client: ConveyedClient | null): void {
    const place = new ClientPlace(socket, client);
    if (this.#closed || !this.#places.enter(address, place)) {
      socket.destroy();
      return;
    }
    this.#placeOf.set(socket, place);
    socket.once('close', () => {
      this.#places.left(place);
      this.#placeOf.delete(socket);
    });
    if (this.#options.tls !== null) this.#halfOpen.awaitHandshake(socket);
    else if (this.speaksHttp2) this.#awaitWord(socket, place);
    else this.#adopt(this.#plain(socket, false), false);
  }

  /** What it speaks, a connection without TLS says by its first bytes. */
  #awaitWord(socket: Socket, place: ClientPlace): void {
    const silent = new SilentConnection(socket, this, (isHttp2) => {
      this.#connections.delete(silent);
      this.guarded(socket, () => this.#adopt(this.#plain(socket, false), isHttp2));
    });
    this.#connections.add(silent);
    place.connection = silent;
    silent.listen();
  }

  #plain(socket: Socket, refusesPlaintext: boolean): Omit<Arrival, 'peer'> {
    return { socket, transport: socket, refusesPlaintext, misdirects: null };
  }

  unsecured(socket: Socket): void {
    this.#adopt(this.#plain(socket, true), false);
  }

  open(client: CallClient, head: RequestHead | null): Exchange {
    const { exchange } = this.#options;
    return exchange === undefined
      ? new Call(this.services, client, head)
      : exchange(this.services, client, head);
  }

  secured(
    socket: TLSSocket,
    transport: Socket,
    check: HostCheck | null,
    certificate: ClientCertificate | null,
  ): void {
    // Other doors are not asked for by the name that their certificate is for.
    const misdirects = this.#options.exchange === undefined ? check : null;
    const begun = { socket, transport, refusesPlaintext: false, misdirects };
    this.#adopt(begun, socket.alpnProtocol === 'h2', certificate);
  }

  /** A fault of ours ends one connection, never the process. */
  guarded(socket: Socket, step: () => void): void {
    try {
      step();
    } catch (error) {
      this.services.log.error('a connection failed inside the gate', { error });
      socket.destroy();
    }
  }

  #adopt(
    begun: Omit<Arrival, 'peer'>,
    isHttp2: boolean,
    certificate: ClientCertificate | null = null,
  ): void {
    const { socket, transport } = begun;
    if (this.#closed) {
      socket.destroy();
      return;
    }
    const place = this.#placeOf.get(transport);
    const peer = this.#peerOf(socket, socket !== transport, place?.client ?? null, certificate);
    const arrival = { ...begun, peer };
    const connection = isHttp2
      ? new Http2Connection(arrival, this)
      : new Http1Connection(arrival, this);
    this.#connections.add(connection);
    if (place !== undefined) place.connection = connection;
  }

  #peerOf(
    socket: Socket,
    secure: boolean,
    client: ConveyedClient | null,
    certificate: ClientCertificate | null,
  ): Peer {
    if (client !== null) return { ...client, secure, certificate };
    return { address: this.#addressOf(socket), port: socket.remotePort ?? 0, secure, certificate };
  }

  http2Fault(what: string, code: ErrorCode, address: string): void {
    const clientAddress = this.services.recordedAddress(address) ?? undefined;
    const fields = { what, code, clientAddress };
    if (code !== ERROR.calm) {
      this.services.log.debug('a client broke the protocol of HTTP/2', fields);
      return;
    }
    this.#options.http2Flood();
    this.services.log.warn('a connection of HTTP/2 was closed for a flood', fields);
  }

  closed(connection: DoorConnection): void {
    this.#connections.delete(connection);
  }

  /**
   * The lame duck: connections are still accepted and served, but every response says that it is
   * the last one on its connection (RFC 9112 §9.6; GOAWAY in HTTP/2), so that clients take their
   * next request elsewhere.
   */
  announceEnd(): void {
    this.draining = true;
    this.#connections.announceEnd();
  }

  /**
   * Stops accepting, closes what is idle, and lets the rest finish.
   *
   * @param deadlineMs how long the rest may take; then it is cut off: with 503 `draining` where no
   * answer has begun, which may take a second more
   * @returns how many connections had to be cut off
   */
  async drain(deadlineMs: number): Promise<number> {
    this.draining = true;
    this.#closed = true;
    this.#tcp.close();
    this.#halfOpen.close();
    return this.#connections.drain(deadlineMs);
  }
}
