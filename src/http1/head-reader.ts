import type { HeadDetail } from './head-detail.ts';

/** Why bytes can become no head. Null: they do not begin as every head of theirs does. */
type HopelessDetail = Extract<
  HeadDetail,
  'control character in the head' | 'line not ended by CRLF'
> | null;

/**
 * Collects the bytes of one head, request's or response's, until the empty line that ends it.
 *
 * Nearly always a head arrives in one piece, and then nothing is copied but into the string that is
 * parsed. Pieces are joined only while a head is incomplete, never beyond `limitBytes`.
 */
export type HeadResult =
  /** `rest`: what followed the head in the same piece. */
  | { readonly state: 'complete'; readonly text: string; readonly rest: Buffer | null }
  | { readonly state: 'incomplete' }
  /** No head within the limit. `inFirstLine`: not even its first line ended. */
  | { readonly state: 'too-large'; readonly inFirstLine: boolean }
  /**
   * What came so far can never become a head: better said now than when the time for the head is
   * over.
   */
  | { readonly state: 'hopeless'; readonly detail: HopelessDetail };

/**
 * Nearly every head is shorter. Looked at first, so that the body behind it is no text for nothing.
 */
const USUAL_BYTES = 1024;
const INCOMPLETE: HeadResult = { state: 'incomplete' };
const END = '\r\n\r\n';
const CR = 13;
const LF = 10;

/**
 * Bytes that can stand in no head, and line ends that are not CRLF. A CR at the very end may still
 * get its LF.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const IMPOSSIBLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?:^|[^\r])\n/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/;

export class HeadReader {
  readonly #limitBytes: number;
  readonly #forgivesEmptyLine: boolean;
  readonly #start: string;
  #pending: Buffer | null = null;
  /**
   * How much of what is pending has been searched: a head that comes byte by byte costs no more
   * than one that comes at once.
   */
  #searched = 0;
  #emptyLineSeen = false;

  /**
   * @param forgivesEmptyLine one empty line before the first line is passed over (RFC 9112 §2.2:
   * old clients end a POST with one)
   * @param start what every head begins with; empty when that can be anything
   */
  constructor(limitBytes: number, forgivesEmptyLine = true, start = '') {
    this.#limitBytes = limitBytes;
    this.#forgivesEmptyLine = forgivesEmptyLine;
    this.#start = start;
  }

  /** Whether a head has begun: bytes are waiting for the rest of it. */
  get begun(): boolean {
    return this.#pending !== null;
  }

  push(chunk: Buffer): HeadResult {
    let bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    // One, however the bytes are cut: a second one is the first line of the head, and no valid one.
    if (bytes[0] === CR && bytes[1] === LF && this.#forgivesEmptyLine && !this.#emptyLineSeen) {
      bytes = bytes.subarray(2);
      this.#emptyLineSeen = true;
      this.#searched = 0;
    }
    const limit = Math.min(bytes.length, this.#limitBytes);
    const from = this.#searchFrom(bytes);
    const usual = Math.min(limit, from + USUAL_BYTES);
    let text = bytes.toString('latin1', from, usual);
    let end = text.indexOf(END);
    if (end === -1 && usual < limit) {
      text = bytes.toString('latin1', from, limit);
      end = text.indexOf(END);
    }
    if (end !== -1) {
      const next = from + end + END.length;
      this.#forget();
      const head = from === 0 ? text.slice(0, end + 2) : bytes.toString('latin1', 0, next - 2);
      return {
        state: 'complete',
        text: head,
        rest: next < bytes.length ? bytes.subarray(next) : null,
      };
    }
    if (IMPOSSIBLE.test(text)) return { state: 'hopeless', detail: hopelessDetail(text) };
    if (from === 0 && !this.#mayBegin(text)) return { state: 'hopeless', detail: null };
    if (bytes.length >= this.#limitBytes)
      return { state: 'too-large', inFirstLine: !bytes.subarray(0, limit).includes(LF) };
    this.#pending = bytes.length === 0 ? null : bytes;
    this.#searched = limit;
    return INCOMPLETE;
  }

  #mayBegin(text: string): boolean {
    const { length } = this.#start;
    return text.length < length ? this.#start.startsWith(text) : text.startsWith(this.#start);
  }

  /**
   * Where the search goes on: before the last three bytes, which may begin the end, and never
   * between CR and LF.
   */
  #searchFrom(bytes: Buffer): number {
    const from = Math.max(0, this.#searched - 3);
    return from > 0 && bytes[from] === LF ? from - 1 : from;
  }

  #forget(): void {
    this.#pending = null;
    this.#searched = 0;
    this.#emptyLineSeen = false;
  }
}

function hopelessDetail(text: string): HopelessDetail {
  return CONTROL.test(text) ? 'control character in the head' : 'line not ended by CRLF';
}
