import fc from 'fast-check';
import { expect, it } from 'vitest';
import { bounded, isoTime, quoted } from '../../../src/audit/event/text.ts';

/**
 * Any UTF-16, halves of surrogate pairs and control characters included, and often a character
 * beyond the basic plane.
 */
const anyText = fc
  .array(
    fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0x1f300, max: 0x1f9ff })),
    { maxLength: 50 },
  )
  .map((points) => String.fromCodePoint(...points));

it('quotes any text so that JSON gives it back, well-formed', () => {
  fc.assert(fc.property(anyText, (text) => JSON.parse(quoted(text)) === text.toWellFormed()));
});

it('writes times as the Date object does, in whatever order they come', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 })),
      (times) => {
        for (const ms of times) expect(isoTime(ms)).toBe(new Date(ms).toISOString());
      },
    ),
  );
});

it('writes a time that is none as 1970 and does not remember it', () => {
  expect([Number.NaN, Number.POSITIVE_INFINITY, 1e20].map(isoTime)).toEqual(
    Array(3).fill('1970-01-01T00:00:00.000Z'),
  );
  expect(isoTime(1_800_000_000_123.9)).toBe('2027-01-15T08:00:00.123Z');
});

it('cuts text to its limit and never through a character', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 20 }), (text, limit) => {
      const cut = bounded(text, limit);
      expect(cut.length).toBeLessThanOrEqual(limit);
      if (text.isWellFormed()) expect(cut.isWellFormed()).toBe(true);
    }),
  );
});
