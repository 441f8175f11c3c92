/**
 * Field names, interned.
 *
 * A connection sends the same dozen names over and over. Each spelling is checked and lower-cased
 * once; afterwards a look-up by the received text gives the same object, whose small integer `id`
 * other rooms use as an index for what they know of the name (forwarding: removed or passed on).
 * The table is bounded: spellings past the bound are still served, only without the short cut (`id`
 * -1).
 */
export interface FieldName {
  /** As received. */
  readonly text: string;
  readonly lower: string;
  /** Index among the interned names, or -1. */
  readonly id: number;
  /** What the wire itself must do with the field. */
  readonly framing: FramingField;
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
]);

const MAX_INTERNED = 2048;
const MAX_INTERNED_LENGTH = 64;

/**
 * Requests: stricter than RFC 9110 §5.6.2 `token`. Upstreams that speak CGI, WSGI or Rack fold
 * every other character to the same variable name (`X_Account_Id` becomes `X-Account-Id`), so only
 * names that cannot be folded into another one are let in.
 */
const REQUEST_NAME = /^[A-Za-z0-9-]+$/;
/** Responses come from our own upstreams and go to the client as they are: the RFC's `token`. */
const RESPONSE_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;

class FieldNameTable {
  readonly #known = new Map<string, FieldName>();
  readonly #grammar: RegExp;

  constructor(grammar: RegExp) {
    this.#grammar = grammar;
  }

  /** The name for a received text, or null when the text is no field name. */
  get(text: string): FieldName | null {
    return this.#known.get(text) ?? this.#learn(text);
  }

  #learn(text: string): FieldName | null {
    if (!this.#grammar.test(text)) return null;
    const lower = text.toLowerCase();
    const intern = this.#known.size < MAX_INTERNED && text.length <= MAX_INTERNED_LENGTH;
    // Flattened copy: a slice of the received head would keep the whole head alive for as long as
    // the table lives.
    const own = Buffer.from(text, 'latin1').toString('latin1');
    const name: FieldName = {
      text: own,
      lower,
      id: intern ? this.#known.size : -1,
      framing: FRAMING_FIELDS.get(lower) ?? FRAMING_FIELD.none,
    };
    if (intern) this.#known.set(own, name);
    return name;
  }
}

export const requestFieldNames = new FieldNameTable(REQUEST_NAME);
export const responseFieldNames = new FieldNameTable(RESPONSE_NAME);
