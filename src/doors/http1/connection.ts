import type { Socket } from 'node:net';
import { readCredential } from '../../decision/credential.ts';
import { hostName } from '../../decision/host-name.ts';
import type { HostCheck } from '../../tls/server-certificates.ts';
import { BodyReader, type BodySink } from '../../wire/body-reader.ts';
import type { Deadlines, Watched } from '../../wire/deadlines.ts';
import { HeadReader } from '../../wire/head-reader.ts';
import type { Peer, RequestHead, WireFault } from '../../wire/request-head.ts';
import { isHeadFault, parseRequestHead } from '../../wire/request-parser.ts';
import type { ResponseHead } from '../../wire/response-parser.ts';
import type { RefusalAnswer } from '../answer.ts';
import { Call, type CallClient, type CallServices } from '../call.ts';
import { Lingering } from './lingering.ts';
import { ResponseWriter } from './response-writer.ts';

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

/**
 * Bytes that are read before their time at most (past it the socket is paused, give or take one read). Reading ahead is how we notice that a client has gone while its
 * call is under way: on a paused socket nothing is noticed.
 */
const READ_AHEAD_BYTES = 64 * 1024;

/**
 * One client connection of HTTP/1.1 (RFC 9112), one call at a time; pipelined requests wait.
 *
 * ```
 *   ┌──────────▶ head ──▶ call ──▶ [body] ──▶ answer ──┐          any fault, or `Connection: close`
 *   └──── keep-alive, and the body was read ───────────┘  ──────▶ lingering ──▶ closed
 * ```
 */
export class Http1Connection implements CallClient, BodySink, Watched {
  readonly peer: Peer;
  readonly #socket: Socket;
  readonly #transport: Socket;
  readonly #host: ConnectionHost;
  readonly #refusesPlaintext: boolean;
  readonly #misdirects: HostCheck | null;
  readonly #out: ResponseWriter;
  readonly #heads: HeadReader;
  deadlineMs: number;

  #call: Call | null = null;
  /** What of the request body is still to be read; null when nothing is. */
  #body: BodyReader | null = null;
  /** The call takes body bytes now. */
  #bodyFlows = false;
  /** Bytes that came before their time: the body of a call that is not ready for it, or the next request. */
  #rest: Buffer | null = null;
  #consuming = false;
  /** The client does not take what it is sent. */
  #waitsForDrain = false;
  #lingering: Lingering | null = null;
  #closed = false;

  constructor({ socket, transport, peer, refusesPlaintext, misdirects }: Arrival, host: ConnectionHost) {
    this.#socket = socket;
    this.#transport = transport;
    this.peer = peer;
    this.#host = host;
    this.#refusesPlaintext = refusesPlaintext;
    this.#misdirects = misdirects;
    this.#out = new ResponseWriter(socket);
    this.#heads = new HeadReader(host.limits.headBytes);
    this.deadlineMs = host.deadlines.nowMs + host.limits.headTimeoutMs;
    host.deadlines.watch(this);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#guarded(() => this.#onDrain()));
    socket.on('end', () => this.#guarded(() => this.#onEnd()));
    socket.on('error', () => this.#guarded(() => this.#onGone()));
    socket.on('close', () => this.#guarded(() => this.#onGone()));
  }

  /** A request has begun and is not answered: closing now would take something from the client. */
  get busy(): boolean {
    return this.#call !== null || (this.#heads.begun && this.#lingering === null);
  }

  /** The listener stops: an idle connection closes at once, a busy one after its answer. */
  drain(): void {
    this.#guarded(() => {
      if (!this.busy) this.#closeGracefully();
    });
  }

  destroy(): void {
    this.#guarded(() => this.#onGone());
  }

  /** A fault of ours ends one connection, never the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onFault(error);
    }
  }

  // ── bytes from the client ──

  #onData(chunk: Buffer): void {
    if (this.#lingering !== null) this.#guarded(() => this.#lingering?.drop(chunk));
    else if (this.#rest === null) this.#consume(chunk);
    else this.#keep(Buffer.concat([this.#rest, chunk]));
  }

  #keep(bytes: Buffer): void {
    this.#rest = bytes;
    if (bytes.length >= READ_AHEAD_BYTES) this.#socket.pause();
  }

  /** Heads and bodies in turn, until the bytes are used up or nobody takes them for now. */
  #consume(bytes: Buffer): void {
    let rest: Buffer | null = bytes;
    this.#consuming = true;
    try {
      while (rest !== null && this.#lingering === null && !this.#closed) {
        if (this.#call === null) {
          // Answers that nobody reads must not pile up: the next request waits until this one's is taken.
          if (this.#waitsForDrain) break;
          rest = this.#readHead(rest);
        } else {
          if (!this.#bodyFlows || this.#body === null) break;
          rest = this.#readBody(rest);
        }
      }
    } catch (error) {
      rest = null;
      this.#onFault(error);
    } finally {
      this.#consuming = false;
    }
    if (rest !== null && this.#lingering === null && !this.#closed) this.#keep(rest);
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

  #refuseHead(fault: WireFault | 'request-timeout'): void {
    this.#body = null;
    this.#out.begin(null, false);
    const call = new Call(this.#host.services, this, null);
    this.#call = call;
    this.#watchClient();
    if (this.#refusesPlaintext) call.refusePlaintext(null);
    else call.refuse(fault);
  }

  #startCall(head: RequestHead): void {
    this.#body = readerFor(head);
    this.#out.begin(head, head.keepAlive);
    const call = new Call(this.#host.services, this, head);
    this.#call = call;
    this.#watchClient();
    if (this.#refusesPlaintext) this.#refusePlaintext(call, head);
    else if (this.#misdirects?.(hostName(head.host)) === true) call.refuse('host-misdirected');
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
    call.refusePlaintext(exposed);
  }

  /** @returns what follows the body in this piece */
  #readBody(bytes: Buffer): Buffer | null {
    const body = this.#body!;
    const call = this.#call!;
    const taken = body.read(bytes, this);
    // Refused in the middle of its body: such a connection closes, and nothing more is read from it.
    if (this.#call !== call) return null;
    if (body.state === 'broken') {
      this.#bodyFlows = false;
      this.#watchClient();
      call.onRequestFailed('request-malformed');
      return null;
    }
    if (body.state === 'done') {
      this.#body = null;
      this.#bodyFlows = false;
      call.onRequestEnd();
    } else {
      call.onRequestFlush();
    }
    this.#watchClient();
    return taken < bytes.length ? bytes.subarray(taken) : null;
  }

  onBody(content: Buffer): void {
    this.#call?.onRequestBody(content);
  }

  /** The client's time runs from now, as long as it is the client that everything waits for: for a request, for more of a body, or to take what it is sent. */
  #watchClient(): void {
    if (this.#lingering !== null) return;
    const waits = this.#call === null || this.#bodyFlows || this.#waitsForDrain;
    this.deadlineMs = waits ? this.#host.deadlines.nowMs + this.#host.limits.idleTimeoutMs : Number.POSITIVE_INFINITY;
  }

  // ── the call's view ──

  continue(): void {
    // Only if the client is still waiting: bytes of the body say that it is not (RFC 9110 §10.1.1).
    if (this.#rest === null && this.#body?.contentBytes === 0) this.#out.continue();
  }

  pauseBody(): void {
    this.#bodyFlows = false;
    this.#watchClient();
  }

  resumeBody(): void {
    if (this.#body === null || this.#lingering !== null || this.#closed) return;
    this.#bodyFlows = true;
    this.#watchClient();
    this.#goOn();
  }

  /** Takes up what was kept, unless the loop that is running will. */
  #goOn(): void {
    if (this.#consuming || this.#closed || this.#lingering !== null) return;
    const rest = this.#rest;
    this.#rest = null;
    if (rest !== null) this.#consume(rest);
    if (this.#rest === null && !this.#closed) this.#socket.resume();
  }

  refuse(answer: RefusalAnswer): void {
    if (this.#body !== null || answer.closes || this.#host.draining) this.#out.persistent = false;
    this.#out.refuse(answer);
    this.#answered();
  }

  informational(head: ResponseHead): void {
    this.#out.informational(head);
  }

  head(head: ResponseHead, fields: string): void {
    // An answer before the end of the request: what is left of the body will not be read as a request.
    if (this.#body !== null || this.#host.draining) this.#out.persistent = false;
    this.#out.head(head, fields);
  }

  body(content: Buffer): void {
    this.#out.body(content);
  }

  end(): void {
    this.#out.end();
    this.#answered();
  }

  flush(): boolean {
    if (this.#closed) return true;
    const more = this.#out.flush();
    if (!more && !this.#waitsForDrain) {
      this.#waitsForDrain = true;
      this.#watchClient();
    }
    return more;
  }

  #onDrain(): void {
    if (!this.#waitsForDrain || this.#closed) return;
    this.#waitsForDrain = false;
    if (this.#lingering !== null) return;
    this.#watchClient();
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
    if (!this.#out.persistent || bodyLeft) {
      this.#closeGracefully();
      return;
    }
    this.#watchClient();
    this.#goOn();
  }

  cut(): void {
    const call = this.#call;
    this.#call = null;
    // A reset, with TLS too: the end of a connection must not look like the end of an answer.
    this.#transport.resetAndDestroy();
    this.#close();
    call?.onClientGone();
  }

  // ── ends ──

  expired(): void {
    this.#guarded(() => {
      if (this.#waitsForDrain)
        this.cut(); // it stopped reading: an answer under way is broken off
      else if (this.#call !== null) this.#refuseSlowBody(this.#call);
      else if (this.#heads.begun) this.#refuseHead('request-timeout');
      else this.#close(); // idle, or never said anything
    });
  }

  #refuseSlowBody(call: Call): void {
    this.#bodyFlows = false;
    call.onRequestFailed('request-timeout');
  }

  #onFault(error: unknown): void {
    const call = this.#call;
    if (call !== null) {
      this.#out.persistent = false;
      call.onFault(error);
      return;
    }
    this.#host.services.log.error('a connection failed inside the gate', { error });
    this.#close();
  }

  /** From here on only `close` is heard; the deadline is the lingering's. */
  #closeGracefully(): void {
    if (this.#lingering !== null || this.#closed) return;
    this.#rest = null;
    this.deadlineMs = Number.POSITIVE_INFINITY;
    this.#lingering = new Lingering(this.#socket, this.#host.deadlines, this.#host.limits.idleTimeoutMs);
    this.#socket.resume();
  }

  /**
   * The client has ended its direction. While a call is under way it is taken to have gone: over TLS that and a half-close cannot be told apart. Answers that are
   * already on their way out it still gets.
   */
  #onEnd(): void {
    if (this.#call === null) this.#closeGracefully();
    else this.#onGone();
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
