import type { BodyWish } from '../decision/verdict.ts';
import type { Trailers } from '../http/trailers.ts';
import type { BodyBudget } from '../limits/body-budget.ts';

/** So much is taken for a body at first; then twice as much, as often as it is needed. */
const FIRST_BYTES = 4096;
const NOTHING = Buffer.alloc(0);

/**
 * A request's body that is kept as a whole, because the decision is made by it: byte for byte as it
 * came, from its first byte until an upstream has answered, and again for every further try.
 */
export class HeldBody {
  readonly #budget: Pick<BodyBudget, 'take' | 'give'>;
  /** Whose it is, its limit, and what was known of its request when it was asked for. */
  readonly wish: BodyWish;
  #room = NOTHING;
  #length = 0;
  /** Fields behind it, as received; null: none came. */
  trailers: Trailers | null = null;

  constructor(budget: Pick<BodyBudget, 'take' | 'give'>, wish: BodyWish) {
    this.#budget = budget;
    this.wish = wish;
  }

  /** What came so far. */
  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  /** Copies: what a connection reads is used again. @returns why not */
  push(content: Buffer): 'body-too-large' | 'overloaded' | null {
    const length = this.#length + content.length;
    if (length > this.wish.limitBytes) return 'body-too-large';
    if (length > this.#room.length && !this.#grow(length)) return 'overloaded';
    content.copy(this.#room, this.#length);
    this.#length = length;
    return null;
  }

  #grow(wanted: number): boolean {
    let size = Math.max(this.#room.length, FIRST_BYTES);
    while (size < wanted) size *= 2;
    size = Math.min(size, this.wish.limitBytes);
    if (!this.#budget.take(this.wish.account, size - this.#room.length)) return false;
    // Of its own: a slice of a pool would keep all of the pool.
    const room = Buffer.allocUnsafeSlow(size);
    this.bytes.copy(room);
    this.#room = room;
    return true;
  }

  /** Nobody needs it any more. What was given to a socket stays there until it is sent. */
  release(): void {
    if (this.#room.length > 0) this.#budget.give(this.wish.account, this.#room.length);
    this.#room = NOTHING;
    this.#length = 0;
  }
}
