import type { Deadline, Deadlines, Watched } from '../../deadlines.ts';
import type { Fields } from '../../http/fields.ts';
import type { OutgoingRequest } from '../../http/outgoing.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import type { Trailers } from '../../http/trailers.ts';
import type { ClientStream } from '../../http2/client-stream.ts';
import { ERROR } from '../../http2/frames.ts';
import { lastWord } from '../last-word.ts';
import type {
  ResponseReceiver,
  UpstreamChannel,
  UpstreamFailure,
  UpstreamTimeouts,
} from '../port.ts';
import type { Http2Connection, Rider } from './connection.ts';
import { SentRequest } from './sent-request.ts';
import { switchedHead } from './switched-head.ts';

/** 1xx responses before the final one. More is a flood. */
const MAX_INTERIM = 16;
/** How often a request goes to another connection because one did not look at it. */
const MAX_MOVES = 3;
/** How long an upstream may take for what is left of a tunnel, and for its own end. */
const FINISH_MS = 5000;

/** The place that the exchange leads to. None of these may throw. */
export interface Http2Place {
  readonly timeouts: UpstreamTimeouts;
  /** Another connection than this one; null: there may be none. */
  another(than: Http2Connection): Http2Connection | null;
  /** The final head of a response came. */
  answered(status: number): void;
  /** It failed, and not because we gave it up. Before `over`. */
  failed(failure: UpstreamFailure): void;
  over(): void;
}

/**
 * One exchange on a stream of a connection.
 *
 * A request at which an upstream certainly did not look (REFUSED_STREAM, or behind the last stream
 * of GOAWAY: RFC 9113 §8.7) goes to another connection, whatever its method, as long as all of it
 * that was sent is still here.
 */
export class Http2Exchange implements UpstreamChannel, Rider, Watched {
  readonly #place: Http2Place;
  readonly #deadlines: Deadlines;
  readonly #deadline: Deadline;
  #connection: Http2Connection;
  #stream: ClientStream | null = null;
  #receiver: ResponseReceiver | null = null;
  #over = false;
  #moves = 0;
  /** `reads` of the connection when the request went out. */
  #readsBefore = 0;

  // ── what goes ──
  readonly #sent = new SentRequest();
  #blocked = false;

  // ── what comes ──
  #holding = false;
  #held: ResponseHead[] = [];
  #interim = 0;
  #headCame = false;
  #headGiven = false;
  #paused = false;
  heldSinceMs = 0;
  /** The upstream has agreed to another protocol: what comes and goes is a tunnel's. */
  #switched = false;
  /** Of a tunnel that only its upstream has not ended: told once it has. */
  #finishing: (() => void) | null = null;

  constructor(place: Http2Place, connection: Http2Connection, deadlines: Deadlines) {
    this.#place = place;
    this.#connection = connection;
    this.#deadlines = deadlines;
    this.#deadline = deadlines.watch(this, Number.POSITIVE_INFINITY);
    connection.take(this);
  }

  get keeper(): Http2Place {
    return this.#place;
  }

  get connected(): boolean {
    return this.#connection.ready;
  }

  // ── the request ──

  begin(receiver: ResponseReceiver, request: OutgoingRequest): void {
    this.#receiver = receiver;
    this.#sent.begin(request);
  }

  sendBody(content: Buffer): void {
    if (this.#over || content.length === 0) return;
    this.#sent.content(content, this.#stream !== null);
    this.#stream?.content(content);
    this.#watchSilence();
  }

  flush(): boolean {
    if (this.#over) return true;
    if (!this.connected) return false;
    if (this.#stream === null) this.#open();
    else this.#blocked = !this.#stream.flush();
    this.#watchSilence();
    return !this.#blocked;
  }

  sendEnd(trailers: Fields | null = null): void {
    if (this.#over) return;
    this.#sent.end(trailers);
    if (!this.connected) return;
    if (this.#stream === null) this.#open();
    else this.#stream.end(trailers);
    this.#watchSilence();
  }

  /** Sends all that there is of the request. */
  #open(): void {
    if (this.#sent.upgrade !== null && !this.#connection.takesTunnels) {
      this.#refuseTunnel();
      return;
    }
    const stream = this.#connection.open(this, this.#sent.isHead);
    this.#stream = stream;
    this.#readsBefore = this.#connection.reads;
    this.#blocked = !this.#sent.sendOn(stream, this.#connection.scheme);
  }

  /** Nothing of it was sent, and its address is well. */
  #refuseTunnel(): void {
    const receiver = this.#end();
    if (receiver !== null) lastWord(receiver, () => receiver.onFailure(NO_TUNNELS));
  }

  onReady(): void {
    this.#guarded(() => {
      if (this.#receiver === null) return;
      const moved = this.#moves > 0;
      if (moved || this.#sent.ended) {
        this.#open();
        this.#watchSilence();
        // Its upstream takes no tunnels.
        if (this.#over) return;
      }
      if (!moved) this.#receiver.onConnected();
      else if (!this.#blocked && !this.#sent.ended) this.#receiver.onDrain();
    });
  }

  onNoRoom(): void {
    this.#move('it takes no more streams');
  }

  onUnconnected(failure: UpstreamFailure): void {
    this.#fail({ ...failure, neverSent: !this.#sent.hasContent });
  }

  /** The upstream has not looked at it. */
  #move(why: string): void {
    if (this.#over) return;
    this.#stream = null;
    const next = this.#mayMove ? this.#place.another(this.#connection) : null;
    if (next === null) {
      const neverSent = !this.#sent.hasContent;
      this.#fail({ kind: 'broken', detail: why, neverSent, staleConnection: false });
      return;
    }
    this.#moves += 1;
    this.#held = [];
    this.#deadline.untilMs = Number.POSITIVE_INFINITY;
    this.#connection.leave(this);
    this.#connection = next;
    next.take(this);
    if (next.ready) this.onReady();
  }

  get #mayMove(): boolean {
    return this.#sent.isWhole && this.#moves < MAX_MOVES;
  }

  // ── the response ──

  hold(): void {
    this.#holding = true;
  }

  release(): void {
    if (!this.#holding) return;
    this.#holding = false;
    const heads = this.#held;
    this.#held = [];
    if (heads.length === 0) return;
    this.#guarded(() => {
      for (const head of heads) if (!this.#over) this.#give(head);
      this.#flushReceiver();
    });
    this.#watchSilence();
  }

  onHead(head: ResponseHead): void {
    this.#guarded(() => {
      this.#watchSilence();
      this.#interim += 1;
      if (head.status >= 200) this.#onFinalHead(head.status);
      else if (this.#interim > MAX_INTERIM) this.#stream!.broken('unexpected interim response');
      if (this.#over) return;
      const given = this.#agrees(head.status) ? this.#switch(head) : head;
      if (given === null) this.#stream!.broken('a tunnel that says how long its content is');
      else if (this.#holding) this.#hold(given);
      else this.#give(given);
    });
  }

  #agrees(status: number): boolean {
    return this.#sent.upgrade !== null && status >= 200 && status < 300;
  }

  /** It owes nothing any more, and whatever follows is no fault of its address. */
  #switch(head: ResponseHead): ResponseHead | null {
    this.#switched = true;
    this.#sent.ended = false;
    this.#watchSilence();
    return switchedHead(head, this.#sent.upgrade!);
  }

  #onFinalHead(status: number): void {
    this.#headCame = true;
    this.#sent.forget();
    this.#connection.served += 1;
    this.#place.answered(status);
  }

  #hold(head: ResponseHead): void {
    if (this.#held.length === 0) this.heldSinceMs = performance.now();
    this.#held.push(head);
    this.#watchSilence();
  }

  #give(head: ResponseHead): void {
    if (head.status < 200 && !this.#switched) {
      this.#receiver!.onInterim(head);
    } else {
      this.#headGiven = true;
      this.#receiver!.onHead(head);
      // The receiver may have given up on hearing the head.
      if (!this.#over) this.#stream!.resume();
    }
    if (!this.#over) this.#connection.touch(this);
  }

  onContent(content: Buffer): void {
    this.#guarded(() => {
      if (!this.#over) this.#receiver?.onBody(content);
    });
  }

  onContentPiece(): void {
    this.#watchSilence();
    if (!this.#connection.touch(this)) this.onRead();
  }

  onRead(): void {
    this.#guarded(() => this.#flushReceiver());
  }

  #flushReceiver(): void {
    if (this.#over || this.#receiver === null || this.#receiver.flush()) return;
    this.#paused = true;
    this.#stream?.pause();
    this.#watchSilence();
  }

  resume(): void {
    if (this.#over || !this.#paused) return;
    this.#paused = false;
    this.#watchSilence();
    if (this.#headGiven) this.#stream?.resume();
  }

  onContentEnd(trailers: Trailers | null): void {
    const receiver = this.#end();
    if (receiver !== null) lastWord(receiver, () => receiver.onEnd(trailers));
  }

  onContentBroken(): void {
    this.#stream?.broken('the content is longer or shorter than Content-Length says');
  }

  onBroken(detail: string): void {
    this.#fail({ kind: 'broken', detail, neverSent: false, staleConnection: false });
  }

  onGone(code: number | null): void {
    if (code === ERROR.refusedStream && !this.#headCame) {
      this.#move('it refuses the stream');
      return;
    }
    const { fault, reads, served } = this.#connection;
    const staleConnection = code === null && served > 0 && reads === this.#readsBefore;
    const detail = code === null ? fault : `stream reset, code ${code}`;
    this.#fail({ kind: 'broken', detail, neverSent: false, staleConnection });
  }

  onWritable(): void {
    this.#guarded(() => {
      this.#blocked = false;
      this.#watchSilence();
      if (!this.#over && !this.#sent.ended) this.#receiver?.onDrain();
    });
  }

  onContentHere(): void {}
  onClosed(): void {}

  // ── ends ──

  destroy(): void {
    const stream = this.#stream;
    this.#end();
    stream?.reset(ERROR.cancel);
  }

  finish(over: () => void): void {
    const stream = this.#stream;
    if (this.#over || stream === null || !this.#switched) {
      this.destroy();
      over();
      return;
    }
    this.#receiver = null;
    this.#finishing = over;
    this.#deadline.untilMs = this.#deadlines.nowMs + FINISH_MS;
    this.#paused = false;
    stream.end();
    // What comes is dropped, until the upstream has said that it was all.
    stream.resume();
  }

  expired(): void {
    const stream = this.#stream;
    // Nothing came on its connection at all: nobody else is to wait for that.
    if (this.#owes && this.#connection.reads === this.#readsBefore) this.#connection.retire();
    this.#fail({
      kind: 'timeout',
      detail: 'silent for too long',
      neverSent: false,
      staleConnection: false,
    });
    stream?.reset(ERROR.cancel);
  }

  get #owes(): boolean {
    return this.#sent.ended || this.#blocked;
  }

  /**
   * As with HTTP/1.1, the upstream's time runs while it is the upstream that is waited for.
   * Besides, a call on a stream may rest, but not for ever.
   */
  #watchSilence(): void {
    if (this.#over || this.#finishing !== null) return;
    const { responseTimeoutMs, streamIdleTimeoutMs } = this.#place.timeouts;
    if (this.#switched) {
      const waits = this.#blocked && !this.#paused;
      this.#deadline.untilMs = waits
        ? this.#deadlines.nowMs + responseTimeoutMs
        : Number.POSITIVE_INFINITY;
      return;
    }
    const waitsForUs = this.#paused || this.#held.length > 0 || this.#stream === null;
    const waitsMs = this.#owes && !this.#headCame ? responseTimeoutMs : streamIdleTimeoutMs;
    this.#deadline.untilMs = waitsForUs
      ? Number.POSITIVE_INFINITY
      : this.#deadlines.nowMs + waitsMs;
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#over) return;
    // Of a call that both sides let rest, the upstream is not at fault.
    const rests = failure.kind === 'timeout' && !this.#owes;
    const faulty = this.#receiver !== null && !rests && !this.#switched;
    if (faulty) this.#place.failed(failure);
    const receiver = this.#end();
    if (receiver !== null) lastWord(receiver, () => receiver.onFailure(failure));
  }

  /** @returns who is to be told so, if anybody is */
  #end(): ResponseReceiver | null {
    if (this.#over) return null;
    this.#over = true;
    this.#sent.forget();
    this.#held = [];
    this.#deadline.end();
    this.#connection.leave(this);
    this.#place.over();
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#finishing?.();
    return receiver;
  }

  /** Whoever receives may be at fault; that must end one exchange and not its neighbours. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.onFault(error);
    }
  }

  onFault(error: unknown): void {
    const stream = this.#stream;
    const receiver = this.#end();
    stream?.reset(ERROR.internal);
    receiver?.onFault(error);
  }
}

const NO_TUNNELS: UpstreamFailure = {
  kind: 'broken',
  detail: 'it takes no WebSocket over HTTP/2 (RFC 8441)',
  neverSent: false,
  staleConnection: false,
};
