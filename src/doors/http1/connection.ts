import type { Socket } from 'node:net';
import type { CallClient } from '../../calls/port.ts';
import type { Watched } from '../../deadlines.ts';
import type { Fields } from '../../http/fields.ts';
import { hostName } from '../../http/host-name.ts';
import type { OwnResponse } from '../../http/outgoing.ts';
import type { Peer, RequestHead } from '../../http/request-head.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import type { Trailers } from '../../http/trailers.ts';
import type { HeadDetail, WireFault } from '../../http1/head-detail.ts';
import { ResponseWriter } from '../../http1/response-writer.ts';
import type { PlaceUse } from '../../limits/places.ts';
import type { HostCheck } from '../../tls/server-certificates.ts';
import type { Arrival, ConnectionHost, DoorConnection, Exchange } from '../connection.ts';
import { Lingering } from '../lingering.ts';
import { resetAndDestroy } from '../reset.ts';
import { ClientTime } from './client-time.ts';
import { noteExposedToken, noteHeadFault } from './head-notes.ts';
import { type RequestHandler, RequestReader } from './request-reader.ts';

/**
 * One client connection of HTTP/1.1 (RFC 9112), one call at a time; pipelined requests wait.
 *
 * ```
 *   ┌──────────▶ head ──▶ call ──▶ [body] ──▶ answer ──┐          any fault, or `Connection: close`
 *   └──── keep-alive, and the body was read ───────────┘  ──────▶ lingering ──▶ closed
 * ```
 */
export class Http1Connection implements CallClient, DoorConnection, RequestHandler, Watched {
  readonly peer: Peer;
  readonly door = null;
  readonly verdicts = null;
  readonly #socket: Socket;
  readonly #transport: Socket;
  readonly #host: ConnectionHost;
  readonly #refusesPlaintext: boolean;
  readonly #misdirects: HostCheck | null;
  readonly #out: ResponseWriter;
  readonly #in: RequestReader;
  readonly #time: ClientTime;

  #call: Exchange | null = null;
  /** The client does not take what it is sent. */
  #waitsForDrain = false;
  /** It has brought a whole request. */
  #served = false;
  /** What was HTTP is a tunnel of bytes. */
  #tunnels = false;
  #lingering: Lingering | null = null;
  #closed = false;

  constructor(
    { socket, transport, peer, refusesPlaintext, misdirects }: Arrival,
    host: ConnectionHost,
  ) {
    this.#socket = socket;
    this.#transport = transport;
    this.peer = peer;
    this.#host = host;
    this.#refusesPlaintext = refusesPlaintext;
    this.#misdirects = misdirects;
    this.#out = new ResponseWriter(socket);
    this.#in = new RequestReader(socket, host.limits.headBytes, this);
    this.#time = new ClientTime(host, this);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('drain', () => this.#guarded(() => this.#onDrain()));
    socket.on('end', () => this.#guarded(() => this.#onEnd()));
    socket.on('error', () => this.#guarded(() => this.#onGone()));
    socket.on('close', () => this.#guarded(() => this.#onGone()));
  }

  /** A request has begun and is not answered: closing now would take something from the client. */
  get busy(): boolean {
    return this.#call !== null || (this.#in.headBegun && this.#lingering === null);
  }

  /** Whether it may be closed for another one. */
  get use(): PlaceUse {
    if (this.#call !== null || this.#waitsForDrain || this.#lingering !== null) return 'busy';
    return this.#served ? 'idle' : 'silent';
  }

  /** Each response will say that it is the last one (RFC 9112 §9.6). */
  announceEnd(): void {}

  /** Also where the response has begun and could not say so. */
  drain(): void {
    this.#guarded(() => {
      if (!this.busy) {
        this.#closeGracefully();
        return;
      }
      this.#out.persistent = false;
      this.#call?.endTunnel();
    });
  }

  /** The time that the listener gave to what is under way is over. */
  cutOff(): void {
    this.#guarded(() => {
      if (this.#call !== null) this.#call.shutOut('draining');
      else if (this.#lingering === null) this.#close();
    });
  }

  destroy(): void {
    this.#guarded(() => this.#onGone('draining'));
  }

  /** A fault of ours ends one connection, never the process. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onFault(error);
    }
  }

  // ── requests from the client ──

  #onData(chunk: Buffer): void {
    if (this.#lingering === null) this.#in.push(chunk);
    else this.#guarded(() => this.#lingering?.drop(chunk));
  }

  /**
   * Responses that nobody reads must not pile up: the next request waits until this one's is taken.
   */
  get awaitsRequest(): boolean {
    return this.#call === null && !this.#waitsForDrain;
  }

  get targetBytes(): number {
    return this.#host.limits.targetBytes;
  }

  onHeadBegun(): void {
    this.#time.headBegun();
  }

  onHeadFault(fault: WireFault, detail: HeadDetail | null, begun: Buffer): void {
    const { services } = this.#host;
    const isFirst = !this.#served;
    this.#refuseHead(fault, noteHeadFault(services, this.peer, fault, detail, begun, isFirst));
  }

  #refuseHead(reason: WireFault | 'request-timeout', detail: HeadDetail | null): void {
    this.#out.begin(null, false);
    const call = this.#host.open(this, null);
    this.#call = call;
    this.#watchClient();
    if (this.#refusesPlaintext) call.refusePlaintext(null, detail);
    else call.refuse(reason, detail);
  }

  onRequest(head: RequestHead): void {
    this.#served = true;
    this.#out.begin(head, head.keepAlive);
    const call = this.#host.open(this, head);
    this.#call = call;
    if (this.#in.bodyLeft) this.#time.bodyBegins();
    this.#watchClient();
    if (this.#refusesPlaintext)
      call.refusePlaintext(noteExposedToken(this.#host.services, this.peer, head));
    else if (this.#misdirects?.(hostName(head.host)) === true) call.refuse('host-misdirected');
    else call.begin();
  }

  onBodyHere(): void {
    this.#watchClient();
    this.#call?.onRequestBodyHere();
  }

  onBody(content: Buffer): void {
    if (!this.#tunnels) this.#time.bodyCame(content.length);
    this.#call?.onRequestBody(content);
  }

  onBodyPiece(): void {
    this.#call?.onRequestFlush();
    this.#watchClient();
  }

  onBodyEnd(trailers: Trailers | null): void {
    this.#call?.onRequestEnd(trailers);
    this.#watchClient();
  }

  onBodyBroken(): void {
    this.#watchClient();
    this.#call?.onRequestFailed('request-malformed');
  }

  /** The client's time runs from now, as long as it is the client that is waited for. */
  #watchClient(): void {
    if (this.#lingering !== null) return;
    const { bodyWaits } = this.#in;
    if (this.#tunnels) this.#time.runTunnel(this.#waitsForDrain, bodyWaits);
    else this.#time.run(this.#call === null || this.#waitsForDrain, bodyWaits);
  }

  // ── the call's view ──

  /** 100 only if the client still waits: bytes of the body say that it does not. */
  awaitBody(sayContinue: boolean): boolean {
    if (this.#in.bodyHere) return true;
    if (sayContinue) this.#out.continue();
    this.#in.awaitBody();
    this.#watchClient();
    return false;
  }

  /** A body of HTTP/1.1 keeps its pace, whoever it is for: the whole connection waits for it. */
  streams(): void {}

  pauseBody(): void {
    this.#in.pauseBody();
    this.#watchClient();
  }

  resumeBody(): boolean {
    if (!this.#in.resumeBody()) return false;
    this.#watchClient();
    this.#in.goOn();
    return this.#in.bodyFollows;
  }

  own(response: OwnResponse): void {
    if (this.#in.bodyLeft || response.closes || this.#host.draining) this.#out.persistent = false;
    this.#out.own(response);
    this.#answered();
  }

  interim(head: ResponseHead, fields: Fields): void {
    this.#out.interim(head, fields);
  }

  head(head: ResponseHead, fields: Fields): void {
    // A response before the end of the request: what is left of the body will not be read as a
    // request.
    if (this.#in.bodyLeft || this.#host.draining) this.#out.persistent = false;
    this.#out.head(head, fields);
  }

  tunnel(head: ResponseHead, fields: Fields): void {
    this.#tunnels = true;
    this.#out.switching(head, fields);
    this.#in.tunnel();
    this.#watchClient();
    this.#in.goOn();
  }

  /** Who does not read would not hear them in time. */
  lastBytes(bytes: Buffer): void {
    if (this.#waitsForDrain) {
      this.cut();
      return;
    }
    this.#out.lastBytes(bytes);
    this.#answered();
  }

  body(content: Buffer): void {
    this.#out.body(content);
  }

  end(trailers: Fields | null): void {
    this.#out.end(trailers);
    this.#answered();
  }

  flush(): boolean {
    if (this.#closed) return true;
    const more = this.#out.flush();
    if (!more && !this.#waitsForDrain) {
      this.#waitsForDrain = true;
      this.#watchClient();
    } else if (this.#tunnels) {
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
    this.#in.goOn();
  }

  /** The response is out: the next request, or the end of the connection. */
  #answered(): void {
    if (this.#closed) return;
    this.#call = null;
    const { bodyLeft } = this.#in;
    this.#in.endRequest();
    this.flush();
    if (!this.#out.persistent || bodyLeft) {
      this.#closeGracefully();
      return;
    }
    this.#watchClient();
    this.#in.goOn();
  }

  cut(): void {
    const call = this.#call;
    this.#call = null;
    // With TLS too: the end of a connection must not look like the end of a response.
    resetAndDestroy(this.#transport);
    this.#close();
    call?.onClientGone();
  }

  // ── ends ──

  expired(): void {
    this.#guarded(() => {
      // It stopped reading: a response under way is broken off.
      if (this.#waitsForDrain) this.cut();
      else if (this.#call !== null) this.#refuseSlowBody(this.#call);
      else if (this.#in.headBegun) this.#refuseHead('request-timeout', null);
      else this.#close(); // idle, or never said anything
    });
  }

  #refuseSlowBody(call: Exchange): void {
    this.#in.pauseBody();
    call.onRequestFailed('request-timeout');
  }

  onFault(error: unknown): void {
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
    this.#in.stop();
    this.#time.stop();
    this.#lingering = new Lingering(
      this.#socket,
      this.#host.deadlines,
      this.#host.limits.idleTimeoutMs,
    );
    this.#socket.resume();
  }

  /**
   * The client has ended its direction. While a call is under way it is taken to have gone: over
   * TLS that and a half-close cannot be told apart. Answers that are already on their way out it
   * still gets.
   */
  #onEnd(): void {
    if (this.#call === null) this.#closeGracefully();
    else if (this.#tunnels) this.#endTunnel(this.#call);
    else this.#onGone();
  }

  /** All that came goes to the upstream, however slowly that takes it. */
  #endTunnel(call: Exchange): void {
    const rest = this.#in.takeRest();
    if (rest !== null) call.onRequestBody(rest);
    call.onRequestEnd(null);
  }

  #onGone(why?: 'draining'): void {
    if (this.#closed) return;
    const call = this.#call;
    this.#call = null;
    this.#close();
    call?.onClientGone(why);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#in.stop();
    this.#time.end();
    this.#socket.destroy();
    this.#host.closed(this);
  }
}
