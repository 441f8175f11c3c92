import { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../http/request-head.ts';
import { shownCertificate } from './client-certificate.ts';
import type { HostCheck, ServerCertificates } from './server-certificates.ts';
import { type TicketKeys, ticketKeyName } from './ticket-keys.ts';

/**
 * Node keeps what a TLS connection receives in a buffer as large as the first piece that it is
 * given, at least 1,024 bytes, and takes 16 KiB more for good once that has been full. A
 * ClientHello with the hybrid key exchange is larger than that, so it is handed over in pieces that
 * are smaller: 12 of 50 KiB less per idle connection (docs/decisions/068-tls-idle-memory.md).
 */
const PIECE_BYTES = 1000;

export type HandshakeResult = 'completed' | 'timeout' | 'aborted' | 'failed';

export interface AcceptorOptions {
  readonly certificates: ServerCertificates;
  readonly ticketKeys: TicketKeys;
  /** Then a handshake that has not ended is broken off. Asked whenever a server is made. */
  handshakeTimeoutMs(): number;
  /** What is offered by ALPN (RFC 7301), the best first. Asked whenever a server is made. */
  protocols(): readonly string[];
  /**
   * A handshake ended well. `misdirects`: null when no host can be out of place on this connection.
   * `certificate`: null when the client has shown none.
   */
  secured(
    socket: TLSSocket,
    misdirects: HostCheck | null,
    certificate: ClientCertificate | null,
  ): void;
  /**
   * A handshake ended in another way. `aborted`: the client closed. `code` is Node's or OpenSSL's.
   */
  unsecured(result: Exclude<HandshakeResult, 'completed'>, code: string, socket: TLSSocket): void;
}

/**
 * Ends TLS on sockets that somebody else accepted. Certificates and ticket keys are never changed
 * under a handshake: each change makes new servers (which listen nowhere), and a handshake under
 * way ends with the one that it began with.
 *
 * OpenSSL, as Node offers it, opens tickets with one key only. So there is a second server that
 * differs in nothing but the key of the period before, and a ClientHello that shows that key's name
 * goes there. It must show it in its first piece; otherwise it costs a full handshake, nothing
 * more.
 */
export class TlsAcceptor {
  readonly #options: AcceptorOptions;
  readonly #unsubscribe: () => void;
  #keys: TicketKeys;
  #current: Server;
  #previous: { readonly keyName: Buffer; readonly server: Server } | null = null;

  constructor(options: AcceptorOptions) {
    this.#options = options;
    this.#keys = options.ticketKeys;
    this.#current = this.#create(this.#keys.current);
    this.#unsubscribe = options.certificates.onChange(() => this.refresh());
  }

  /**
   * Takes over the socket, with whatever was put back into it. @param hello the first bytes, to
   * look at
   */
  accept(socket: Socket, hello: Buffer): void {
    const previous = this.#previous;
    const server =
      previous !== null && hello.includes(previous.keyName) ? previous.server : this.#current;
    socket.read = readPiece;
    server.emit('connection', socket);
  }

  setTicketKeys(keys: TicketKeys): void {
    const { current, previous } = keys;
    this.#keys = keys;
    this.#current = this.#create(current);
    this.#previous =
      previous === null
        ? null
        : { keyName: ticketKeyName(previous), server: this.#create(previous) };
  }

  /** Handshakes that begin from now on have the present time. */
  refresh(): void {
    this.setTicketKeys(this.#keys);
  }

  close(): void {
    this.#unsubscribe();
  }

  #create(ticketKeys: Buffer): Server {
    const { certificates, handshakeTimeoutMs, protocols, secured, unsecured } = this.#options;
    const { options, hostCheck } = certificates.snapshot();
    const server = createServer({
      ...options,
      ALPNProtocols: [...protocols()],
      ticketKeys,
      handshakeTimeout: handshakeTimeoutMs(),
    });
    const asks = options.requestCert === true;
    server.on('secureConnection', (socket: TLSSocket) =>
      secured(socket, hostCheck(socket.servername), asks ? shownCertificate(socket) : null),
    );
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      unsecured(resultOf(error.code), error.code ?? 'unknown', socket);
      socket.destroy();
    });
    return server;
  }
}

/** As `read()` of a socket, but without a size it answers a piece at most. */
function readPiece(this: Socket, size?: number): Buffer | null {
  return Socket.prototype.read.call(this, size ?? Math.min(this.readableLength, PIECE_BYTES));
}

function resultOf(code = ''): Exclude<HandshakeResult, 'completed'> {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'aborted' : 'failed';
}
