import { turn } from '../../turns.ts';
import { BLOCK, type ListingData } from './data.ts';
import { folded, type Time } from './entry.ts';
import { areTimesListed, type ListFilter } from './query.ts';

/** Blocks read at once: 32,768 accounts, a few hundred kilobytes. */
const BLOCKS_AT_ONCE = 32;
/** Blocks searched at once: 8,192 accounts, about two milliseconds of the store's time at most. */
const SEARCHED_AT_ONCE = 8;
/** Blocks judged in one turn of the loop: 4,096 accounts, about two milliseconds. */
const JUDGED_AT_ONCE = 4;

const BYTES = BLOCK / 8;
const TIME_BYTES = 6;

/** How many bits of a byte are set. */
const ONES = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte.toString(2).replaceAll('0', '').length,
);

/**
 * Told of every account that is in the list: its number, the time that the list is sorted by, and
 * how it stands (0 active, 1 expired, 2 inactive).
 */
export type Visitor = (number: number, time: number, status: 0 | 1 | 2) => void;

/** The accounts to which all filters apply, as bits by number. */
export class Selection {
  readonly #blocks: (Uint8Array | undefined)[] = [];
  total = 0;

  has(number: number): boolean {
    const block = this.#blocks[Math.floor(number / BLOCK)];
    const slot = number % BLOCK;
    return block !== undefined && ((block[slot >> 3] ?? 0) & (1 << (slot & 7))) !== 0;
  }

  /** Ascending. */
  *numbers(): Generator<number> {
    for (const [index, block] of this.#blocks.entries())
      if (block !== undefined) for (const slot of slotsOf(block)) yield index * BLOCK + slot;
  }

  keep(index: number, block: Uint8Array, count: number): void {
    this.#blocks[index] = block;
    this.total += count;
  }
}

/**
 * Narrows block by block; from the last to the first where `isDescending`. `visit` is told the time
 * that `sortTime` names, and what has expired only if `sortTime` is `expires`.
 */
export async function select(
  data: ListingData,
  filter: ListFilter,
  numbers: number,
  { sortTime, isDescending, visit }: SelectOptions,
): Promise<Selection> {
  const blocks = Math.ceil(numbers / BLOCK);
  const found = await searched(data, filter, blocks);
  const selection = new Selection();
  const slices = Array.from({ length: Math.ceil(blocks / BLOCKS_AT_ONCE) }, (_, n) => n);
  const named = marksOf(filter);
  const read = [...new Set([...timesOf(filter), ...(sortTime === null ? [] : [sortTime])])];
  for (const slice of isDescending ? slices.reverse() : slices) {
    const first = slice * BLOCKS_AT_ONCE;
    const last = Math.min(blocks, first + BLOCKS_AT_ONCE) - 1;
    const kept = await data.blocks(first, last, [...named, 'i'], read);
    for (let n = 0; n <= last - first; n += 1) {
      if (n % JUDGED_AT_ONCE === 0) await turn();
      const index = isDescending ? last - first - n : n;
      const marks = kept.marks.map((mark) => mark[index] ?? null);
      const inactive = marks.pop() ?? null;
      const bits = narrowed(marks, inactive, filter.status);
      if (bits === null) continue;
      if (found !== null && !both(bits, found.get(first + index))) continue;
      const times = viewsOf(read, (n) => kept.times[n]?.[index] ?? null);
      const count = judge({ bits, index: first + index, inactive, times, sortTime }, filter, visit);
      if (count > 0) selection.keep(first + index, bits, count);
    }
  }
  return selection;
}

interface SelectOptions {
  readonly sortTime: Time | null;
  readonly isDescending: boolean;
  readonly visit: Visitor | null;
}

/** All of these an account must have. */
function marksOf({ kind, role, team, honey }: ListFilter): readonly string[] {
  return [
    kind === 'service' ? 's' : 'u',
    ...(role === null ? [] : [`r:${role}`]),
    ...(team === null ? [] : [`t:${team}`]),
    ...(honey ? ['h'] : []),
  ];
}

function timesOf(filter: ListFilter): readonly Time[] {
  const { neverUsed, unusedSinceMs, expiresUntilMs, tokenIssuedUntilMs, status } = filter;
  const used = neverUsed || unusedSinceMs !== null;
  return [
    ...(expiresUntilMs !== null || status === 'active' || status === 'expired'
      ? (['expires'] as const)
      : []),
    ...(used || tokenIssuedUntilMs !== null ? (['token'] as const) : []),
    ...(used ? (['used'] as const) : []),
  ];
}

/** A copy of its own, or null when nobody is left. */
function narrowed(
  marks: readonly (Uint8Array | null)[],
  inactive: Uint8Array | null,
  status: ListFilter['status'],
): Uint8Array | null {
  const [first, ...others] = marks;
  if (first === null || first === undefined) return null;
  const bits = Uint8Array.from(first);
  for (const other of others) if (!both(bits, other)) return null;
  if (status === 'inactive') return both(bits, inactive) ? bits : null;
  if (status !== null && inactive !== null)
    for (let n = 0; n < BYTES; n += 1) bits[n] = (bits[n] ?? 0) & ~(inactive[n] ?? 0);
  return bits;
}

/** Leaves what is in both; false: nothing is. */
function both(bits: Uint8Array, other: Uint8Array | null | undefined): boolean {
  if (other === null || other === undefined) return false;
  let any = 0;
  for (let n = 0; n < BYTES; n += 1) {
    const byte = (bits[n] ?? 0) & (other[n] ?? 0);
    bits[n] = byte;
    any |= byte;
  }
  return any !== 0;
}

interface Judged {
  readonly bits: Uint8Array;
  readonly index: number;
  readonly inactive: Uint8Array | null;
  readonly times: Readonly<Partial<Record<Time, DataView>>>;
  readonly sortTime: Time | null;
}

/**
 * Takes out of `bits` whose times are not those asked for, and counts the rest. The one loop that
 * runs for every account: it makes nothing, and calls little.
 */
function judge(judged: Judged, filter: ListFilter, visit: Visitor | null): number {
  const { bits, index, inactive, times, sortTime } = judged;
  const judges = timesOf(filter).length > 0;
  if (visit === null && !judges) return countOf(bits);
  const { expires: expiresView, token: tokenView, used: usedView } = times;
  const sortView = sortTime === null ? undefined : times[sortTime];
  const { nowMs, status } = filter;
  const mustBeExpired = status === 'expired';
  const judgesStanding = mustBeExpired || status === 'active';
  let count = 0;
  for (let n = 0; n < BYTES; n += 1) {
    for (let rest = bits[n] ?? 0; rest !== 0; rest &= rest - 1) {
      const bit = rest & -rest;
      const slot = n * 8 + 31 - Math.clz32(bit);
      const expires = timeAt(expiresView, slot);
      const isExpired = expires > 0 && expires <= nowMs;
      if (
        judges &&
        ((judgesStanding && isExpired !== mustBeExpired) ||
          !areTimesListed(expires, timeAt(tokenView, slot), timeAt(usedView, slot), filter))
      ) {
        bits[n] = (bits[n] ?? 0) & ~bit;
        continue;
      }
      count += 1;
      if (visit === null) continue;
      const isInactive = inactive !== null && ((inactive[n] ?? 0) & bit) !== 0;
      visit(index * BLOCK + slot, timeAt(sortView, slot), isInactive ? 2 : isExpired ? 1 : 0);
    }
  }
  return count;
}

/** 0 also for what was not read, and beyond what was ever written. */
function timeAt(view: DataView | undefined, slot: number): number {
  if (view === undefined) return 0;
  const place = slot * TIME_BYTES;
  if (place + TIME_BYTES > view.byteLength) return 0;
  return view.getUint16(place) * 0x1_0000_0000 + view.getUint32(place + 2);
}

function viewsOf(
  names: readonly Time[],
  columnOf: (n: number) => Uint8Array | null,
): Readonly<Partial<Record<Time, DataView>>> {
  const views: Partial<Record<Time, DataView>> = {};
  for (const [n, name] of names.entries()) {
    const bytes = columnOf(n);
    if (bytes !== null)
      views[name] = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  return views;
}

/** By block, whose texts hold what is searched; null: nothing is searched. */
async function searched(
  data: ListingData,
  { search, namePrefix }: ListFilter,
  blocks: number,
): Promise<ReadonlyMap<number, Uint8Array> | null> {
  const texts = search === null ? null : await foundIn(data, folded(search), false, blocks);
  const number = search === null ? null : await data.numberOf(search);
  if (number !== null) markIn(texts?.get(Math.floor(number / BLOCK)), number % BLOCK);
  const begins = namePrefix === null ? null : await foundIn(data, folded(namePrefix), true, blocks);
  if (texts === null || begins === null) return texts ?? begins;
  for (const [index, bits] of texts) if (!both(bits, begins.get(index))) texts.delete(index);
  return texts;
}

/** An account that came while the rest was searched has no block yet. */
function markIn(bits: Uint8Array | undefined, slot: number): void {
  if (bits !== undefined) bits[slot >> 3] = (bits[slot >> 3] ?? 0) | (1 << (slot & 7));
}

async function foundIn(
  data: ListingData,
  needle: string,
  isPrefix: boolean,
  blocks: number,
): Promise<Map<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  for (let first = 0; first < blocks; first += SEARCHED_AT_ONCE) {
    const last = Math.min(blocks, first + SEARCHED_AT_ONCE) - 1;
    await turn();
    const bits = await data.search({ first, last, needle, isPrefix });
    for (const [n, block] of bits.entries()) found.set(first + n, block);
  }
  return found;
}

function* slotsOf(bits: Uint8Array): Generator<number> {
  for (let n = 0; n < BYTES; n += 1) {
    let byte = bits[n] ?? 0;
    while (byte !== 0) {
      const lowest = byte & -byte;
      yield n * 8 + (31 - Math.clz32(lowest));
      byte ^= lowest;
    }
  }
}

function countOf(bits: Uint8Array): number {
  let count = 0;
  for (let n = 0; n < BYTES; n += 1) count += ONES[bits[n] ?? 0] ?? 0;
  return count;
}
