import type { Account, TokenUse } from '../../account/model.ts';
import type { Time } from './entry.ts';

/** Accounts in one block of marks and of times. */
export const BLOCK = 1024;

/** One place in a list: the key that orders it, and the account's number. */
export interface Place {
  readonly key: string;
  readonly number: number;
}

/**
 * How a list is walked: `from` is a key that is not answered itself; null: from the end it begins
 * at.
 */
export interface Walk {
  readonly from: string | null;
  readonly descending: boolean;
  readonly limit: number;
}

/** What is searched in the texts of some blocks. */
export interface Search {
  readonly first: number;
  readonly last: number;
  /** In lower case. */
  readonly needle: string;
  /** Only names, and only at their beginning. */
  readonly isPrefix: boolean;
}

/**
 * Marks and times of blocks: `marks[0][0]` is the first mark of the first block. Null: all zero.
 */
export interface Blocks {
  readonly marks: readonly (readonly (Uint8Array | null)[])[];
  readonly times: readonly (readonly (Uint8Array | null)[])[];
}

/** Bits by number, for each block that was searched. */
export type SearchedBlocks = readonly Uint8Array[];

/**
 * What a store keeps for the lists, as the lists read it. Every answer is small or a slice, so that
 * neither the store nor this process is held up.
 */
export interface ListingData {
  /**
   * Brings what is kept up to date. Answers how far numbers go, and a word that is another one
   * after each change. Throws `RegistryUnavailable` while the lists are being made.
   */
  current(withUses: boolean): Promise<{ readonly numbers: number; readonly revision: string }>;
  count(list: string): Promise<number>;
  walk(list: string, walk: Walk): Promise<readonly Place[]>;
  /** `first` and `last` are blocks. */
  blocks(
    first: number,
    last: number,
    marks: readonly string[],
    times: readonly Time[],
  ): Promise<Blocks>;
  /** Where it is found: bits of each block, which the caller may change. */
  search(what: Search): Promise<SearchedBlocks>;
  /** The number of the account with this id; null: there is none. */
  numberOf(id: string): Promise<number | null>;
  /** Rows (entry.ts) of these numbers; null where there is none. */
  rows(numbers: readonly number[]): Promise<readonly (string | null)[]>;
  /** Accounts by id: null for one that is gone, `damaged` for one that cannot be read. */
  accounts(ids: readonly string[]): Promise<readonly (Account | 'damaged' | null)[]>;
  uses(account: string): Promise<readonly TokenUse[]>;
}
