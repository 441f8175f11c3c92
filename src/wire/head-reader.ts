/**
 * Collects the bytes of one head, request's or response's, until the empty line that ends it.
 *
 * Nearly always a head arrives in one piece, and then nothing is copied but into the string that is parsed. Pieces are joined only while a head is
 * incomplete, never beyond `limitBytes`.
 */
export type HeadResult =
  /** `rest`: what followed the head in the same piece. */
  | { readonly state: 'complete'; readonly text: string; readonly rest: Buffer | null }
  | { readonly state: 'incomplete' }
  /** No head within the limit. `inFirstLine`: not even its first line ended. */
  | { readonly state: 'too-large'; readonly inFirstLine: boolean }
  /** What came so far can never become a head: better said now than when the time for the head is over. */
  | { readonly state: 'hopeless' };

const INCOMPLETE: HeadResult = { state: 'incomplete' };
const HOPELESS: HeadResult = { state: 'hopeless' };
const END = '\r\n\r\n';

/** Bytes that can stand in no head, and line ends that are not CRLF. A CR at the very end may still get its LF. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const IMPOSSIBLE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]|(?:^|[^\r])\n/;

export class HeadReader {
  readonly #limitBytes: number;
  #pending: Buffer | null = null;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** Whether a head has begun: bytes are waiting for the rest of it. */
  get begun(): boolean {
    return this.#pending !== null;
  }

  push(chunk: Buffer): HeadResult {
    let bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    // RFC 9112 §2.2: one empty line before a request line is forgiven (old clients end a POST with one).
    if (bytes[0] === 13 && bytes[1] === 10) bytes = bytes.subarray(2);
    const text = bytes.toString('latin1', 0, Math.min(bytes.length, this.#limitBytes));
    const end = text.indexOf(END);
    if (end !== -1) {
      this.#pending = null;
      const next = end + END.length;
      return { state: 'complete', text: text.slice(0, end + 2), rest: next < bytes.length ? bytes.subarray(next) : null };
    }
    if (IMPOSSIBLE.test(text)) return HOPELESS;
    if (bytes.length >= this.#limitBytes) return { state: 'too-large', inFirstLine: !text.includes('\n') };
    this.#pending = bytes.length === 0 ? null : bytes;
    return INCOMPLETE;
  }
}
