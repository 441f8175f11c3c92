/**
 * How much each may have so that all together stay within `most`: whoever has less keeps all of it,
 * and what is left is shared in equal parts among the others. `Infinity`: there is room for all.
 *
 * @param sizes are sorted
 * @param full whoever has this much would take more: as much as the others get is kept for it
 */
export function equalShare(
  sizes: Float64Array,
  most: number,
  full = Number.POSITIVE_INFINITY,
): number {
  sizes.sort();
  let left = most;
  for (const [at, size] of sizes.entries()) {
    const share = left / (sizes.length - at);
    if (size >= full || size > share) return Math.max(0, share);
    left -= size;
  }
  return Number.POSITIVE_INFINITY;
}
