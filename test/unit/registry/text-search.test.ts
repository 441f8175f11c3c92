import { expect, it } from 'vitest';
import { TextSearch } from '../../../src/registry/listing/embedded/search.ts';
import { Random } from '../../fuzz/random.ts';

const LETTERS = ['a', 'a', 'b', '-', 'ß', '😀', ' '];

it('finds just the lines that hold a text, or begin with it, whatever its length', () => {
  const random = new Random(7);
  const word = (most: number) =>
    Array.from({ length: random.below(most + 1) }, () => random.pick(LETTERS)).join('');
  for (let round = 0; round < 300; round += 1) {
    const texts = new Map<number, string>();
    for (let n = random.below(30); n > 0; n -= 1) texts.set(random.below(1024), `${word(12)}a`);
    const lines = Buffer.from([...texts].map(([slot, text]) => `\n${place(slot)}${text}`).join(''));
    const needle = word(6);
    for (const isPrefix of [false, true]) {
      const bits = new Uint8Array(128);
      new TextSearch(needle, isPrefix).mark(lines, bits);
      const holds = (text: string) => (isPrefix ? text.startsWith(needle) : text.includes(needle));
      const expected = [...texts].filter(([, text]) => holds(text)).map(([slot]) => slot);
      expect([needle, isPrefix, slotsOf(bits)]).toEqual([
        ...[needle, isPrefix],
        expected.toSorted((one, other) => one - other),
      ]);
    }
  }
});

function place(slot: number): string {
  return String.fromCharCode(16 + (slot >> 8), 16 + ((slot >> 4) & 15), 16 + (slot & 15));
}

function slotsOf(bits: Uint8Array): number[] {
  return Array.from({ length: 1024 }, (_, slot) => slot).filter(
    (slot) => ((bits[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0,
  );
}
