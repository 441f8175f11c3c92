import { createHash, type Hash } from 'node:crypto';

/** What the first event of an instance carries that adopts no other's chain. */
export const NO_CHAIN = 'A'.repeat(43);

/** An event carries the chain once so many have passed since the last that did. */
const LINK_EVERY = 64;

/**
 * The chain of one instance's events. Now and then an event carries the SHA-256 of all lines of its
 * instance from the last event that carried one up to itself; that one's own value is in its line,
 * so each stands for all that came before.
 *
 * Batches are hashed as a whole, and events carry the value rarely: one hash for each event would
 * cost more than writing it does (docs/decisions/071).
 */
export class ChainHash {
  #hash: Hash = createHash('sha256');
  /** Hashed since the last event that carries the chain. */
  #events = 0;
  #value: string | null;

  /** @param begin what the very first event carries */
  constructor(begin: string) {
    this.#value = begin;
  }

  /** Whole lines, in the order of their numbers. */
  add(lines: Uint8Array, events: number): void {
    if (events === 0) return;
    this.#hash.update(lines);
    this.#events += events;
  }

  /** What the next event is to carry; null: nothing yet. */
  due(): string | null {
    return this.#value !== null || this.#events >= LINK_EVERY ? this.value() : null;
  }

  /** What the next event would carry. It must, before anything else is added. */
  value(): string {
    this.#value ??= this.#hash.digest('base64url');
    return this.#value;
  }

  /** An event has been written that carries `value()`. */
  linked(): void {
    this.#value = null;
    this.#hash = createHash('sha256');
    this.#events = 0;
  }
}
