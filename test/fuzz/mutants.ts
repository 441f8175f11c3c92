import type { Kind } from './fuzz.ts';

/** A fault that somebody could make in the HTTP/1.1 engine, as a change to its source. */
export interface Mutant {
  readonly name: string;
  readonly kind: Kind;
  /** In src. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a bare line feed ends a chunk size',
    kind: 'requests',
    file: 'http1/body-reader.ts',
    from: 'if (byte === CR) this.#step = STEP.sizeLf;\n    else if (byte === SEMICOLON)',
    to: 'if (byte === CR) this.#step = STEP.sizeLf;\n    else if (byte === LF) this.#expect(byte, LF, this.#remaining === 0 ? STEP.trailerStart : STEP.data);\n    else if (byte === SEMICOLON)',
  },
  {
    name: 'the second Content-Length is ignored',
    kind: 'requests',
    file: 'http/single-fields.ts',
    from: "if (seen.length !== null) return 'more than one Content-Length';",
    to: 'if (seen.length !== null) return null;',
  },
  {
    name: 'a chunk is one byte longer than it says',
    kind: 'requests',
    file: 'http1/body-reader.ts',
    from: 'this.#expect(byte, LF, this.#remaining === 0 ? STEP.trailerStart : STEP.data);',
    to: 'if (this.#remaining !== 0) this.#remaining += 1;\n        this.#expect(byte, LF, this.#remaining === 0 ? STEP.trailerStart : STEP.data);',
  },
  {
    name: 'Content-Length stands beside Transfer-Encoding',
    kind: 'requests',
    file: 'http1/request-parser.ts',
    from: "if (length !== null)\n      return fault('request-ambiguous', 'both Content-Length and Transfer-Encoding');",
    to: '',
  },
  {
    name: 'a tab in Transfer-Encoding is a blank like others',
    kind: 'requests',
    file: 'http1/request-parser.ts',
    from: "text.slice(colon, end).includes('\\t')",
    to: 'false',
  },
  {
    name: 'trailers may speak of framing',
    kind: 'requests',
    file: 'http1/trailer-reader.ts',
    from: "new Set(['content-length', 'transfer-encoding'])",
    to: 'new Set()',
  },
  {
    name: 'a head whose end is cut between two pieces is overlooked',
    kind: 'requests',
    file: 'http1/head-reader.ts',
    from: 'Math.max(0, this.#searched - 3)',
    to: 'Math.max(0, this.#searched - 1)',
  },
  {
    name: 'a connection with bytes after the answer is kept',
    kind: 'responses',
    file: 'upstream/response-reader.ts',
    from: ' && taken === chunk.length',
    to: '',
  },
  {
    name: 'the second Content-Length wins',
    kind: 'responses',
    file: 'http1/response-parser.ts',
    from: "if (length !== null) return 'more than one Content-Length';",
    to: '',
  },
  {
    name: '304 has the body that its fields speak of',
    kind: 'responses',
    file: 'http1/response-parser.ts',
    from: ' || status === 304) return NO_BODY;',
    to: ') return NO_BODY;',
  },
  {
    name: 'a connection is kept after an early answer',
    kind: 'responses',
    file: 'upstream/connection.ts',
    from: 'if (!this.#time.requestSent || this.#socket.writableLength > 0) this.#last = true;',
    to: '',
  },
  {
    name: 'HTTP/1.0 keeps connections without having said so',
    kind: 'responses',
    file: 'http1/response-parser.ts',
    from: "minor === '1' ? !options.includes('close') : options.includes('keep-alive')",
    to: "!options.includes('close')",
  },
  {
    name: 'a body that is cut short is whole',
    kind: 'responses',
    file: 'upstream/response-reader.ts',
    from: 'return this.#body?.endsWithConnection === true;',
    to: 'return this.#body !== null;',
  },
];
