import { inspect } from 'node:util';

const MASK = '[secret]';

/**
 * A string that must not be seen by accident: it prints as `[secret]` in JSON, templates, logs and
 * the debugger's inspect. Whoever needs the text says so with `reveal()`, which is easy to search
 * for.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  equals(other: Secret): boolean {
    return this.#text === other.#text;
  }

  toJSON(): string {
    return MASK;
  }

  toString(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }
}
