import type { Fields } from '../../http/fields.ts';
import type { OutgoingRequest } from '../../http/outgoing.ts';
import type { Upgrade } from '../../http/upgrade.ts';
import type { ClientStream } from '../../http2/client-stream.ts';

/** So much of a body is kept to be sent again where an upstream did not look at it. */
const KEPT_BYTES = 64 * 1024;

/**
 * The request of one exchange, as far as there is one: what is waiting for a stream, and what was
 * sent on one, as long as it may have to be sent on another.
 */
export class SentRequest {
  #request: OutgoingRequest | null = null;
  /** All content so far, until it is too much or nobody needs it again. */
  #kept: Buffer[] | null = [];
  #keptBytes = 0;
  #trailers: Fields | null = null;
  /** Some content was given. */
  hasContent = false;
  /** It is complete. */
  ended = false;

  begin(request: OutgoingRequest): void {
    this.#request = request;
  }

  get isHead(): boolean {
    return this.#request!.method === 'HEAD';
  }

  /** Another protocol that it asks for; null: none. */
  get upgrade(): Upgrade | null {
    return this.#request!.upgrade;
  }

  /** All of it that was sent is still here. */
  get isWhole(): boolean {
    return this.#kept !== null;
  }

  /** @param isSent a stream has been opened: it goes at once */
  content(bytes: Buffer, isSent: boolean): void {
    this.hasContent = true;
    if (this.#kept === null) return;
    this.#kept.push(bytes);
    this.#keptBytes += bytes.length;
    // What has not been sent yet is here alone.
    if (isSent) this.#forgetMuch();
  }

  /** @param trailers fields behind its content; null: none */
  end(trailers: Fields | null): void {
    this.ended = true;
    this.#trailers = trailers;
  }

  /** Sends all that there is of it. @returns whether the stream takes more */
  sendOn(stream: ClientStream, scheme: 'http' | 'https'): boolean {
    stream.request(this.#request!, scheme);
    for (const content of this.#kept!) stream.content(content);
    this.#forgetMuch();
    // What asks for a tunnel has its end where the tunnel has.
    if (!this.ended || this.upgrade !== null) return stream.flush();
    stream.end(this.#trailers);
    return true;
  }

  #forgetMuch(): void {
    if (this.#keptBytes > KEPT_BYTES) this.#kept = null;
  }

  /** It is not sent again. */
  forget(): void {
    this.#kept = null;
  }
}
