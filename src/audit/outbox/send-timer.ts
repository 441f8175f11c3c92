/**
 * When the next append begins: at the end of this turn of the loop, after some time, or not yet.
 */
export class SendTimer {
  readonly #send: () => void;
  #immediate: NodeJS.Immediate | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** The timer keeps two appends apart. */
  #isApart = false;

  constructor(send: () => void) {
    this.#send = send;
  }

  /** It begins at the end of this turn. */
  get isSoon(): boolean {
    return this.#immediate !== null;
  }

  /** It begins after some time. */
  get isLater(): boolean {
    return this.#timer !== null;
  }

  soon(): void {
    this.cancel();
    this.#immediate = setImmediate(() => {
      this.#immediate = null;
      this.#send();
    });
  }

  /** When it is far enough from the last one, or with the first who waits after that. */
  apart(restMs: number): void {
    if (this.#isApart) return;
    this.cancel();
    this.#isApart = true;
    this.later(restMs);
  }

  /** Where none is set. */
  later(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#isApart = false;
      this.#send();
    }, ms);
  }

  cancel(): void {
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#immediate = null;
    this.#timer = null;
    this.#isApart = false;
  }
}
