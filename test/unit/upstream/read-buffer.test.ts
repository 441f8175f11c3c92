import fc from 'fast-check';
import { expect, it } from 'vitest';
import { READ_BYTES, ReadBuffer } from '../../../src/upstream/read-buffer.ts';

it('gives out what each read brought, and never writes to it again', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 40_000 }), fc.constant(READ_BYTES)));
  fc.assert(
    fc.property(sizes, (reads) => {
      const buffer = new ReadBuffer();
      const taken = reads.map((bytes, index) => {
        expect(buffer.free.length).toBe(READ_BYTES);
        buffer.free.fill(index % 256, 0, bytes);
        return buffer.taken(bytes);
      });
      taken.forEach((chunk, index) => {
        expect(chunk.length).toBe(reads[index]);
        expect(chunk.every((byte) => byte === index % 256)).toBe(true);
      });
    }),
    { numRuns: 50 },
  );
});
