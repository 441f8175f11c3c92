/**
 * CRC-32 as zlib counts it (ISO 3309), four bytes at a time: for the 60 bytes of a token the way
 * into `node:zlib` takes longer than the sum.
 */
const POLYNOMIAL = 0xedb88320;

/** What a byte adds to a sum, with none, one, two and three bytes behind it. */
const [BEHIND_0, BEHIND_1, BEHIND_2, BEHIND_3] = tables();

/** Of no bytes yet. */
export const EMPTY_SUM = -1;

/** The sum with four bytes more; the first one is the lowest of `four`. */
export function withFour(sum: number, four: number): number {
  const mixed = sum ^ four;
  return (
    BEHIND_3[mixed & 255]! ^
    BEHIND_2[(mixed >>> 8) & 255]! ^
    BEHIND_1[(mixed >>> 16) & 255]! ^
    BEHIND_0[mixed >>> 24]!
  );
}

/** The checksum: a whole number of 32 bits. */
export function checksumOf(sum: number): number {
  return ~sum >>> 0;
}

function tables(): readonly [Int32Array, Int32Array, Int32Array, Int32Array] {
  const none = Int32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? POLYNOMIAL ^ (rest >>> 1) : rest >>> 1;
    return rest;
  });
  const oneMore = (table: Int32Array) => table.map((rest) => none[rest & 255]! ^ (rest >>> 8));
  const one = oneMore(none);
  const two = oneMore(one);
  return [none, one, two, oneMore(two)];
}
