import type { Account, TokenUse } from '../../account/model.ts';
import { lastUsedKey } from '../../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../../store/redis.ts';
import { damaged, decodePage } from '../codec.ts';
import { listAccounts } from '../listing/list.ts';
import type { ListPage, ListQuery } from '../listing/query.ts';
import { RedisListing } from '../listing/redis/data.ts';
import type { ListingRedis } from '../listing/redis/port.ts';
import { RedisUpkeep } from '../listing/redis/upkeep.ts';
import type { AccountPage, AccountsQuery } from '../port.ts';
import { policyTombstonesIn } from '../revoked/policy-tombstone.ts';
import { tombstoneShutsOut } from '../revoked/tombstone.ts';
import type { Tombstone } from '../tombstone.ts';
import { readAccount } from './lookups.ts';
import { META_FIELDS, pairs } from './reply.ts';
import { POLICY, type RedisRegistryOptions, RedisRegistrySource } from './source.ts';

/** How often a look-up by name is repeated when the name moves between accounts meanwhile. */
const NAME_TRIES = 3;
/** The end of the year 9999: later times have no date that everybody reads. */
const LAST_TIME_MS = 253_402_300_799_999;

/** What administration asks of accounts: by name, many at once, listed, and who uses what. */
export class RedisAccounts extends RedisRegistrySource {
  readonly #upkeep: RedisUpkeep;
  readonly #listing: RedisListing;

  constructor(connection: RedisConnection, options: RedisRegistryOptions) {
    super(connection, { ...options, unreadable: 'shuts-out' });
    const redis: ListingRedis = {
      keys: this.keys,
      call: (...words) => this.call(...words),
      run: (...words) => this.answered(connection.run(...words)),
      readTogether: (...words) => this.answered(connection.readTogether(...words)),
      pipeline: (...words) => this.answered(connection.pipeline(...words)),
      uses: (account) => this.uses(account),
      positionFrom: (reply) => this.positionFrom(reply),
    };
    this.#upkeep = new RedisUpkeep(redis, {
      prefix: this.prefix,
      eventsAfter: (from) => this.eventsAfter(from),
      nowMs: () => performance.now(),
    });
    this.#listing = new RedisListing(redis, this.#upkeep);
  }

  async accountByName(name: string): Promise<Account | null> {
    for (let attempt = 0; attempt < NAME_TRIES; attempt += 1) {
      const owner = await this.call('HGET', this.keys.claims, `name:${name}`);
      if (typeof owner !== 'string') {
        // No claim says "no such account" only where there is a registry.
        this.positionFrom(await this.call('HMGET', this.keys.meta, ...META_FIELDS));
        return null;
      }
      const { account } = await this.account(owner.replace(/^account:/, ''));
      if (account?.name === name) return account;
    }
    throw damaged(`the claim to the account name ${JSON.stringify(name)}`);
  }

  async accountsById(
    ids: readonly string[],
  ): Promise<{ readonly seq: number; readonly accounts: readonly (Account | null)[] }> {
    // Asked for in the same turn, they travel as one command.
    const found = await Promise.all(ids.map((id) => this.account(id)));
    return {
      seq: Math.min(...found.map(({ seq }) => seq)),
      accounts: found.map(({ account }) => account),
    };
  }

  /** Mostly none has one: that is one command. */
  async withHistory(ids: readonly string[]): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set();
    const keys = ids.map((id) => this.keys.changesOf(id));
    const [meta, count] = await this.readWithPosition(keys, ['EXISTS', ...keys]);
    this.positionFrom(meta);
    if (count === 0) return new Set();
    const asked = keys.map((key): RedisCommand => ['EXISTS', key]);
    const [, ...there] = await this.readWithPosition(keys, ...asked);
    return new Set(ids.filter((_, index) => there[index] === 1));
  }

  async accounts(query: AccountsQuery): Promise<AccountPage> {
    const start = query.cursor === null ? '-' : `(${query.cursor}`;
    const { accounts } = this.keys;
    const [meta, found] = await this.readWithPosition(
      [accounts],
      ['ZRANGEBYLEX', accounts, start, '+', 'LIMIT', 0, query.limit],
    );
    this.positionFrom(meta);
    const ids = found as string[];
    if (ids.length === 0) return { items: [], damaged: [], next: null };
    const { tombstones } = this.keys;
    const keys = ids.map((id) => this.keys.account(id));
    const reads: RedisCommand[] = [
      ['MGET', ...keys],
      ['HMGET', tombstones, ...ids],
    ];
    const [texts, graves] = (await this.answered(
      this.connection.readTogether([...keys, tombstones], reads),
    )) as (string | null)[][];
    // An id without a text was deleted between the two reads.
    const rows = ids.map((id, index) => [id, [texts?.[index], graves?.[index]]] as const);
    const page = decodePage(rows, (id, [text, grave]) =>
      readAccount(id, text, grave, tombstoneShutsOut),
    );
    return { ...page, next: ids.length < query.limit ? null : (ids.at(-1) ?? null) };
  }

  list(query: ListQuery): Promise<ListPage> {
    return listAccounts(this.#listing, query);
  }

  tendLists(goesOn: () => boolean): Promise<void> {
    return this.#upkeep.tend(goesOn);
  }

  async useCounts(targets: readonly string[]): Promise<readonly number[]> {
    if (targets.length === 0) return [];
    this.positionFrom(await this.call('HMGET', this.keys.meta, ...META_FIELDS));
    const asked = targets.map((target) => ['SCARD', this.keys.references(target)] as const);
    return (await this.answered(this.connection.pipeline(asked))).map(Number);
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    this.positionFrom(await this.call('HMGET', this.keys.meta, ...META_FIELDS));
    const users = new Set<string>();
    let cursor = '0';
    do {
      const [next, found] = (await this.call(
        'SSCAN',
        this.keys.references(target),
        cursor,
        'COUNT',
        1_000,
      )) as [string, string[]];
      for (const user of found) users.add(user);
      cursor = next;
    } while (cursor !== '0' && users.size < limit);
    return [...users].slice(0, limit);
  }

  async uses(account: string): Promise<readonly TokenUse[]> {
    const words = pairs(await this.call('HGETALL', lastUsedKey(this.prefix, account)));
    return words.flatMap(([token, text]) => {
      const [time = '', ...address] = text.split(' ');
      const timeMs = Number(time);
      // What is no time is no use: nothing is decided by it, so nothing fails for it.
      return timeMs > 0 && timeMs <= LAST_TIME_MS
        ? [{ account, token, timeMs, address: address.join(' ') }]
        : [];
    });
  }

  async tombstones(of: readonly string[]): Promise<readonly Tombstone[]> {
    if (of.length === 0) return [];
    const fields = [POLICY, ...of];
    const [all, ...texts] = (await this.call('HMGET', this.keys.tombstones, ...fields)) as (
      | string
      | null
    )[];
    const policy = typeof all === 'string' ? policyTombstonesIn(all, 'shuts-out') : () => undefined;
    return of.flatMap((label, index) => {
      const text = texts[index];
      return policy(label) ?? (typeof text === 'string' ? tombstoneShutsOut(label, text) : []);
    });
  }
}
