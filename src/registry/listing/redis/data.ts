import type { Account, TokenUse } from '../../../account/model.ts';
import type { RedisCommand } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import { RegistryUnavailable } from '../../port.ts';
import { readAccount } from '../../redis/lookups.ts';
import { tombstoneShutsOut } from '../../revoked/tombstone.ts';
import {
  BLOCK,
  type Blocks,
  type ListingData,
  type Place,
  type Search,
  type SearchedBlocks,
  type Walk,
} from '../data.ts';
import { TIMES, type Time } from '../entry.ts';
import { type ListingRedis, listKeys } from './port.ts';
import type { RedisUpkeep } from './upkeep.ts';

const READ = loadScript('listing-read', { readOnly: true, answersBytes: true });
const SEARCH = loadScript('listing-search', { readOnly: true, answersBytes: true });

/** Accounts in one block of texts. */
const TEXT_BLOCK = 128;

/** Lists as scripts/listing.lua keeps them. */
export class RedisListing implements ListingData {
  readonly #redis: ListingRedis;
  readonly #upkeep: RedisUpkeep;

  constructor(redis: ListingRedis, upkeep: RedisUpkeep) {
    this.#redis = redis;
    this.#upkeep = upkeep;
  }

  current(withUses: boolean): Promise<{ readonly numbers: number; readonly revision: string }> {
    return this.#upkeep.current(withUses);
  }

  async count(list: string): Promise<number> {
    const { names } = listKeys(this.#redis.keys);
    return Number(await this.#redis.call('ZLEXCOUNT', names, `[${list}\t`, `(${list}\n`));
  }

  async walk(list: string, { from, descending, limit }: Walk): Promise<readonly Place[]> {
    const { names } = listKeys(this.#redis.keys);
    // What is equal in the key follows right after it, so one is left out with all of its kind.
    const least = descending || from === null ? `[${list}\t` : `(${list}\t${from}\n`;
    const most = !descending || from === null ? `(${list}\n` : `(${list}\t${from}\t`;
    const members = descending
      ? await this.#redis.call('ZREVRANGEBYLEX', names, most, least, 'LIMIT', 0, limit)
      : await this.#redis.call('ZRANGEBYLEX', names, least, most, 'LIMIT', 0, limit);
    return (members as string[]).map((member) => {
      const end = member.lastIndexOf('\t');
      return { key: member.slice(list.length + 1, end), number: Number(member.slice(end + 1)) };
    });
  }

  async blocks(
    first: number,
    last: number,
    marks: readonly string[],
    times: readonly Time[],
  ): Promise<Blocks> {
    const keys = listKeys(this.#redis.keys);
    const numbers = times.map((time) => TIMES.indexOf(time) + 1);
    const words = [first, last, marks.length, ...marks, ...numbers];
    const answer = (await this.#redis.run(READ, [keys.marks, keys.times], words)) as Buffer[];
    const size = last - first + 1;
    const rows = Array.from({ length: marks.length + times.length }, (_, row) =>
      answer
        .slice(row * size, (row + 1) * size)
        .map((bytes) => (bytes.length === 0 ? null : bytes)),
    );
    return { marks: rows.slice(0, marks.length), times: rows.slice(marks.length) };
  }

  async search({ first, last, needle, isPrefix }: Search): Promise<SearchedBlocks> {
    const share = BLOCK / TEXT_BLOCK;
    const words = [needle, first * share, (last + 1) * share - 1, isPrefix ? 1 : 0];
    const { texts } = listKeys(this.#redis.keys);
    const answer = (await this.#redis.run(SEARCH, [texts], words)) as (number | Buffer)[];
    const blocks = Array.from({ length: last - first + 1 }, () => new Uint8Array(BLOCK / 8));
    for (let index = 0; index < answer.length; index += 2) {
      const part = Number(answer[index]);
      const bits = blocks[Math.floor(part / share) - first];
      if (bits !== undefined)
        markPlaces(answer[index + 1] as Buffer, bits, (part % share) * (TEXT_BLOCK / 8));
    }
    return blocks;
  }

  async numberOf(id: string): Promise<number | null> {
    const number = await this.#redis.call('HGET', listKeys(this.#redis.keys).numbers, id);
    return number === null ? null : Number(number);
  }

  async rows(numbers: readonly number[]): Promise<readonly (string | null)[]> {
    if (numbers.length === 0) return [];
    const { rows } = listKeys(this.#redis.keys);
    return (await this.#redis.call('HMGET', rows, ...numbers)) as (string | null)[];
  }

  async accounts(ids: readonly string[]): Promise<readonly (Account | 'damaged' | null)[]> {
    if (ids.length === 0) return [];
    const { account, tombstones } = this.#redis.keys;
    const keys = ids.map(account);
    const reads: RedisCommand[] = [
      ['MGET', ...keys],
      ['HMGET', tombstones, ...ids],
    ];
    const [texts, graves] = (await this.#redis.readTogether([...keys, tombstones], reads)) as (
      | string
      | null
    )[][];
    return ids.map((id, index) => {
      try {
        return readAccount(id, texts?.[index], graves?.[index], tombstoneShutsOut);
      } catch (fault) {
        if (!(fault instanceof RegistryUnavailable)) throw fault;
        return 'damaged';
      }
    });
  }

  uses(account: string): Promise<readonly TokenUse[]> {
    return this.#redis.uses(account);
  }
}

/** `places`: two letters for each, as in the texts. `from`: a byte of `bits`. */
function markPlaces(places: Buffer, bits: Uint8Array, from: number): void {
  for (let at = 0; at < places.length; at += 2) {
    const slot = ((places[at] ?? 0) - 16) * 16 + (places[at + 1] ?? 0) - 16;
    const byte = from + (slot >> 3);
    bits[byte] = (bits[byte] ?? 0) | (1 << (slot & 7));
  }
}
