import { describe, expect, it } from 'vitest';
import { merged } from '../../../src/stats/usage/merge.ts';
import { UsageSketch } from '../../../src/stats/usage/sketch.ts';
import {
  BUCKETS,
  totalOf,
  type UsageCounts,
  type UsageRow,
  type UsageTable,
} from '../../../src/stats/usage/table.ts';
import { decodeTable, encodeTable } from '../../../src/stats/usage/text.ts';

/** mulberry32: the same streams at every run. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface One {
  calls: number;
  refused: number;
  bytes: number;
}

/** A sketch beside the truth about the same stream. */
class Beside {
  readonly sketch: UsageSketch;
  readonly truth = new Map<string, One>();
  readonly size: number;
  calls = 0;

  constructor(size: number) {
    this.size = size;
    this.sketch = new UsageSketch(size);
  }

  call(name: string, random: () => number): void {
    const refused = random() < 0.2;
    const bytes = Math.floor(random() * 1000);
    const bucket = Math.floor(random() * BUCKETS);
    this.sketch.count(name, name, refused, bytes, 2 * bytes, bucket);
    const one = this.truth.get(name) ?? { calls: 0, refused: 0, bytes: 0 };
    this.truth.set(name, one);
    this.calls += 1;
    one.calls += 1;
    one.refused += refused ? 1 : 0;
    one.bytes += bytes;
  }
}

const STREAMS: Readonly<Record<string, (random: () => number, call: number) => string>> = {
  'a few': (random) => `n${Math.floor(random() * 10)}`,
  'as many as there are places': (random) => `n${Math.floor(random() * 16)}`,
  'many, all alike': (random) => `n${Math.floor(random() * 500)}`,
  'a few busy ones and a long tail': (random) => `n${Math.floor(2 ** (random() * 10))}`,
  'each once': (_random, call) => `n${call}`,
  'in turns, one more than there are places': (_random, call) => `n${call % 17}`,
  'a busy one between strangers': (_random, call) => (call % 3 === 0 ? 'busy' : `n${call}`),
  'busy first, then silent under a flood': (_random, call) =>
    call < 2000 ? `n${call % 5}` : `f${call}`,
};

function isWithin(table: UsageTable, row: UsageRow | undefined, one: One): boolean {
  if (row === undefined) return one.calls <= table.least;
  const { calls, missed, refused, requestBytes } = row;
  if (missed === 0)
    return calls === one.calls && refused === one.refused && requestBytes === one.bytes;
  const isLow = calls <= one.calls && refused <= one.refused && requestBytes <= one.bytes;
  return isLow && calls + missed >= one.calls;
}

/** Every figure is within what the table says of itself. */
function mustHold(table: UsageTable, truth: ReadonlyMap<string, One>, calls: number): void {
  const named = new Map(table.rows.map((row) => [row.id, row]));
  const wrong = [...truth].filter(([name, one]) => !isWithin(table, named.get(name), one));
  expect(wrong).toEqual([]);
  const total = totalOf(table);
  const all = [...truth.values()];
  const sum = (of: (one: One) => number) => all.reduce((so, one) => so + of(one), 0);
  expect(total.calls).toBe(calls);
  expect(total.refused).toBe(sum(({ refused }) => refused));
  expect(total.requestBytes).toBe(sum(({ bytes }) => bytes));
  expect(total.responseBytes).toBe(2 * sum(({ bytes }) => bytes));
  expect(total.durations.reduce((so, count) => so + count, 0)).toBe(calls);
}

describe.each(Object.entries(STREAMS))('the sketch of a stream of %s', (_name, next) => {
  it.each([1, 2, 3])('keeps its bounds, and totals are exact (seed %i)', (seed) => {
    const random = randomOf(seed);
    const beside = new Beside(16);
    for (let call = 0; call < 4000; call += 1) {
      beside.call(next(random, call), random);
      if (call % 997 === 0) mustHold(beside.sketch.table(), beside.truth, beside.calls);
    }
    const table = beside.sketch.table();
    mustHold(table, beside.truth, beside.calls);
    expect(table.rows.length).toBeLessThanOrEqual(16);
    expect(table.least).toBeLessThanOrEqual(beside.calls / 16);
    expect(Math.max(...table.rows.map(({ missed }) => missed))).toBeLessThanOrEqual(
      beside.calls / 16,
    );
    const names = new Set(table.rows.map(({ id }) => id));
    const busy = [...beside.truth].filter(([, { calls }]) => calls > beside.calls / 16);
    expect(busy.filter(([name]) => !names.has(name))).toEqual([]);
  });

  it('of several instances together keeps them too', () => {
    const random = randomOf(7);
    const instances = Array.from({ length: 5 }, () => new Beside(16));
    for (let call = 0; call < 6000; call += 1)
      instances[Math.floor(random() * 5)]!.call(next(random, call), random);
    const truth = new Map<string, One>();
    for (const one of instances)
      for (const [name, { calls, refused, bytes }] of one.truth) {
        const all = truth.get(name) ?? { calls: 0, refused: 0, bytes: 0 };
        truth.set(name, {
          calls: all.calls + calls,
          refused: all.refused + refused,
          bytes: all.bytes + bytes,
        });
      }
    for (const kept of [12, 16, 1000])
      mustHold(
        merged(
          instances.map(({ sketch }) => sketch.table()),
          kept,
        ),
        truth,
        6000,
      );
  });
});

describe('tables added up', () => {
  const one = (id: string, calls: number): UsageTable['rows'][number] => ({
    ...counts(calls),
    id,
    name: `${id} by name`,
    missed: 0,
  });
  const counts = (calls: number): UsageCounts => ({
    calls,
    refused: 1,
    requestBytes: 10,
    responseBytes: 20,
    durations: [calls, ...Array.from({ length: BUCKETS - 1 }, () => 0)],
  });
  const table = (...rows: UsageTable['rows']): UsageTable => ({ rows, other: counts(1), least: 0 });

  it('are the sum, whatever the order', () => {
    const tables = [table(one('a', 3), one('b', 5)), table(one('b', 7)), table(one('c', 1))];
    const sums = [tables, [...tables].reverse()].map((order) =>
      merged(order, 10)
        .rows.map(({ id, name, calls, missed }) => [id, name, calls, missed])
        .sort(),
    );
    expect(sums[0]).toEqual([
      ['a', 'a by name', 3, 0],
      ['b', 'b by name', 12, 0],
      ['c', 'c by name', 1, 0],
    ]);
    expect(sums[1]).toEqual(sums[0]);
  });

  it('lose none of their calls when only the busiest are kept', () => {
    const { rows, other, least } = merged([table(one('a', 3), one('b', 5), one('c', 1))], 1);
    expect(rows.map(({ id }) => id)).toEqual(['b']);
    expect([other.calls, least]).toEqual([1 + 3 + 1, 3]);
  });

  it('are read as they were written', async () => {
    const beside = new Beside(8);
    const random = randomOf(3);
    for (let call = 0; call < 500; call += 1)
      beside.call(`n${Math.floor(random() * 20)} é`, random);
    const written = beside.sketch.table();
    expect(decodeTable(await encodeTable(written))).toEqual({
      ...written,
      other: { ...totalOf({ ...written, rows: [] }) },
    });
    expect(decodeTable(await encodeTable(merged([], 1)))?.rows).toEqual([]);
  });

  it.each(['', 'x', 'q1YqVrJSAA==', 'bm8gZGVmbGF0ZQ=='])(
    'are none where the text is %j',
    (text) => {
      expect(decodeTable(text)).toBeNull();
    },
  );
});
