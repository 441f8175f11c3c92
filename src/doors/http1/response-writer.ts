import type { Socket } from 'node:net';
import type { OwnAnswer } from '../../calls/own-response.ts';
import { declaredLength, interimFields } from '../../forwarding/response-fields.ts';
import type { RequestHead } from '../../http/request-head.ts';
import type { ResponseHead } from '../../http/response-head.ts';
import { Gather } from '../../http1/gather.ts';

/**
 * Writes answers to one client connection in HTTP/1.1 framing (RFC 9112 §6), one answer after the
 * other. The framing is always ours: what the upstream said about the length of its message was
 * read by its own connection, and ends there.
 */
export class ResponseWriter {
  readonly #out: Gather;
  #head: RequestHead | null = null;
  #chunked = false;
  /**
   * Whether another request may follow on this connection; the answer's head says so when it must
   * not.
   */
  persistent = true;

  constructor(socket: Socket) {
    this.#out = new Gather(socket);
  }

  /**
   * What comes next answers this request. Null: what came could not be read as one. Not kept past
   * its answer: heads bear tokens, and connections idle for long.
   */
  begin(head: RequestHead | null, persistent: boolean): void {
    this.#head = head;
    this.persistent = persistent;
  }

  continue(): void {
    this.#out.text('HTTP/1.1 100 Continue\r\n\r\n');
    this.#out.flush();
  }

  /** In place of whatever was given and not flushed: the client has seen nothing of that. */
  answer(answer: OwnAnswer): void {
    this.#out.discard();
    // RFC 9110 §8.6: none with 204.
    const length =
      answer.status === 204 ? '' : `Content-Length: ${Buffer.byteLength(answer.body)}\r\n`;
    const body = this.#head?.method === 'HEAD' ? '' : answer.body;
    this.#out.text(
      `HTTP/1.1 ${answer.status} ${REASONS.get(answer.status) ?? ''}\r\n${answer.fields}${length}${this.#connectionField()}\r\n${body}`,
    );
    this.#head = null;
  }

  /** RFC 9110 §15.2: HTTP/1.0 knows no interim answers. */
  informational(head: ResponseHead): void {
    if (this.#head?.version === '1.1')
      this.#out.text(`HTTP/1.1 ${head.status} ${head.reason}\r\n${interimFields(head)}\r\n`);
  }

  /** @param fields field lines without framing */
  head(head: ResponseHead, fields: string): void {
    const framing = this.#framingField(head);
    this.#out.text(
      `HTTP/1.1 ${head.status} ${head.reason}\r\n${fields}${framing}${this.#connectionField()}\r\n`,
    );
  }

  #framingField(head: ResponseHead): string {
    this.#chunked = false;
    switch (head.framing.kind) {
      case 'length':
        return `Content-Length: ${head.framing.bytes}\r\n`;
      case 'none':
        return this.#lengthWithoutBody(head);
      default:
        if (this.#head!.version === '1.0') {
          this.persistent = false;
          return '';
        }
        this.#chunked = true;
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
    return this.persistent ? '' : 'Connection: close\r\n';
  }

  body(content: Buffer): void {
    if (this.#chunked) this.#out.text(`${content.length.toString(16)}\r\n`);
    this.#out.bytes(content);
    if (this.#chunked) this.#out.text('\r\n');
  }

  end(): void {
    if (this.#chunked) this.#out.text('0\r\n\r\n');
    this.#head = null;
  }

  /**
   * Writes out what was given. @returns false when the client is slow: wait for the socket's
   * `drain`
   */
  flush(): boolean {
    return this.#out.flush();
  }
}

/** Reason phrases of our own answers (RFC 9110 §15). */
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
