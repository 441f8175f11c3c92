import type { Socket } from 'node:net';
import type { RequestHead } from '../../http/request-head.ts';
import type { Trailers } from '../../http/trailers.ts';
import { BodyReader, type BodySink } from '../../http1/body-reader.ts';
import type { HeadDetail, WireFault } from '../../http1/head-detail.ts';
import { HeadReader } from '../../http1/head-reader.ts';
import { isHeadFault, parseRequestHead } from '../../http1/request-parser.ts';

/**
 * Whom the requests of a connection are for. In this order, again and again: head, content* end, or
 * a fault instead of either.
 */
export interface RequestHandler extends BodySink {
  /** The next request may begin; otherwise its bytes wait. */
  readonly awaitsRequest: boolean;
  /** Longest request target in bytes. */
  readonly targetBytes: number;
  /** The first bytes of a head are there, or more of them. */
  onHeadBegun(): void;
  onRequest(head: RequestHead): void;
  /**
   * What came is no request that can be served. `begun`: bytes with which it began, as far as they
   * are at hand.
   */
  onHeadFault(fault: WireFault, detail: HeadDetail | null, begun: Buffer): void;
  /** Bytes of the body that was awaited are here. */
  onBodyHere(): void;
  /** The end of what one read brought of a body. */
  onBodyPiece(): void;
  /** @param trailers fields behind the body; null: none came */
  onBodyEnd(trailers: Trailers | null): void;
  /** The body's framing is not valid: nobody knows where it ends. */
  onBodyBroken(): void;
  /** One of these steps threw. Must not throw. */
  onFault(error: unknown): void;
}

/**
 * Bytes that are read before their time at most (past it the socket is paused, give or take one
 * read). Reading ahead is how we notice that a client has gone while its call is under way: behind
 * bytes that nobody takes, its end is not seen. So a client that goes away in an upload that the
 * upstream does not take is noticed when the upstream takes more of it, or when the upstream's time
 * is over.
 */
const READ_AHEAD_BYTES = 64 * 1024;

/**
 * Finds the requests in what one client sends: heads and bodies in turn, as far as somebody takes
 * them; what comes before its time is kept, within bounds.
 */
export class RequestReader {
  readonly #socket: Socket;
  readonly #handler: RequestHandler;
  readonly #heads: HeadReader;
  readonly #headBytes: number;
  /** What of the request body is still to be read; null when nothing is. */
  #body: BodyReader | null = null;
  #bodyFlows = false;
  /** Somebody is to be told when bytes of the body are here. */
  #bodyAwaited = false;
  /**
   * Bytes that came before their time: the body of a call that is not ready for it, or the next
   * request.
   */
  #rest: Buffer | null = null;
  #consuming = false;
  /** The head that is being read brought bytes of its body along. */
  #bodyAtHand = false;
  #stopped = false;

  constructor(socket: Socket, headBytes: number, handler: RequestHandler) {
    this.#socket = socket;
    this.#handler = handler;
    this.#heads = new HeadReader(headBytes);
    this.#headBytes = headBytes;
  }

  /** A head has begun and is not complete. */
  get headBegun(): boolean {
    return this.#heads.begun;
  }

  /** The request's body has not come to its end. */
  get bodyLeft(): boolean {
    return this.#body !== null;
  }

  /** The client is waited for: for a body that is taken, or for its first bytes. */
  get bodyWaits(): boolean {
    return this.#bodyFlows || this.#bodyAwaited;
  }

  /** Of a request with a body: whether bytes of it are here. */
  get bodyHere(): boolean {
    return this.#rest !== null || this.#bodyAtHand;
  }

  /** Bytes of the body are here, and taken by the loop that is running. */
  get bodyFollows(): boolean {
    return this.#bodyAtHand && this.#bodyFlows;
  }

  push(chunk: Buffer): void {
    if (this.#stopped) return;
    if (this.#rest === null) this.#consume(chunk);
    else this.#keep(Buffer.concat([this.#rest, chunk]));
  }

  pauseBody(): void {
    this.#bodyFlows = false;
    this.#bodyAwaited = false;
  }

  /**
   * What follows is no HTTP any more, but bytes until the end; they are given out as those of a
   * body, the ones that came early first.
   */
  tunnel(): void {
    this.#body = BodyReader.untilClose();
    this.resumeBody();
  }

  /** What came and was not given out. */
  takeRest(): Buffer | null {
    const rest = this.#rest;
    this.#rest = null;
    return rest;
  }

  /** `onBodyHere` follows once bytes of the body are here. Only when none are. */
  awaitBody(): void {
    this.#bodyAwaited = this.#body !== null && !this.#stopped;
  }

  /** From the next `goOn()` on. @returns false when there is no body to take */
  resumeBody(): boolean {
    this.#bodyFlows = this.#body !== null && !this.#stopped;
    return this.#bodyFlows;
  }

  /** The request is answered, whether or not all of its body came. */
  endRequest(): void {
    this.#body = null;
    this.#bodyFlows = false;
    this.#bodyAwaited = false;
  }

  /** Takes up what was kept, unless the loop that is running will. */
  goOn(): void {
    if (this.#consuming || this.#stopped) return;
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.#consume(rest);
    if (this.#rest === null && !this.#stopped) this.#socket.resume();
  }

  /** Nothing more is read from this connection. */
  stop(): void {
    this.#stopped = true;
    this.#rest = null;
  }

  #keep(bytes: Buffer): void {
    this.#rest = bytes;
    if (bytes.length >= READ_AHEAD_BYTES) this.#socket.pause();
    if (!this.#bodyAwaited) return;
    this.#bodyAwaited = false;
    this.#handler.onBodyHere();
  }

  /** Heads and bodies in turn, until the bytes are used up or nobody takes them for now. */
  #consume(bytes: Buffer): void {
    let rest: Buffer | null = bytes;
    this.#consuming = true;
    try {
      while (rest !== null && !this.#stopped) {
        if (this.#handler.awaitsRequest) rest = this.#readHead(rest);
        else if (this.#bodyFlows && this.#body !== null) rest = this.#readBody(rest, this.#body);
        else break;
      }
    } catch (error) {
      rest = null;
      this.#handler.onFault(error);
    } finally {
      this.#consuming = false;
      this.#bodyAtHand = false;
    }
    if (rest !== null && !this.#stopped) this.#keep(rest);
  }

  /** @returns what follows the head in this piece */
  #readHead(bytes: Buffer): Buffer | null {
    const result = this.#heads.push(bytes);
    if (result.state === 'complete') {
      const head = parseRequestHead(result.text, this.#handler.targetBytes);
      if (isHeadFault(head)) {
        this.#handler.onHeadFault(head.fault, head.detail, bytes);
      } else {
        this.#body = readerFor(head, this.#headBytes);
        this.#bodyAtHand = this.#body !== null && result.rest !== null;
        this.#handler.onRequest(head);
      }
      return result.rest;
    }
    if (result.state === 'incomplete') this.#handler.onHeadBegun();
    else if (result.state === 'hopeless')
      this.#handler.onHeadFault('request-malformed', result.detail, bytes);
    else if (result.inFirstLine)
      this.#handler.onHeadFault('target-too-long', 'request line too long', bytes);
    else this.#handler.onHeadFault('headers-too-large', 'head too large', bytes);
    return null;
  }

  /** @returns what follows the body in this piece */
  #readBody(bytes: Buffer, body: BodyReader): Buffer | null {
    const taken = body.read(bytes, this.#handler);
    // Answered in the middle of its body: such a connection closes, and nothing more is read from
    // it.
    if (this.#body !== body) return null;
    if (body.state === 'broken') {
      this.#bodyFlows = false;
      this.#handler.onBodyBroken();
      return null;
    }
    if (body.state === 'done') {
      this.endRequest();
      this.#handler.onBodyEnd(body.trailers);
    } else {
      this.#handler.onBodyPiece();
    }
    return taken < bytes.length ? bytes.subarray(taken) : null;
  }
}

/** Fields behind a body may be as many bytes as a head. */
function readerFor(head: RequestHead, headBytes: number): BodyReader | null {
  switch (head.framing.kind) {
    case 'none':
    case 'elsewhere':
      return null;
    case 'length':
      return BodyReader.ofLength(head.framing.bytes);
    case 'chunked':
      return BodyReader.chunked('strict', headBytes);
  }
}
