import { hash } from 'node:crypto';

/** So many of an instance's newest events are remembered by 32 bits each. */
const REMEMBERED = 16_384;

/** Tells a second copy of an event from another event that claims its number. */
export class Fingerprints {
  #prints: Uint32Array | null = null;
  #newest = 0;

  add(seq: number, text: string): void {
    this.#prints ??= new Uint32Array(REMEMBERED);
    this.#prints[seq % REMEMBERED] = printOf(text);
    this.#newest = Math.max(this.#newest, seq);
  }

  /** Null: it is too long ago. */
  isCopy(seq: number, text: string): boolean | null {
    if (this.#prints === null || seq > this.#newest || seq <= this.#newest - REMEMBERED)
      return null;
    return this.#prints[seq % REMEMBERED] === printOf(text);
  }

  forget(): void {
    this.#prints = null;
  }
}

function printOf(text: string): number {
  return hash('sha1', text, 'buffer').readUInt32LE(0);
}
