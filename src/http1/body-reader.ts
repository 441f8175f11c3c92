import { requestFieldNames, responseFieldNames } from '../http/field-names.ts';
import type { Trailers } from '../http/trailers.ts';
import { isControl, isTokenByte } from './bytes.ts';
import { TrailerReader } from './trailer-reader.ts';

/**
 * Finds the end of a message body in a stream of pieces (RFC 9112 §6, §7) and gives out its
 * content, without the framing it came in: chunk sizes and extensions of a sender never travel
 * further than here. Fields behind a chunked body are kept beside it (`trailers`).
 *
 * ```
 *   length:   ──bytes──▶ done
 *   close:    ──bytes──▶ (until the sender closes; `finish` says so)
 *   chunked:  size [; extension …] CR ─▶ size-lf ─▶ data ─▶ data-cr ─▶ data-lf ─▶ size …
 *             size 0 … size-lf ─▶ trailer lines (trailer-reader.ts) ─▶ empty line ─▶ done
 *   extension: name [= value | = "quoted"], again after each `;`
 *   From upstreams, white space may stand behind the size and around the parts of an extension.
 * ```
 */
export type BodyState = 'more' | 'done' | 'broken';

export interface BodySink {
  /** Content bytes, in order; valid only during the call unless copied or written. */
  onBody(content: Buffer): void;
}

const CR = 13;
const LF = 10;
const TAB = 9;
const SPACE = 32;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

const STEP = {
  size: 0,
  sizeLf: 1,
  data: 2,
  dataCr: 3,
  dataLf: 4,
  extensionName: 5,
  extensionValue: 6,
  extensionQuoted: 7,
  extensionEnd: 8,
  trailerStart: 9,
  endLf: 10,
  extensionNameEnd: 11,
} as const;

/** Hex digits of one chunk size: up to 2^48 bytes, an exact integer. */
const MAX_SIZE_DIGITS = 12;
/** All chunk extensions of one body together. Nobody needs any. */
const MAX_EXTENSION_BYTES = 4096;
/** All its trailers together, where nobody says how many they may be. */
const MAX_TRAILER_BYTES = 8192;

export class BodyReader {
  readonly #kind: 'length' | 'chunked' | 'close';
  /** White space in the line of a chunk's size is passed over. */
  readonly #takesBlanks: boolean;
  /** Content bytes still to come in this body (`length`) or in this chunk (`chunked`). */
  #remaining: number;
  #step: number = STEP.size;
  #sizeDigits = 0;
  /** Characters of the extension name or value being read: neither may be empty. */
  #wordLength = 0;
  #extensionBytes = 0;
  readonly #maxTrailerBytes: number;
  #trailers: TrailerReader | null = null;
  #state: BodyState = 'more';
  /** Content bytes given out so far. */
  contentBytes = 0;

  private constructor(
    kind: 'length' | 'chunked' | 'close',
    remaining: number,
    takesBlanks = false,
    maxTrailerBytes = MAX_TRAILER_BYTES,
  ) {
    this.#kind = kind;
    this.#takesBlanks = takesBlanks;
    this.#maxTrailerBytes = maxTrailerBytes;
    this.#remaining = remaining;
  }

  static ofLength(bytes: number): BodyReader {
    const reader = new BodyReader('length', bytes);
    if (bytes === 0) reader.#state = 'done';
    return reader;
  }

  /**
   * @param manners `blanks`: what upstreams pad the line of a chunk's size with is passed over
   * (`BWS`, RFC 9112 §7.1.1, and the older habit of spaces behind the size); `strict`, for
   * requests: it is broken, because not everybody reads it in the same way
   * @param trailerBytes all fields behind the body together
   */
  static chunked(manners: 'strict' | 'blanks' = 'strict', trailerBytes?: number): BodyReader {
    return new BodyReader('chunked', 0, manners === 'blanks', trailerBytes);
  }

  /** A response that ends when its connection does (RFC 9112 §6.3, rule 8). */
  static untilClose(): BodyReader {
    return new BodyReader('close', 0);
  }

  get state(): BodyState {
    return this.#state;
  }

  /** The fields behind the body, once it is done; null: none came. */
  get trailers(): Trailers | null {
    return this.#trailers;
  }

  /** Whether the end of the connection is a proper end of this body. */
  get endsWithConnection(): boolean {
    return this.#kind === 'close';
  }

  /**
   * Reads a piece and hands its content to the sink.
   *
   * @returns how many bytes of the piece belonged to this body; less than all of them only when the
   * body is done or broken
   */
  read(piece: Buffer, sink: BodySink): number {
    if (this.#state !== 'more') return 0;
    if (this.#kind === 'chunked') return this.#readChunked(piece, sink);
    const take = this.#kind === 'close' ? piece.length : Math.min(piece.length, this.#remaining);
    this.#give(take === piece.length ? piece : piece.subarray(0, take), sink);
    if (this.#kind === 'length') {
      this.#remaining -= take;
      if (this.#remaining === 0) this.#state = 'done';
    }
    return take;
  }

  #give(content: Buffer, sink: BodySink): void {
    if (content.length === 0) return;
    this.contentBytes += content.length;
    sink.onBody(content);
  }

  #readChunked(piece: Buffer, sink: BodySink): number {
    let at = 0;
    while (at < piece.length && this.#state === 'more') {
      if (this.#step === STEP.data) {
        const take = Math.min(piece.length - at, this.#remaining);
        this.#give(piece.subarray(at, at + take), sink);
        this.#remaining -= take;
        at += take;
        if (this.#remaining === 0) this.#step = STEP.dataCr;
      } else {
        this.#framingByte(piece[at]!);
        at += 1;
      }
    }
    return at;
  }

  /** One byte that is framing, not content. */
  #framingByte(byte: number): void {
    switch (this.#step) {
      case STEP.size:
        this.#sizeByte(byte);
        break;
      case STEP.sizeLf:
        this.#expect(byte, LF, this.#remaining === 0 ? STEP.trailerStart : STEP.data);
        break;
      case STEP.dataCr:
        this.#expect(byte, CR, STEP.dataLf);
        break;
      case STEP.dataLf:
        this.#sizeDigits = 0;
        this.#expect(byte, LF, STEP.size);
        break;
      case STEP.endLf:
        this.#state = byte === LF ? 'done' : 'broken';
        break;
      case STEP.extensionName:
      case STEP.extensionValue:
      case STEP.extensionQuoted:
      case STEP.extensionEnd:
      case STEP.extensionNameEnd:
        this.#extensionByte(byte);
        break;
      default:
        this.#trailerByte(byte);
        break;
    }
  }

  #expect(byte: number, wanted: number, next: number): void {
    if (byte === wanted) this.#step = next;
    else this.#state = 'broken';
  }

  /** `chunk-size = 1*HEXDIG`: digits only, no sign, no white space, no `0x`. */
  #sizeByte(byte: number): void {
    const digit = hexValue(byte);
    if (digit !== -1) {
      this.#remaining = this.#remaining * 16 + digit;
      this.#sizeDigits += 1;
      if (this.#sizeDigits > MAX_SIZE_DIGITS) this.#state = 'broken';
    } else if (this.#sizeDigits === 0) {
      this.#state = 'broken';
    } else {
      this.#afterWord(byte);
    }
  }

  /**
   * What may follow a chunk size or a complete extension: the end of the line, or another
   * extension.
   */
  #afterWord(byte: number): void {
    this.#wordLength = 0;
    if (byte === CR) this.#step = STEP.sizeLf;
    else if (byte === SEMICOLON) this.#step = STEP.extensionName;
    else if (this.#isBlank(byte)) this.#step = STEP.extensionEnd;
    else this.#state = 'broken';
  }

  #isBlank(byte: number): boolean {
    return this.#takesBlanks && (byte === SPACE || byte === TAB);
  }

  /** RFC 9112 §7.1.1: extensions are checked, ignored, and bounded in their total. */
  #extensionByte(byte: number): void {
    this.#extensionBytes += 1;
    if (this.#extensionBytes > MAX_EXTENSION_BYTES) {
      this.#state = 'broken';
    } else if (this.#step === STEP.extensionQuoted) {
      if (byte === QUOTE) this.#step = STEP.extensionEnd;
      else if (isControl(byte) || byte === BACKSLASH || byte > 126) this.#state = 'broken';
    } else if (this.#step === STEP.extensionEnd) {
      this.#afterWord(byte);
    } else if (this.#step === STEP.extensionNameEnd) {
      if (byte === EQUALS) this.#beginValue();
      else if (!this.#isBlank(byte)) this.#afterWord(byte);
    } else if (isTokenByte(byte)) {
      this.#wordLength += 1;
    } else if (this.#step === STEP.extensionValue && this.#wordLength === 0 && byte === QUOTE) {
      this.#step = STEP.extensionQuoted;
    } else if (this.#wordLength === 0) {
      // Before a name or a value: passed over, the step stays.
      if (!this.#isBlank(byte)) this.#state = 'broken';
    } else if (this.#step === STEP.extensionName && byte === EQUALS) {
      this.#beginValue();
    } else if (this.#step === STEP.extensionName && this.#isBlank(byte)) {
      this.#step = STEP.extensionNameEnd;
    } else {
      this.#afterWord(byte);
    }
  }

  #beginValue(): void {
    this.#wordLength = 0;
    this.#step = STEP.extensionValue;
  }

  /** RFC 9112 §7.1.2. Nearly always the empty line comes at once. */
  #trailerByte(byte: number): void {
    if (this.#trailers === null && byte === CR) {
      this.#step = STEP.endLf;
      return;
    }
    const grammar = this.#takesBlanks ? responseFieldNames : requestFieldNames;
    this.#trailers ??= new TrailerReader(grammar, this.#maxTrailerBytes);
    this.#state = this.#trailers.push(byte);
  }
}

function hexValue(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
