import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AbstractConnector, type RedisOptions as DriverOptions } from 'ioredis';
import { systemNames } from '../names/system.ts';
import { destroyedAfterReading } from './redis-driver.ts';
import type { RedisTls } from './redis-port.ts';

/** Sockets on which TLS was spoken: how much was read before its end, they do not tell. */
const handshakes = new WeakSet<Socket>();

/** Whether there was a server at the other end, and not only a port. */
export function wasReached(socket: Socket | undefined): boolean {
  return socket !== undefined && (socket.bytesRead > 0 || handshakes.has(socket));
}

/**
 * Makes the sockets for the driver. It listens for one error of each and not for the next (an alert
 * that comes while a failed connection is being put away), and an error that nobody listens for
 * ends the process.
 */
export class Connector extends AbstractConnector {
  /** The driver's own, so that what it is told later counts for the next socket. */
  readonly #options: DriverOptions;

  constructor(options: unknown) {
    super((options as DriverOptions).disconnectTimeout ?? 0);
    this.#options = options as DriverOptions;
  }

  async connect(): Promise<Socket> {
    const { host = 'localhost', port = 0, tls } = this.#options;
    const to = { host, port, lookup: systemNames.lookup };
    const socket = tls === undefined ? connectTcp(to) : connectTls({ ...to, ...tls });
    socket.once('error', (fault) => {
      this.firstError = fault;
    });
    socket.on('error', () => {});
    if (tls !== undefined) socket.once('connect', () => handshakes.add(socket));
    this.connecting = true;
    this.stream = destroyedAfterReading(socket);
    return socket;
  }
}

export function tlsOptions(tls: RedisTls, host: string): NonNullable<DriverOptions['tls']> {
  const serverName = tls.serverName ?? host;
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: tls.verify,
    // RFC 6066 §3: SNI holds names only. Without it Node holds the certificate against the address.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    ...(tls.ca === null ? {} : { ca: tls.ca }),
    ...(tls.certificate === null ? {} : { cert: tls.certificate }),
    ...(tls.key === null ? {} : { key: tls.key }),
  };
}
