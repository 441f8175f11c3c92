import { KEY_SET_PATH } from '../../assertion/key-set-response.ts';
import { Call } from '../../calls/call.ts';
import type { CallClient, CallServices, VerdictWords } from '../../calls/port.ts';
import type { OwnResponse } from '../../http/outgoing.ts';
import type { Peer, RequestHead } from '../../http/request-head.ts';
import type { RefusalReason } from '../../refusal.ts';
import type { Exchange } from '../connection.ts';
import { type Asked, type AskFault, type Asking, type BodyReader, readerFor } from './asked.ts';
import { CHECK_BYTES, CHECK_PATH, checkFormFault, readCheck } from './check.ts';
import {
  CHECK_FIELDS,
  CHECK_TRAILERS,
  checkHead,
  checkResponse,
  removedNames,
} from './check-response.ts';
import { forKeySet, keySetWords } from './key-set.ts';
import { readVerify, VERIFY_BYTES, verifyFormFault } from './verify.ts';
import { PROGRAM_WORDS, PROXY_WORDS } from './words.ts';

const NO_ENDPOINT =
  'there is no such endpoint: /auth-request, /forward-auth, /ext-authz/, /verify and ext_authz over gRPC are';
const HAS_BODY = 'a question has no body: the proxy must not send one, nor its length';
const ONLY_VERDICTS = 'a question has no response but a verdict';
const tooLong = (mostBytes: number) => `a question takes ${mostBytes} bytes of content at most`;
const NO_BODY = 'the connection ended before the body did';

/**
 * One question: whether a request may be made that somebody else has. It is read, and becomes a
 * call like every other, which is decided, recorded and answered, and not forwarded.
 *
 * To its call it is the client; to the connection on which it was asked, what becomes of it.
 */
export class Question implements Exchange, CallClient {
  readonly #services: CallServices;
  readonly #asker: CallClient;
  readonly #outer: RequestHead | null;
  readonly #asking: Asking;
  /** Null until it is known what is asked about. */
  #call: Call | null = null;
  /** How the content is read in which the question stands; null: it stands in fields. */
  #reads: BodyReader | null = null;
  /** The content, as far as it is here. */
  #pieces: Buffer[] | null = null;
  #bytes = 0;
  #mostBytes = 0;
  /** The verdict is told over gRPC. */
  #isCheck = false;
  /** What is asked about, once it is known. */
  #asked: RequestHead | null = null;
  /** Whose request it is about; until that is known, who asks. */
  peer: Peer;
  readonly door = null;
  verdicts: VerdictWords = PROXY_WORDS;

  /** @param outer the question itself; null when it could not be read as a request */
  constructor(
    services: CallServices,
    asker: CallClient,
    outer: RequestHead | null,
    asking: Asking,
  ) {
    this.#services = services;
    this.#asker = asker;
    this.#outer = outer;
    this.#asking = asking;
    this.peer = asker.peer;
  }

  begin(): void {
    const outer = this.#outer!;
    if (outer.upgrade !== null && outer.version === '2') {
      this.refuse('upgrade-refused');
      return;
    }
    if (outer.path === '/verify') {
      this.verdicts = PROGRAM_WORDS;
      this.#readContent(VERIFY_BYTES, readVerify, verifyFormFault(outer));
      return;
    }
    if (outer.path === CHECK_PATH) {
      const fault = checkFormFault(outer);
      this.#isCheck = fault === null;
      this.#readContent(CHECK_BYTES, readCheck, fault);
      return;
    }
    if (outer.path === KEY_SET_PATH) {
      this.#tellKeys(outer);
      return;
    }
    const read = readerFor(outer.path);
    if (read === null) this.refuse('route-unknown', NO_ENDPOINT);
    // As a body that is left unread it would end the connection of a proxy without a word why.
    else if (outer.framing.kind !== 'none') this.refuse('body-refused', HAS_BODY);
    else this.#ask(read(outer, this.#asker.peer, this.#asking));
  }

  #readContent(mostBytes: number, read: BodyReader, fault: AskFault | null): void {
    const { framing, expectsContinue } = this.#outer!;
    this.#reads = read;
    this.#mostBytes = mostBytes;
    this.#pieces = [];
    if (fault !== null) {
      this.refuse(fault.fault, fault.detail, fault.allow);
      return;
    }
    // Whose length is told, is told before it comes.
    if (framing.kind === 'length' && framing.bytes > mostBytes) {
      this.refuse('body-too-large', tooLong(mostBytes));
      return;
    }
    this.#asker.awaitBody(expectsContinue);
    this.#asker.resumeBody();
  }

  /**
   * It asks about no request, and needs no token: a call of its own, which everybody is permitted.
   */
  #tellKeys(outer: RequestHead): void {
    const set = this.#asking.keySet();
    if (set === undefined) this.refuse('route-unknown', NO_ENDPOINT);
    else if (outer.method !== 'GET' && outer.method !== 'HEAD')
      this.refuse('method-refused', null, ['GET', 'HEAD']);
    else if (set === null) this.refuse('assertion-unavailable');
    else {
      this.verdicts = keySetWords(set);
      this.#call = new Call(forKeySet(this.#services), this, outer);
      this.#call.begin();
    }
  }

  #ask(asked: Asked | AskFault): void {
    if ('fault' in asked) {
      this.refuse(asked.fault, asked.detail);
      return;
    }
    this.peer = asked.peer;
    this.#asked = asked.head;
    this.#call = new Call(this.#services, this, asked.head);
    this.#call.begin();
  }

  /** A call of which nothing is known, for what can be said of it all the same. */
  #unknown(): Call {
    this.#call ??= new Call(this.#services, this, null);
    return this.#call;
  }

  // ── of the connection ──

  refuse(reason: RefusalReason, detail: string | null = null, allow?: readonly string[]): void {
    this.#unknown().refuse(reason, detail, allow);
  }

  refusePlaintext(exposedAccountId: string | null, detail: string | null = null): void {
    this.#unknown().refusePlaintext(exposedAccountId, detail);
  }

  onRequestBodyHere(): void {}

  /** Copied: what a connection reads is used again. */
  onRequestBody(content: Buffer): void {
    if (this.#call !== null) return;
    this.#bytes += content.length;
    if (this.#bytes > this.#mostBytes) {
      this.#asker.pauseBody();
      this.refuse('body-too-large', tooLong(this.#mostBytes));
    } else {
      this.#pieces?.push(Buffer.from(content));
    }
  }

  onRequestFlush(): void {}

  onRequestEnd(): void {
    if (this.#call !== null) return;
    const body = Buffer.concat(this.#pieces ?? []);
    this.#pieces = null;
    this.#ask(this.#reads!(this.#outer!, body, this.#asker.peer, this.#asking));
  }

  onRequestFailed(reason: 'request-malformed' | 'request-timeout'): void {
    if (this.#call === null) this.refuse(reason, NO_BODY);
    else this.#call.onRequestFailed(reason);
  }

  endTunnel(): void {}

  /** Who goes before the question is complete has not asked it. */
  onClientGone(why?: 'client-aborted' | 'draining'): void {
    this.#call?.onClientGone(why);
  }

  onClientDrain(): void {
    this.#call?.onClientDrain();
  }

  shutOut(reason: RefusalReason): void {
    if (this.#call === null) this.refuse(reason);
    else this.#call.shutOut(reason);
  }

  onFault(error: unknown): void {
    this.#unknown().onFault(error);
  }

  // ── of the call ──

  own(response: OwnResponse): void {
    if (this.#isCheck) {
      this.#tellCheck(response);
      return;
    }
    // As it is, whatever the question says of its content: to a caller of gRPC a refusal has the
    // status 200, which whoever asks takes for a permit.
    const { status, fields, body, closes } = response;
    this.#asker.own({ status, fields, body, closes });
  }

  #tellCheck(response: OwnResponse): void {
    const message = checkResponse(response, this.#asked === null ? [] : removedNames(this.#asked));
    this.#asker.head(checkHead(message.length), CHECK_FIELDS());
    this.#asker.body(message);
    this.#asker.end(CHECK_TRAILERS());
  }

  cut(): void {
    this.#asker.cut();
  }

  awaitBody(): boolean {
    return true;
  }

  streams(): void {}
  pauseBody(): void {}

  resumeBody(): boolean {
    return false;
  }

  flush(): boolean {
    return this.#asker.flush();
  }

  interim(): never {
    throw new Error(ONLY_VERDICTS);
  }

  tunnel(): never {
    throw new Error(ONLY_VERDICTS);
  }

  lastBytes(): never {
    throw new Error(ONLY_VERDICTS);
  }

  head(): never {
    throw new Error(ONLY_VERDICTS);
  }

  body(): never {
    throw new Error(ONLY_VERDICTS);
  }

  end(): never {
    throw new Error(ONLY_VERDICTS);
  }
}
