import type { OutgoingRequest } from '../http/outgoing.ts';
import type { ResponseHead } from '../http/response-head.ts';
import { ERROR, type ErrorCode } from './frames.ts';
import type { FieldSection } from './hpack-decoder.ts';
import { encodeRequest } from './hpack-encoder.ts';
import { readResponseHead, readResponseTrailers } from './response-head.ts';
import { Http2Stream, type StreamHandler, type StreamHost } from './stream.ts';

/** Whom a response is for: head+ content* end. */
export interface ResponseHandler extends StreamHandler {
  /** Interim heads, then the final one. Content follows once it is resumed. */
  onHead(head: ResponseHead): void;
  /** What came is no response; the stream has been reset. */
  onBroken(detail: string): void;
}

/** One stream, its client's side: a request goes, its response comes. */
export class ClientStream extends Http2Stream<ResponseHandler> {
  readonly #toHead: boolean;
  #headCame = false;

  /**
   * @param toHead the request is HEAD
   * @param receiveWindow and `sendWindow`: as of `Http2Stream`
   */
  constructor(
    id: number,
    host: StreamHost,
    toHead: boolean,
    receiveWindow: number,
    sendWindow: number,
  ) {
    super(id, host, receiveWindow, sendWindow);
    this.#toHead = toHead;
  }

  request(request: OutgoingRequest, scheme: 'http' | 'https'): void {
    this.section(encodeRequest(request, scheme));
  }

  /** @returns why it is no section of a response; null = it was handed on */
  received(section: FieldSection, endStream: boolean): string | null {
    if (this.#headCame) return this.#trailers(section, endStream);
    const head = readResponseHead(section, endStream, this.#toHead);
    if (typeof head === 'string') return head;
    if (head.status >= 200) {
      this.#headCame = true;
      this.opened(lengthOf(head), false);
    }
    this.handler!.onHead(head);
    if (endStream) this.endData();
    return null;
  }

  #trailers(section: FieldSection, endStream: boolean): string | null {
    const trailers = endStream ? readResponseTrailers(section) : null;
    if (trailers === null) return 'fields after the content are not valid';
    this.endData(trailers);
    return null;
  }

  /** What came is no response. */
  broken(detail: string): void {
    if (!this.close()) return;
    this.host.sendReset(this.id, ERROR.protocol);
    this.handler?.onBroken(detail);
  }

  override beginData(frameBytes: number, contentBytes: number, end: boolean): ErrorCode | null {
    return this.#headCame ? super.beginData(frameBytes, contentBytes, end) : ERROR.protocol;
  }

  protected onLocalEnd(): void {}

  /** The response is whole; what is left of the request, nobody needs. */
  protected onRemoteEnd(): void {
    const isWhole = this.localEnded;
    if (this.close() && !isWhole) this.sayReset(ERROR.cancel);
  }

  /**
   * RFC 9113 §8.1: a response that has come is one, though its stream, or the connection, has ended
   * since, and however long it is until somebody takes it.
   */
  override gone(code: number | null): void {
    if (this.holdsAll) this.leave();
    else super.gone(code);
  }
}

function lengthOf({ framing }: ResponseHead): number | null {
  if (framing.kind === 'length') return framing.bytes;
  return framing.kind === 'none' ? 0 : null;
}
