import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import type { Deadlines } from './deadlines.ts';
import { UpstreamConnection } from './upstream-connection.ts';
import type { ConnectionKeeper, UpstreamTimeouts } from './upstream-port.ts';

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

/**
 * Makes connections to one address. Over TLS a later one resumes the session of an earlier one (RFC
 * 8446 §2.2), which spares both ends the certificates and most of the arithmetic.
 */
export class Dialer {
  readonly #address: UpstreamAddress;
  readonly #tls: UpstreamTls | null;
  readonly #deadlines: Deadlines;
  #session: Buffer | null = null;

  /** @param tls null = plain HTTP */
  constructor(address: UpstreamAddress, tls: UpstreamTls | null, deadlines: Deadlines) {
    this.#address = address;
    this.#tls = tls;
    this.#deadlines = deadlines;
  }

  open(keeper: ConnectionKeeper, timeouts: UpstreamTimeouts): UpstreamConnection {
    const { host, port } = this.#address;
    if (this.#tls === null) {
      const socket = connectTcp({ host, port, noDelay: true });
      return new UpstreamConnection(socket, 'connect', keeper, this.#deadlines, timeouts);
    }
    const socket = this.#openTls(this.#tls);
    return new UpstreamConnection(socket, 'secureConnect', keeper, this.#deadlines, timeouts);
  }

  #openTls({ context, serverName, rejectUnauthorized }: UpstreamTls): TLSSocket {
    const { host, port } = this.#address;
    const name = serverName ?? host;
    const socket = connectTls({
      host,
      port,
      secureContext: context,
      rejectUnauthorized,
      ALPNProtocols: ['http/1.1'],
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
