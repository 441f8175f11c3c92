import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { plainAddress } from '../http/ip-address.ts';
import type { ClientCertificate } from '../http/request-head.ts';
import type { ConveyedClient } from '../http1/proxy-protocol.ts';
import { type HandshakeResult, TlsAcceptor } from '../tls/acceptor.ts';
import type { HostCheck, ServerCertificates } from '../tls/server-certificates.ts';
import type { TicketKeys } from '../tls/ticket-keys.ts';
import { Arrivals } from './arrivals.ts';
import type { ConnectionHost } from './connection.ts';
import { awaitPreface } from './preface-reader.ts';

/**
 * What TLS offers (RFC 7301); `http/1.0` for the health checks of balancers that ask for no more.
 */
const HTTP1_ALONE = ['http/1.1', 'http/1.0'] as const;
const WITH_HTTP2 = ['h2', ...HTTP1_ALONE] as const;

/** First byte of a TLS record that holds a handshake (RFC 8446 §5.1). */
const TLS_HANDSHAKE = 22;

/**
 * Of all connections, one in so many may be half-open: strangers who never finish a handshake must
 * not take the places of those who have.
 */
const HALF_OPEN_SHARE = 4;
/**
 * So many may be, however few connections are allowed: all of a burst of honest clients are
 * half-open for a moment.
 */
const MIN_HALF_OPEN = 64;

export interface ListenerTls {
  readonly certificates: ServerCertificates;
  readonly ticketKeys: TicketKeys;
}

/** What it is told of connections that owe something, and who takes those that owe nothing more. */
export interface HalfOpenHost extends Pick<ConnectionHost, 'services' | 'limits' | 'deadlines'> {
  /** Offered from the next handshake on. */
  readonly speaksHttp2: boolean;
  /** Asked at each arrival: a reload may have changed it. */
  maxConnections(): number;
  /** Told of the end of each handshake. */
  handshake(result: HandshakeResult): void;
  /** Told each time that one has to go for another. */
  halfOpen(): void;
  secured(
    socket: TLSSocket,
    transport: Socket,
    misdirects: HostCheck | null,
    certificate: ClientCertificate | null,
  ): void;
  /** The client speaks plain HTTP to a port for TLS. Its bytes can be read from the socket. */
  unsecured(socket: Socket): void;
  /** Runs the step; a fault of ours ends one connection, never the process. */
  guarded(socket: Socket, step: () => void): void;
}

/**
 * Connections that owe something before their first request: a PROXY preface, a handshake of TLS.
 * They have `headTimeoutMs` for each of these, and are bounded (arrivals.ts).
 */
export class HalfOpen {
  readonly #host: HalfOpenHost;
  readonly #arriving: Arrivals;
  readonly #tls: TlsAcceptor | null;

  /** @param tls null = plain HTTP: no handshake is due */
  constructor(tls: ListenerTls | null, host: HalfOpenHost) {
    this.#host = host;
    this.#arriving = new Arrivals(
      () => Math.max(MIN_HALF_OPEN, Math.floor(host.maxConnections() / HALF_OPEN_SHARE)),
      () => this.#onFull(),
    );
    this.#tls = tls === null ? null : this.#createTls(tls);
  }

  get size(): number {
    return this.#arriving.size;
  }

  #createTls(tls: ListenerTls): TlsAcceptor {
    const host = this.#host;
    return new TlsAcceptor({
      ...tls,
      handshakeTimeoutMs: () => host.limits.headTimeoutMs,
      protocols: () => (host.speaksHttp2 ? WITH_HTTP2 : HTTP1_ALONE),
      secured: (socket, misdirects, certificate) =>
        host.guarded(socket, () => this.#onHandshake(socket, misdirects, certificate)),
      unsecured: (result, code, { remoteAddress }) => {
        host.handshake(result);
        // Who only closes, as health checks do, is counted and not told.
        if (result === 'aborted') return;
        const { log, recordedAddress } = host.services;
        const clientAddress = recordedAddress(plainAddress(remoteAddress ?? '')) ?? undefined;
        log.warn('a TLS handshake failed', { clientAddress, result, code });
      },
    });
  }

  #onFull(): void {
    this.#host.halfOpen();
    this.#host.services.log.warn(
      'as many connections as may wait for the end of their handshake do: the oldest is closed',
      { connections: this.#arriving.size },
    );
  }

  /** Times or protocols of handshakes have changed. */
  refresh(): void {
    this.#tls?.refresh();
  }

  setTicketKeys(keys: TicketKeys): void {
    this.#tls?.setTicketKeys(keys);
  }

  /** All that wait are closed, and nobody may be added from now on. */
  close(): void {
    this.#tls?.close();
    this.#arriving.destroy();
  }

  /**
   * A balancer says first whose connection it is.
   *
   * @param came told once, when it has said so; null: it is its own
   */
  awaitProxyPreface(
    socket: Socket,
    balancer: string,
    came: (client: ConveyedClient | null) => void,
  ): void {
    const host = this.#host;
    const key = this.#arriving.add(socket);
    const gone = () => this.#arriving.gone(key, socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', gone);
    awaitPreface(socket, {
      deadlines: host.deadlines,
      untilMs: host.deadlines.nowMs + host.limits.headTimeoutMs,
      came: (client) => {
        gone();
        host.guarded(socket, () => came(client));
      },
      failed: (detail) => {
        host.services.log.warn(
          'a connection from a peer in listen.proxy.proxyProtocol.peers has no valid PROXY preface: closed',
          { peer: balancer, detail },
        );
        socket.destroy();
      },
    });
  }

  /** The first byte tells TLS from plain HTTP. */
  awaitHandshake(socket: Socket): void {
    const { deadlines, limits } = this.#host;
    const untilMs = deadlines.nowMs + limits.headTimeoutMs;
    const deadline = deadlines.watch({ expired: () => socket.destroy() }, untilMs);
    const key = this.#arriving.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      deadline.end();
      this.#arriving.gone(key, socket);
    });
    const onReadable = () => {
      deadline.end();
      this.#host.guarded(socket, () => this.#onFirstByte(socket, key));
    };
    // Behind a preface it may be here already.
    if (socket.readableLength > 0) onReadable();
    else socket.once('readable', onReadable);
  }

  #onFirstByte(socket: Socket, key: string): void {
    const first = socket.read() as Buffer | null;
    if (first === null) {
      socket.destroy();
      return;
    }
    socket.unshift(first);
    if (first[0] === TLS_HANDSHAKE) {
      // `handshakeTimeout` is the next deadline.
      this.#tls!.accept(socket, first);
      return;
    }
    this.#arriving.gone(key, socket);
    this.#host.unsecured(socket);
  }

  #onHandshake(
    socket: TLSSocket,
    misdirects: HostCheck | null,
    certificate: ClientCertificate | null,
  ): void {
    this.#host.handshake('completed');
    const transport = this.#arriving.takeBeneath(socket);
    if (transport === null) socket.destroy();
    else this.#host.secured(socket, transport, misdirects, certificate);
  }
}
