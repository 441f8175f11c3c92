import { ownText, Recent } from './recent.ts';

/**
 * Field names, interned.
 *
 * A connection sends the same dozen names over and over. Each spelling is checked and lower-cased
 * once; afterwards a look-up by the received text gives the same object, which also holds what the
 * room that forwards has made of the name. The table is bounded, and forgets what is not in use:
 * names that strangers make up cost their own requests and nobody else's.
 */
export interface FieldName {
  /** As received. */
  readonly text: string;
  readonly lower: string;
  /** What the wire itself must do with the field. */
  readonly framing: FramingField;
  /**
   * What happens to the field on its way through the gate: worked out by `forwarding/` at the first
   * time and kept here; 0 = not yet.
   */
  fate: number;
  /** The same of a field behind the content of a message (trailers.ts). */
  trailerFate: number;
}

/** The fields that decide how a message is read. */
export const FRAMING_FIELD = {
  none: 0,
  host: 1,
  authorization: 2,
  contentLength: 3,
  transferEncoding: 4,
  connection: 5,
  expect: 6,
  userAgent: 7,
  upgrade: 8,
  te: 9,
} as const;
export type FramingField = (typeof FRAMING_FIELD)[keyof typeof FRAMING_FIELD];

const FRAMING_FIELDS: ReadonlyMap<string, FramingField> = new Map<string, FramingField>([
  ['host', FRAMING_FIELD.host],
  ['authorization', FRAMING_FIELD.authorization],
  ['content-length', FRAMING_FIELD.contentLength],
  ['transfer-encoding', FRAMING_FIELD.transferEncoding],
  ['connection', FRAMING_FIELD.connection],
  ['expect', FRAMING_FIELD.expect],
  ['user-agent', FRAMING_FIELD.userAgent],
  ['upgrade', FRAMING_FIELD.upgrade],
  ['te', FRAMING_FIELD.te],
]);

/** Spellings in one generation; two are held. */
const INTERNED = 1024;
/** A power of two. What collides is looked up. */
const NEAREST = 512;
/** Longer names than any client sends are served, too, and not kept. */
const MAX_INTERNED_LENGTH = 64;

/**
 * Requests: stricter than RFC 9110 §5.6.2 `token`. Upstreams that speak CGI, WSGI or Rack fold
 * every other character to the same variable name (`X_Account_Id` becomes `X-Account-Id`), so only
 * names that cannot be folded into another one are let in.
 */
const REQUEST_NAME = /^[A-Za-z0-9-]+$/;
/** Responses come from our own upstreams and go to the client as they are: the RFC's `token`. */
const RESPONSE_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

export class FieldNameTable {
  readonly #known = new Recent<FieldName>(INTERNED);
  /** The name that was last met with a length and two letters: most often the one that is meant. */
  readonly #nearest: (FieldName | undefined)[] = new Array(NEAREST).fill(undefined);
  readonly #grammar: RegExp;

  constructor(grammar: RegExp) {
    this.#grammar = grammar;
  }

  /** The name for a received text, or null when the text is no field name. */
  get(text: string): FieldName | null {
    return this.#known.get(text) ?? this.#learn(text);
  }

  /**
   * The name that stands in a head from `from` to `to`. One that is met again is recognised where
   * it stands: no text is cut out, and none is looked up.
   */
  at(head: string, from: number, to: number): FieldName | null {
    const slot =
      ((to - from) * 29 + head.charCodeAt(from) * 7 + head.charCodeAt(to - 1)) & (NEAREST - 1);
    const nearest = this.#nearest[slot];
    if (nearest?.text.length === to - from && head.startsWith(nearest.text, from)) return nearest;
    const name = this.get(head.slice(from, to));
    if (name !== null && name.text.length <= MAX_INTERNED_LENGTH) this.#nearest[slot] = name;
    return name;
  }

  #learn(text: string): FieldName | null {
    if (!this.#grammar.test(text)) return null;
    const lower = text.toLowerCase();
    const framing = FRAMING_FIELDS.get(lower) ?? FRAMING_FIELD.none;
    if (text.length > MAX_INTERNED_LENGTH) return { text, lower, framing, fate: 0, trailerFate: 0 };
    const own = ownText(text);
    const name: FieldName = { text: own, lower, framing, fate: 0, trailerFate: 0 };
    this.#known.set(own, name);
    return name;
  }
}

export const requestFieldNames = new FieldNameTable(REQUEST_NAME);
export const responseFieldNames = new FieldNameTable(RESPONSE_NAME);
