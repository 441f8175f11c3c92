import type { Socket } from 'node:net';
import type { Deadline, Deadlines, Watched } from '../deadlines.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { BodyReader } from '../http1/body-reader.ts';
import { Gather } from '../http1/gather.ts';
import { HeadReader } from '../http1/head-reader.ts';
import { CHUNK_END, chunkStart, LAST_CHUNK, requestHead } from '../http1/head-writer.ts';
import { parseResponseHead } from '../http1/response-parser.ts';
import { isOwnExhaustion } from './descriptors.ts';
import { HeldResponse } from './held-response.ts';
import type { ResponseReceiver, UpstreamFailure, UpstreamTimeouts } from './port.ts';

const HEAD_LIMIT_BYTES = 64 * 1024;
/**
 * As much as one read brings at most: libuv's buffer, or one TLS record (RFC 8446 §5.1). Behind a
 * full one there is nearly always more, already here.
 */
const FULL_READ_BYTES = { connect: 64 * 1024, secureConnect: 16 * 1024 } as const;
/** So much may wait for a late flush: with it, what one write gathers stays below twice as much. */
const MAX_LATE_BYTES = 64 * 1024;
/** A response that is held back waits in the kernel beyond this. */
const MAX_HELD_BYTES = 64 * 1024;
/** 1xx responses before the final one. More is a flood. */
const MAX_INFORMATIONAL = 16;

/**
 * One connection to an upstream, for one exchange at a time.
 *
 * ```
 *   connecting ─▶ idle ─begin▶ waiting for head ─▶ body ─▶ idle (kept) or closed
 *        └──────────── any fault ────────▶ closed, the receiver told once
 * ```
 */
export class UpstreamConnection implements Watched {
  readonly #socket: Socket;
  readonly #keeper: ConnectionKeeper;
  readonly #deadlines: Deadlines;
  readonly #timeouts: UpstreamTimeouts;
  readonly #out: Gather;
  readonly #heads = new HeadReader(HEAD_LIMIT_BYTES, false, 'HTTP/1.');
  readonly #deadline: Deadline;
  /** Monotonic milliseconds (of `Deadlines.nowMs`) since which it has been idle. */
  idleSinceMs = 0;
  /** Monotonic milliseconds from which on its keeper uses it for no further exchange. */
  servesUntilMs = Number.POSITIVE_INFINITY;

  #connected = false;
  #closed = false;
  #served = 0;
  #receiver: ResponseReceiver | null = null;
  #toHead = false;
  #sendsChunks = false;
  /** The exchange under way is its last one. */
  #last = false;
  /** The request is complete: the upstream owes a response. */
  #requestSent = false;
  /** The upstream does not take what it is sent. */
  #blocked = false;
  /** The client does not take what the upstream sends. */
  #paused = false;
  /** What was read while the client takes nothing. */
  #ahead: Buffer | null = null;
  #head: ResponseHead | null = null;
  #body: BodyReader | null = null;
  #informational = 0;
  #anyByte = false;
  readonly #fullReadBytes: number;
  /** The flush towards the receiver that was put off, and how much was read for it. */
  #lateFlush: NodeJS.Immediate | null = null;
  #lateBytes = 0;
  readonly #held = new HeldResponse();

  constructor(
    socket: Socket,
    connectEvent: 'connect' | 'secureConnect',
    keeper: ConnectionKeeper,
    deadlines: Deadlines,
    timeouts: UpstreamTimeouts,
  ) {
    this.#socket = socket;
    this.#keeper = keeper;
    this.#deadlines = deadlines;
    this.#timeouts = timeouts;
    this.#out = new Gather(socket);
    this.#fullReadBytes = FULL_READ_BYTES[connectEvent];
    this.#deadline = deadlines.watch(this, deadlines.nowMs + timeouts.connectTimeoutMs);
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
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#close();
    receiver?.onFault(error);
  }

  /** Whose connection it is. */
  get keeper(): ConnectionKeeper {
    return this.#keeper;
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Monotonic milliseconds (`performance.now()`) since which a held response has been waiting; 0 =
   * it is not.
   */
  get heldSinceMs(): number {
    return this.#held.sinceMs;
  }

  /**
   * Takes the connection for one exchange, and gathers its head. Only when it is idle or still
   * connecting.
   */
  begin(receiver: ResponseReceiver, request: OutgoingRequest): void {
    this.#toHead = request.method === 'HEAD';
    this.#last = request.isLast;
    this.#sendsChunks = request.framing.kind === 'chunked';
    this.#out.text(requestHead(request));
    this.#receiver = receiver;
    this.#requestSent = false;
    this.#blocked = false;
    this.#paused = false;
    this.#head = null;
    this.#body = null;
    this.#informational = 0;
    this.#anyByte = false;
    this.#watchSilence();
  }

  /** Nobody uses it for now: it ends by itself after so long. */
  idle(timeoutMs: number): void {
    this.idleSinceMs = this.#deadlines.nowMs;
    this.#deadline.untilMs = this.#deadlines.nowMs + timeoutMs;
  }

  /** Content of the request's body; it goes out, framed, at the next `flush()`. */
  sendBody(content: Buffer): void {
    if (this.#sendsChunks) this.#out.text(chunkStart(content.length));
    this.#out.bytes(content);
    if (this.#sendsChunks) this.#out.text(CHUNK_END);
  }

  /** @returns false when the upstream is slower than the client: wait for `onDrain` */
  flush(): boolean {
    this.#blocked = !this.#out.flush();
    this.#watchSilence();
    return !this.#blocked;
  }

  /** The request is complete, and goes out: after its response the connection may serve another. */
  sendEnd(): void {
    if (this.#sendsChunks) this.#out.text(LAST_CHUNK);
    this.#blocked = !this.#out.flush();
    this.#requestSent = true;
    this.#watchSilence();
  }

  /**
   * Keeps the response back: what arrives from now on waits until `release()`, 64 KiB and one read
   * of it at most here, the rest in the kernel.
   */
  hold(): void {
    this.#held.hold();
  }

  release(): void {
    if (!this.#held.holding) return;
    const bytes = this.#held.release();
    const { ended } = this.#held;
    // Of a response that has ended nothing goes out before it is known to be whole.
    if (bytes !== null) this.#read(bytes, ended === 'open');
    if (ended === 'open') this.resume();
    else if (ended === 'end') this.#onEnd();
    else this.#fail('broken', ended.detail);
  }

  /** The client is slower than the upstream. The upstream's time does not run meanwhile. */
  pause(): void {
    this.#paused = true;
    this.#watchSilence();
  }

  /**
   * One read ahead of a client that is slower; the rest waits in the kernel. Stopping at once would
   * close the window of a fast upstream at every pause, and open it again.
   */
  #readAhead(chunk: Buffer): void {
    this.#ahead = this.#ahead === null ? chunk : Buffer.concat([this.#ahead, chunk]);
    this.#socket.pause();
  }

  resume(): void {
    if (this.#closed || this.#receiver === null || this.#held.holding) return;
    this.#paused = false;
    this.#watchSilence();
    const ahead = this.#ahead;
    this.#ahead = null;
    if (ahead !== null) this.#guarded(() => this.#read(ahead));
    if (!this.#paused && !this.#closed) this.#socket.resume();
  }

  /** Ends the connection without a word to the receiver. */
  destroy(): void {
    this.#receiver = null;
    this.#close();
  }

  expired(): void {
    this.#guarded(() => {
      if (this.#receiver === null) this.destroy();
      else if (this.#connected) this.#fail('timeout', 'silent for too long');
      else this.#fail('unreachable', 'connecting took too long');
    });
  }

  /**
   * The upstream's time runs from now, as long as it is the upstream that everything waits for. A
   * client that sends its body slowly has its own time, and an upload may take as long as it takes.
   */
  #watchSilence(): void {
    if (!this.#connected) return;
    const owes = (this.#requestSent || this.#blocked) && !this.#paused;
    this.#deadline.untilMs = owes
      ? this.#deadlines.nowMs + this.#timeouts.responseTimeoutMs
      : Number.POSITIVE_INFINITY;
  }

  #onConnect(): void {
    this.#connected = true;
    this.#watchSilence();
    this.#receiver?.onConnected();
  }

  #onDrain(): void {
    this.#blocked = false;
    this.#watchSilence();
    this.#receiver?.onDrain();
  }

  #onData(chunk: Buffer): void {
    this.#anyByte = true;
    if (this.#held.holding) {
      // Read on, within bounds: how the response ends says whether what came is a whole one.
      this.#paused = true;
      this.#watchSilence();
      if (this.#held.keep(chunk) >= MAX_HELD_BYTES) this.#socket.pause();
      return;
    }
    if (this.#paused) {
      this.#readAhead(chunk);
      return;
    }
    try {
      this.#read(chunk);
    } catch (error) {
      this.#onFault(error);
    }
  }

  #read(chunk: Buffer, flushes = true): void {
    if (this.#receiver === null) {
      // Bytes that nobody asked for: whatever they are, the next exchange must not take them for
      // its response.
      this.destroy();
      return;
    }
    this.#watchSilence();
    let rest: Buffer | null = chunk;
    while (rest !== null && this.#receiver !== null) {
      rest = this.#body === null ? this.#readHead(rest) : this.#readBody(rest);
    }
    // A receiver that is done is flushed by its own end.
    if (this.#receiver === null || !flushes) return;
    this.#lateBytes += chunk.length;
    if (chunk.length === this.#fullReadBytes && this.#lateBytes <= MAX_LATE_BYTES)
      this.#flushLate();
    else this.#flushReceiver();
  }

  /**
   * Puts the flush off by one turn of the loop at most: a response's tail of a few bytes then
   * travels with what came before it, instead of as a write and TLS records of its own. Small reads
   * are never put off, so a stream of events is not held up.
   */
  #flushLate(): void {
    this.#lateFlush ??= setImmediate(() => this.#guarded(() => this.#flushReceiver()));
  }

  #flushReceiver(): void {
    this.#forgetLateFlush();
    if (this.#receiver?.flush() === false) this.pause();
  }

  #forgetLateFlush(): void {
    this.#lateBytes = 0;
    if (this.#lateFlush === null) return;
    clearImmediate(this.#lateFlush);
    this.#lateFlush = null;
  }

  /** @returns what follows the head in this piece */
  #readHead(chunk: Buffer): Buffer | null {
    const result = this.#heads.push(chunk);
    if (result.state === 'incomplete') return null;
    if (result.state !== 'complete') {
      this.#fail('broken', result.state === 'too-large' ? 'head too large' : 'not a response head');
      return null;
    }
    const head = parseResponseHead(result.text, this.#toHead);
    if (typeof head === 'string') {
      this.#fail('broken', head);
      return null;
    }
    if (head.status < 200) {
      this.#onInterim(head);
      return result.rest;
    }
    this.#head = head;
    this.#body = readerFor(head);
    // A response before the end of the request: an upstream that does not read the rest of it would
    // take that for the next request.
    if (!this.#requestSent || this.#socket.writableLength > 0) this.#last = true;
    this.#keeper.answered(head.status);
    this.#receiver!.onHead(head);
    // The receiver may have given up on hearing the head.
    if (this.#receiver === null) return null;
    if (this.#body.state === 'done') {
      this.#complete(result.rest);
      return null;
    }
    return result.rest;
  }

  #onInterim(head: ResponseHead): void {
    this.#informational += 1;
    // 101 cannot be a response to us: no Upgrade is ever sent on this way (RFC 9110 §15.2.2).
    const expected = head.status !== 101 && this.#informational <= MAX_INFORMATIONAL;
    // `Connection: close` beside it is this connection's business alone: the final response still
    // comes, and is the last one.
    if (!head.keepAlive) this.#last = true;
    if (!expected) this.#fail('broken', 'unexpected interim answer');
    else this.#receiver!.onInterim(head);
  }

  #readBody(chunk: Buffer): Buffer | null {
    const body = this.#body!;
    const taken = body.read(chunk, this.#receiver!);
    if (this.#receiver === null) return null; // it gave up on what it was given
    if (body.state === 'broken') this.#fail('broken', 'invalid chunked body');
    else if (body.state === 'done')
      this.#complete(taken < chunk.length ? chunk.subarray(taken) : null);
    return null;
  }

  /**
   * The response is whole. The connection is kept only if it is certain where the next response
   * begins.
   */
  #complete(leftover: Buffer | null): void {
    const receiver = this.#receiver!;
    const reusable =
      !this.#last && this.#head!.keepAlive && leftover === null && this.#held.ended === 'open';
    this.#receiver = null;
    this.#forgetLateFlush();
    this.#served += 1;
    if (reusable) {
      this.#head = null;
      this.#body = null;
      // It may have been paused for this exchange; idle, it must hear that the upstream closes it,
      // or says more than it was asked.
      this.#paused = false;
      this.#socket.resume();
      this.#keeper.free(this);
    } else {
      this.#close();
    }
    lastWord(receiver, () => receiver.onEnd());
  }

  /**
   * The upstream sends nothing more. A proper end only of a body that ends so. Whether such a body
   * was whole nobody can tell, with TLS neither: Node does not say whether the end was announced
   * (close_notify) or the connection was cut. Upstreams that care send a length or chunks.
   */
  #onEnd(): void {
    if (this.#held.holding) {
      this.#held.ended = 'end';
      return;
    }
    if (this.#receiver !== null && this.#body?.endsWithConnection) {
      const receiver = this.#receiver;
      this.#receiver = null;
      this.#close();
      lastWord(receiver, () => receiver.onEnd());
      return;
    }
    this.#fail('broken', this.#anyByte ? 'answer cut short' : 'closed without an answer');
  }

  #onError(detail: string): void {
    if (this.#connected) this.#fail('broken', detail);
    else this.#fail(isOwnExhaustion(detail) ? 'exhausted' : 'unreachable', detail);
  }

  #fail(kind: UpstreamFailure['kind'], detail: string): void {
    // What is held may be a whole response; it came before the connection failed.
    if (!this.#closed && this.#held.keepFailure(detail)) return;
    const receiver = this.#receiver;
    this.#receiver = null;
    const staleConnection = this.#connected && this.#served > 0 && !this.#anyByte;
    const failure: UpstreamFailure = { kind, detail, neverSent: !this.#connected, staleConnection };
    if (receiver !== null) this.#keeper.failed(failure);
    this.#close();
    if (receiver !== null) lastWord(receiver, () => receiver.onFailure(failure));
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forgetLateFlush();
    this.#held.bytes = null;
    this.#ahead = null;
    this.#deadline.end();
    this.#socket.destroy();
    this.#keeper.gone(this);
  }
}

/**
 * The exchange is over, and its connection closed or free for another one: what goes wrong in this
 * step concerns the receiver alone.
 */
function lastWord(receiver: ResponseReceiver, word: () => void): void {
  try {
    word();
  } catch (error) {
    receiver.onFault(error);
  }
}

function readerFor(head: ResponseHead): BodyReader {
  switch (head.framing.kind) {
    case 'none':
      return BodyReader.ofLength(0);
    case 'length':
      return BodyReader.ofLength(head.framing.bytes);
    case 'chunked':
      return BodyReader.chunked('blanks');
    case 'close':
      return BodyReader.untilClose();
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
