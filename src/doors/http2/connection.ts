import type { Socket } from 'node:net';
import type { Deadline, Watched } from '../../deadlines.ts';
import type { RequestHead } from '../../http/request-head.ts';
import type { ErrorCode } from '../../http2/frames.ts';
import type { Http2HeadFault } from '../../http2/head-fault.ts';
import {
  ServerSession,
  type SessionHandler,
  type SessionLimits,
} from '../../http2/server-session.ts';
import type { ServerStream } from '../../http2/server-stream.ts';
import type { PlaceUse } from '../../limits/places.ts';
import type { HostCheck } from '../../tls/server-certificates.ts';
import type { Arrival, ConnectionHost, DoorConnection } from '../connection.ts';
import { Lingering } from '../lingering.ts';
import { Http2Exchange } from './exchange.ts';

/** What the listener offers besides to connections of HTTP/2. */
export interface Http2Host extends ConnectionHost {
  readonly http2Limits: SessionLimits;
  /** A client's connection was closed for what it did. */
  http2Fault(what: string, code: ErrorCode, address: string): void;
}

/**
 * One client connection of HTTP/2: each of its streams is a call of its own.
 *
 * ```
 *   preface ─▶ streams, each a call ─▶ GOAWAY ─▶ the last one ends ─▶ lingering ─▶ closed
 *       └─────────── a fault of the protocol, silence, or a flood ───┘
 * ```
 */
export class Http2Connection implements DoorConnection, SessionHandler, Watched {
  readonly #socket: Socket;
  readonly #arrival: Arrival;
  readonly #host: Http2Host;
  readonly #misdirects: HostCheck | null;
  readonly #session: ServerSession;
  readonly #deadline: Deadline;
  readonly #exchanges = new Set<Http2Exchange>();
  #served = false;
  #announced = false;
  #draining = false;
  #lingering: Lingering | null = null;
  #closed = false;

  constructor(arrival: Arrival, host: Http2Host) {
    const { socket } = arrival;
    this.#socket = socket;
    this.#arrival = arrival;
    this.#host = host;
    this.#misdirects = arrival.misdirects;
    this.#deadline = host.deadlines.watch(this, this.nowMs + host.limits.headTimeoutMs);
    this.#session = new ServerSession(socket, host.http2Limits, this);
    socket.on('data', (chunk: Buffer) => this.#guarded(() => this.#onData(chunk)));
    socket.on('drain', () => this.#guarded(() => this.#session.onDrain()));
    socket.on('end', () => this.#guarded(() => this.#onEnd()));
    socket.on('error', () => this.#guarded(() => this.#onGone()));
    socket.on('close', () => this.#guarded(() => this.#onGone()));
  }

  get busy(): boolean {
    return this.#exchanges.size > 0 || (this.#session.inSection && this.#lingering === null);
  }

  get use(): PlaceUse {
    if (this.busy || this.#lingering !== null) return 'busy';
    return this.#served ? 'idle' : 'silent';
  }

  /**
   * Who has asked for nothing yet may do so first: a client that is told at once makes no request
   * on the connection at all, and would find nobody else while it is led here.
   */
  announceEnd(): void {
    if (this.#served) this.#guarded(() => this.#announceOnce());
  }

  #announceOnce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#session.announceEnd();
  }

  drain(): void {
    this.#guarded(() => {
      this.#draining = true;
      this.#session.stopAccepting();
      for (const exchange of [...this.#exchanges]) exchange.drain();
      this.#watch();
    });
  }

  cutOff(): void {
    this.#guarded(() => {
      for (const exchange of [...this.#exchanges]) exchange.cutOff();
      if (this.#exchanges.size === 0 && this.#lingering === null) this.#close();
    });
  }

  destroy(): void {
    this.#guarded(() => this.#onGone('draining'));
  }

  // ── the session's view ──

  get nowMs(): number {
    return this.#host.deadlines.nowMs;
  }

  get headBytes(): number {
    return this.#host.limits.headBytes;
  }

  get targetBytes(): number {
    return this.#host.limits.targetBytes;
  }

  /** The time for a field section runs from its first byte on. */
  onSectionBegun(): void {
    const limit = this.nowMs + this.#host.limits.headTimeoutMs;
    this.#deadline.untilMs = Math.min(this.#deadline.untilMs, limit);
  }

  onSectionEnd(): void {
    this.#watch();
  }

  onRequest(stream: ServerStream, head: RequestHead): void {
    this.#served = true;
    this.#exchange(stream).begin(head, this.#misdirects);
    if (this.#host.draining) this.#announceOnce();
  }

  onHeadFault(stream: ServerStream, fault: Http2HeadFault): void {
    this.#host.services.log.debug('the head of a request was refused', {
      reason: fault.fault,
      detail: fault.detail,
      clientAddress: this.#host.services.recordedAddress(this.#arrival.peer.address) ?? undefined,
    });
    this.#exchange(stream).refuse(fault);
  }

  #exchange(stream: ServerStream): Http2Exchange {
    const exchange = new Http2Exchange(stream, this.#arrival.peer, this.#host, (ended) => {
      this.#exchanges.delete(ended);
    });
    this.#exchanges.add(exchange);
    stream.handler = exchange;
    return exchange;
  }

  onStreamClosed(): void {
    this.#watch();
  }

  onSessionFault(code: ErrorCode, what: string): void {
    this.#host.http2Fault(what, code, this.#arrival.peer.address);
    this.#closeGracefully();
  }

  /** Silence is counted where no stream is open; while one is, it has its own deadlines. */
  #watch(): void {
    if (this.#closed || this.#lingering !== null || this.#session.inSection) return;
    const isIdle = this.#session.open === 0;
    if (isIdle && this.#draining) setImmediate(() => this.#guarded(() => this.#endIfIdle()));
    if (!this.#served && isIdle) return;
    this.#deadline.untilMs = isIdle
      ? this.nowMs + this.#host.limits.idleTimeoutMs
      : Number.POSITIVE_INFINITY;
  }

  /** Of a gate that closes: what the last stream was given is on its way by now. */
  #endIfIdle(): void {
    if (this.#session.open === 0 && !this.#session.inSection) this.#closeGracefully();
  }

  // ── ends ──

  expired(): void {
    this.#guarded(() => {
      this.#session.stopAccepting();
      this.#closeGracefully();
    });
  }

  #onData(chunk: Buffer): void {
    if (this.#lingering === null) this.#session.push(chunk);
    else this.#lingering.drop(chunk);
  }

  /** From here on only `close` is heard; the deadline is the lingering's. */
  #closeGracefully(): void {
    if (this.#lingering !== null || this.#closed) return;
    this.#deadline.untilMs = Number.POSITIVE_INFINITY;
    this.#session.gone();
    this.#lingering = new Lingering(
      this.#socket,
      this.#host.deadlines,
      this.#host.limits.idleTimeoutMs,
    );
    this.#socket.resume();
  }

  /** The client has ended its direction: with streams under way it is taken to have gone. */
  #onEnd(): void {
    if (this.#session.open === 0) this.#closeGracefully();
    else this.#onGone();
  }

  #onGone(why?: 'draining'): void {
    if (this.#closed) return;
    for (const exchange of this.#exchanges) exchange.goneFor = why;
    this.#close();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#deadline.end();
    this.#session.gone();
    this.#socket.destroy();
    this.#host.closed(this);
  }

  /** A fault of ours ends one connection, never the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#host.services.log.error('a connection failed inside the gate', { error });
      this.#close();
    }
  }
}
