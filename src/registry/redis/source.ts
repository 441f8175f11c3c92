import type { Account, TokenUse } from '../../account/model.ts';
import { StoreUnavailable } from '../../store/fault.ts';
import { lastUsedKey, type RegistryKeys, registryKeys } from '../../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../../store/redis.ts';
import { loadScript } from '../../store/script.ts';
import { PolicyReader } from '../policy-reader.ts';
import {
  type FeedEvent,
  type FeedListener,
  FeedLost,
  type LeaseRequest,
  type PolicySnapshot,
  type RegistrySource,
  RegistryUnavailable,
  type Subscription,
} from '../port.ts';
import type { Position, StoreState } from '../position.ts';
import { TOMBSTONES_MAX } from '../revoked/merge.ts';
import { toldPolicy } from '../revoked/policy-tombstone.ts';
import { readTombstone, type Unreadable } from '../revoked/tombstone.ts';
import type { ServedRegistry } from '../served.ts';
import { systemTiming, type Timing } from '../timing.ts';
import type { Tombstone } from '../tombstone.ts';
import { FEED_BATCH, FORKED, feedAfter, followFeed } from './feed.ts';
import { isFull, writeWhenFull } from './full.ts';
import { AccountLookups } from './lookups.ts';
import { aboutFrom, renewalTtlMs } from './members.ts';
import {
  COUNTS,
  META_FIELDS,
  nameOf,
  revisionFrom,
  servedPosition,
  snapshotFrom,
} from './reply.ts';

/** Bounded by TOMBSTONES_MAX: what was revoked has to be told to a full store too. */
const ASSERT = loadScript('registry-assert', { whenFull: true });

/** Field of the tombstones that counts their changes. */
const REVISION = '#';
/** Field of the tombstones that holds those of roles and teams, all together. */
export const POLICY = '@policy';
/** How long replicas may take to confirm, below the time that a command may take. */
export const WAIT_MS = 800;
const LAST_USED_KEPT_MS = 400 * 86_400_000;

export interface RedisRegistryOptions {
  readonly keyPrefix: string;
  /** Appears in `CLIENT LIST` for connections of its own. */
  readonly name: string;
  /** Replicas that must confirm a renewal or a change. Default 0. */
  readonly minReplicaAcks?: number;
  readonly timing?: Timing;
  /** What the instance has served: no other registry counts. Default null: any is taken. */
  readonly served?: ServedRegistry | null;
  readonly unreadable?: Unreadable;
}

/**
 * What the ACL user `gate` can do: reads, and its own lease. The lease is written by plain commands
 * and not by a script, because EVAL asks for read and write rights on all its keys, and the gate
 * has none to write the registry.
 */
export class RedisRegistrySource implements RegistrySource {
  protected readonly connection: RedisConnection;
  protected readonly keys: RegistryKeys;
  readonly #name: string;
  readonly #timing: Timing;
  readonly #policy = new PolicyReader();
  readonly #subscriptions = new Set<Subscription>();
  readonly #lookups: AccountLookups;
  protected readonly unreadable: Unreadable;

  protected readonly prefix: string;
  /** A connection of its own where renewals wait for replicas: look-ups must not wait with them. */
  readonly #leases: RedisConnection;
  protected readonly minReplicaAcks: number;
  /** Numbers the renewals, so that each can be told from the one before. */
  #renewals = 0;
  protected readonly served: ServedRegistry | null;

  /** Owns the connection: `close` closes it. */
  constructor(connection: RedisConnection, options: RedisRegistryOptions) {
    this.connection = connection;
    this.keys = registryKeys(options.keyPrefix);
    this.prefix = options.keyPrefix;
    this.#name = options.name;
    this.#timing = options.timing ?? systemTiming;
    this.minReplicaAcks = options.minReplicaAcks ?? 0;
    this.served = options.served ?? null;
    this.unreadable = options.unreadable ?? 'damaged';
    this.#leases =
      this.minReplicaAcks > 0
        ? connection.forBlocking(`${options.name}:lease`, WAIT_MS)
        : connection;
    this.#lookups = new AccountLookups(
      this.keys,
      (keys, commands) => this.readWithPosition(keys, ...commands),
      (reply) => this.positionFrom(reply),
      (account, text) => readTombstone(account, text, this.unreadable),
    );
  }

  async identify(): Promise<string | null> {
    const [epoch] = (await this.call('HMGET', this.keys.meta, 'epoch')) as (string | null)[];
    return epoch ?? null;
  }

  async snapshot(): Promise<PolicySnapshot> {
    const { meta, roles, teams, tombstones } = this.keys;
    const reads = [
      ['HGETALL', roles],
      ['HGETALL', teams],
      ['HMGET', tombstones, REVISION, POLICY],
      ['HMGET', meta, COUNTS],
    ] as const;
    const [position, ...rest] = await this.readWithPosition([roles, teams, tombstones], ...reads);
    return snapshotFrom(
      this.#policy,
      this.unreadable,
      this.positionFrom(position),
      rest[0],
      rest[1],
      rest[2],
      rest[3],
    );
  }

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#lookups.ask(id);
  }

  /**
   * The write comes first and the position after it, over one connection: whoever accepted the
   * write stood at that position or before. PEXPIRE is a write that a full Redis (OOM) still takes,
   * unlike SET: a store without room must not stop those who only read it.
   *
   * The first time the lease is written before the membership, and both before the position is
   * read. So whoever changes the registry either finds the instance among the members, or the
   * instance finds the change in the position that it has to reach first.
   */
  async renew(request: LeaseRequest): Promise<StoreState> {
    const { instance, leaseMs } = request;
    const { members, tombstones, meta } = this.keys;
    const lease = this.keys.lease(instance);
    const ttlMs = renewalTtlMs(leaseMs, this.#renewals++);
    const state = [
      ['HMGET', tombstones, REVISION],
      ['HMGET', meta, ...META_FIELDS],
    ] as const;
    const known = await this.#renewed([
      ['PEXPIRE', lease, ttlMs],
      ['HMGET', members, instance],
      ...state,
    ]);
    const about = (known[1] as (string | null)[])[0];
    if (known[0] === 1 && about !== null)
      return { ...this.positionFrom(known[3]), tombstones: revisionFrom(known[2]) };
    const joins = [
      ['SET', lease, '1', 'PX', ttlMs],
      ['HSET', members, instance, aboutFrom(request)],
    ] as const;
    try {
      const joined = await this.#renewed([...joins, ...state]);
      return { ...this.positionFrom(joined[3]), tombstones: revisionFrom(joined[2]) };
    } catch (fault) {
      if (!isFull(fault)) throw fault;
    }
    // In the same order, one by one; the renewal then reads the position behind both.
    for (const [command, key, ...words] of joins)
      await this.answered(writeWhenFull(this.#leases, key, command, ...words));
    const renewed = await this.#renewed([['PEXPIRE', lease, ttlMs], ...state]);
    if (renewed[0] !== 1) throw new RegistryUnavailable('refused', 'the lease ran out at once');
    return { ...this.positionFrom(renewed[2]), tombstones: revisionFrom(renewed[1]) };
  }

  /**
   * What a primary accepts alone, it may lose: where replicas are to confirm, a renewal that they
   * have not confirmed is none.
   */
  async #renewed(commands: readonly RedisCommand[]): Promise<unknown[]> {
    if (this.minReplicaAcks === 0) return this.answered(this.#leases.pipeline(commands));
    const wait = ['WAIT', this.minReplicaAcks, WAIT_MS] as const;
    const replies = await this.answered(this.#leases.pipeline([...commands, wait]));
    const confirmed = Number(replies.at(-1));
    if (confirmed >= this.minReplicaAcks) return replies;
    throw new RegistryUnavailable(
      'refused',
      `${confirmed} replicas confirmed the lease, and ${this.minReplicaAcks} must`,
    );
  }

  async release(instance: string): Promise<void> {
    const { members, lease, ack } = this.keys;
    await this.answered(
      this.connection.pipeline([
        ['DEL', lease(instance)],
        ['DEL', ack(instance)],
        ['HDEL', members, instance],
      ]),
    );
  }

  async acknowledge(instance: string, applied: Position, keepMs: number): Promise<void> {
    const [key, text] = [this.keys.ack(instance), nameOf(applied)];
    try {
      await this.call('SET', key, text, 'PX', keepMs);
    } catch (fault) {
      if (!isFull(fault)) throw fault;
      await this.answered(writeWhenFull(this.connection, key, 'SET', text, 'PX', keepMs));
    }
  }

  async assert(tombstones: readonly Tombstone[]): Promise<void> {
    const told = tombstones.map((one) => ('policy' in one ? toldPolicy(one) : one));
    const { accounts, policies, seen } = TOMBSTONES_MAX;
    const words = [JSON.stringify(told), accounts, policies, seen];
    const answer = await this.answered(this.connection.run(ASSERT, [this.keys.tombstones], words));
    if (answer === -1)
      throw new RegistryUnavailable('refused', 'there is no room for more tombstones');
  }

  async recordUses(uses: readonly TokenUse[]): Promise<void> {
    if (uses.length === 0) return;
    const commands = uses.flatMap(({ account, token, timeMs, address }): RedisCommand[] => {
      const key = lastUsedKey(this.prefix, account);
      return [
        ['HSET', key, token, `${timeMs} ${address}`],
        ['PEXPIRE', key, LAST_USED_KEPT_MS],
      ];
    });
    // The lists take them in from here: who may write no more than this can only say that he has
    // let somebody in.
    const noted = uses.flatMap(({ account, token, timeMs }) => [timeMs, `${account} ${token}`]);
    await this.answered(
      this.connection.pipeline([...commands, ['ZADD', this.keys.uses, 'GT', ...noted]]),
    );
  }

  follow(from: Position, listener: FeedListener): Subscription {
    const subscription = followFeed(
      this.connection,
      this.keys,
      `${this.#name}:feed`,
      from,
      listener,
      this.#timing,
    );
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
    const [meta, entries] = await this.readWithPosition(
      [feed],
      ['XRANGE', feed, `${from.seq + 1}-0`, '+', 'COUNT', FEED_BATCH],
    );
    const result = feedAfter(from, this.positionFrom(meta), entries);
    if (result.lost !== null) throw new FeedLost(result.lost, { forked: result.lost === FORKED });
    return result.events;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#subscriptions].map((subscription) => subscription.close()));
    if (this.#leases !== this.connection) this.#leases.close();
    this.connection.close();
  }

  protected async call(command: string, ...words: (string | number)[]): Promise<unknown> {
    return this.answered(this.connection.call(command, ...words));
  }

  /** Throws `RegistryUnavailable` also when it is not the registry that was served. */
  protected positionFrom(reply: unknown): Position {
    return servedPosition(reply, this.served);
  }

  /** The reply of HMGET on `meta` first, then those of the commands, all of one moment. */
  protected async readWithPosition(
    keys: readonly string[],
    ...commands: readonly RedisCommand[]
  ): Promise<unknown[]> {
    const position = ['HMGET', this.keys.meta, ...META_FIELDS] as const;
    return this.answered(
      this.connection.readTogether([this.keys.meta, ...keys], [position, ...commands]),
    );
  }

  protected async answered<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply;
    } catch (fault) {
      throw unavailable(fault);
    }
  }
}

function unavailable(fault: unknown): unknown {
  return fault instanceof StoreUnavailable
    ? new RegistryUnavailable(fault.why, fault.message, { cause: fault })
    : fault;
}
