/**
 * The places of a longest run of increasing numbers, in order: what stands outside of it has been
 * moved, or put there.
 */
export function increasingPlaces(numbers: readonly number[]): number[] {
  /** For each length, the place at which the best run of that length ends. */
  const ends: number[] = [];
  const before = new Int32Array(numbers.length);
  numbers.forEach((number, place) => {
    const length = firstNotBelow(ends, numbers, number);
    before[place] = length === 0 ? -1 : ends[length - 1]!;
    ends[length] = place;
  });
  const places: number[] = [];
  for (let place = ends.at(-1) ?? -1; place !== -1; place = before[place]!) places.push(place);
  return places.reverse();
}

function firstNotBelow(ends: readonly number[], numbers: readonly number[], number: number) {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[ends[middle]!]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}
