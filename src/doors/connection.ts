import type { Socket } from 'node:net';
import type { Call } from '../calls/call.ts';
import type { CallClient, CallServices } from '../calls/port.ts';
import type { Deadlines } from '../deadlines.ts';
import type { Peer, RequestHead } from '../http/request-head.ts';
import type { PlaceUse } from '../limits/places.ts';
import type { HostCheck } from '../tls/server-certificates.ts';
import type { BodyPaceLimits } from './body-pace.ts';

/** What a connection needs besides the calls' services. */
export interface ConnectionLimits extends BodyPaceLimits {
  readonly headBytes: number;
  readonly targetBytes: number;
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** Longest silence of both sides of a tunnel. */
  readonly tunnelIdleMs: number;
}

/** What becomes of a request, as its connection sees it. */
export type Exchange = Pick<
  Call,
  | 'begin'
  | 'refuse'
  | 'refusePlaintext'
  | 'onRequestBodyHere'
  | 'onRequestBody'
  | 'onRequestFlush'
  | 'onRequestEnd'
  | 'onRequestFailed'
  | 'endTunnel'
  | 'onClientGone'
  | 'onClientDrain'
  | 'shutOut'
  | 'onFault'
>;

/**
 * The listener, as its connections see it. Read anew for every request: a reloaded configuration
 * counts from the next one on.
 */
export interface ConnectionHost {
  readonly services: CallServices;
  readonly limits: ConnectionLimits;
  readonly deadlines: Deadlines;
  /** Every answer is the last one of its connection, and says so. */
  readonly draining: boolean;
  /** @param head null when what came could not be read as a request */
  open(client: CallClient, head: RequestHead | null): Exchange;
  closed(connection: DoorConnection): void;
}

/** A client's end. */
export interface Arrival {
  /** Where bytes are read and written: the TLS socket, or the TCP socket itself. */
  readonly socket: Socket;
  /** The TCP socket beneath. */
  readonly transport: Socket;
  readonly peer: Peer;
  /** The client speaks plain HTTP to a TLS port: every request is refused. */
  readonly refusesPlaintext: boolean;
  /** Whether a host does not belong on this connection; null: any may be asked for. */
  readonly misdirects: HostCheck | null;
}

/** A client's connection, as its listener sees it, whatever its protocol. */
export interface DoorConnection {
  /** A request has begun and is not answered: closing now would take something from the client. */
  readonly busy: boolean;
  /** Whether it may be closed for another one. */
  readonly use: PlaceUse;
  /** The gate will close: the client is to take its next request elsewhere. */
  announceEnd(): void;
  /** The listener stops: an idle connection closes at once, a busy one after its responses. */
  drain(): void;
  /** The time that the listener gave to what is under way is over. */
  cutOff(): void;
  destroy(): void;
}
