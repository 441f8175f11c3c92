import type { ResponseHead } from '../http/response-head.ts';
import type { Trailers } from '../http/trailers.ts';
import { switchFault, type Upgrade } from '../http/upgrade.ts';
import { BodyReader } from '../http1/body-reader.ts';
import { HeadReader } from '../http1/head-reader.ts';
import { parseResponseHead } from '../http1/response-parser.ts';
import type { ResponseReceiver } from './port.ts';

const HEAD_LIMIT_BYTES = 64 * 1024;
/** 1xx responses before the final one. More is a flood. */
const MAX_INFORMATIONAL = 16;

/** The connection that is read. Told once of the final head, and once of the end or a fault. */
export interface ReadConnection {
  /** Before the receiver hears of it. */
  onFinalHead(status: number): void;
  /** As `onFinalHead`, of 101. */
  onSwitched(): void;
  /**
   * The response is whole.
   *
   * @param bounded it is certain where the next one begins, as far as what came says so
   * @param trailers fields behind its content; null: none came
   */
  onWhole(bounded: boolean, trailers: Trailers | null): void;
  /** What came is no response. */
  onBroken(detail: string): void;
}

/**
 * Finds the response in what an upstream sends, and hands it to the receiver of the exchange under
 * way: interim heads, the final head, the body. The receiver may give up in each of these steps;
 * from then on nothing more of what came is read.
 */
export class ResponseReader {
  readonly #connection: ReadConnection;
  readonly #heads = new HeadReader(HEAD_LIMIT_BYTES, false, 'HTTP/1.');
  #receiver: ResponseReceiver | null = null;
  /** The request was HEAD. */
  #toHead = false;
  /** Another protocol that the request asked for. */
  #upgrade: Upgrade | null = null;
  /** No head has said yet that this response is the connection's last. */
  #keepAlive = true;
  #informational = 0;
  /** What follows the final head; null before that. */
  #body: BodyReader | null = null;

  constructor(connection: ReadConnection) {
    this.#connection = connection;
  }

  /** Whose response is read; null between exchanges. */
  get receiver(): ResponseReceiver | null {
    return this.#receiver;
  }

  /** What is read from now on is the response for this receiver. */
  begin(receiver: ResponseReceiver, toHead: boolean, upgrade: Upgrade | null): void {
    this.#receiver = receiver;
    this.#toHead = toHead;
    this.#upgrade = upgrade;
    this.#keepAlive = true;
    this.#informational = 0;
    this.#body = null;
  }

  /** The exchange is over. @returns who is to be told so, if anybody is */
  end(): ResponseReceiver | null {
    const receiver = this.#receiver;
    this.#receiver = null;
    this.#body = null;
    return receiver;
  }

  /** The response is whole when the connection ends. */
  get endsWithConnection(): boolean {
    return this.#body?.endsWithConnection === true;
  }

  read(chunk: Buffer): void {
    let rest: Buffer | null = chunk;
    while (rest !== null && this.#receiver !== null)
      rest =
        this.#body === null
          ? this.#readHead(rest, this.#receiver)
          : this.#readBody(rest, this.#receiver, this.#body);
  }

  /** @returns what follows the head in this piece */
  #readHead(chunk: Buffer, receiver: ResponseReceiver): Buffer | null {
    const result = this.#heads.push(chunk);
    if (result.state === 'incomplete') return null;
    if (result.state !== 'complete')
      return this.#broken(result.state === 'too-large' ? 'head too large' : 'not a response head');
    const head = parseResponseHead(result.text, this.#toHead);
    if (typeof head === 'string') return this.#broken(head);
    // `Connection: close` beside an interim response is this connection's business alone: the final
    // response still comes, and is the last one.
    if (!head.keepAlive) this.#keepAlive = false;
    if (head.status === 101) return this.#onSwitch(head, receiver) ? result.rest : null;
    if (head.status < 200) return this.#onInterim(head, receiver) ? result.rest : null;
    const body = readerFor(head);
    this.#body = body;
    this.#connection.onFinalHead(head.status);
    receiver.onHead(head);
    // The receiver may have given up on hearing the head.
    if (body.state !== 'done' || this.#receiver === null) return result.rest;
    this.#connection.onWhole(this.#keepAlive && result.rest === null, null);
    return null;
  }

  /** @returns whether the final response may follow */
  #onInterim(head: ResponseHead, receiver: ResponseReceiver): boolean {
    this.#informational += 1;
    if (this.#informational > MAX_INFORMATIONAL) {
      this.#broken('unexpected interim response');
      return false;
    }
    receiver.onInterim(head);
    return true;
  }

  /**
   * 101 is the last head of a connection: what follows is another protocol until it ends (RFC 9110
   * §15.2.2), and passed on as a body is.
   *
   * @returns whether it may follow
   */
  #onSwitch(head: ResponseHead, receiver: ResponseReceiver): boolean {
    const fault = switchFault(this.#upgrade, head);
    if (fault !== null) {
      this.#broken(fault);
      return false;
    }
    this.#body = BodyReader.untilClose();
    this.#connection.onSwitched();
    receiver.onHead(head);
    return this.#receiver !== null;
  }

  #readBody(chunk: Buffer, receiver: ResponseReceiver, body: BodyReader): null {
    const taken = body.read(chunk, receiver);
    if (this.#receiver === null) return null; // it gave up on what it was given
    if (body.state === 'broken') return this.#broken('invalid chunked body');
    if (body.state === 'done')
      this.#connection.onWhole(this.#keepAlive && taken === chunk.length, body.trailers);
    return null;
  }

  #broken(detail: string): null {
    this.#connection.onBroken(detail);
    return null;
  }
}

function readerFor(head: ResponseHead): BodyReader {
  switch (head.framing.kind) {
    case 'none':
      return BodyReader.ofLength(0);
    case 'length':
      return BodyReader.ofLength(head.framing.bytes);
    case 'chunked':
      return BodyReader.chunked('blanks', HEAD_LIMIT_BYTES);
    case 'close':
      return BodyReader.untilClose();
  }
}
