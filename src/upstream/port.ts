import type { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import type { BodySink } from '../http1/body-reader.ts';

/** What went wrong with an exchange, and what may be concluded from it. */
export interface UpstreamFailure {
  /** `exhausted`: nothing was left here to make a connection with (descriptors, memory). */
  readonly kind: 'unreachable' | 'exhausted' | 'broken' | 'timeout';
  /** For the log and the audit: a fixed phrase or a system error code. */
  readonly detail: string;
  /** Nothing can have reached the upstream: the connection was never made. */
  readonly neverSent: boolean;
  /**
   * The connection had served before and died without a byte of response: the upstream closed it
   * while we were sending.
   */
  readonly staleConnection: boolean;
}

/**
 * The exchange that a connection works for. Called in this order: informational* head body* end,
 * with failure possible at any point but the last.
 */
export interface ResponseReceiver extends BodySink {
  /** The connection stands: the request body may come. */
  onConnected(): void;
  onInterim(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  /** @param trailers fields behind the content, as received; null: none came */
  onEnd(trailers: Trailers | null): void;
  onFailure(failure: UpstreamFailure): void;
  /** A step of this exchange threw: it is over, and the connection closed. Must not throw. */
  onFault(error: unknown): void;
  /**
   * The end of what one read brought: write it out. @returns false to pause the upstream until
   * `resume()`
   */
  flush(): boolean;
  /** The upstream takes request bytes again. */
  onDrain(): void;
}

/**
 * What one exchange is made on: a connection of HTTP/1.1, or a stream of one of HTTP/2. `begin`,
 * then the body, then `sendEnd`; nothing after the receiver was told the end.
 */
export interface UpstreamChannel {
  /** The place that it leads to. */
  readonly keeper: unknown;
  /** The request body may come. */
  readonly connected: boolean;
  /**
   * Monotonic milliseconds (`performance.now()`) since which a held response has been waiting; 0 =
   * it is not.
   */
  readonly heldSinceMs: number;
  /** Gathers the head of a request; it goes out at the next `flush()` or `sendEnd()`. */
  begin(receiver: ResponseReceiver, request: OutgoingRequest): void;
  /** Content of the request's body; it goes out, framed, at the next `flush()`. */
  sendBody(content: Buffer): void;
  /** @returns false when the upstream is slower than the client: wait for `onDrain` */
  flush(): boolean;
  /**
   * The request is complete, and goes out.
   *
   * @param trailers fields behind its content; null: none
   */
  sendEnd(trailers?: Fields | null): void;
  /** Keeps the response back: what arrives from now on waits until `release()`. */
  hold(): void;
  release(): void;
  /** The client takes bytes again. */
  resume(): void;
  /** Gives the exchange up without a word to the receiver; the upstream sees it. */
  destroy(): void;
  /**
   * Ends a tunnel without a word to the receiver: what was given to it goes out, then the end of
   * our direction; what comes is dropped.
   *
   * @param over told once when its connection is free for others
   */
  finish(over: () => void): void;
}

export interface UpstreamTimeouts {
  readonly connectTimeoutMs: number;
  /** Longest silence of an upstream that owes us a response, or takes nothing of a request. */
  readonly responseTimeoutMs: number;
  /**
   * The same once its response has begun. Of a call on a stream also of both sides together, from
   * the beginning.
   */
  readonly streamIdleTimeoutMs: number;
}
