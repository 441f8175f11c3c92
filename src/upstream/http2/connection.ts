import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Deadline, Deadlines, Watched } from '../../deadlines.ts';
import { ClientSession, type ClientSessionOwner } from '../../http2/client-session.ts';
import type { ClientStream, ResponseHandler } from '../../http2/client-stream.ts';
import type { ErrorCode } from '../../http2/frames.ts';
import { isOwnExhaustion } from '../descriptors.ts';
import type { Dialer } from '../dialer.ts';
import type { UpstreamFailure, UpstreamTimeouts } from '../port.ts';

/** Calls on one connection at most, whatever more the upstream would take. */
const MAX_STREAMS = 100;
/** What an upstream may send of one response before its client has taken some. */
const STREAM_WINDOW_BYTES = 128 * 1024;
/** All streams at their limit: a client that does not read stalls no stream but its own. */
const CONNECTION_WINDOW_BYTES = MAX_STREAMS * STREAM_WINDOW_BYTES;
/** As of HTTP/1.1. */
const HEAD_LIMIT_BYTES = 64 * 1024;
/**
 * Without a call. Longer than with HTTP/1.1: an upstream that closes one says what it has begun.
 */
const IDLE_TIMEOUT_MS = 60_000;
/**
 * An upstream that owes something and is as silent as that is asked for a sign of life, once for
 * each silence: some punish whoever asks more often (grpc-go: 5 min).
 */
const SILENCE_MS = 30_000;
const PONG_TIMEOUT_MS = 10_000;

/** One call on a connection. */
export interface Rider extends ResponseHandler {
  /** The connection takes its request now. */
  onReady(): void;
  /** The connection takes no more than it has: its request is to go on another one. */
  onNoRoom(): void;
  /** The connection was never ready. */
  onUnconnected(failure: UpstreamFailure): void;
  /** The end of what one read brought. */
  onRead(): void;
  /** A step of the connection threw. */
  onFault(error: unknown): void;
}

/** Who keeps the connection: told when a call has left it, and when it is gone. */
export interface Http2ConnectionKeeper {
  left(connection: Http2Connection): void;
  gone(connection: Http2Connection): void;
}

/**
 * One connection of HTTP/2 to an upstream, for many calls at a time.
 *
 * ```
 *   connecting ─▶ its SETTINGS came: ready ─▶ GOAWAY, or too old: ends what it has ─▶ closed
 *        └────────────── a fault, or silence ──────────────▶ closed, each call told once
 * ```
 */
export class Http2Connection implements ClientSessionOwner, Watched {
  readonly #socket: Socket;
  readonly #secure: boolean;
  readonly #keeper: Http2ConnectionKeeper;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  readonly #riders = new Set<Rider>();
  /** Those that a read has brought something, until they were told that it was all. */
  #touched: Rider[] = [];
  #session: ClientSession | null = null;
  #connected = false;
  #ready = false;
  #leaving = false;
  #closed = false;
  #reading = false;
  #lastReadMs = 0;
  #pingMs = 0;
  /** `reads` when it replied: nothing has been read since, and it is not asked again. */
  #askedAt = -1;
  /** Why what has no connection any more has none. */
  #fault = 'connection closed';
  /** How often something was read. */
  reads = 0;
  /** Responses that have begun. */
  served = 0;
  /** Monotonic milliseconds from which on no further call goes on it. */
  servesUntilMs = Number.POSITIVE_INFINITY;
  readonly headBytes = HEAD_LIMIT_BYTES;

  constructor(
    dialer: Dialer,
    keeper: Http2ConnectionKeeper,
    deadlines: Deadlines,
    timeouts: UpstreamTimeouts,
  ) {
    const socket = dialer.connect();
    this.#socket = socket;
    this.#secure = dialer.connectEvent === 'secureConnect';
    this.#keeper = keeper;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.watch(this, deadlines.nowMs + timeouts.connectTimeoutMs);
    socket.once(dialer.connectEvent, () => this.#guarded(() => this.#onConnect()));
    socket.on('data', (chunk: Buffer) => this.#guarded(() => this.#onData(chunk)));
    socket.on('drain', () => this.#guarded(() => this.#session?.onDrain()));
    socket.on('end', () => this.#onGone('connection closed'));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#onGone(error.code ?? 'connection failed'),
    );
    socket.on('close', () => this.#onGone('connection closed'));
  }

  /** A fault of ours ends one connection, never the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      for (const rider of [...this.#riders]) rider.onFault(error);
      this.#onGone('a fault inside the gate', 'broken');
    }
  }

  get ready(): boolean {
    return this.#ready && !this.#closed;
  }

  get connecting(): boolean {
    return !this.#ready && !this.#closed;
  }

  get idle(): boolean {
    return this.#riders.size === 0;
  }

  get scheme(): 'http' | 'https' {
    return this.#secure ? 'https' : 'http';
  }

  /** Why it is closed. */
  get fault(): string {
    return this.#session?.fault ?? this.#fault;
  }

  /**
   * A further call may go on it. Not where the upstream takes no content of anybody: one call that
   * it does not read must not keep others waiting.
   */
  get hasRoom(): boolean {
    if (this.#closed || this.#leaving || this.#deadlines.nowMs >= this.servesUntilMs) return false;
    if (this.#session === null) return this.#riders.size < MAX_STREAMS;
    if (!this.#session.accepts || this.#pingMs > 0 || this.#session.stalled) return false;
    return this.#riders.size < this.#most;
  }

  get #most(): number {
    return Math.min(MAX_STREAMS, this.#session?.maxStreams ?? MAX_STREAMS);
  }

  /** A call goes on it; `leave` follows. */
  take(rider: Rider): void {
    this.#riders.add(rider);
    if (this.#ready) this.#watch();
  }

  leave(rider: Rider): void {
    if (!this.#riders.delete(rider) || this.#closed) return;
    if (!this.#ready) return;
    this.#watch();
    if (this.idle && this.#isLast) this.close();
    else this.#keeper.left(this);
  }

  get #isLast(): boolean {
    return (
      this.#leaving ||
      this.#session?.accepts !== true ||
      this.#deadlines.nowMs >= this.servesUntilMs
    );
  }

  /** The upstream takes tunnels (RFC 8441). Only when it is ready. */
  get takesTunnels(): boolean {
    return this.#session!.takesTunnels;
  }

  /** Only when it is ready. */
  open(rider: Rider, toHead: boolean): ClientStream {
    return this.#session!.begin(rider, toHead);
  }

  /** Something of a read was for this call: `onRead` follows. @returns false outside of a read */
  touch(rider: Rider): boolean {
    if (!this.#reading) return false;
    if (!this.#touched.includes(rider)) this.#touched.push(rider);
    return true;
  }

  /** No further call goes on it; it closes after the last one, or at once. */
  retire(): void {
    this.#leaving = true;
    if (this.idle) this.close();
  }

  /** Closes now. Calls under way are told that it has gone. */
  close(): void {
    if (this.#closed) return;
    this.#session?.leave();
    this.#end('connection closed');
  }

  // ── the session's view ──

  get nowMs(): number {
    return this.#deadlines.nowMs;
  }

  onReady(): void {
    this.#ready = true;
    this.#watch();
    let room = this.#most;
    for (const rider of [...this.#riders]) {
      if (this.#closed) return;
      if (room > 0) rider.onReady();
      else rider.onNoRoom();
      room -= 1;
    }
    if (this.#most === 0) this.retire();
    else if (this.idle && this.#isLast) this.close();
  }

  onGoaway(): void {
    if (this.idle) this.close();
  }

  onPong(): void {
    this.#pingMs = 0;
    this.#askedAt = this.reads;
    this.#watch();
  }

  onSessionFault(_code: ErrorCode, what: string): void {
    this.#onGone(this.#ready ? what : `no HTTP/2: ${what}`, 'broken');
  }

  onSectionBegun(): void {}
  onSectionEnd(): void {}
  onStreamClosed(): void {}

  // ── ends ──

  #onConnect(): void {
    if (this.#closed) return;
    this.#connected = true;
    if (this.#secure && (this.#socket as TLSSocket).alpnProtocol !== 'h2') {
      this.#onGone('no HTTP/2 by ALPN', 'broken');
      return;
    }
    this.#session = new ClientSession(this.#socket, WINDOWS, this);
  }

  #onData(chunk: Buffer): void {
    if (this.#closed || this.#session === null) return;
    this.reads += 1;
    this.#lastReadMs = this.#deadlines.nowMs;
    this.#reading = true;
    try {
      this.#session.push(chunk);
    } finally {
      this.#reading = false;
    }
    if (this.#askedAt !== -1) this.#askAgain();
    const touched = this.#touched;
    if (touched.length === 0) return;
    this.#touched = [];
    for (const rider of touched) rider.onRead();
  }

  #askAgain(): void {
    if (this.#askedAt === this.reads) return; // this read was the reply itself
    this.#askedAt = -1;
    this.#watch();
  }

  /** Silence counts where a call is under way; without one, how long nobody has needed it. */
  #watch(): void {
    if (this.#closed || !this.#ready || this.#pingMs > 0) return;
    if (this.idle) this.#deadline.untilMs = this.#deadlines.nowMs + IDLE_TIMEOUT_MS;
    else if (this.#askedAt !== -1) this.#deadline.untilMs = Number.POSITIVE_INFINITY;
    else this.#deadline.untilMs = this.#deadlines.nowMs + SILENCE_MS;
  }

  expired(): void {
    if (!this.#ready) {
      this.#onGone('connecting took too long');
    } else if (this.#pingMs > 0) {
      this.#onGone('no reply to PING');
    } else if (this.idle) {
      this.close();
    } else if (this.#deadlines.nowMs - this.#lastReadMs < SILENCE_MS) {
      this.#deadline.untilMs = this.#lastReadMs + SILENCE_MS;
    } else {
      this.#pingMs = this.#deadlines.nowMs;
      this.#deadline.untilMs = this.#pingMs + PONG_TIMEOUT_MS;
      this.#session!.ping();
    }
  }

  #onGone(detail: string, kind?: 'broken'): void {
    if (this.#closed) return;
    if (this.#ready) {
      this.#end(detail);
      return;
    }
    const unconnected = isOwnExhaustion(detail) ? 'exhausted' : 'unreachable';
    const failure: UpstreamFailure = {
      kind: kind ?? (this.#connected ? 'broken' : unconnected),
      detail,
      neverSent: true,
      staleConnection: false,
    };
    this.#end(detail);
    for (const rider of [...this.#riders]) rider.onUnconnected(failure);
  }

  #end(detail: string): void {
    this.#closed = true;
    this.#fault = detail;
    this.#deadline.end();
    this.#keeper.gone(this);
    this.#session?.gone();
    this.#socket.destroy();
  }
}

const WINDOWS = {
  streamWindowBytes: STREAM_WINDOW_BYTES,
  connectionWindowBytes: CONNECTION_WINDOW_BYTES,
};
