import type { ListQuery, ListSort } from './query.ts';

/** Where a page begins: right after a place in the order, or right before it. */
export interface Cursor {
  readonly isBack: boolean;
  /** What the list is sorted by, at that place. */
  readonly key: string | number;
  /** Number of the account there; tells apart what is equal in the key. */
  readonly number: number;
}

/** A cursor that no page of this list has given out. */
export class BadCursor extends Error {
  override readonly name = 'BadCursor';
}

type Order = Pick<ListQuery, 'sort' | 'descending'>;

export function isByName(sort: ListSort): boolean {
  return sort === 'name' || sort === 'role';
}

export function writeCursor({ sort, descending }: Order, cursor: Cursor): string {
  const key = cursor.key === Number.POSITIVE_INFINITY ? null : cursor.key;
  const words = [sort, descending, cursor.isBack, key, cursor.number];
  return Buffer.from(JSON.stringify(words)).toString('base64url');
}

/** Throws `BadCursor`, also for one of the same list in another order. */
export function readCursor({ sort, descending }: Order, text: string): Cursor {
  const [ofSort, ofDescending, isBack, key, number] = wordsOf(text);
  const keyIsRight = isByName(sort)
    ? typeof key === 'string'
    : typeof key === 'number' || key === null;
  const isRight =
    ofSort === sort &&
    ofDescending === descending &&
    typeof isBack === 'boolean' &&
    Number.isSafeInteger(number);
  if (!keyIsRight || !isRight)
    throw new BadCursor('is not a cursor of this list in this order; begin without one');
  return {
    isBack,
    key: key === null ? Number.POSITIVE_INFINITY : (key as string | number),
    number: number as number,
  };
}

function wordsOf(text: string): readonly unknown[] {
  try {
    const words: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    return Array.isArray(words) ? words : [];
  } catch {
    return [];
  }
}
