/** The words of one JSON text (RFC 8259), from the front, as strictly as its grammar is written. */

export type JsonFault = 'json' | 'depth' | 'duplicate' | 'escaped';

/** The text is none that is taken. Never leaves this room. */
export class JsonRefused extends Error {
  readonly fault: JsonFault;

  constructor(fault: JsonFault) {
    super(fault);
    this.fault = fault;
  }
}

const SPACE = { blank: 32, tab: 9, lineFeed: 10, carriageReturn: 13 } as const;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a string must not hold unescaped
const PLAIN_CHARACTERS = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const HEX = /^[0-9A-Fa-f]{4}$/;
const LITERALS = ['true', 'false', 'null'] as const;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

export class JsonScanner {
  readonly #text: string;
  #at = 0;
  /** Whether the string read last was written with an escape. */
  escaped = false;

  constructor(text: string) {
    this.#text = text;
  }

  /** The next character that is no white space; the empty string at the end. */
  peek(): string {
    let code = this.#text.charCodeAt(this.#at);
    while (
      code === SPACE.blank ||
      code === SPACE.lineFeed ||
      code === SPACE.carriageReturn ||
      code === SPACE.tab
    ) {
      this.#at += 1;
      code = this.#text.charCodeAt(this.#at);
    }
    return this.#text.charAt(this.#at);
  }

  /** Takes the next character if it is this one. */
  takes(character: string): boolean {
    if (this.peek() !== character) return false;
    this.#at += 1;
    return true;
  }

  expect(character: string): void {
    if (!this.takes(character)) throw new JsonRefused('json');
  }

  /** `true`, `false`, `null` or a number, of any size: passed over. */
  scalar(): void {
    this.peek();
    const literal = LITERALS.find((word) => this.#text.startsWith(word, this.#at));
    if (literal !== undefined) this.#at += literal.length;
    else if (this.#skip(NUMBER) === 0) throw new JsonRefused('json');
  }

  /** A string, without quotes and escapes. */
  string(): string {
    this.expect('"');
    this.escaped = false;
    let text = '';
    for (;;) {
      const start = this.#at;
      this.#skip(PLAIN_CHARACTERS);
      text += this.#text.slice(start, this.#at);
      const character = this.#text.charAt(this.#at);
      this.#at += 1;
      if (character === '"') break;
      if (character !== '\\') throw new JsonRefused('json');
      this.escaped = true;
      text += this.#escape();
    }
    // Half a character has no encoding: readers drop it, replace it, or fail.
    if (this.escaped && !text.isWellFormed()) throw new JsonRefused('json');
    return text;
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#at);
    this.#at += 1;
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at, this.#at + 4);
      if (!HEX.test(digits)) throw new JsonRefused('json');
      this.#at += 4;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = Object.hasOwn(ESCAPES, letter) ? ESCAPES[letter] : undefined;
    if (character === undefined) throw new JsonRefused('json');
    return character;
  }

  /** @returns how many characters it passed over */
  #skip(pattern: RegExp): number {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return 0;
    const length = pattern.lastIndex - this.#at;
    this.#at = pattern.lastIndex;
    return length;
  }
}
