import type { Socket } from 'node:net';
import type { Fields } from '../http/fields.ts';
import type { OwnResponse } from '../http/outgoing.ts';
import type { RequestHead } from '../http/request-head.ts';
import { declaredLength, type ResponseHead } from '../http/response-head.ts';
import { Gather } from './gather.ts';
import {
  CHUNK_END,
  CHUNKED,
  chunkStart,
  lastChunk,
  lengthLine,
  responseHead,
  upgradeLines,
} from './head-writer.ts';

/**
 * Writes responses to one client connection in HTTP/1.1 framing (RFC 9112 §6), one after the other.
 * The framing is always ours: what the upstream said about the length of its message was read by
 * its own connection, and ends there.
 */
export class ResponseWriter {
  readonly #out: Gather;
  #request: RequestHead | null = null;
  #chunked = false;
  /**
   * Whether another request may follow on this connection; the response's head says so when it must
   * not.
   */
  persistent = true;

  constructor(socket: Socket) {
    this.#out = new Gather(socket);
  }

  /**
   * What comes next responds to this request. Null: what came could not be read as one. Not kept
   * past its response: heads bear tokens, and connections idle for long.
   */
  begin(request: RequestHead | null, persistent: boolean): void {
    this.#request = request;
    this.persistent = persistent;
  }

  continue(): void {
    this.#out.text('HTTP/1.1 100 Continue\r\n\r\n');
    this.#out.flush();
  }

  /** In place of whatever was given and not flushed: the client has seen nothing of that. */
  own({ status, fields, body }: OwnResponse): void {
    this.#out.discard();
    // RFC 9110 §8.6: none with 204.
    const length = status === 204 ? '' : lengthLine(Buffer.byteLength(body));
    const head = responseHead(status, REASONS.get(status) ?? '', fields, length, this.persistent);
    this.#out.text(this.#request?.method === 'HEAD' ? head : head + body);
    this.#request = null;
  }

  /** RFC 9110 §15.2: HTTP/1.0 knows no interim responses. */
  interim({ status, reason }: ResponseHead, fields: Fields): void {
    if (this.#request?.version === '1.1')
      this.#out.text(responseHead(status, reason, fields, '', true));
  }

  /** The protocol that the request asked for follows, in both directions. */
  switching({ status, reason }: ResponseHead, fields: Fields): void {
    this.#chunked = false;
    this.persistent = false;
    const lines = upgradeLines(this.#request!.upgrade!);
    this.#out.text(responseHead(status, reason, fields, lines, true));
  }

  /** The last bytes of a tunnel, in place of whatever was given and not flushed. */
  lastBytes(bytes: Buffer): void {
    this.#out.discard();
    this.#out.bytes(bytes);
    this.#request = null;
  }

  head(head: ResponseHead, fields: Fields): void {
    const framing = this.#framingLine(head);
    this.#out.text(responseHead(head.status, head.reason, fields, framing, this.persistent));
  }

  #framingLine(head: ResponseHead): string {
    this.#chunked = false;
    switch (head.framing.kind) {
      case 'length':
        return lengthLine(head.framing.bytes);
      case 'none':
        return this.#lengthWithoutBody(head);
      default:
        if (this.#request!.version === '1.0') {
          this.persistent = false;
          return '';
        }
        this.#chunked = true;
        return CHUNKED;
    }
  }

  /** RFC 9110 §8.6: HEAD and 304 may tell the length that a GET would have had; 204 tells none. */
  #lengthWithoutBody(head: ResponseHead): string {
    if (head.status === 204) return '';
    if (this.#request!.method !== 'HEAD' && head.status !== 304) return lengthLine(0);
    const declared = declaredLength(head);
    return declared === null ? '' : lengthLine(declared);
  }

  body(content: Buffer): void {
    if (this.#chunked) this.#out.text(chunkStart(content.length));
    this.#out.bytes(content);
    if (this.#chunked) this.#out.text(CHUNK_END);
  }

  /** @param trailers dropped where the client does not take them, or the framing has no place */
  end(trailers: Fields | null): void {
    const taken = this.#request?.takesTrailers === true ? trailers : null;
    if (this.#chunked) this.#out.text(lastChunk(taken));
    this.#request = null;
  }

  /**
   * Writes out what was given. @returns false when the client is slow: wait for the socket's
   * `drain`
   */
  flush(): boolean {
    return this.#out.flush();
  }
}

/** Reason phrases of our own responses (RFC 9110 §15). */
const REASONS: ReadonlyMap<number, string> = new Map([
  [200, 'OK'],
  [204, 'No Content'],
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
