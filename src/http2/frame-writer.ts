import type { Socket } from 'node:net';
import { Gather } from '../http1/gather.ts';
import {
  ERROR,
  type ErrorCode,
  FLAG,
  FRAME,
  HEADER_BYTES,
  MAX_FRAME_BYTES,
  numbersFrame,
  putHeader,
} from './frames.ts';
import { NO_TABLE } from './hpack-encoder.ts';

/** So much is gathered for one write at most. */
const GATHERED_BYTES = 64 * 1024;
/** A client that lets replies pile up so high reads none of them. */
const UNREAD_BYTES = 512 * 1024;

/** Writes the frames of one connection, as many as there are at a time in one write. */
export class FrameWriter {
  readonly #socket: Socket;
  readonly #out: Gather;
  #gathered = 0;
  #blocked = false;
  #saidTable = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#out = new Gather(socket);
  }

  /** The socket takes no more for now. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** More waits to be read than an honest client leaves. */
  get piledUp(): boolean {
    return this.#socket.writableLength > UNREAD_BYTES;
  }

  /** The socket takes bytes again. */
  unblock(): void {
    this.#blocked = false;
  }

  frame(frame: Buffer): void {
    this.#out.bytes(frame);
    this.#gathered += frame.length;
    if (this.#gathered > GATHERED_BYTES) this.flush();
  }

  head(stream: number, section: Buffer, end: boolean): void {
    const block = this.#saidTable ? section : Buffer.concat([Buffer.of(NO_TABLE), section]);
    this.#saidTable = true;
    for (let from = 0; from === 0 || from < block.length; from += MAX_FRAME_BYTES) {
      const length = Math.min(MAX_FRAME_BYTES, block.length - from);
      const isLast = from + length === block.length;
      const flags = (isLast ? FLAG.endHeaders : 0) | (end && from === 0 ? FLAG.endStream : 0);
      const type = from === 0 ? FRAME.headers : FRAME.continuation;
      const frame = Buffer.allocUnsafe(HEADER_BYTES + length);
      putHeader(frame, 0, length, type, flags, stream);
      block.copy(frame, HEADER_BYTES, from, from + length);
      this.frame(frame);
    }
  }

  data(stream: number, content: Buffer, end: boolean): void {
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    putHeader(header, 0, content.length, FRAME.data, end ? FLAG.endStream : 0, stream);
    this.#out.bytes(header);
    if (content.length > 0) this.#out.bytes(content);
    this.#gathered += HEADER_BYTES + content.length;
    if (this.#gathered > GATHERED_BYTES) this.flush();
  }

  reset(stream: number, code: ErrorCode): void {
    this.frame(numbersFrame(FRAME.rstStream, 0, stream, code));
  }

  windowUpdate(stream: number, bytes: number): void {
    this.frame(numbersFrame(FRAME.windowUpdate, 0, stream, bytes));
  }

  goaway(last: number, code: ErrorCode = ERROR.none): void {
    this.frame(numbersFrame(FRAME.goaway, 0, 0, last, code));
  }

  /** @returns false when the socket takes no more for now: wait for its `drain` */
  flush(): boolean {
    if (this.#gathered > 0) {
      this.#gathered = 0;
      if (!this.#out.flush()) this.#blocked = true;
    }
    return !this.#blocked;
  }
}
