import { tokenId } from '../../../account/token.ts';
import { lastUsedKey } from '../../../store/keys.ts';
import type { RedisCommand } from '../../../store/redis.ts';
import { loadScript } from '../../../store/script.ts';
import { decodeAccount } from '../../codec.ts';
import { type FeedEvent, FeedLost, RegistryUnavailable } from '../../port.ts';
import type { Position } from '../../position.ts';
import { notesUses } from '../../redis/members.ts';
import { META_FIELDS, pairs } from '../../redis/reply.ts';
import { damagedEntry, entryOf, LISTING_VERSION, type ListingEntry } from '../entry.ts';
import { type ListingRedis, listKeys } from './port.ts';

const BEGIN = loadScript('listing-begin');
const BUILD = loadScript('listing-build');
const FOLLOW = loadScript('listing-follow');
const USES = loadScript('listing-uses');

/** Each slice takes two or three milliseconds of Redis' time at most. */
const SLICE = { accounts: 50, changes: 50, uses: 300 } as const;

/** Accounts that are looked at for uses in the background at one time, and at once. */
const SWEEP = { most: 10_000, slice: 200 } as const;

/** How long somebody who wants a list waits while it is being made. */
const WAIT_MS = 5_000;

export interface UpkeepOptions {
  readonly prefix: string;
  eventsAfter(from: Position): Promise<readonly FeedEvent[]>;
  nowMs(): number;
}

interface State {
  readonly position: Position;
  /** Where the lists stand; null: there are none in a form that we know. */
  readonly listed: { readonly seq: number; readonly tip: string } | null;
  /** Until where they have been made; null: they are whole. */
  readonly from: string | null;
  readonly numbers: number;
  readonly made: number;
  readonly accounts: number;
  readonly uses: number;
}

/**
 * Keeps the lists as new as the registry. Every change keeps them by itself; what is left is to
 * make them where there are none, to follow the feed where somebody changed the registry who does
 * not keep them (an earlier version of the program), and to take in the last uses that gates have
 * noted. All in slices, and several may do it at once: each slice says where it goes on from.
 */
export class RedisUpkeep {
  readonly #redis: ListingRedis;
  readonly #options: UpkeepOptions;
  /** The account up to which uses have been looked for. */
  #swept = '';

  constructor(redis: ListingRedis, options: UpkeepOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  /** Throws `RegistryUnavailable` (`refused`) while they are being made. */
  async current(withUses: boolean, waitMs: number = WAIT_MS) {
    const endMs = this.#options.nowMs() + waitMs;
    for (;;) {
      const state = await this.#state();
      const step = this.#next(state, withUses);
      if (step === null)
        return { numbers: state.numbers, revision: `${state.position.seq} ${state.position.tip}` };
      if (this.#options.nowMs() > endMs) throw notYet(state);
      await step();
    }
  }

  /** In the background: as far as there is anything to do. */
  async tend(goesOn: () => boolean): Promise<void> {
    if (await this.#someoneNotesNoUses()) await this.#sweep(goesOn);
    while (goesOn()) {
      const step = this.#next(await this.#state(), true);
      if (step === null) return;
      await step();
    }
  }

  async #someoneNotesNoUses(): Promise<boolean> {
    const members = pairs(await this.#redis.call('HGETALL', this.#redis.keys.members));
    return members.some(([, about]) => !notesUses(about));
  }

  /**
   * An instance of an earlier version notes uses beside the registry only. While there is one, they
   * are looked for there, some accounts at a time.
   */
  async #sweep(goesOn: () => boolean): Promise<void> {
    for (let seen = 0; seen < SWEEP.most && goesOn(); seen += SWEEP.slice) {
      const ids = await this.#idsAfter(this.#swept, SWEEP.slice);
      this.#swept = ids.length < SWEEP.slice ? '' : (ids.at(-1) ?? '');
      const read = await this.#read(ids);
      const used = await this.#usesOf(read);
      const noted = read.flatMap(({ id, token }, index) =>
        (used[index] ?? 0) > 0 ? [used[index] ?? 0, `${id} ${token}`] : [],
      );
      if (noted.length > 0) await this.#redis.call('ZADD', this.#redis.keys.uses, 'GT', ...noted);
      if (this.#swept === '') return;
    }
  }

  #next(state: State, withUses: boolean): (() => Promise<unknown>) | null {
    const { position, listed, from, uses } = state;
    if (listed === null) return () => this.#begin(position);
    if (listed.seq !== position.seq || listed.tip !== (position.tip ?? ''))
      return () => this.#follow(position, listed);
    if (from !== null) return () => this.#build(from);
    return withUses && uses > 0 ? () => this.#takeUses() : null;
  }

  async #state(): Promise<State> {
    const { meta, accounts, uses } = this.#redis.keys;
    const { state } = listKeys(this.#redis.keys);
    const [position, kept, count, waiting] = await this.#redis.readTogether(
      [meta, state, accounts, uses],
      [
        ['HMGET', meta, ...META_FIELDS],
        ['HMGET', state, 'version', 'seq', 'tip', 'from', 'numbers', 'made'],
        ['ZCARD', accounts],
        ['ZCARD', uses],
      ],
    );
    const [version, seq, tip, from, numbers, made] = kept as (string | null)[];
    return {
      position: this.#redis.positionFrom(position),
      listed: version === LISTING_VERSION ? { seq: Number(seq), tip: tip ?? '' } : null,
      from: from ?? null,
      numbers: Number(numbers ?? 0),
      made: Number(made ?? 0),
      accounts: Number(count),
      uses: Number(waiting),
    };
  }

  async #begin({ seq, tip = '' }: Position): Promise<void> {
    const { meta, lists } = this.#redis.keys;
    await this.#redis.run(BEGIN, [meta, ...lists], [LISTING_VERSION, seq, tip]);
  }

  /** The next accounts in the order of their ids. */
  async #build(from: string): Promise<void> {
    const { account, lists } = this.#redis.keys;
    const ids = await this.#idsAfter(from, SLICE.accounts);
    const read = await this.#read(ids);
    const used = await this.#usesOf(read);
    const listed = read.map(({ id, version, entry }, index) => ({
      id,
      version,
      entry: { ...entry, used: used[index] ?? 0 },
    }));
    const next = ids.length < SLICE.accounts ? '' : (ids.at(-1) ?? '');
    const words = [LISTING_VERSION, from, next, JSON.stringify(listed)];
    const keys = [...lists, ...listed.map(({ id }) => account(id))];
    await this.#redis.run(BUILD, keys, words);
  }

  async #idsAfter(from: string, limit: number): Promise<readonly string[]> {
    const { accounts } = this.#redis.keys;
    const start = from === '' ? '-' : `(${from}`;
    const words = ['ZRANGEBYLEX', accounts, start, '+', 'LIMIT', 0, limit] as const;
    return (await this.#redis.call(...words)) as string[];
  }

  async #read(ids: readonly string[]): Promise<readonly Read[]> {
    if (ids.length === 0) return [];
    const keys = ids.map(this.#redis.keys.account);
    const texts = (await this.#redis.call('MGET', ...keys)) as (string | null)[];
    return ids.flatMap((id, index) => readEntry(id, texts[index] ?? null));
  }

  /** From what gates have always noted beside the registry. */
  async #usesOf(read: readonly Read[]): Promise<readonly number[]> {
    const asked = read.map(
      ({ id, token }): RedisCommand => ['HGET', lastUsedKey(this.#options.prefix, id), token],
    );
    const answers = asked.length === 0 ? [] : await this.#redis.pipeline(asked);
    return answers.map((text) => Math.trunc(Number(String(text ?? '0').split(' ')[0])) || 0);
  }

  async #follow(
    position: Position,
    listed: { readonly seq: number; readonly tip: string },
  ): Promise<void> {
    const events = await this.#missed({ epoch: position.epoch, ...listed });
    const last = events?.at(-1);
    if (events === null || last === undefined) return this.#begin(position);
    const entries = new Map<string, ListingEntry | null>();
    for (const change of events.flatMap(({ changes }) => changes))
      if (change.kind === 'account')
        entries.set(change.key, change.record === null ? null : entryOf(change.record));
    const changes = [...entries].map(([id, entry]) => (entry === null ? { id } : { id, entry }));
    const words = [LISTING_VERSION, listed.seq, listed.tip, last.seq, last.tip ?? ''];
    await this.#redis.run(FOLLOW, this.#redis.keys.lists, [...words, JSON.stringify(changes)]);
  }

  /** Null: the feed does not lead there from where the lists are. */
  async #missed(from: Position): Promise<readonly FeedEvent[] | null> {
    try {
      const events = (await this.#options.eventsAfter(from)).slice(0, SLICE.changes);
      return events.some(({ unreadable }) => unreadable !== undefined) ? null : events;
    } catch (fault) {
      const isUseless = fault instanceof RegistryUnavailable && fault.why === 'damaged';
      if (fault instanceof FeedLost || isUseless) return null;
      throw fault;
    }
  }

  async #takeUses(): Promise<void> {
    const { lists, uses } = this.#redis.keys;
    await this.#redis.run(USES, [...lists, uses], [SLICE.uses]);
  }
}

interface Read {
  readonly id: string;
  readonly version: string;
  readonly token: string;
  readonly entry: ListingEntry;
}

function readEntry(id: string, text: string | null): readonly Read[] {
  const version = /^\{"version":(\d+),/.exec(text ?? '')?.[1];
  if (text === null) return [];
  try {
    const account = decodeAccount(id, text);
    const token = account.token === null ? '' : tokenId(account.token.digest);
    return [{ id, version: version ?? '', token, entry: entryOf(account) }];
  } catch (fault) {
    if (!(fault instanceof RegistryUnavailable)) throw fault;
    return [{ id, version: version ?? '', token: '', entry: damagedEntry(id) }];
  }
}

function notYet({ made, accounts }: State): RegistryUnavailable {
  return new RegistryUnavailable(
    'refused',
    `the lists of accounts are being made (${made} of ${accounts} accounts so far); try again in a moment`,
  );
}
