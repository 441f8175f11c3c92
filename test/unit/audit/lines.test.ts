import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventLines, SpareLines } from '../../../src/audit/outbox/lines.ts';
import { batchOf, entriesOf } from '../../support/audit-batch.ts';

/** What an event may be: any text on one line. */
const event = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 300 })
  .map((text) => JSON.stringify(text));
const account = fc.oneof(
  fc.constant(null),
  fc.constantFrom('one', 'two', 'three'),
  fc.string({ minLength: 1 }),
);
const entries = fc.array(fc.record({ event, account }), { maxLength: 600 });

describe('events as bytes', () => {
  it('are what they were as texts, with their accounts, whatever is in them', () => {
    fc.assert(
      fc.property(entries, (written) => {
        const batch = batchOf('unit', 7, written);
        expect(entriesOf(batch)).toEqual(written);
        expect(batch.lines.toString()).toBe(written.map((one) => `${one.event}\n`).join(''));
        expect(new Set(batch.accounts).size).toBe(batch.accounts.length);
        expect(batch).toMatchObject({ instance: 'unit', firstSeq: 7, count: written.length });
      }),
      { numRuns: 100 },
    );
  });

  it('grow beyond the first buffers', () => {
    const many = Array.from({ length: 1000 }, (_, i) => ({
      event: `${i}${'ü'.repeat(1500)}`,
      account: `account${i}`,
    }));
    expect(entriesOf(batchOf('unit', 1, many))).toEqual(many);
  });

  it('begin anew in memory that was used before', () => {
    const lines = new EventLines();
    fc.assert(
      fc.property(entries, (written) => {
        lines.clear();
        for (const one of written) lines.push(one.event, one.account);
        expect(entriesOf(lines.batch('unit', 1))).toEqual(written);
      }),
      { numRuns: 50 },
    );
  });
});

describe('spare memory', () => {
  it('is used again, and not more of it is kept than is needed', () => {
    const spare = new SpareLines();
    const used = [spare.take(), spare.take(), spare.take()];
    for (const lines of used) spare.giveBack(lines);
    const again = [spare.take(), spare.take(), spare.take()];
    expect(again.filter((lines) => used.includes(lines))).toHaveLength(2);
    expect(new Set(again).size).toBe(3);
  });

  it('is let go when it has grown large', () => {
    const spare = new SpareLines();
    const lines = spare.take();
    lines.push('x'.repeat(3 * 1024 * 1024), null);
    spare.giveBack(lines);
    expect(spare.take()).not.toBe(lines);
  });
});
