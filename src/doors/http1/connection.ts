import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { readCredential } from '../../decision/credential.ts';
import { declaredLength } from '../../forwarding/response-fields.ts';
import { BodyReader, type BodySink } from '../../wire/body-reader.ts';
import type { Deadlines, Watched } from '../../wire/deadlines.ts';
import { Gather } from '../../wire/gather.ts';
import { HeadReader } from '../../wire/head-reader.ts';
import type { Peer, RequestHead, WireFault } from '../../wire/request-head.ts';
import { isHeadFault, parseRequestHead } from '../../wire/request-parser.ts';
import type { ResponseHead } from '../../wire/response-parser.ts';
import type { RefusalAnswer } from '../answer.ts';
import { Call, type CallClient, type CallServices } from '../call.ts';

/** What a connection needs besides the calls' services. */
export interface ConnectionLimits {
  readonly headBytes: number;
  readonly targetBytes: number;
  readonly headTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/** The listener, as its connections see it. Read anew for every request: a reloaded configuration counts from the next one on. */
export interface ConnectionHost {
  readonly services: CallServices;
  readonly limits: ConnectionLimits;
  readonly deadlines: Deadlines;
  readonly draining: boolean;
  closed(connection: Http1Connection): void;
}

/** How long, and how much, a client may go on sending after we have said our last word: closing earlier could make it lose that word. */
const LINGER_MS = 2000;
const LINGER_BYTES = 1024 * 1024;

/**
 * One client connection of HTTP/1.1 (RFC 9112), one call at a time; pipelined requests wait in the socket.
 *
 * ```
 *   ┌──────────▶ head ──▶ call ──▶ [body] ──▶ answer ──┐          any fault, or `Connection: close`
 *   └──── keep-alive, and the body was read ───────────┘  ──────▶ lingering ──▶ closed
 * ```
 */
export class Http1Connection implements CallClient, BodySink, Watched {
  readonly peer: Peer;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  /** Bytes of a client that speaks plain HTTP to a TLS port: every request is refused. */
  readonly #refusesPlaintext: boolean;
  readonly #out: Gather;
  readonly #heads: HeadReader;
  deadlineMs: number;

  #call: Call | null = null;
  #head: RequestHead | null = null;
  #body: BodyReader | null = null;
  /** The call takes body bytes now. */
  #bodyFlows = false;
  /** Bytes that came before their time: the body of a call that is not ready for it, or the next request. The socket is paused meanwhile. */
  #rest: Buffer | null = null;
  #consuming = false;

  #keepAlive = true;
  #chunkedOut = false;
  #waitsForDrain = false;
  #lingering = false;
  #lingeredBytes = 0;
  #closed = false;

  constructor(socket: Socket, peer: Peer, host: ConnectionHost, refusesPlaintext: boolean) {
    this.#socket = socket;
    this.peer = peer;
    this.#host = host;
    this.#refusesPlaintext = refusesPlaintext;
    this.#out = new Gather(socket);
    this.#heads = new HeadReader(host.limits.headBytes);
    this.deadlineMs = host.deadlines.nowMs + host.limits.headTimeoutMs;
    host.deadlines.watch(this);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#onDrain());
    // A client that ends its side while a call is under way is taken to have gone: over TLS the two cannot be told apart in time.
    socket.on('end', () => this.#onGone());
    socket.on('error', () => this.#onGone());
    socket.on('close', () => this.#onGone());
  }

  /** Nothing is under way: may be closed without anybody losing anything. */
  get idle(): boolean {
    return this.#call === null && !this.#lingering && !this.#heads.begun;
  }

  /** The listener stops: an idle connection closes at once, a busy one after its answer. */
  drain(): void {
    if (this.idle) this.#closeGracefully();
  }

  destroy(): void {
    this.#onGone();
  }

  // ── bytes from the client ──

  #onData(chunk: Buffer): void {
    if (this.#lingering) {
      this.#lingeredBytes += chunk.length;
      if (this.#lingeredBytes > LINGER_BYTES) this.#close();
      return;
    }
    if (this.#rest !== null || this.#waitsForDrain) this.#keep(this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]));
    else this.#consume(chunk);
  }

  #keep(bytes: Buffer): void {
    this.#rest = bytes;
    this.#socket.pause();
  }

  /** Heads and bodies in turn, until the bytes are used up or nobody takes them for now. */
  #consume(bytes: Buffer): void {
    let rest: Buffer | null = bytes;
    this.#consuming = true;
    try {
      while (rest !== null && !this.#lingering && !this.#closed) {
        if (this.#waitsForDrain) break;
        if (this.#call === null) rest = this.#readHead(rest);
        else if (this.#bodyFlows && this.#body !== null) rest = this.#readBody(rest);
        else break;
      }
    } catch (error) {
      this.#onFault(error);
      return;
    } finally {
      this.#consuming = false;
    }
    if (rest !== null && !this.#lingering && !this.#closed) this.#keep(rest);
  }

  #readHead(bytes: Buffer): Buffer | null {
    const result = this.#heads.push(bytes);
    if (result.state === 'complete') {
      const head = parseRequestHead(result.text, this.#host.limits.targetBytes);
      if (isHeadFault(head)) this.#refuseHead(head.fault);
      else this.#startCall(head);
      return result.rest;
    }
    if (result.state === 'incomplete') this.#expectHead();
    else if (result.state === 'too-large') this.#refuseHead(result.inFirstLine ? 'target-too-long' : 'headers-too-large');
    else this.#refuseHead('request-malformed');
    return null;
  }

  /** The time for a head runs from its first byte on, however slowly the others follow. */
  #expectHead(): void {
    const limit = this.#host.deadlines.nowMs + this.#host.limits.headTimeoutMs;
    this.deadlineMs = Math.min(this.deadlineMs, limit);
  }

  #refuseHead(fault: WireFault): void {
    this.#head = null;
    this.#body = null;
    this.#keepAlive = false;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#call = new Call(this.#host.services, this, null);
    this.#call.refuse(this.#refusesPlaintext ? 'plaintext-refused' : fault);
  }

  #startCall(head: RequestHead): void {
    this.#head = head;
    this.#body = readerFor(head);
    this.#bodyFlows = false;
    this.#keepAlive = head.keepAlive && !this.#host.draining;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    const call = new Call(this.#host.services, this, head);
    this.#call = call;
    if (this.#refusesPlaintext) this.#refusePlaintext(call, head);
    else call.begin();
  }

  /** A token that was sent in the clear must be taken for stolen: whose it claims to be is recorded, and said in the log. */
  #refusePlaintext(call: Call, head: RequestHead): void {
    const credential = readCredential(head.authorization, true);
    const exposed = credential.presented === 'token' ? credential.accountId : null;
    if (exposed !== null) {
      this.#host.services.log.warn('a token was sent over plain HTTP: rotate it', {
        accountId: exposed,
        clientAddress: this.peer.address,
      });
    }
    call.refuse('plaintext-refused', exposed);
  }

  /** @returns what follows the body in this piece */
  #readBody(bytes: Buffer): Buffer | null {
    const body = this.#body!;
    const call = this.#call!;
    this.deadlineMs = this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs;
    const taken = body.read(bytes, this);
    if (this.#call !== call) return this.#lingering ? null : bytes.subarray(taken);
    if (body.state === 'broken') {
      call.onRequestFailed('request-malformed');
      return null;
    }
    if (body.state === 'done') {
      this.#body = null;
      this.#bodyFlows = false;
      this.deadlineMs = Number.POSITIVE_INFINITY;
      call.onRequestEnd();
    } else {
      call.onRequestFlush();
    }
    return taken < bytes.length ? bytes.subarray(taken) : null;
  }

  onBody(content: Buffer): void {
    this.#call?.onRequestBody(content);
  }

  // ── the call's view ──

  continue(): void {
    // Only if the client is still waiting: bytes of the body say that it is not (RFC 9110 §10.1.1).
    if (this.#rest === null && this.#body?.contentBytes === 0) {
      this.#out.text('HTTP/1.1 100 Continue\r\n\r\n');
      this.#out.flush();
    }
  }

  pauseBody(): void {
    this.#bodyFlows = false;
    this.deadlineMs = Number.POSITIVE_INFINITY;
  }

  resumeBody(): void {
    if (this.#body === null || this.#lingering || this.#closed) return;
    this.#bodyFlows = true;
    this.deadlineMs = this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs;
    this.#goOn();
  }

  /** Takes up what was kept, unless the loop that is running will. */
  #goOn(): void {
    if (this.#consuming || this.#waitsForDrain || this.#closed || this.#lingering) return;
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.#consume(rest);
    if (this.#rest === null && !this.#closed) this.#socket.resume();
  }

  refuse(answer: RefusalAnswer): void {
    if (this.#body !== null || answer.closes) this.#keepAlive = false;
    const length = Buffer.byteLength(answer.body);
    const withBody = this.#head?.method !== 'HEAD';
    this.#out.text(
      `HTTP/1.1 ${answer.status} ${REASONS.get(answer.status) ?? 'Refused'}\r\n${answer.fields}Content-Length: ${length}\r\n${this.#connectionField()}\r\n${withBody ? answer.body : ''}`,
    );
    this.#answered();
  }

  informational(head: ResponseHead): void {
    if (this.#head?.version !== '1.1') return;
    let text = `HTTP/1.1 ${head.status} ${head.reason}\r\n`;
    for (let index = 0; index < head.names.length; index += 1) {
      const name = head.names[index]!;
      if (
        !head.nominated.includes(name.lower) &&
        name.lower !== 'connection' &&
        name.lower !== 'transfer-encoding' &&
        name.lower !== 'content-length'
      ) {
        text += `${name.text}: ${head.values[index]!}\r\n`;
      }
    }
    this.#out.text(`${text}\r\n`);
  }

  head(head: ResponseHead, fields: string): void {
    // An answer before the end of the request: what is left of the body will not be read as a request.
    if (this.#body !== null) this.#keepAlive = false;
    const framing = this.#framingField(head);
    this.#out.text(`HTTP/1.1 ${head.status} ${head.reason}\r\n${fields}${framing}${this.#connectionField()}\r\n`);
  }

  #framingField(head: ResponseHead): string {
    this.#chunkedOut = false;
    switch (head.framing.kind) {
      case 'length':
        return `Content-Length: ${head.framing.bytes}\r\n`;
      case 'none':
        return this.#lengthWithoutBody(head);
      default:
        if (this.#head!.version === '1.0') {
          this.#keepAlive = false;
          return '';
        }
        this.#chunkedOut = true;
        return 'Transfer-Encoding: chunked\r\n';
    }
  }

  /** RFC 9110 §8.6: HEAD and 304 may tell the length that a GET would have had; 204 tells none. */
  #lengthWithoutBody(head: ResponseHead): string {
    if (head.status === 204) return '';
    if (this.#head!.method !== 'HEAD' && head.status !== 304) return 'Content-Length: 0\r\n';
    const declared = declaredLength(head);
    return declared === null ? '' : `Content-Length: ${declared}\r\n`;
  }

  #connectionField(): string {
    if (this.#host.draining) this.#keepAlive = false;
    return this.#keepAlive ? '' : 'Connection: close\r\n';
  }

  body(content: Buffer): void {
    if (this.#chunkedOut) this.#out.text(`${content.length.toString(16)}\r\n`);
    this.#out.bytes(content);
    if (this.#chunkedOut) this.#out.text('\r\n');
  }

  end(): void {
    if (this.#chunkedOut) this.#out.text('0\r\n\r\n');
    this.#answered();
  }

  flush(): boolean {
    if (this.#closed) return true;
    const more = this.#out.flush();
    if (!more) this.#waitForDrain();
    return more;
  }

  /** A client that reads nothing for too long is given up. */
  #waitForDrain(): void {
    this.#waitsForDrain = true;
    this.deadlineMs = this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs;
  }

  #onDrain(): void {
    if (!this.#waitsForDrain || this.#closed) return;
    this.#waitsForDrain = false;
    if (this.#lingering) return;
    this.deadlineMs =
      this.#call === null ? this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs : Number.POSITIVE_INFINITY;
    this.#call?.onClientDrain();
    this.#goOn();
  }

  /** The answer is out: the next request, or the end of the connection. */
  #answered(): void {
    if (this.#closed) return;
    this.#call = null;
    const bodyLeft = this.#body !== null;
    this.#body = null;
    this.#bodyFlows = false;
    this.flush();
    if (!this.#keepAlive || bodyLeft) {
      this.#closeGracefully();
      return;
    }
    if (!this.#waitsForDrain) this.deadlineMs = this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs;
    this.#goOn();
  }

  cut(): void {
    this.#call = null;
    // A reset: the end of a connection must not look like the end of an answer.
    if (!(this.#socket instanceof TLSSocket)) this.#socket.resetAndDestroy();
    this.#close();
  }

  // ── ends ──

  expired(): void {
    if (this.#lingering) this.#close();
    else if (this.#waitsForDrain) this.#giveUp();
    else if (this.#call !== null) this.#call.onRequestFailed('request-timeout');
    else if (this.#heads.begun) this.#refuseTimeout();
    else this.#close(); // idle, or never said anything
  }

  /** A client that stopped reading: an answer under way is broken off. */
  #giveUp(): void {
    this.#call?.onClientGone();
    this.cut();
  }

  #refuseTimeout(): void {
    this.#head = null;
    this.#keepAlive = false;
    this.#call = new Call(this.#host.services, this, null);
    this.#call.refuse('request-timeout');
  }

  #onFault(error: unknown): void {
    const call = this.#call;
    if (call === null) {
      this.#host.services.log.error('a connection failed inside the gate', { error });
      this.#close();
      return;
    }
    this.#keepAlive = false;
    try {
      call.fault(error);
    } catch (second) {
      this.#host.services.log.error('a connection failed inside the gate', { error: second });
      this.#close();
    }
  }

  #closeGracefully(): void {
    if (this.#lingering || this.#closed) return;
    this.#lingering = true;
    this.#rest = null;
    // A slow reader gets the idle time for what is still to be written; lingering begins when all of it has gone out.
    this.deadlineMs = this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs;
    this.#socket.end(() => {
      this.deadlineMs = this.#host.deadlines.nowMs + LINGER_MS;
    });
    this.#socket.resume();
  }

  #onGone(): void {
    if (this.#closed) return;
    const call = this.#call;
    this.#call = null;
    this.#close();
    call?.onClientGone();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#rest = null;
    this.#host.deadlines.forget(this);
    this.#socket.destroy();
    this.#host.closed(this);
  }
}

function readerFor(head: RequestHead): BodyReader | null {
  switch (head.framing.kind) {
    case 'none':
      return null;
    case 'length':
      return BodyReader.ofLength(head.framing.bytes);
    case 'chunked':
      return BodyReader.chunked();
  }
}

/** Reason phrases of our own answers (RFC 9110 §15). */
const REASONS: ReadonlyMap<number, string> = new Map([
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [408, 'Request Timeout'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [417, 'Expectation Failed'],
  [421, 'Misdirected Request'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
]);
