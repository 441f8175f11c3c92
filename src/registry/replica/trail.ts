import type { Position } from '../position.ts';

/** Positions whose tip is remembered: more than any look-up can be behind. */
const TIPS_KEPT = 256;

/**
 * The way of a reader through a registry's changes: where it stands, and by which changes it came
 * there lately. It outlives what was learned on the way.
 */
export class Trail {
  #position: Position;
  readonly #tips = new Map<number, string>();

  constructor(begin: Position) {
    this.#position = begin;
    this.goTo(begin);
  }

  get position(): Position {
    return this.#position;
  }

  goTo(position: Position): void {
    const { seq, tip } = position;
    this.#position = position;
    if (tip === undefined) return;
    this.#tips.set(seq, tip);
    this.#tips.delete(seq - TIPS_KEPT);
  }

  /**
   * The tip at a position that was passed lately; undefined when it is not known any more, or never
   * was.
   */
  tipAt(seq: number): string | undefined {
    return this.#tips.get(seq);
  }

  /**
   * Whether the way leads through `there`. The number alone does not say so, as another history
   * uses the same ones. False when it is too long ago to tell.
   */
  passed(there: Position): boolean {
    return (
      there.epoch === this.#position.epoch &&
      there.tip !== undefined &&
      this.#tips.get(there.seq) === there.tip
    );
  }
}
