import type { Account } from '../account/model.ts';
import type { RegistryKeys } from '../store/keys.ts';
import type { RedisCommand } from '../store/redis.ts';
import { damaged, decodeAccount } from './codec.ts';
import type { Position } from './port.ts';
import { positionFrom } from './redis-reply.ts';
import { readTombstone, underTombstone } from './tombstone.ts';

type Found = Position & { readonly account: Account | null };

/** Accounts asked for in one command at most. */
const MOST = 256;

/**
 * Look-ups of accounts that come in the same turn of the event loop travel as one command: a flood of unknown ids, or a fresh instance that meets all its callers at
 * once, costs a round trip and one command instead of hundreds.
 */
export class AccountLookups {
  readonly #keys: RegistryKeys;
  readonly #read: (keys: readonly string[], commands: readonly RedisCommand[]) => Promise<unknown[]>;
  #open = new Map<string, PromiseWithResolvers<Found>>();

  /** @param read answers with `meta` first and then with the replies, all of one moment */
  constructor(keys: RegistryKeys, read: (keys: readonly string[], commands: readonly RedisCommand[]) => Promise<unknown[]>) {
    this.#keys = keys;
    this.#read = read;
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
    const { account, accounts, tombstones } = this.#keys;
    const reads: RedisCommand[] = [
      ['HMGET', tombstones, ...ids],
      ['ZMSCORE', accounts, ...ids],
      ['MGET', ...ids.map(account)],
    ];
    this.#read([tombstones, accounts, ...ids.map(account)], reads).then(
      ([meta, graves, listed, texts]) => settle(asked, meta, graves as unknown[], listed as unknown[], texts as unknown[]),
      (fault: unknown) => {
        for (const answer of asked.values()) answer.reject(fault);
      },
    );
  }
}

/** Each on its own: a record that cannot be read is the fault of its own look-up only. */
function settle(
  asked: ReadonlyMap<string, PromiseWithResolvers<Found>>,
  meta: unknown,
  graves: readonly unknown[],
  listed: readonly unknown[],
  texts: readonly unknown[],
): void {
  for (const [index, [id, answer]] of [...asked].entries()) {
    try {
      assertWhole(id, texts[index], listed[index]);
      answer.resolve({ ...positionFrom(meta), account: readAccount(id, texts[index], graves[index]) });
    } catch (fault) {
      answer.reject(fault);
    }
  }
}

/** Both are written and removed in one step. A record without its place in the list is no absent account but a lost one: Redis has evicted it. */
function assertWhole(id: string, text: unknown, listed: unknown): void {
  if (typeof text !== 'string' && listed !== null)
    throw damaged(`account ${id} (its record is gone, its place in the list is not)`);
}

/** An account as it counts: its record, and what an instance had to tell about it after a failover. */
export function readAccount(id: string, text: unknown, grave: unknown): Account | null {
  if (typeof text !== 'string') return null;
  const account = decodeAccount(id, text);
  return typeof grave === 'string' ? underTombstone(account, readTombstone(id, grave)) : account;
}
