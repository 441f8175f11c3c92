import type { Fields } from '../http/fields.ts';
import { isIdempotent } from '../http/method.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { ResponseReceiver, UpstreamChannel, UpstreamFailure } from '../upstream/port.ts';
import type { Upstream } from './upstream.ts';

/** Tries of one request, the first included. */
const MAX_TRIES = 3;

/**
 * One permitted request on its way to an upstream, and the response on its way back to `sink`,
 * which hears of a connection only where a body may be sent on it, and of a failure only when no
 * further try is made.
 *
 * A further try is made in two cases only, on a new connection and to another place than the one
 * that failed, if there is another: the connection was never made (nothing was sent), or, once, an
 * idempotent request without a body met a kept connection that the upstream had closed (no byte of
 * answer came). Neither takes more of the addresses that are left than the share of its caller.
 * Everything else is the client's to repeat.
 */
export class Forward implements ResponseReceiver {
  readonly #upstream: Upstream;
  readonly #request: OutgoingRequest;
  readonly #account: string | null;
  readonly #sink: ResponseReceiver;
  #connection: UpstreamChannel | null = null;
  #holding = false;
  #tries = 1;
  /** It counts against the share of its account, or of the public routes. */
  #hasShare = false;

  /** @param account id of the caller; null = a public route */
  constructor(
    upstream: Upstream,
    request: OutgoingRequest,
    account: string | null,
    sink: ResponseReceiver,
  ) {
    this.#upstream = upstream;
    this.#request = request;
    this.#account = account;
    this.#sink = sink;
  }

  get #hasBody(): boolean {
    return this.#request.framing.kind !== 'none';
  }

  /** It may be sent again where nobody knows whether an upstream has seen it. */
  get #isRepeatable(): boolean {
    const { method, upgrade } = this.#request;
    return isIdempotent(method) && !this.#hasBody && upgrade === null;
  }

  /**
   * Sends the head; the body may follow from `onConnected` on.
   *
   * @param hold keep the response back until `release()`
   * @returns false when the upstream has as many connections as it may, or this caller as many of
   * them: nothing was sent and nothing will be heard
   */
  start(hold: boolean): boolean {
    this.#hasShare = this.#upstream.shares.take(this.#account);
    if (!this.#hasShare) return false;
    this.#holding = hold;
    const connection = this.#upstream.pool.take(this.#isRepeatable);
    if (connection === null) {
      this.#over();
      return false;
    }
    this.#use(connection);
    return true;
  }

  #use(connection: UpstreamChannel): void {
    this.#connection = connection;
    if (this.#holding) connection.hold();
    connection.begin(this, this.#request);
    if (!this.#hasBody) connection.sendEnd();
    else if (connection.connected) this.#sink.onConnected();
  }

  /**
   * Monotonic milliseconds (`performance.now()`) since which a held response has been waiting; 0 =
   * it is not.
   */
  get heldSinceMs(): number {
    return this.#connection?.heldSinceMs ?? 0;
  }

  release(): void {
    this.#holding = false;
    this.#connection?.release();
  }

  /** Body content; goes out, framed anew, at the next `flushBody()`. */
  sendBody(content: Buffer): void {
    this.#connection?.sendBody(content);
  }

  /** @param trailers fields behind it; null: none */
  endBody(trailers: Fields | null): void {
    this.#connection?.sendEnd(trailers);
  }

  /** @returns false when the upstream wants a pause until `onDrain` */
  flushBody(): boolean {
    return this.#connection?.flush() ?? true;
  }

  /** The client takes bytes again. */
  resume(): void {
    this.#connection?.resume();
  }

  /** Gives up: the connection is closed, the upstream sees it, the sink hears nothing more. */
  abort(): void {
    this.#connection?.destroy();
    this.#over();
  }

  /**
   * Ends a tunnel: what was sent still goes out, then our end; the sink hears nothing more. It has
   * its share until its upstream has ended it, too.
   */
  finish(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) this.#over();
    else connection.finish(() => this.#over());
  }

  /** The exchange is over, in whichever way. */
  #over(): void {
    this.#connection = null;
    if (!this.#hasShare) return;
    this.#hasShare = false;
    this.#upstream.shares.give(this.#account);
  }

  onConnected(): void {
    if (this.#hasBody) this.#sink.onConnected();
  }

  onInterim(head: ResponseHead): void {
    this.#sink.onInterim(head);
  }

  onHead(head: ResponseHead): void {
    this.#sink.onHead(head);
  }

  onBody(content: Buffer): void {
    this.#sink.onBody(content);
  }

  onEnd(trailers: Trailers | null): void {
    this.#over();
    this.#sink.onEnd(trailers);
  }

  onFailure(failure: UpstreamFailure): void {
    const failed = this.#connection;
    this.#connection = null;
    const next =
      failed !== null && this.#mayRepeat(failure) ? this.#upstream.pool.takeNew(failed) : null;
    if (next === null) {
      this.#over();
      this.#sink.onFailure(failure);
    } else {
      this.#tries += 1;
      this.#upstream.retried();
      this.#use(next);
    }
  }

  #mayRepeat({ kind, neverSent, staleConnection }: UpstreamFailure): boolean {
    if (kind === 'timeout' || kind === 'exhausted' || this.#tries >= MAX_TRIES) return false;
    const repeatable = neverSent || (staleConnection && this.#tries === 1 && this.#isRepeatable);
    return repeatable && this.#upstream.shares.isWithin(this.#account);
  }

  onFault(error: unknown): void {
    this.#over();
    this.#sink.onFault(error);
  }

  flush(): boolean {
    return this.#sink.flush();
  }

  onDrain(): void {
    this.#sink.onDrain();
  }
}
