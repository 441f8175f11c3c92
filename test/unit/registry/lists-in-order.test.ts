import { expect, it } from 'vitest';
import { BadCursor, readCursor, writeCursor } from '../../../src/registry/listing/cursor.ts';
import type { ListingData, Place, Walk } from '../../../src/registry/listing/data.ts';
import { entryOf, nameKey } from '../../../src/registry/listing/entry.ts';
import { listAccounts } from '../../../src/registry/listing/list.ts';
import { First } from '../../../src/registry/listing/order.ts';
import { type ListQuery, UNFILTERED } from '../../../src/registry/listing/query.ts';
import { account } from '../../contract/registry-records.ts';
import { Random } from '../../fuzz/random.ts';

const MANY = 20_000;
const QUERY: ListQuery = {
  kind: 'service',
  ...UNFILTERED,
  status: 'active',
  nowMs: 0,
  limit: 100,
};

/** Every third is inactive, and numbers go against the names. */
const ACCOUNTS = Array.from({ length: MANY }, (_, n) =>
  account(MANY - n, {
    name: `a-${String(MANY - n).padStart(6, '0')}`,
    status: n % 3 === 0 ? 'inactive' : 'active',
  }),
);

/** A store with so many accounts that their names are walked along, and none are sorted here. */
class Plain implements ListingData {
  longestRead = 0;
  readonly #places = ACCOUNTS.map(({ name }, number) => ({ key: nameKey(name), number })).sort(
    (one, other) => (one.key < other.key ? -1 : 1),
  );

  async current() {
    return { numbers: MANY, revision: '1' };
  }
  async count(): Promise<number> {
    return MANY;
  }
  async walk(list: string, { from, descending, limit }: Walk): Promise<readonly Place[]> {
    if (list === 'd') return [];
    this.longestRead = Math.max(this.longestRead, limit);
    const places = descending ? this.#places.toReversed() : this.#places;
    const rest = places.filter(
      ({ key }) => from === null || (descending ? key < from : key > from),
    );
    return rest.slice(0, limit);
  }
  async blocks(first: number, last: number, marks: readonly string[]) {
    const bits = (mark: string, block: number) => {
      const bytes = new Uint8Array(128);
      for (let slot = 0; slot < 1024; slot += 1) {
        const one = ACCOUNTS[block * 1024 + slot];
        const has = mark === 's' ? one !== undefined : one?.status === 'inactive';
        if (has) bytes[slot >> 3] = (bytes[slot >> 3] ?? 0) | (1 << (slot & 7));
      }
      return bytes;
    };
    const blocks = Array.from({ length: last - first + 1 }, (_, n) => first + n);
    return { marks: marks.map((mark) => blocks.map((block) => bits(mark, block))), times: [[]] };
  }
  async search() {
    return [];
  }
  async numberOf(): Promise<number | null> {
    return null;
  }
  async rows(numbers: readonly number[]) {
    this.longestRead = Math.max(this.longestRead, numbers.length);
    return numbers.map((number) => entryOf(ACCOUNTS[number]!).row);
  }
  async accounts(ids: readonly string[]) {
    return ids.map((id) => ACCOUNTS[MANY - Number(id.slice(1))] ?? null);
  }
  async uses() {
    return [];
  }
}

it('walks along the names of very many, in both directions, and reads no more than a slice at once', async () => {
  const data = new Plain();
  const active = ACCOUNTS.filter(({ status }) => status === 'active')
    .map(({ name }) => name)
    .sort();
  for (const descending of [false, true]) {
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await listAccounts(data, { ...QUERY, descending, cursor, limit: 500 });
      expect(page.total).toBe(active.length);
      names.push(...page.items.map((item) => item.account.name));
      cursor = names.length > 3_000 ? null : page.next;
    } while (cursor !== null);
    const expected = descending ? active.toReversed() : active;
    expect(names).toEqual(expected.slice(0, names.length));
  }
  expect(data.longestRead).toBeLessThanOrEqual(1_000);
});

it('keeps the first of many, whatever the order they come in, and who is equal by number', () => {
  const random = new Random(5);
  for (const isDown of [false, true]) {
    const all = Array.from({ length: 30_000 }, (_, number) => ({
      key: random.below(500),
      number,
    }));
    const sign = isDown ? -1 : 1;
    const sorted = all.toSorted(
      (one, other) => sign * (one.key - other.key || one.number - other.number),
    );
    const from = { isBack: false, ...sorted[12_345]! };
    const first = new First<number>(isDown, from, 101);
    for (const { key, number } of all) first.offer(key, number);
    expect(first.ranked).toEqual(sorted.slice(12_346, 12_346 + 101));
  }
});

it('gives back what a cursor says, also past all that expire, and refuses what it never gave out', () => {
  const order = { sort: 'expiresAt', descending: false } as const;
  const cursor = { isBack: true, key: Number.POSITIVE_INFINITY, number: 7 };
  expect(readCursor(order, writeCursor(order, cursor))).toEqual(cursor);
  const forged = [
    null,
    1,
    {},
    [],
    ['expiresAt', false, true, 'x', 7],
    ['expiresAt', false, 1, 1, 1],
  ];
  for (const words of forged) {
    const text = Buffer.from(JSON.stringify(words)).toString('base64url');
    expect(() => readCursor(order, text)).toThrow(BadCursor);
  }
  expect(() => readCursor(order, '%%%')).toThrow(BadCursor);
});
