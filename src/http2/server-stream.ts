import type { Fields } from '../http/fields.ts';
import { ERROR, type ErrorCode } from './frames.ts';
import { encodeResponse } from './hpack-encoder.ts';
import { Http2Stream } from './stream.ts';

/** One stream, its server's side: a request's content comes, a response goes. */
export class ServerStream extends Http2Stream {
  /** @param length of the content, for the field; null = it is not told */
  head(status: number, fields: Fields, length: string | null): void {
    this.section(encodeResponse(status, fields, length));
  }

  /**
   * What was given goes out as far as it may, and then the stream is reset: never a whole response.
   */
  resetAfterWords(code: ErrorCode): void {
    if (this.closed) return;
    this.sendSections();
    this.pump(Number.POSITIVE_INFINITY);
    this.reset(code);
  }

  /** What is left of the request, nobody reads (RFC 9113 §8.1). */
  protected onLocalEnd(): void {
    const isWhole = this.remoteEnded;
    if (!this.close()) return;
    if (!isWhole) this.host.sendReset(this.id, ERROR.none);
    this.handler?.onClosed();
  }

  protected onRemoteEnd(): void {}
}
