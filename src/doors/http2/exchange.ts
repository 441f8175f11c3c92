import type { CallClient } from '../../calls/port.ts';
import type { Deadline, Watched } from '../../deadlines.ts';
import { Fields } from '../../http/fields.ts';
import { hostName } from '../../http/host-name.ts';
import { hasUnusualBody } from '../../http/method.ts';
import type { OwnResponse } from '../../http/outgoing.ts';
import type { BodyFraming, Peer, RequestHead } from '../../http/request-head.ts';
import { declaredLength, type ResponseHead } from '../../http/response-head.ts';
import type { Trailers } from '../../http/trailers.ts';
import { ERROR } from '../../http2/frames.ts';
import type { Http2HeadFault } from '../../http2/head-fault.ts';
import type { ServerStream } from '../../http2/server-stream.ts';
import type { StreamHandler } from '../../http2/stream.ts';
import type { RefusalReason } from '../../refusal.ts';
import type { HostCheck } from '../../tls/server-certificates.ts';
import { BodyPace } from '../body-pace.ts';
import type { ConnectionHost, Exchange } from '../connection.ts';
import { grpcFields, isGrpc } from './grpc.ts';

/** One request on a stream and its response: the client's end of a call. */
export class Http2Exchange implements CallClient, StreamHandler, Watched {
  readonly peer: Peer;
  readonly door = 'http2';
  readonly verdicts = null;
  readonly #stream: ServerStream;
  readonly #host: ConnectionHost;
  readonly #over: (exchange: Http2Exchange) => void;
  #call: Exchange | null = null;
  /** Until its response is complete: heads bear tokens. */
  #request: RequestHead | null = null;
  /** The client broke the protocol: whatever it is told, its stream ends by a reset. */
  #malformed = false;
  #pace: BodyPace | null = null;
  /** The body may come when its client likes. */
  #streams = false;
  /** What comes and goes as content is another protocol. */
  #tunnels = false;
  /** None as long as nobody has had to wait for the client. */
  #deadline: Deadline | null = null;
  /** The client does not take what it is sent. */
  #waitsForDrain = false;
  /** Why its client will have gone, where not of its own will. */
  goneFor: 'draining' | undefined = undefined;
  #misdirects: HostCheck | null = null;

  /** @param over told once, when nothing more happens on the stream */
  constructor(
    stream: ServerStream,
    peer: Peer,
    host: ConnectionHost,
    over: (exchange: Http2Exchange) => void,
  ) {
    this.#stream = stream;
    this.peer = peer;
    this.#host = host;
    this.#over = over;
  }

  // ── requests from the client ──

  begin(head: RequestHead, misdirects: HostCheck | null): void {
    this.#guarded(() => {
      this.#request = head;
      this.#misdirects = misdirects;
      if (!this.#stream.remoteEnded) {
        this.#pace = new BodyPace();
        this.#pace.begin(this.#host.limits);
        if (mayBeEmpty(head)) this.#stream.awaitContent();
      }
      if (this.#stream.contentWaits) this.#watchClient();
      else this.#decide(head);
    });
  }

  #decide(head: RequestHead): void {
    const call = this.#host.open(this, head);
    this.#call = call;
    if (this.#misdirects?.(hostName(head.host)) === true) call.refuse('host-misdirected');
    else call.begin();
  }

  /** The first content is here, or the end: now it is known whether there is a body. */
  #decideByBody(head: RequestHead): void {
    if (!this.#stream.cameEmpty) {
      this.#decide(head);
      return;
    }
    this.#stream.drop();
    this.#request = { ...head, framing: NO_BODY };
    this.#decide(this.#request);
  }

  refuse({ fault, detail, malformed }: Http2HeadFault): void {
    this.#guarded(() => {
      this.#malformed = malformed;
      this.#stream.drop();
      this.#call = this.#host.open(this, null);
      this.#call.refuse(fault, detail);
    });
  }

  /** The connection closes once its streams have ended. */
  drain(): void {
    this.#call?.endTunnel();
  }

  cutOff(): void {
    if (this.#call !== null) this.#call.shutOut('draining');
    else if (this.#request !== null) this.#refuseUndecided(this.#request, 'draining');
    else this.#stream.reset(ERROR.cancel);
    if (this.#stream.closed) this.#ended();
  }

  onContentHere(): void {
    this.#guarded(() => {
      this.#watchClient();
      if (this.#call !== null) this.#call.onRequestBodyHere();
      else if (this.#request !== null) this.#decideByBody(this.#request);
    });
  }

  onContent(content: Buffer): void {
    this.#guarded(() => {
      this.#pace?.came(content.length, this.#host.deadlines.nowMs);
      this.#call?.onRequestBody(content);
    });
  }

  onContentPiece(): void {
    this.#guarded(() => {
      this.#call?.onRequestFlush();
      this.#watchClient();
    });
  }

  onContentEnd(trailers: Trailers | null): void {
    this.#guarded(() => {
      this.#call?.onRequestEnd(trailers);
      this.#watchClient();
    });
  }

  onContentBroken(): void {
    this.#guarded(() => {
      this.#malformed = true;
      if (this.#call !== null) this.#call.onRequestFailed('request-malformed');
      else if (this.#request !== null) this.#refuseUndecided(this.#request, 'request-malformed');
    });
  }

  onWritable(): void {
    this.#guarded(() => {
      this.#waitsForDrain = false;
      this.#watchClient();
      this.#call?.onClientDrain();
    });
  }

  onGone(): void {
    const call = this.#call;
    this.#ended();
    this.#guarded(() => call?.onClientGone(this.goneFor));
  }

  onClosed(): void {
    this.#ended();
  }

  #ended(): void {
    this.#call = null;
    this.#request = null;
    this.#deadline?.end();
    this.#over(this);
  }

  /**
   * The client's time runs from now, as long as it is the client that everything waits for: for
   * more of a body, or to take what it is sent.
   */
  #watchClient(): void {
    if (this.#stream.closed) return;
    if (this.#tunnels) {
      this.#watchTunnel();
      return;
    }
    const { nowMs } = this.#host.deadlines;
    const bodyWaits = this.#stream.contentWaits && !this.#streams;
    if (!bodyWaits) this.#pace?.pause(nowMs);
    const waits = bodyWaits || this.#waitsForDrain || this.#call === null;
    if (!waits && this.#deadline === null) return;
    let untilMs = waits ? nowMs + this.#host.limits.idleTimeoutMs : Number.POSITIVE_INFINITY;
    if (bodyWaits && this.#pace !== null) untilMs = Math.min(untilMs, this.#pace.wait(nowMs));
    this.#deadline ??= this.#host.deadlines.watch(this, untilMs);
    this.#deadline.untilMs = untilMs;
  }

  /** Bytes in either direction begin its time anew; that of the upstream is not the client's. */
  #watchTunnel(): void {
    const { deadlines, limits } = this.#host;
    const forMs = this.#waitsForDrain
      ? limits.idleTimeoutMs
      : this.#stream.contentWaits
        ? limits.tunnelIdleMs
        : Number.POSITIVE_INFINITY;
    this.#deadline ??= deadlines.watch(this, Number.POSITIVE_INFINITY);
    this.#deadline.untilMs = deadlines.nowMs + forMs;
  }

  expired(): void {
    this.#guarded(() => {
      if (this.#waitsForDrain) this.cut();
      else if (this.#call !== null) this.#refuseSlowBody(this.#call);
      else if (this.#request !== null) this.#refuseUndecided(this.#request, 'request-timeout');
      else this.cut();
    });
  }

  /** It has not said whether there is a body. */
  #refuseUndecided(head: RequestHead, reason: RefusalReason): void {
    this.#stream.drop();
    this.#call = this.#host.open(this, head);
    this.#call.refuse(reason);
  }

  #refuseSlowBody(call: Exchange): void {
    this.#stream.pause();
    call.onRequestFailed('request-timeout');
  }

  // ── the call's view ──

  awaitBody(sayContinue: boolean): boolean {
    if (this.#stream.contentHere) return true;
    if (sayContinue) {
      this.#stream.head(100, new Fields(), null);
      this.#stream.flush();
    }
    this.#stream.awaitContent();
    this.#watchClient();
    return false;
  }

  streams(): void {
    this.#streams = true;
    this.#watchClient();
  }

  pauseBody(): void {
    this.#stream.pause();
    this.#watchClient();
  }

  /** What is at hand follows before this returns, and a flush behind it. */
  resumeBody(): boolean {
    this.#stream.resume();
    this.#watchClient();
    return false;
  }

  own(response: OwnResponse): void {
    this.#stream.discard();
    const { refused } = response;
    if (refused !== undefined && this.#request !== null && isGrpc(this.#request))
      this.#stream.head(200, grpcFields(response, refused), null);
    else this.#whole(response);
    if (this.#malformed) this.#stream.resetAfterWords(ERROR.protocol);
    else this.#finish();
    if (this.#stream.closed) this.#ended();
  }

  #whole({ status, fields, body }: OwnResponse): void {
    const content = Buffer.from(body);
    this.#stream.head(status, fields, status === 204 ? null : String(content.length));
    if (this.#request?.method !== 'HEAD' && status !== 204) this.#stream.content(content);
  }

  interim({ status }: ResponseHead, fields: Fields): void {
    this.#stream.head(status, fields, null);
  }

  head(head: ResponseHead, fields: Fields): void {
    this.#stream.head(head.status, fields, this.#lengthOf(head));
  }

  /** RFC 9110 §8.6: HEAD and 304 may tell the length that a GET would have had; 204 tells none. */
  #lengthOf(head: ResponseHead): string | null {
    if (head.framing.kind === 'length') return String(head.framing.bytes);
    if (head.framing.kind !== 'none' || head.status === 204) return null;
    return this.#request?.method === 'HEAD' || head.status === 304 ? declaredLength(head) : '0';
  }

  /** RFC 8441 §5: 200 stands for 101, and nothing for the key that there is none of. */
  tunnel(_head: ResponseHead, fields: Fields): void {
    this.#tunnels = true;
    this.#pace = null;
    this.#stream.head(200, fields.without('sec-websocket-accept'), null);
    // A client may have ended its direction with its head.
    if (this.#stream.contentLeft) this.#stream.resume();
    else this.#call?.onRequestEnd(null);
    this.#watchClient();
  }

  /** Behind bytes that wait for the client's window nothing may stand that is ours. */
  lastBytes(bytes: Buffer): void {
    if (this.#waitsForDrain) {
      this.cut();
      return;
    }
    this.#stream.discard();
    this.#stream.content(bytes);
    this.#finish();
  }

  body(content: Buffer): void {
    this.#stream.content(content);
  }

  end(trailers: Fields | null): void {
    this.#finish(trailers);
  }

  /** The response is complete; what is left of the request, nobody reads. */
  #finish(trailers: Fields | null = null): void {
    this.#call = null;
    this.#request = null;
    this.#tunnels = false; // from now on its client has to take what there is
    this.#stream.drop();
    this.#stream.end(trailers);
    this.#watchClient();
  }

  flush(): boolean {
    const more = this.#stream.flush();
    if (!more && !this.#waitsForDrain) {
      this.#waitsForDrain = true;
      this.#watchClient();
    } else if (this.#tunnels) {
      this.#watchClient();
    }
    return more;
  }

  cut(): void {
    const call = this.#call;
    this.#call = null;
    this.#stream.reset(ERROR.internal);
    this.#ended();
    call?.onClientGone();
  }

  /** A fault of ours ends one call, never the others of its connection. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onFault(error);
    }
  }

  #onFault(error: unknown): void {
    const call = this.#call;
    if (call !== null) {
      call.onFault(error);
      return;
    }
    this.#host.services.log.error('a stream failed inside the gate', { error });
    this.#stream.reset(ERROR.internal);
    this.#ended();
  }
}

const NO_BODY: BodyFraming = { kind: 'none', declared: false };

/**
 * A client that does not end its request with the head, and tells no length, may have nothing to
 * send all the same. Whether there is a body counts where none is usual; whoever waits for 100 is
 * not waited for.
 */
function mayBeEmpty(head: RequestHead): boolean {
  return head.framing.kind === 'chunked' && !head.expectsContinue && hasUnusualBody(head);
}
