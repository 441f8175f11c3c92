import type { Socket } from 'node:net';
import type { Fields } from '../http/fields.ts';
import type { OutgoingRequest } from '../http/outgoing.ts';
import { Gather } from '../http1/gather.ts';
import { CHUNK_END, chunkStart, lastChunk, requestHead } from '../http1/head-writer.ts';

/** The requests of one connection, one after the other, gathered until they are flushed. */
export class RequestWriter {
  readonly #out: Gather;
  #sendsChunks = false;

  constructor(socket: Socket) {
    this.#out = new Gather(socket);
  }

  begin(request: OutgoingRequest): void {
    this.#sendsChunks = request.framing.kind === 'chunked';
    this.#out.text(requestHead(request));
  }

  /** Content of its body, framed as its head says. */
  content(bytes: Buffer): void {
    if (this.#sendsChunks) this.#out.text(chunkStart(bytes.length));
    this.#out.bytes(bytes);
    if (this.#sendsChunks) this.#out.text(CHUNK_END);
  }

  /**
   * The request is complete.
   *
   * @param trailers fields behind its content, dropped where the framing has no place for them
   */
  end(trailers: Fields | null): void {
    if (this.#sendsChunks) this.#out.text(lastChunk(trailers));
  }

  /** @returns false when the upstream is slower than the client: wait for `drain` */
  flush(): boolean {
    return this.#out.flush();
  }
}
