import type { Socket } from 'node:net';
import { BodyReader, type BodySink } from './body-reader.ts';
import type { Deadlines, Watched } from './deadlines.ts';
import { Gather } from './gather.ts';
import { HeadReader } from './head-reader.ts';
import { parseResponseHead, type ResponseHead } from './response-parser.ts';

/** What went wrong with an exchange, and what may be concluded from it. */
export interface UpstreamFailure {
  readonly kind: 'unreachable' | 'broken' | 'timeout';
  /** For the log and the audit: a fixed phrase or a system error code. */
  readonly detail: string;
  /** Nothing can have reached the upstream: the connection was never made. */
  readonly neverSent: boolean;
  /** The connection had served before and died without a byte of answer: the upstream closed it while we were sending. */
  readonly staleConnection: boolean;
}

/** The exchange that a connection works for. Called in this order: informational* head body* end, with failure possible at any point but the last. */
export interface ResponseReceiver extends BodySink {
  /** The connection stands: the request body may come. */
  onConnected(): void;
  onInformational(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  onEnd(): void;
  onFailure(failure: UpstreamFailure): void;
  /** The end of what one read brought: write it out. @returns false to pause the upstream until `resume()` */
  flush(): boolean;
  /** The upstream takes request bytes again. */
  onDrain(): void;
}

export interface UpstreamTimeouts {
  readonly connectTimeoutMs: number;
  /** Longest silence of an upstream that owes us bytes. */
  readonly responseTimeoutMs: number;
}

/** Who keeps the connections: told when this one is free again or gone. */
export interface ConnectionKeeper {
  free(connection: UpstreamConnection): void;
  gone(connection: UpstreamConnection): void;
}

const HEAD_LIMIT_BYTES = 64 * 1024;
/** 1xx answers before the final one. More is a flood. */
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
  readonly #heads = new HeadReader(HEAD_LIMIT_BYTES);
  deadlineMs: number;
  /** Monotonic milliseconds (of `Deadlines.nowMs`) since which it has been idle. */
  idleSinceMs = 0;

  #connected = false;
  #closed = false;
  #served = 0;
  #receiver: ResponseReceiver | null = null;
  #toHead = false;
  #requestSent = false;
  #head: ResponseHead | null = null;
  #body: BodyReader | null = null;
  #informational = 0;
  #anyByte = false;
  /** Answers are kept back until `release()`: bytes that came meanwhile, and whether the upstream has ended. */
  #holding = false;
  #held: Buffer[] = [];
  #heldEnd = false;

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
    this.deadlineMs = deadlines.nowMs + timeouts.connectTimeoutMs;
    deadlines.watch(this);
    socket.once(connectEvent, () => this.#onConnect());
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#receiver?.onDrain());
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#fail(this.#connected ? 'broken' : 'unreachable', error.code ?? 'connection failed'),
    );
    socket.on('close', () => this.#fail(this.#connected ? 'broken' : 'unreachable', 'connection closed'));
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** Takes the connection for one exchange. Only when it is idle or still connecting. */
  begin(receiver: ResponseReceiver, toHead: boolean): void {
    this.#receiver = receiver;
    this.#toHead = toHead;
    this.#requestSent = false;
    this.#head = null;
    this.#body = null;
    this.#informational = 0;
    this.#anyByte = false;
    if (this.#connected) this.#expectAnswer();
  }

  /** Request bytes; they go out at the next `flush()`. */
  sendText(text: string): void {
    this.#out.text(text);
  }

  sendBytes(bytes: Buffer): void {
    this.#out.bytes(bytes);
  }

  /** @returns false when the upstream is slower than the client: wait for `onDrain` */
  flush(): boolean {
    return this.#out.flush();
  }

  /** The request is complete: after the answer the connection may serve another. */
  requestEnd(): void {
    this.#requestSent = true;
    if (this.#connected) this.#expectAnswer();
  }

  /** Keeps the answer back: what arrives from now on waits, bounded by one read, until `release()`. */
  hold(): void {
    this.#holding = true;
  }

  release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.#read(chunk);
    if (this.#heldEnd) this.#onEnd();
    else this.resume();
  }

  /** The client is slower than the upstream. The upstream's time does not run meanwhile. */
  pause(): void {
    this.#socket.pause();
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  resume(): void {
    if (this.#closed || this.#receiver === null) return;
    this.#expectAnswer();
    this.#socket.resume();
  }

  /** Ends the connection without a word to the receiver. */
  destroy(): void {
    this.#receiver = null;
    this.#close();
  }

  expired(): void {
    if (this.#receiver === null) this.destroy();
    else
      this.#fail(
        this.#connected ? 'timeout' : 'unreachable',
        this.#connected ? 'silent for too long' : 'connecting took too long',
      );
  }

  #expectAnswer(): void {
    this.deadlineMs = this.#deadlines.nowMs + this.#timeouts.responseTimeoutMs;
  }

  #onConnect(): void {
    this.#connected = true;
    this.#expectAnswer();
    this.#receiver?.onConnected();
  }

  #onData(chunk: Buffer): void {
    this.#anyByte = true;
    if (this.#holding) {
      this.#held.push(chunk);
      this.pause();
      return;
    }
    this.#read(chunk);
  }

  #read(chunk: Buffer): void {
    if (this.#receiver === null) {
      // Bytes that nobody asked for: whatever they are, the next exchange must not take them for its answer.
      this.destroy();
      return;
    }
    this.#expectAnswer();
    let rest: Buffer | null = chunk;
    while (rest !== null && this.#receiver !== null) {
      rest = this.#body === null ? this.#readHead(rest) : this.#readBody(rest);
    }
    // A receiver that is done is flushed by its own end.
    if (this.#receiver?.flush() === false) this.pause();
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
    // 101 cannot be an answer to us: no Upgrade is ever sent on this way (RFC 9110 §15.2.2).
    if (head.status === 101 || this.#informational > MAX_INFORMATIONAL) this.#fail('broken', 'unexpected interim answer');
    else this.#receiver!.onInformational(head);
  }

  #readBody(chunk: Buffer): Buffer | null {
    const body = this.#body!;
    const taken = body.read(chunk, this.#receiver!);
    if (this.#receiver === null) return null; // it gave up on what it was given
    if (body.state === 'broken') this.#fail('broken', 'invalid chunked body');
    else if (body.state === 'done') this.#complete(taken < chunk.length ? chunk.subarray(taken) : null);
    return null;
  }

  /** The answer is whole. The connection is kept only if it is certain where the next answer begins. */
  #complete(leftover: Buffer | null): void {
    const receiver = this.#receiver!;
    const reusable = this.#head!.keepAlive && this.#requestSent && leftover === null && !this.#heldEnd;
    this.#receiver = null;
    this.#served += 1;
    if (reusable) {
      this.#body = null;
      // It may have been paused for this exchange; idle, it must hear that the upstream closes it.
      this.#socket.resume();
      this.#keeper.free(this);
    } else {
      this.#close();
    }
    receiver.onEnd();
  }

  /** The upstream sends nothing more. A proper end only of a body that ends so. */
  #onEnd(): void {
    if (this.#holding) {
      this.#heldEnd = true;
      return;
    }
    if (this.#receiver !== null && this.#body?.endsWithConnection) {
      const receiver = this.#receiver;
      this.#receiver = null;
      this.#close();
      receiver.onEnd();
      return;
    }
    this.#fail('broken', this.#anyByte ? 'answer cut short' : 'closed without an answer');
  }

  #fail(kind: UpstreamFailure['kind'], detail: string): void {
    // A whole answer may be waiting to be released; its end was seen before the connection failed.
    if (this.#holding && this.#held.length > 0 && !this.#closed) {
      this.#heldEnd = true;
      return;
    }
    const receiver = this.#receiver;
    this.#receiver = null;
    const staleConnection = this.#connected && this.#served > 0 && !this.#anyByte;
    const neverSent = !this.#connected;
    this.#close();
    receiver?.onFailure({ kind, detail, neverSent, staleConnection });
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held = [];
    this.#deadlines.forget(this);
    this.#socket.destroy();
    this.#keeper.gone(this);
  }
}

function readerFor(head: ResponseHead): BodyReader {
  switch (head.framing.kind) {
    case 'none':
      return BodyReader.ofLength(0);
    case 'length':
      return BodyReader.ofLength(head.framing.bytes);
    case 'chunked':
      return BodyReader.chunked();
    case 'close':
      return BodyReader.untilClose();
  }
}
