/**
 * What that part of the values were at most, read off a histogram: within its bucket a value is
 * taken to be where an even spread would put it. In the unit of the bounds; null without values.
 *
 * @param counts per bucket, and one more for what is above all bounds
 */
export function quantileOf(
  counts: readonly number[],
  bounds: readonly number[],
  part: number,
): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let left = part * all;
  for (const [index, count] of counts.entries()) {
    if (left > count || count === 0) {
      left -= count;
      continue;
    }
    const lower = index === 0 ? 0 : (bounds[index - 1] ?? 0);
    const upper = bounds[index] ?? lower;
    return lower + (upper - lower) * (left / count);
  }
  return bounds.at(-1) ?? 0;
}
