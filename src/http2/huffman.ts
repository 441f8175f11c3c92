/**
 * The Huffman code of HPACK (RFC 7541 §5.2, Appendix B). It is canonical: the lengths of its codes
 * say everything.
 */

/** Bits of the code of each byte, and of the end of a string, in base 36. */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq' +
  'u';
const END = 256;
const LONGEST = 30;

/** What is left of a code is at most so long, and all ones, where a string ends. */
const MAX_PADDING = 7;

/**
 * A decoder that takes half a byte at a time: from each inner node of the tree, by the next four
 * bits, to another one. Each entry is `node << 9 | emits << 8 | byte`; FAILED where the end of a
 * string stands within one.
 */
const FAILED = 0xffff_ffff;
const steps: Uint32Array = new Uint32Array(256 * 16);
/** Nodes at which a string may end. */
const accepts: Uint8Array = new Uint8Array(256);

function build(): void {
  // Children by node: below 0 a leaf (-1 - symbol), otherwise an inner node.
  const children: [number, number][] = [[0, 0]];
  let code = 0;
  for (let bits = 1; bits <= LONGEST; bits += 1) {
    code *= 2;
    for (let symbol = 0; symbol <= END; symbol += 1) {
      if (Number.parseInt(LENGTHS[symbol]!, 36) !== bits) continue;
      plant(children, code, bits, symbol);
      code += 1;
    }
  }
  for (let node = 0; node < children.length; node += 1)
    for (let half = 0; half < 16; half += 1)
      steps[node * 16 + half] = stepFrom(children, node, half);
  for (let node = 0, ones = 0; ones <= MAX_PADDING; ones += 1) {
    accepts[node] = 1;
    node = children[node]![1];
  }
}

function plant(children: [number, number][], code: number, bits: number, symbol: number): void {
  let node = 0;
  for (let bit = bits - 1; bit > 0; bit -= 1) {
    const side = (code >>> bit) & 1;
    if (children[node]![side] === 0) {
      children.push([0, 0]);
      children[node]![side] = children.length - 1;
    }
    node = children[node]![side]!;
  }
  children[node]![code & 1] = -1 - symbol;
}

function stepFrom(children: readonly [number, number][], from: number, half: number): number {
  let node = from;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    const next = children[node]![(half >>> bit) & 1]!;
    if (next >= 0) {
      node = next;
    } else {
      if (-1 - next === END) return FAILED;
      emitted = 256 | (-1 - next);
      node = 0;
    }
  }
  return (node << 9) | emitted;
}

build();

/** Of a string of so many bytes at most eight fifths come out: the shortest code has five bits. */
let room: Buffer = Buffer.allocUnsafeSlow(1024);

/** @returns the text, one character for each byte; null when it is not valid */
export function decodeHuffman(bytes: Buffer, from: number, to: number): string | null {
  if ((to - from) * 2 > room.length) room = Buffer.allocUnsafeSlow((to - from) * 2);
  let node = 0;
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at]!;
    let step = steps[node * 16 + (byte >>> 4)]!;
    if (step === FAILED) return null;
    if ((step & 256) !== 0) room[length++] = step & 255;
    step = steps[(step >>> 9) * 16 + (byte & 15)]!;
    if (step === FAILED) return null;
    if ((step & 256) !== 0) room[length++] = step & 255;
    node = step >>> 9;
  }
  return accepts[node] === 1 ? room.toString('latin1', 0, length) : null;
}
