import { connect as connectTcp, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { Deadlines } from '../deadlines.ts';
import { socketPathOf } from '../http/socket-address.ts';
import { TCP_KEEP_ALIVE } from '../http1/keep-alive.ts';
import { type ConnectionKeeper, UpstreamConnection } from './connection.ts';
import type { UpstreamTimeouts } from './port.ts';
import { ReadBuffer } from './read-buffer.ts';

export interface UpstreamAddress {
  /** An IP address, a name, or `unix:` and the path of a socket. */
  readonly host: string;
  readonly port: number;
}

const SERVICE = 'srv:';

/** The name of a service, whose servers SRV records tell (RFC 2782); null: it is none. */
export function serviceOf(host: string): string | null {
  return host.startsWith(SERVICE) ? host.slice(SERVICE.length) : null;
}

/** A server of a service (names/dns-source.ts). */
export interface ServiceTarget {
  readonly host: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

/** One of the places that an address stands for. */
export interface UpstreamPlace {
  readonly address: UpstreamAddress;
  /** The IP address where the host is a name; null = look the host up at each connection. */
  readonly ip: string | null;
  /** Of a service: which of its servers; null = none is known. */
  readonly target?: ServiceTarget | null;
}

export interface UpstreamTls {
  readonly context: SecureContext;
  /** Name that the certificate must bear, and that is sent as SNI; null = the address's host. */
  readonly serverName: string | null;
  readonly rejectUnauthorized: boolean;
}

/** Towards one upstream; `h2c`: HTTP/2 on TCP, which both ends know of (RFC 9113 §3.3). */
export type UpstreamProtocol = 'http1' | 'h2' | 'h2c';

/** Nobody has told yet which servers a service has, or it has none. */
const noServer: LookupFunction = (host, _options, done) => {
  const error = Object.assign(new Error(`${host}: no server is known`), { code: 'ENOTFOUND' });
  done(error, '', 0);
};

/** The event by which a socket says that it stands. */
export type ConnectEvent = 'connect' | 'secureConnect';

/**
 * Makes connections to one address. Over TLS a later one resumes the session of an earlier one (RFC
 * 8446 §2.2), which spares both ends the certificates and most of the arithmetic.
 */
export class Dialer {
  readonly #address: UpstreamAddress;
  /** Where to connect: an IP address, the name by `lookup`, or a socket. */
  readonly #to:
    | { readonly path: string }
    | { readonly host: string; readonly port: number; readonly lookup: LookupFunction };
  readonly #tls: UpstreamTls | null;
  readonly #protocol: UpstreamProtocol;
  readonly #deadlines: Deadlines;
  #session: Buffer | null = null;

  /** @param tls null = plain HTTP */
  constructor(
    { address, ip, target = null }: UpstreamPlace,
    tls: UpstreamTls | null,
    lookup: LookupFunction,
    deadlines: Deadlines,
    protocol: UpstreamProtocol = 'http1',
  ) {
    this.#address = address;
    const path = socketPathOf(address.host);
    const { host, port } = target ?? address;
    const isUnknown = target === null && serviceOf(address.host) !== null;
    this.#to =
      path === null ? { host: ip ?? host, port, lookup: isUnknown ? noServer : lookup } : { path };
    this.#tls = tls;
    this.#protocol = protocol;
    this.#deadlines = deadlines;
  }

  /** A connection of HTTP/1.1. */
  open(keeper: ConnectionKeeper, timeouts: UpstreamTimeouts): UpstreamConnection {
    const socket = this.connect();
    return new UpstreamConnection(socket, this.connectEvent, keeper, this.#deadlines, timeouts);
  }

  get connectEvent(): ConnectEvent {
    return this.#tls === null ? 'connect' : 'secureConnect';
  }

  connect(): Socket {
    return this.#tls === null ? this.#openTcp() : this.#openTls(this.#tls);
  }

  /** Its reads pass the stream by: they are handed to whoever listens to `data` as they come. */
  #openTcp(): Socket {
    const reads = new ReadBuffer();
    const socket = connectTcp({
      ...this.#to,
      noDelay: true,
      ...TCP_KEEP_ALIVE,
      onread: {
        buffer: () => reads.free,
        callback: (bytes) => {
          socket.emit('data', reads.taken(bytes));
          return true;
        },
      },
    });
    return socket;
  }

  #openTls({ context, serverName, rejectUnauthorized }: UpstreamTls): TLSSocket {
    const name = serverName ?? this.#address.host;
    const socket = connectTls({
      ...this.#to,
      ...TCP_KEEP_ALIVE,
      secureContext: context,
      rejectUnauthorized,
      ALPNProtocols: [this.#protocol === 'h2' ? 'h2' : 'http/1.1'],
      ...(this.#session === null ? {} : { session: this.#session }),
      // RFC 6066 §3: no IP addresses in SNI. The name is still what the certificate is checked
      // against.
      ...(/^[\d.]+$|:/.test(name) ? {} : { servername: name }),
    });
    socket.setNoDelay(true);
    socket.once('secureConnect', () => this.#remember(socket));
    socket.once('error', () => {
      this.#session = null;
    });
    return socket;
  }

  /**
   * Only now: the certificate was found to be good. Node asks a resumed session for no certificate
   * and so compares no name, so a session from a handshake that was turned down must never be kept.
   */
  #remember(socket: TLSSocket): void {
    if (socket.getProtocol() === 'TLSv1.3') {
      socket.on('session', (session: Buffer) => {
        this.#session = session;
      });
    } else {
      this.#session = socket.getSession() ?? null;
    }
  }
}
