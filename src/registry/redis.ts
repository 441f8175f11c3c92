import { randomBytes, randomUUID } from 'node:crypto';
import type { Account, Role } from '../account/model.ts';
import { StoreUnavailable } from '../store/fault.ts';
import { lastUsedKey, type RegistryKeys, registryKeys } from '../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../store/redis.ts';
import { loadScript } from '../store/script.ts';
import { damaged, decodePage, encodeRecord, RECORD_SCHEMA } from './codec.ts';
import {
  type AccountPage,
  type Assurance,
  type ChangePage,
  type Commit,
  type CommitResult,
  type FeedEvent,
  type FeedListener,
  FeedLost,
  type InstanceProgress,
  type InstanceStatus,
  type LeaseRequest,
  type PolicySnapshot,
  type Position,
  type RegistrySource,
  type RegistryStore,
  RegistryUnavailable,
  type Standing,
  type Subscription,
  type TokenUse,
  type Tombstone,
} from './port.ts';
import { entryPosition, FEED_BATCH, FORKED, feedAfter, followFeed } from './redis-feed.ts';
import { AccountLookups, readAccount } from './redis-lookups.ts';
import { aboutFrom, committedFrom, instancesFrom, leaseTtlMs, progressFrom } from './redis-members.ts';
import { planCommit } from './redis-plan.ts';
import { COUNTS, META_FIELDS, pairs, positionFrom, revisionFrom, snapshotFrom } from './redis-reply.ts';
import { assuranceFrom } from './redis-topology.ts';
import { systemTiming, type Timing } from './timing.ts';

/** How much history is kept, in entries. Who lags further behind than the feed is long reloads. */
const KEPT = { feed: 10_000, changesPerAccount: 1_000 } as const;

const COMMIT = loadScript('registry-commit');
const INITIALISE = loadScript('registry-initialise');
const ASSERT = loadScript('registry-assert');

/** Field of the tombstones that counts their changes. */
const REVISION = '#';
/** Accounts that may have a tombstone. Past it nobody is told any more: whoever saw the revocation goes on refusing by itself. */
const TOMBSTONES_MAX = 100_000;
/** How long replicas may take to confirm, below the time that a command may take. */
const WAIT_MS = 800;
/** How often a change comes again because instances had joined meanwhile. */
const MEMBER_TRIES = 5;
const LAST_USED_KEPT_MS = 400 * 86_400_000;

/** How often a look-up by name is repeated when the name moves between accounts meanwhile. */
const NAME_TRIES = 3;

export interface RedisRegistryOptions {
  readonly keyPrefix: string;
  /** Appears in `CLIENT LIST` for connections of its own. */
  readonly name: string;
  /** Replicas that must confirm a renewal or a change. Default 0. */
  readonly minReplicaAcks?: number;
  readonly timing?: Timing;
}

/**
 * What the ACL user `gate` can do: reads, and its own lease. The lease is written by plain commands and not by a script, because EVAL asks for
 * read and write rights on all its keys, and the gate has none to write the registry.
 */
export class RedisRegistrySource implements RegistrySource {
  protected readonly connection: RedisConnection;
  protected readonly keys: RegistryKeys;
  readonly #name: string;
  readonly #timing: Timing;
  readonly #subscriptions = new Set<Subscription>();
  readonly #lookups: AccountLookups;

  protected readonly prefix: string;
  /** A connection of its own where renewals wait for replicas: look-ups must not wait with them. */
  readonly #leases: RedisConnection;
  protected readonly minReplicaAcks: number;

  /** Owns the connection: `close` closes it. */
  constructor(connection: RedisConnection, options: RedisRegistryOptions) {
    this.connection = connection;
    this.keys = registryKeys(options.keyPrefix);
    this.prefix = options.keyPrefix;
    this.#name = options.name;
    this.#timing = options.timing ?? systemTiming;
    this.minReplicaAcks = options.minReplicaAcks ?? 0;
    this.#leases = this.minReplicaAcks > 0 ? connection.forBlocking(`${options.name}:lease`, WAIT_MS) : connection;
    this.#lookups = new AccountLookups(this.keys, (keys, commands) => this.readWithPosition(keys, ...commands));
  }

  async snapshot(): Promise<PolicySnapshot> {
    const { meta, roles, teams, tombstones } = this.keys;
    const reads = [
      ['HGETALL', roles],
      ['HGETALL', teams],
      ['HMGET', tombstones, REVISION],
      ['HMGET', meta, COUNTS],
    ] as const;
    const [position, ...rest] = await this.readWithPosition([roles, teams, tombstones], ...reads);
    return snapshotFrom(position, rest[0], rest[1], rest[2], rest[3]);
  }

  async account(id: string): Promise<Position & { readonly account: Account | null }> {
    return this.#lookups.ask(id);
  }

  /**
   * The write comes first and the position after it, over one connection: whoever accepted the write stood at that position or before. PEXPIRE is a
   * write that a full Redis (OOM) still takes, unlike SET: a store without room must not stop those who only read it.
   *
   * The first time the lease is written before the membership, and both before the position is read. So whoever changes the registry either finds the
   * instance among the members, or the instance finds the change in the position that it has to reach first.
   */
  async renew(request: LeaseRequest): Promise<Standing> {
    const { instance, leaseMs } = request;
    const { members, tombstones, meta } = this.keys;
    const lease = this.keys.lease(instance);
    const ttlMs = leaseTtlMs(leaseMs);
    const standing = [
      ['HMGET', tombstones, REVISION],
      ['HMGET', meta, ...META_FIELDS],
    ] as const;
    const known = await this.#renewed([['PEXPIRE', lease, ttlMs], ['HMGET', members, instance], ...standing]);
    const about = (known[1] as (string | null)[])[0];
    if (known[0] === 1 && about !== null) return { ...positionFrom(known[3]), tombstones: revisionFrom(known[2]) };
    const joined = await this.#renewed([
      ['SET', lease, '1', 'PX', ttlMs],
      ['HSET', members, instance, aboutFrom(request)],
      ...standing,
    ]);
    return { ...positionFrom(joined[3]), tombstones: revisionFrom(joined[2]) };
  }

  /** What a primary accepts alone, it may lose: where replicas are to confirm, a renewal that they have not confirmed is none. */
  async #renewed(commands: readonly RedisCommand[]): Promise<unknown[]> {
    if (this.minReplicaAcks === 0) return this.answered(this.#leases.pipeline(commands));
    const wait = ['WAIT', this.minReplicaAcks, WAIT_MS] as const;
    const replies = await this.answered(this.#leases.pipeline([...commands, wait]));
    const confirmed = Number(replies.at(-1));
    if (confirmed >= this.minReplicaAcks) return replies;
    throw new RegistryUnavailable('refused', `${confirmed} replicas confirmed the lease, and ${this.minReplicaAcks} must`);
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
    await this.call('SET', this.keys.ack(instance), nameOf(applied), 'PX', keepMs);
  }

  async assert(tombstones: readonly Tombstone[]): Promise<void> {
    const words = [JSON.stringify(tombstones), TOMBSTONES_MAX];
    const answer = await this.answered(this.connection.run(ASSERT, [this.keys.tombstones], words));
    if (answer === -1) throw new RegistryUnavailable('refused', 'there is no room for more tombstones');
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
    await this.answered(this.connection.pipeline(commands));
  }

  follow(from: Position, listener: FeedListener): Subscription {
    const subscription = followFeed(this.connection, this.keys, `${this.#name}:feed`, from, listener, this.#timing);
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
  /** Members when we last looked. */
  #members: readonly string[] = [];

  async initialise(roles: readonly Role[]): Promise<boolean> {
    const { meta, accounts, roles: rolesKey, teams, claims, feed, tombstones } = this.keys;
    const words = [RECORD_SCHEMA, randomUUID(), newTip(), ...roles.flatMap((role) => [role.name, encodeRecord(role)])];
    const answer = await this.answered(
      this.connection.run(INITIALISE, [meta, accounts, rolesKey, teams, claims, feed, tombstones], words),
    );
    const [outcome, what] = answer as [string, string?];
    if (outcome === 'damaged') throw damaged(what ?? meta);
    return outcome === 'written';
  }

  /** Comes again with the leases of members that it did not know of. Mostly it is right the second time, and every time after that. */
  async commit(commit: Commit): Promise<CommitResult> {
    for (let attempt = 0; attempt < MEMBER_TRIES; attempt += 1) {
      const { keys, json } = planCommit(this.keys, commit, this.#members);
      const tip = newTip();
      const words = [json, KEPT.feed, KEPT.changesPerAccount, tip];
      const { answer, replicated } = await this.#commit(keys, words);
      const [outcome, ...rest] = answer;
      if (outcome === 'members') this.#members = [...new Set([...this.#members, ...(rest as string[])])];
      else if (outcome === 'committed') {
        const committed = committedFrom(rest, tip, replicated);
        this.#members = committed.members.map(({ instance }) => instance);
        return committed;
      } else return refusedFrom(outcome, rest);
    }
    throw new RegistryUnavailable('refused', 'instances kept joining while the change was made; nothing was changed');
  }

  /** The change is made either way; whether it survives the loss of the primary is what `replicated` tells. */
  async #commit(keys: readonly string[], words: readonly (string | number)[]) {
    const replicas = this.minReplicaAcks;
    if (replicas === 0) {
      const answer = await this.answered(this.connection.run(COMMIT, keys, words));
      return { answer: answer as [string, ...unknown[]], replicated: true };
    }
    const wait = { replicas, waitMs: WAIT_MS };
    const confirmed = await this.answered(this.connection.runConfirmed(COMMIT, keys, words, wait));
    return { answer: confirmed.reply as [string, ...unknown[]], replicated: (confirmed.replicas ?? 0) >= replicas };
  }

  /**
   * An acknowledgement counts only if what it names is in this store's history. After a failover an instance may, for a moment, acknowledge to the new primary
   * what it had applied from the old one, and numbers are then used again.
   */
  async progress(instances: readonly string[]): Promise<readonly InstanceProgress[]> {
    if (instances.length === 0) return [];
    const [acks, leases] = [instances.map(this.keys.ack), instances.map(this.keys.lease)];
    const reads: RedisCommand[] = [['MGET', ...acks], ...leases.map((lease) => ['PTTL', lease] as const)];
    const [meta, told, ...ttls] = await this.readWithPosition([...acks, ...leases], ...reads);
    const progress = progressFrom(instances, told, ttls);
    const real = await this.#ofThisHistory(
      positionFrom(meta),
      progress.flatMap(({ applied }) => applied ?? []),
    );
    return progress.map((one) => (one.applied !== null && real.has(nameOf(one.applied)) ? one : { ...one, applied: null }));
  }

  async holds(change: Position): Promise<boolean> {
    const [meta] = await this.readWithPosition([]);
    const now = positionFrom(meta);
    return now.seq >= change.seq && (await this.#ofThisHistory(now, [change])).has(nameOf(change));
  }

  async #ofThisHistory(now: Position, named: readonly Position[]): Promise<ReadonlySet<string>> {
    const real = new Set([nameOf(now)]);
    const doubtful = [...new Set(named.filter((one) => !real.has(nameOf(one))).map(({ seq }) => seq))];
    if (doubtful.length === 0) return real;
    const { feed } = this.keys;
    const reads = doubtful.map((seq) => ['XRANGE', feed, `${seq}-0`, `${seq}-0`] as const);
    const entries = await this.answered(this.connection.readTogether([feed], reads));
    for (const position of entries.flatMap(entryPosition)) real.add(nameOf(position));
    return real;
  }

  async instances(): Promise<{ readonly position: Position; readonly items: readonly InstanceStatus[] }> {
    const { members } = this.keys;
    const [meta, about] = await this.readWithPosition([members], ['HGETALL', members]);
    const known = new Map(pairs(about));
    return { position: positionFrom(meta), items: instancesFrom(known, await this.progress([...known.keys()])) };
  }

  async assurance(): Promise<Assurance> {
    return assuranceFrom(await this.answered(this.connection.callAt(this.keys.meta, 'INFO', 'replication')));
  }

  async uses(account: string): Promise<readonly TokenUse[]> {
    const words = pairs(await this.call('HGETALL', lastUsedKey(this.prefix, account)));
    return words.map(([token, text]) => {
      const [timeMs = '', ...address] = text.split(' ');
      return { account, token, timeMs: Number(timeMs), address: address.join(' ') };
    });
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
    const { tombstones } = this.keys;
    const keys = ids.map((id) => this.keys.account(id));
    const reads: RedisCommand[] = [
      ['MGET', ...keys],
      ['HMGET', tombstones, ...ids],
    ];
    const [texts, graves] = (await this.answered(this.connection.readTogether([...keys, tombstones], reads))) as (
      | string
      | null
    )[][];
    // An id without a text was deleted between the two reads.
    const rows = ids.map((id, index) => [id, [texts?.[index], graves?.[index]]] as const);
    const page = decodePage(rows, (id, [text, grave]) => readAccount(id, text, grave));
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
  }): Promise<ChangePage> {
    const key = query.account === null ? this.keys.changes : this.keys.changesOf(query.account);
    const end = query.before === null ? '+' : `(${query.before}`;
    const entries = (await this.call('XREVRANGE', key, end, '-', 'COUNT', query.limit)) as [string, string[]][];
    const cursors = entries.map(([id]) => id);
    return {
      items: entries.map(([, fields]) => fields[1] ?? ''),
      cursors,
      next: entries.length < query.limit ? null : (cursors.at(-1) ?? null),
    };
  }
}

/** A change that was not made. */
function refusedFrom(outcome: string, [what, count]: readonly unknown[]): CommitResult {
  const key = String(what);
  switch (outcome) {
    case 'version':
    case 'claim':
      return { committed: false, conflict: outcome, key };
    case 'referenced':
      return { committed: false, conflict: outcome, key, count: Number(count ?? 0) };
    case 'empty':
      throw new RegistryUnavailable('empty', 'there is no registry in this store');
    default:
      throw damaged(key);
  }
}

/** A change by all that names it. */
function nameOf({ epoch, seq, tip = '' }: Position): string {
  return `${seq} ${epoch} ${tip}`;
}

/** 64 random bits: enough that two histories never agree on a change by chance. */
function newTip(): string {
  return randomBytes(8).toString('hex');
}

function unavailable(fault: unknown): unknown {
  return fault instanceof StoreUnavailable ? new RegistryUnavailable(fault.why, fault.message, { cause: fault }) : fault;
}
