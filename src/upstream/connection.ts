import type { Socket } from 'node:net';
import type { Deadlines, Watched } from '../deadlines.ts';
import type { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { Trailers } from '../http/trailers.ts';
import { isOwnExhaustion } from './descriptors.ts';
import { KeptReads } from './kept-reads.ts';
import { lastWord } from './last-word.ts';
import { LateFlush } from './late-flush.ts';
import { Patience } from './patience.ts';
import type {
  ResponseReceiver,
  UpstreamChannel,
  UpstreamFailure,
  UpstreamTimeouts,
} from './port.ts';
import { RequestWriter } from './request-writer.ts';
import { type ReadConnection, ResponseReader } from './response-reader.ts';

/**
 * As much as one read brings at most: libuv's buffer, or one TLS record (RFC 8446 §5.1). Behind a
 * full one there is nearly always more, already here.
 */
const FULL_READ_BYTES = { connect: 64 * 1024, secureConnect: 16 * 1024 } as const;

/**
 * One connection to an upstream, for one exchange at a time.
 *
 * ```
 *   connecting ─▶ idle ─begin▶ waiting for head ─▶ body ─▶ idle (kept) or closed
 *        └──────────── any fault ────────▶ closed, the receiver told once
 * ```
 */
export class UpstreamConnection implements UpstreamChannel, ReadConnection, Watched {
  readonly #socket: Socket;
  readonly #keeper: ConnectionKeeper;
  readonly #out: RequestWriter;
  /** Whoever receives the response is known here. */
  readonly #in = new ResponseReader(this);
  readonly #kept = new KeptReads();
  readonly #flushes: LateFlush;
  readonly #time: Patience;
  /** Monotonic milliseconds (of `Deadlines.nowMs`) since which it has been idle. */
  idleSinceMs = 0;
  /** Monotonic milliseconds from which on its keeper uses it for no further exchange. */
  servesUntilMs = Number.POSITIVE_INFINITY;

  #closed = false;
  #served = 0;
  /** The exchange under way is its last one. */
  #last = false;
  /** A byte of the response came. */
  #anyByte = false;
  /** What was HTTP is a tunnel of bytes. */
  #switched = false;
  /** Nothing is read any more: what was written goes out. Told once that is over. */
  #finishing: (() => void) | null = null;

  constructor(
    socket: Socket,
    connectEvent: 'connect' | 'secureConnect',
    keeper: ConnectionKeeper,
    deadlines: Deadlines,
    timeouts: UpstreamTimeouts,
  ) {
    this.#socket = socket;
    this.#keeper = keeper;
    this.#out = new RequestWriter(socket);
    this.#flushes = new LateFlush(FULL_READ_BYTES[connectEvent], () => this.#flushReceiver());
    this.#time = new Patience(deadlines, timeouts, this);
    socket.once(connectEvent, () => this.#guarded(() => this.#onConnect()));
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#guarded(() => this.#onDrain()));
    socket.on('end', () => this.#guarded(() => this.#onEnd()));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#guarded(() => this.#onError(error.code ?? 'connection failed')),
    );
    socket.on('close', () => this.#guarded(() => this.#onError('connection closed')));
  }

  /** Whoever receives may be at fault; that must end one exchange and not the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #onFault(error: unknown): void {
    const receiver = this.#in.end();
    this.#close();
    receiver?.onFault(error);
  }

  /** Whose connection it is. */
  get keeper(): ConnectionKeeper {
    return this.#keeper;
  }

  get connected(): boolean {
    return this.#time.connected;
  }

  /**
   * Monotonic milliseconds (`performance.now()`) since which a held response has been waiting; 0 =
   * it is not.
   */
  get heldSinceMs(): number {
    return this.#kept.heldSinceMs;
  }

  /**
   * Takes the connection for one exchange, and gathers its head. Only when it is idle or still
   * connecting.
   */
  begin(receiver: ResponseReceiver, request: OutgoingRequest): void {
    this.#in.begin(receiver, request.method === 'HEAD', request.upgrade);
    this.#last = request.isLast;
    this.#out.begin(request);
    this.#anyByte = false;
    this.#time.begin();
  }

  /** Nobody uses it for now: it ends by itself after so long. */
  idle(timeoutMs: number): void {
    this.idleSinceMs = this.#time.idle(timeoutMs);
  }

  /** Content of the request's body; it goes out, framed, at the next `flush()`. */
  sendBody(content: Buffer): void {
    this.#out.content(content);
  }

  /** @returns false when the upstream is slower than the client: wait for `onDrain` */
  flush(): boolean {
    const taken = this.#out.flush();
    this.#time.sent(taken);
    return taken;
  }

  /**
   * The request is complete, and goes out: after its response the connection may serve another.
   *
   * @param trailers fields behind its content, dropped where the framing has no place for them
   */
  sendEnd(trailers: Fields | null = null): void {
    this.#out.end(trailers);
    this.#time.whole(this.#out.flush());
  }

  /** Keeps the response back: what arrives from now on waits until `release()`. */
  hold(): void {
    this.#kept.hold();
  }

  release(): void {
    if (!this.#kept.holding) return;
    this.#kept.holding = false;
    const { ended } = this.#kept;
    if (ended === 'open') {
      this.resume();
      return;
    }
    // Of a response that has ended nothing goes out before it is known to be whole.
    const bytes = this.#kept.take();
    if (bytes !== null) this.#in.read(bytes);
    if (ended === 'end') this.#onEnd();
    else this.#fail('broken', ended.detail);
  }

  /** The client is slower than the upstream. The upstream's time does not run meanwhile. */
  pause(): void {
    this.#time.pause(true);
  }

  resume(): void {
    if (this.#closed || this.#in.receiver === null || this.#kept.holding) return;
    this.#time.pause(false);
    const kept = this.#kept.take();
    if (kept !== null) this.#guarded(() => this.#read(kept));
    if (!this.#time.paused && !this.#closed) this.#socket.resume();
  }

  /** Ends the connection without a word to the receiver. */
  destroy(): void {
    this.#in.end();
    this.#close();
  }

  /**
   * Ends a tunnel without a word to the receiver: what was given to the socket goes out, then the
   * end of our direction; what comes is dropped.
   *
   * @param over told once it is closed: until then it is one of its upstream's
   */
  finish(over: () => void): void {
    if (this.#closed) {
      over();
      return;
    }
    this.#in.end();
    this.#flushes.forget();
    this.#kept.take();
    this.#finishing = over;
    this.#out.flush();
    this.#time.finish();
    this.#socket.end();
    this.#socket.resume();
  }

  expired(): void {
    this.#guarded(() => {
      if (this.#in.receiver === null) this.destroy();
      else if (this.#time.connected) this.#fail('timeout', 'silent for too long');
      else this.#fail('unreachable', 'connecting took too long');
    });
  }

  #onConnect(): void {
    this.#time.connects();
    this.#in.receiver?.onConnected();
  }

  #onDrain(): void {
    this.#time.sent(true);
    this.#in.receiver?.onDrain();
  }

  #onData(chunk: Buffer): void {
    if (this.#finishing !== null) return;
    this.#anyByte = true;
    if (this.#kept.holding && !this.#time.paused) this.pause();
    if (this.#time.paused) {
      if (this.#kept.keep(chunk)) this.#socket.pause();
      return;
    }
    try {
      this.#read(chunk);
    } catch (error) {
      this.#onFault(error);
    }
  }

  #read(chunk: Buffer): void {
    if (this.#in.receiver === null) {
      // Bytes that nobody asked for: whatever they are, the next exchange must not take them for
      // its response.
      this.destroy();
      return;
    }
    this.#time.heard();
    this.#in.read(chunk);
    // A receiver that is done is flushed by its own end.
    if (this.#in.receiver !== null) this.#flushes.read(chunk.length);
  }

  #flushReceiver(): void {
    try {
      if (this.#in.receiver?.flush() === false) this.pause();
    } catch (error) {
      this.#onFault(error);
    }
  }

  onFinalHead(status: number): void {
    // A response before the end of the request: an upstream that does not read the rest of it would
    // take that for the next request.
    if (!this.#time.requestSent || this.#socket.writableLength > 0) this.#last = true;
    this.#time.headCame();
    this.#keeper.answered(status);
  }

  /** It owes nothing any more, and whatever follows is no fault of its address. */
  onSwitched(): void {
    this.#switched = true;
    this.#time.switched();
    this.#keeper.answered(101);
  }

  onBroken(detail: string): void {
    this.#fail('broken', detail);
  }

  /** The connection is kept only if it is certain where the next response begins. */
  onWhole(bounded: boolean, trailers: Trailers | null): void {
    const receiver = this.#in.end()!;
    this.#flushes.forget();
    this.#served += 1;
    if (bounded && !this.#last && this.#kept.ended === 'open') {
      // It may have been paused for this exchange; idle, it must hear that the upstream closes it,
      // or says more than it was asked.
      this.#time.paused = false;
      this.#socket.resume();
      this.#keeper.free(this);
    } else {
      this.#close();
    }
    lastWord(receiver, () => receiver.onEnd(trailers));
  }

  /**
   * The upstream sends nothing more. A proper end only of a body that ends so. Whether such a body
   * was whole nobody can tell, with TLS neither: Node does not say whether the end was announced
   * (close_notify) or the connection was cut. Upstreams that care send a length or chunks.
   */
  #onEnd(): void {
    if (this.#kept.holding) {
      this.#kept.ended = 'end';
      return;
    }
    if (this.#in.endsWithConnection) {
      const receiver = this.#in.end()!;
      this.#close();
      lastWord(receiver, () => receiver.onEnd(null));
      return;
    }
    this.#fail('broken', this.#anyByte ? 'answer cut short' : 'closed without an answer');
  }

  #onError(detail: string): void {
    if (this.#time.connected) this.#fail('broken', detail);
    else this.#fail(isOwnExhaustion(detail) ? 'exhausted' : 'unreachable', detail);
  }

  #fail(kind: UpstreamFailure['kind'], detail: string): void {
    // What is held may be a whole response; it came before the connection failed.
    if (!this.#closed && this.#kept.keepFailure(detail)) return;
    const receiver = this.#in.end();
    const staleConnection = this.#time.connected && this.#served > 0 && !this.#anyByte;
    const failure: UpstreamFailure = {
      kind,
      detail,
      neverSent: !this.#time.connected,
      staleConnection,
    };
    if (receiver !== null && !this.#switched) this.#keeper.failed(failure);
    this.#close();
    if (receiver !== null) lastWord(receiver, () => receiver.onFailure(failure));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#flushes.forget();
    this.#kept.take();
    this.#time.end();
    this.#socket.destroy();
    this.#keeper.gone(this);
    this.#finishing?.();
  }
}

/** Who keeps the connections: told when this one is free again or gone. */
export interface ConnectionKeeper {
  free(connection: UpstreamConnection): void;
  gone(connection: UpstreamConnection): void;
  /** The final head of a response came. */
  answered(status: number): void;
  /** An exchange failed, and not because we gave it up. Before `gone`. */
  failed(failure: UpstreamFailure): void;
}
