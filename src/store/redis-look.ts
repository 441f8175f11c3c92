export type Look = () => Promise<void>;

/** Whoever asks within this time of the last answer gets that one. */
const FRESH_MS = 100;

/** One look at a time for all who ask, and not more often than makes sense. */
export class SharedLook {
  readonly #look: Look;
  #underWay: Promise<void> | null = null;
  #endedMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** `look` must not throw. */
  constructor(look: Look) {
    this.#look = look;
  }

  now(): Promise<void> {
    if (this.#closed || performance.now() - this.#endedMs < FRESH_MS) return Promise.resolve();
    this.#underWay ??= this.#look().finally(() => {
      this.#underWay = null;
      this.#endedMs = performance.now();
    });
    return this.#underWay;
  }

  close(): void {
    this.#closed = true;
  }
}
