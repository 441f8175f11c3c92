import { randomUUID } from 'node:crypto';
import type { Account, Role } from '../account/model.ts';
import { StoreUnavailable } from '../store/fault.ts';
import { type RegistryKeys, registryKeys } from '../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../store/redis.ts';
import { loadScript } from '../store/script.ts';
import { damaged, decodePage, encodeRecord, RECORD_SCHEMA } from './codec.ts';
import {
  type AccountPage,
  type Commit,
  type CommitResult,
  type FeedEvent,
  type FeedListener,
  FeedLost,
  type LeaseRequest,
  type Page,
  type PolicySnapshot,
  type Position,
  type RegistrySource,
  type RegistryStore,
  RegistryUnavailable,
  type Subscription,
} from './port.ts';
import { FEED_BATCH, feedAfter, followFeed } from './redis-feed.ts';
import { AccountLookups } from './redis-lookups.ts';
import { planCommit } from './redis-plan.ts';
import { META_FIELDS, positionFrom, snapshotFrom } from './redis-reply.ts';

/** How much history is kept, in entries. Who lags further behind than the feed is long reloads. */
const KEPT = { feed: 10_000, changesPerAccount: 1_000 } as const;

const COMMIT = loadScript('registry-commit');
const INITIALISE = loadScript('registry-initialise');

/** How often a look-up by name is repeated when the name moves between accounts meanwhile. */
const NAME_TRIES = 3;

/**
 * What the ACL user `gate` can do: reads, and its own lease. The lease is written by plain commands and not by a script, because EVAL asks for
 * read and write rights on all its keys, and the gate has none to write the registry.
 */
export class RedisRegistrySource implements RegistrySource {
  protected readonly connection: RedisConnection;
  protected readonly keys: RegistryKeys;
  readonly #name: string;
  readonly #subscriptions = new Set<Subscription>();
  readonly #lookups: AccountLookups;

  /** Owns the connection: `close` closes it. `name` appears in `CLIENT LIST` for the feed's own connections. */
  constructor(connection: RedisConnection, options: { readonly keyPrefix: string; readonly name: string }) {
    this.connection = connection;
    this.keys = registryKeys(options.keyPrefix);
    this.#name = options.name;
    this.#lookups = new AccountLookups(this.keys.account, (keys, commands) => this.readWithPosition(keys, ...commands));
  }

  async snapshot(): Promise<PolicySnapshot> {
    const { roles: rolesKey, teams: teamsKey } = this.keys;
    const [meta, roles, teams] = await this.readWithPosition([rolesKey, teamsKey], ['HGETALL', rolesKey], ['HGETALL', teamsKey]);
    return snapshotFrom(meta, roles, teams);
  }

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#lookups.ask(id);
  }

  /**
   * The write comes first and the position after it, over one connection: whoever accepted the write stood at that position or before. PEXPIRE is a
   * write that a full Redis (OOM) still takes, unlike SET: a store without room must not stop those who only read it.
   */
  async renew({ instance, leaseMs }: LeaseRequest): Promise<Position> {
    const lease = this.keys.lease(instance);
    const position = ['HMGET', this.keys.meta, ...META_FIELDS] as const;
    const [prolonged, meta] = await this.answered(this.connection.pipeline([['PEXPIRE', lease, leaseMs], position]));
    if (prolonged === 1) return positionFrom(meta);
    const first = ['SET', lease, JSON.stringify({ leaseMs }), 'PX', leaseMs] as const;
    const [, metaAfter] = await this.answered(this.connection.pipeline([first, position]));
    return positionFrom(metaAfter);
  }

  async release(instance: string): Promise<void> {
    await this.call('DEL', this.keys.lease(instance));
  }

  follow(from: Position, listener: FeedListener): Subscription {
    const subscription = followFeed(this.connection, this.keys, `${this.#name}:feed`, from, listener);
    const tracked: Subscription = {
      close: async () => {
        this.#subscriptions.delete(tracked);
        await subscription.close();
      },
    };
    this.#subscriptions.add(tracked);
    return tracked;
  }

  async eventsAfter(from: Position): Promise<readonly FeedEvent[]> {
    const { feed } = this.keys;
    const [meta, entries] = await this.readWithPosition([feed], ['XRANGE', feed, `${from.seq + 1}-0`, '+', 'COUNT', FEED_BATCH]);
    const result = feedAfter(from, positionFrom(meta), entries);
    if (result.lost !== null) throw new FeedLost(result.lost);
    return result.events;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    this.connection.close();
  }

  protected async call(command: string, ...words: (string | number)[]): Promise<unknown> {
    return this.answered(this.connection.call(command, ...words));
  }

  /** The reply of HMGET on `meta` first, then those of the commands, all of one moment. */
  protected async readWithPosition(keys: readonly string[], ...commands: readonly RedisCommand[]): Promise<unknown[]> {
    const position = ['HMGET', this.keys.meta, ...META_FIELDS] as const;
    return this.answered(this.connection.readTogether([this.keys.meta, ...keys], [position, ...commands]));
  }

  protected async answered<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (fault) {
      throw unavailable(fault);
    }
  }
}

/** With the rights of the ACL user `manager`. */
export class RedisRegistryStore extends RedisRegistrySource implements RegistryStore {
  async initialise(roles: readonly Role[]): Promise<boolean> {
    const { meta, accounts, roles: rolesKey, teams, claims, feed } = this.keys;
    const words = roles.flatMap((role) => [role.name, encodeRecord(role)]);
    const answer = await this.answered(
      this.connection.run(INITIALISE, [meta, accounts, rolesKey, teams, claims, feed], [RECORD_SCHEMA, randomUUID(), ...words]),
    );
    const [outcome, what] = answer as [string, string?];
    if (outcome === 'damaged') throw damaged(what ?? meta);
    return outcome === 'written';
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const { keys, json } = planCommit(this.keys, commit);
    const answer = await this.answered(this.connection.run(COMMIT, keys, [json, KEPT.feed, KEPT.changesPerAccount]));
    return commitResult(answer as [string, (string | number)?, number?]);
  }

  async accountByName(name: string): Promise<Account | null> {
    for (let attempt = 0; attempt < NAME_TRIES; attempt += 1) {
      const owner = await this.call('HGET', this.keys.claims, `name:${name}`);
      if (typeof owner !== 'string') {
        // No claim says "no such account" only where there is a registry.
        positionFrom(await this.call('HMGET', this.keys.meta, ...META_FIELDS));
        return null;
      }
      const { account } = await this.account(owner.replace(/^account:/, ''));
      if (account?.name === name) return account;
    }
    throw damaged(`the claim to the account name ${JSON.stringify(name)}`);
  }

  async accounts(query: { readonly cursor: string | null; readonly limit: number }): Promise<AccountPage> {
    const start = query.cursor === null ? '-' : `(${query.cursor}`;
    const { accounts } = this.keys;
    const [meta, found] = await this.readWithPosition([accounts], ['ZRANGEBYLEX', accounts, start, '+', 'LIMIT', 0, query.limit]);
    positionFrom(meta);
    const ids = found as string[];
    if (ids.length === 0) return { items: [], damaged: [], next: null };
    const texts = (await this.call('MGET', ...ids.map((id) => this.keys.account(id)))) as (string | null)[];
    // An id without a text was deleted between the two reads.
    const page = decodePage(ids.map((id, index) => [id, texts[index] ?? null]));
    return { ...page, next: ids.length < query.limit ? null : (ids.at(-1) ?? null) };
  }

  async referencesTo(target: string, limit: number): Promise<readonly string[]> {
    const users = new Set<string>();
    let cursor = '0';
    do {
      const [next, found] = (await this.call('SSCAN', this.keys.references(target), cursor, 'COUNT', 1_000)) as [
        string,
        string[],
      ];
      for (const user of found) users.add(user);
      cursor = next;
    } while (cursor !== '0' && users.size < limit);
    return [...users].slice(0, limit);
  }

  async changes(query: {
    readonly account: string | null;
    readonly before: string | null;
    readonly limit: number;
  }): Promise<Page<string>> {
    const key = query.account === null ? this.keys.changes : this.keys.changesOf(query.account);
    const end = query.before === null ? '+' : `(${query.before}`;
    const entries = (await this.call('XREVRANGE', key, end, '-', 'COUNT', query.limit)) as [string, string[]][];
    return {
      items: entries.map(([, fields]) => fields[1] ?? ''),
      next: entries.length < query.limit ? null : (entries.at(-1)?.[0] ?? null),
    };
  }
}

function commitResult([outcome, what, count]: [string, (string | number)?, number?]): CommitResult {
  const key = String(what);
  switch (outcome) {
    case 'committed':
      return { committed: true, seq: Number(what) };
    case 'version':
    case 'claim':
      return { committed: false, conflict: outcome, key };
    case 'referenced':
      return { committed: false, conflict: outcome, key, count: count ?? 0 };
    case 'empty':
      throw new RegistryUnavailable('empty', 'there is no registry in this store');
    default:
      throw damaged(key);
  }
}

function unavailable(fault: unknown): unknown {
  return fault instanceof StoreUnavailable ? new RegistryUnavailable(fault.why, fault.message, { cause: fault }) : fault;
}
