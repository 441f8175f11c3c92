import type { Account } from '../../account/model.ts';
import type { RegistryKeys } from '../../store/keys.ts';
import type { RedisCommand } from '../../store/redis.ts';
import { damaged, decodeAccount } from '../codec.ts';
import type { Position } from '../position.ts';
import { underTombstone } from '../revoked/tombstone.ts';
import type { AccountTombstone } from '../tombstone.ts';
import { assertCount, COUNTS } from './reply.ts';

type Found = Position & { readonly account: Account | null };

/** Reads a tombstone. Throws `RegistryUnavailable`, or not (`Unreadable`). */
export type TombstoneReader = (account: string, text: string) => AccountTombstone;

/** Accounts asked for in one command at most. */
const MOST = 256;

/**
 * Look-ups of accounts that come in the same turn of the event loop travel as one command: a flood
 * of unknown ids, or a fresh instance that meets all its callers at once, costs a round trip and
 * one command instead of hundreds.
 */
export class AccountLookups {
  readonly #keys: RegistryKeys;
  readonly #read: (
    keys: readonly string[],
    commands: readonly RedisCommand[],
  ) => Promise<unknown[]>;
  readonly #positionFrom: (reply: unknown) => Position;
  readonly #tombstone: TombstoneReader;
  #open = new Map<string, PromiseWithResolvers<Found>>();

  /**
   * @param read answers with `meta` first and then with the replies, all of one moment
   * @param positionFrom reads `meta`, or throws `RegistryUnavailable`
   * @param tombstone reads a tombstone
   */
  constructor(
    keys: RegistryKeys,
    read: (keys: readonly string[], commands: readonly RedisCommand[]) => Promise<unknown[]>,
    positionFrom: (reply: unknown) => Position,
    tombstone: TombstoneReader,
  ) {
    this.#keys = keys;
    this.#read = read;
    this.#positionFrom = positionFrom;
    this.#tombstone = tombstone;
  }

  ask(id: string): Promise<Found> {
    let answer = this.#open.get(id);
    if (answer === undefined) {
      answer = Promise.withResolvers<Found>();
      this.#open.set(id, answer);
      if (this.#open.size === 1) setImmediate(() => this.#send());
      if (this.#open.size === MOST) this.#send();
    }
    return answer.promise;
  }

  #send(): void {
    const asked = this.#open;
    if (asked.size === 0) return;
    this.#open = new Map();
    const ids = [...asked.keys()];
    const { meta, account, accounts, tombstones } = this.#keys;
    const reads: RedisCommand[] = [
      ['MGET', ...ids.map(account)],
      ['HMGET', tombstones, ...ids],
      ['ZMSCORE', accounts, ...ids],
      ['ZCARD', accounts],
      ['HMGET', meta, COUNTS],
    ];
    this.#read([tombstones, accounts, ...ids.map(account)], reads).then(
      (replies) =>
        settle(asked, replies as unknown as Replies, this.#positionFrom, this.#tombstone),
      (fault: unknown) => {
        for (const answer of asked.values()) answer.reject(fault);
      },
    );
  }
}

type Replies = readonly [
  position: unknown,
  texts: readonly unknown[],
  graves: readonly unknown[],
  places: readonly unknown[],
  listed: number,
  counts: unknown,
];

/** Each on its own: a record that cannot be read is the fault of its own look-up only. */
function settle(
  asked: ReadonlyMap<string, PromiseWithResolvers<Found>>,
  [position, texts, graves, places, listed, counts]: Replies,
  positionFrom: (reply: unknown) => Position,
  tombstone: TombstoneReader,
): void {
  for (const [index, [id, answer]] of [...asked].entries()) {
    try {
      const at = positionFrom(position);
      if (typeof texts[index] !== 'string') assertAbsent(id, places[index], listed, counts);
      answer.resolve({ ...at, account: readAccount(id, texts[index], graves[index], tombstone) });
    } catch (fault) {
      answer.reject(fault);
    }
  }
}

/**
 * A record and its place in the list are written and removed in one step. So an account is absent
 * only when neither is there, and the list is whole: otherwise Redis has evicted what is missing,
 * and the account is not unknown but lost.
 */
function assertAbsent(id: string, place: unknown, listed: number, counts: unknown): void {
  if (place !== null)
    throw damaged(`account ${id} (its record is gone, its place in the list is not)`);
  assertCount(counts, 'accounts', listed);
}

/**
 * An account as it counts: its record, and what an instance had to tell about it after a failover.
 */
export function readAccount(
  id: string,
  text: unknown,
  grave: unknown,
  read: TombstoneReader,
): Account | null {
  if (typeof text !== 'string') return null;
  const account = decodeAccount(id, text);
  return typeof grave === 'string' ? underTombstone(account, read(id, grave)) : account;
}
