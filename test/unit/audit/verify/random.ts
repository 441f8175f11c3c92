/** The same numbers for the same seed. */
export interface Random {
  /** From 0 up to, and without, `most`. */
  below(most: number): number;
}

export function seeded(seed: number): Random {
  let state = Math.imul(seed, 2654435761) >>> 0;
  return {
    below(most) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
    },
  };
}
