/**
 * What was worked out for texts that come again and again, in bounded memory.
 *
 * Two generations: what is new goes into the young one; when that is full it becomes the old one,
 * and what of the old one is not asked for in the meantime is forgotten. So strangers who fill it
 * push out what nobody uses, and what is in use costs one more look-up per generation, no more.
 *
 * Keys must not be slices of something large: they would keep it alive.
 */
export class Recent<Value> {
  readonly #generationSize: number;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  /** @param generationSize at most twice as many entries are held */
  constructor(generationSize: number) {
    this.#generationSize = generationSize;
  }

  get(key: string): Value | undefined {
    return this.#young.get(key) ?? this.#fromOld(key);
  }

  set(key: string, value: Value): void {
    if (this.#young.size >= this.#generationSize) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  #fromOld(key: string): Value | undefined {
    const value = this.#old.get(key);
    if (value !== undefined) {
      // Its own text, not the one that was asked with.
      this.#old.delete(key);
      this.set(ownText(key), value);
    }
    return value;
  }
}

/** A flat copy: a slice of a received head would keep the whole head alive. */
export function ownText(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
