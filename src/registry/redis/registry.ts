import { randomBytes, randomUUID } from 'node:crypto';
import type { Role } from '../../account/model.ts';
import type { RedisCommand } from '../../store/redis.ts';
import { loadScript, type Script } from '../../store/script.ts';
import { damaged, encodeRecord, RECORD_SCHEMA } from '../codec.ts';
import type { ChangeRecord, Commit, CommitResult, StoredWaiting } from '../commit.ts';
import { LISTING_VERSION } from '../listing/entry.ts';
import type { Assurance, InstanceProgress, InstanceStatus } from '../members.ts';
import {
  type ChangePage,
  type ChangePlace,
  type ChangesQuery,
  type NextEvents,
  type RegistryStore,
  RegistryUnavailable,
  type Stored,
} from '../port.ts';
import type { Position } from '../position.ts';
import { noRegistry } from '../served.ts';
import { RedisAccounts } from './accounts.ts';
import { entryPosition } from './feed.ts';
import { hasReserve, isFull } from './full.ts';
import { inspectRedis } from './inspect.ts';
import { committedFrom, instancesFrom, progressFrom } from './members.ts';
import { planCommit } from './plan.ts';
import { nameOf, pairs } from './reply.ts';
import { WAIT_MS } from './source.ts';
import { assuranceFrom } from './topology.ts';

/** How much history is kept, in entries. Who lags further behind than the feed is long reloads. */
const KEPT = { feed: 10_000, changesPerAccount: 1_000 } as const;

const COMMIT = loadScript('registry-commit');
/** The same, on a store whose memory is used up. */
const COMMIT_WHEN_FULL = loadScript('registry-commit', { whenFull: true });
const FORGET = loadScript('registry-forget');
const INITIALISE = loadScript('registry-initialise');

/** With the rights of the ACL user `manager`. */
export class RedisRegistryStore extends RedisAccounts implements RegistryStore {
  async initialise(
    roles: readonly Role[],
    recorded: ((id: string) => ChangeRecord) | null = null,
  ): Promise<boolean> {
    const id = randomUUID();
    const [outcome, what] = await this.#initialise([
      RECORD_SCHEMA,
      id,
      newTip(),
      recorded?.(id).event ?? '',
      ...roles.flatMap((role) => [role.name, encodeRecord(role)]),
    ]);
    if (outcome === 'damaged') throw damaged(what ?? this.keys.meta);
    return outcome === 'written';
  }

  /** Whoever may not write these keys may not run the script, whatever it would do. */
  async assertWritable(): Promise<void> {
    await this.#initialise([]);
  }

  async #initialise(words: readonly (string | number)[]): Promise<[string, string?]> {
    const { meta, accounts, roles, teams, claims, feed, tombstones, changes } = this.keys;
    const keys = [meta, accounts, roles, teams, claims, feed, tombstones, changes];
    return (await this.answered(this.connection.run(INITIALISE, keys, words))) as [string, string?];
  }

  async commit(commit: Commit): Promise<CommitResult> {
    const { keys, json } = planCommit(this.keys, commit);
    const tip = newTip();
    const words = [
      ...[json, KEPT.feed, KEPT.changesPerAccount, tip, LISTING_VERSION],
      this.served?.id ?? '',
    ];
    const { answer, replicated } = await this.#commit(keys, words);
    const [outcome, ...rest] = answer;
    if (outcome === 'foreign') throw this.#foreign(rest[0]);
    return outcome === 'committed'
      ? committedFrom(rest, tip, replicated)
      : refusedFrom(outcome, rest);
  }

  /**
   * A store that has no memory left takes changes from a reserve: who shuts an account out must not
   * wait for room. Being full is found before the first write, so nothing was done by then.
   */
  async #commit(keys: readonly string[], words: readonly (string | number)[]) {
    try {
      return await this.#run(COMMIT, keys, words);
    } catch (fault) {
      if (!isFull(fault)) throw fault;
      if (!(await this.answered(hasReserve(this.connection, this.keys.meta)))) throw fault;
      return this.#run(COMMIT_WHEN_FULL, keys, words);
    }
  }

  /** The store holds no registry, or another one than was served: nothing was changed. */
  #foreign(found: unknown): unknown {
    try {
      this.served?.assert(typeof found === 'string' ? found : null);
      // Confirmed by an operator in this very moment.
      return new RegistryUnavailable('refused', 'the registry is another one now: try again');
    } catch (fault) {
      return fault;
    }
  }

  /**
   * The change is made either way; whether it survives the loss of the primary is what `replicated`
   * tells.
   */
  async #run(script: Script, keys: readonly string[], words: readonly (string | number)[]) {
    const replicas = this.minReplicaAcks;
    if (replicas === 0) {
      const answer = await this.answered(this.connection.run(script, keys, words));
      return { answer: answer as [string, ...unknown[]], replicated: true };
    }
    const wait = { replicas, waitMs: WAIT_MS };
    const confirmed = await this.answered(this.connection.runConfirmed(script, keys, words, wait));
    return {
      answer: confirmed.reply as [string, ...unknown[]],
      replicated: (confirmed.replicas ?? 0) >= replicas,
    };
  }

  /**
   * An acknowledgement counts only if what it names is in this store's history. After a failover an
   * instance may, for a moment, acknowledge to the new primary what it had applied from the old
   * one, and numbers are then used again.
   */
  async progress(instances: readonly string[]): Promise<readonly InstanceProgress[]> {
    if (instances.length === 0) return [];
    const [acks, leases] = [instances.map(this.keys.ack), instances.map(this.keys.lease)];
    const { members } = this.keys;
    const reads: RedisCommand[] = [
      ['MGET', ...acks],
      ['HMGET', members, ...instances],
      ...leases.flatMap((lease): RedisCommand[] => [
        ['PTTL', lease],
        ['PEXPIRETIME', lease],
      ]),
    ];
    const read = await this.readWithPosition([...acks, members, ...leases], ...reads);
    const [meta, told, about, ...ends] = read;
    const progress = progressFrom(instances, told, about, ends);
    const real = await this.#ofThisHistory(
      this.positionFrom(meta),
      progress.flatMap(({ applied }) => applied ?? []),
    );
    return progress.map((one) =>
      one.applied !== null && real.has(nameOf(one.applied)) ? one : { ...one, applied: null },
    );
  }

  async holds(change: Position): Promise<boolean> {
    const [meta] = await this.readWithPosition([]);
    const now = this.positionFrom(meta);
    return now.seq >= change.seq && (await this.#ofThisHistory(now, [change])).has(nameOf(change));
  }

  async #ofThisHistory(now: Position, named: readonly Position[]): Promise<ReadonlySet<string>> {
    const real = new Set([nameOf(now)]);
    const doubtful = [
      ...new Set(named.filter((one) => !real.has(nameOf(one))).map(({ seq }) => seq)),
    ];
    if (doubtful.length === 0) return real;
    const { feed } = this.keys;
    const reads = doubtful.map((seq) => ['XRANGE', feed, `${seq}-0`, `${seq}-0`] as const);
    const entries = await this.answered(this.connection.readTogether([feed], reads));
    for (const position of entries.flatMap(entryPosition)) real.add(nameOf(position));
    return real;
  }

  async instances(): Promise<{
    readonly position: Position;
    readonly items: readonly InstanceStatus[];
  }> {
    const { members } = this.keys;
    const [meta, about] = await this.readWithPosition([members], ['HGETALL', members]);
    const known = new Map(pairs(about));
    return {
      position: this.positionFrom(meta),
      items: instancesFrom(known, await this.progress([...known.keys()])),
    };
  }

  async forget(instance: string, renewal: string | null): Promise<boolean> {
    const { members, lease, ack } = this.keys;
    const keys = [members, lease(instance), ack(instance)];
    const words = [instance, renewal ?? ''];
    return (await this.answered(this.connection.run(FORGET, keys, words))) === 1;
  }

  async assurance(): Promise<Assurance> {
    return assuranceFrom(
      await this.answered(this.connection.callAt(this.keys.meta, 'INFO', 'replication')),
    );
  }

  inspect(targets: readonly string[]): AsyncIterable<Stored> {
    return inspectRedis(this.keys, targets, (command, ...words) => this.call(command, ...words));
  }

  async waiting(): Promise<readonly StoredWaiting[]> {
    const { waiting } = this.keys;
    const [meta, found] = await this.readWithPosition([waiting], ['HGETALL', waiting]);
    this.positionFrom(meta);
    return pairs(found).map(([id, text]) => ({ id, text }));
  }

  async changesAfter(after: string | null, limit: number): Promise<NextEvents> {
    const key = this.keys.changes;
    const [, found] = await this.readWithPosition(
      [key],
      after === null
        ? ['XREVRANGE', key, '+', '-', 'COUNT', 1]
        : ['XRANGE', key, `(${after}`, '+', 'COUNT', limit],
    );
    const entries = found as [string, string[]][];
    const items = entries.map(([at, fields]) => ({ at, event: fields[1] ?? '' }));
    return { items: after === null ? [] : items, end: items.at(-1)?.at ?? after ?? '0-0' };
  }

  async changes(query: ChangesQuery): Promise<ChangePage> {
    const key = query.account === null ? this.keys.changes : this.keys.changesOf(query.account);
    const end = query.before === null ? '+' : `(${query.before}`;
    const [meta, found] = await this.readWithPosition(
      [key],
      ['XREVRANGE', key, end, '-', 'COUNT', query.limit],
    );
    const { seq } = this.positionFrom(meta);
    const entries = found as [string, string[]][];
    const cursors = entries.map(([id]) => id);
    return {
      items: entries.map(([, fields]) => fields[1] ?? ''),
      places: entries.map(([, fields]) => placeIn(fields)),
      recordedMs: cursors.map((id) => Number.parseInt(id, 10)),
      newest: seq,
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
      throw noRegistry();
    default:
      throw damaged(key);
  }
}

/** As the script wrote it: number, part, how many. */
function placeIn([, , name, text = '']: readonly string[]): ChangePlace | null {
  const words = name === 'n' ? text.split(' ').map(Number) : [];
  const [number = 0, part = 0, of = 0] = words;
  return number > 0 && part > 0 && of >= part ? { number, part, of } : null;
}

/** 64 random bits: enough that two histories never agree on a change by chance. */
function newTip(): string {
  return randomBytes(8).toString('hex');
}
