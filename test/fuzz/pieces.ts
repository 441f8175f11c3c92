import type { Random } from './random.ts';

/** Bytes that mean something to a parser of HTTP/1.1, and some that only look as if. */
const TELLING = [
  0, 9, 10, 11, 12, 13, 32, 34, 35, 37, 43, 44, 45, 47, 48, 49, 58, 59, 61, 63, 92, 95, 127, 128,
  133, 160, 173, 255,
];
const MAX_EDITS = 3;

/** A few bytes changed, dropped, doubled, moved or put in. */
export function mutated(bytes: Buffer, random: Random): Buffer {
  let result = bytes;
  for (let edits = 1 + random.below(MAX_EDITS); edits > 0 && result.length > 0; edits -= 1)
    result = edited(result, random);
  return result;
}

function edited(bytes: Buffer, random: Random): Buffer {
  const at = random.below(bytes.length);
  const byte = random.chance(0.8) ? random.pick(TELLING) : random.below(256);
  switch (random.below(7)) {
    case 0:
      return spliced(bytes, at, at + 1, [byte]);
    case 1:
      return spliced(bytes, at, at, [byte]);
    case 2:
      return spliced(bytes, at, at + 1, []);
    case 3:
      return spliced(bytes, at, at + 1, [bytes[at]! ^ (1 << random.below(8))]);
    case 4: {
      const end = Math.min(bytes.length, at + 1 + random.below(12));
      return spliced(bytes, end, end, bytes.subarray(at, end)); // the same again
    }
    case 5:
      return spliced(bytes, at, Math.min(bytes.length, at + 1 + random.below(12)), []);
    default: {
      // Near a line end: that is where readings part.
      const lineEnd = bytes.indexOf(13, at);
      const where = lineEnd === -1 ? at : lineEnd + random.below(2);
      return spliced(
        bytes,
        where,
        Math.min(bytes.length, where + random.below(2)),
        random.chance(0.5) ? [byte] : [],
      );
    }
  }
}

function spliced(bytes: Buffer, from: number, to: number, put: ArrayLike<number>): Buffer {
  const result = Buffer.allocUnsafe(bytes.length - (to - from) + put.length);
  bytes.copy(result, 0, 0, from);
  result.set(put, from);
  bytes.copy(result, from + put.length, to);
  return result;
}

/** Up to six random places to cut. */
export function randomCuts(length: number, random: Random): number[] {
  return Array.from({ length: random.below(7) }, () => random.below(length + 1));
}

/** The bytes in pieces that end at these offsets. */
export function cutAt(bytes: Buffer, offsets: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const end of [...offsets, bytes.length].sort((a, b) => a - b)) {
    if (end <= from || end > bytes.length) continue;
    pieces.push(bytes.subarray(from, end));
    from = end;
  }
  return pieces;
}
