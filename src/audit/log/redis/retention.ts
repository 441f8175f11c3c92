import type { Clock } from '../../../clock.ts';
import { StoreUnavailable } from '../../../store/fault.ts';
import type { RedisCommand, RedisConnection } from '../../../store/redis.ts';
import { type AuditRetention, changesBytes, DAY_MS, RETENTION, recordBytes } from '../retention.ts';
import type { ActivityBound } from './activity-bound.ts';
import { type Memory, memoryFrom } from './memory.ts';

export interface RetentionObserver {
  /**
   * So much of the server's memory is in use that history is cut for it, whoever took it (true), or
   * no longer (false). Called on the change only.
   */
  pressure(pressed: boolean): void;
  /** The user lacks the rights to look; sizes are estimated. Called once. */
  blind(): void;
  /** The same of activity logs: nothing holds them within their bytes. */
  activityBlind(): void;
}

export interface RedisRetentionOptions {
  readonly connection: RedisConnection;
  readonly clock: Clock;
  readonly retention: AuditRetention;
  /** Events in one account's activity log at most. */
  readonly activityPerAccount: number;
  /** Holds all activity logs together within their bytes. */
  readonly activity: ActivityBound;
  /** The streams of the record, each in a slot of its own. */
  readonly streams: readonly string[];
  /** The stream of administrative changes, where this user may trim it; else null. */
  readonly changes: { readonly connection: RedisConnection; readonly stream: string } | null;
  readonly observer: RetentionObserver;
}

/** Pieces of `XTRIM` per look: each takes at most 10,000 entries, which Redis does in some ms. */
const MOST_TRIMS = 2_000;
/** The share of the time kept that is looked at next, until the rest fits. */
const STEP = 0.05;
/** Events of one stream that go at a time. */
const PIECE = 2_000;
/** Where all that there is came within so long, it is cut by number and not by time. */
const SHORTEST_MS = 1_000;
/** What a stream entry costs beside its event, where it can only be estimated. */
const ENTRY_OVERHEAD_BYTES = 32;

/** One server and the streams that it holds. */
interface Group {
  readonly memory: Memory;
  readonly streams: readonly string[];
}

/**
 * Keeps the record within its days and bytes, oldest events first, whichever instance wrote them.
 *
 * It looks every ten seconds, and after every small share of the room that was written. It trims by
 * plain XTRIM, which Redis takes with no memory left, while a script that adds first is refused: so
 * a full store heals by itself as soon as one instance lives. Two bounds hold at once: what the
 * record may take, and what the server has left. When less than `RETENTION.reserve` of `maxmemory`
 * is free, history shrinks to make room, whoever took it; what the registry needs is worth more.
 *
 * Several instances look at the same streams and do the same; the second finds nothing to do.
 * Between two looks instances may together exceed a bound by 1/256 of it each.
 */
export class RedisRetention {
  readonly #options: RedisRetentionOptions;
  /** Where the record begins, as far as this instance has cut it; by the server's clock. */
  #trimmedToMs: number;
  #perAccount: number;
  #pressed = false;
  #blind = false;
  /** Moving average, for estimates. */
  #bytesPerEvent = 512;
  #sinceLook = 0;
  #lookAfterBytes: number = RETENTION.lookBytes.least;
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #open = true;

  constructor(options: RedisRetentionOptions) {
    this.#options = options;
    this.#trimmedToMs = options.clock.wallMs() - options.retention.days * DAY_MS;
    this.#perAccount = options.activityPerAccount;
  }

  /** Longest activity log now: shorter while the server is short of memory. */
  get perAccount(): number {
    return Math.min(this.#perAccount, this.#options.activity.longest);
  }

  /** Notes a batch, and looks when enough has come; the first time at once. */
  appended(bytes: number, events: number): void {
    if (events > 0) this.#bytesPerEvent += (bytes / events - this.#bytesPerEvent) / 16;
    this.#sinceLook += bytes + events * ENTRY_OVERHEAD_BYTES;
    const due = this.#options.activity.appended(bytes) || this.#sinceLook >= this.#lookAfterBytes;
    if (this.#timer === null || due) void this.look();
  }

  /**
   * Never rejects: what goes wrong here is told by the appends, and tried again by the next look.
   */
  look(): Promise<void> {
    if (!this.#open) return Promise.resolve();
    this.#timer ??= setInterval(() => void this.look(), RETENTION.lookEveryMs).unref();
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#options.activity.close();
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    this.#sinceLook = 0;
    try {
      const groups = await this.#groups();
      this.#adapt(groups.map(({ memory }) => memory));
      for (const group of groups) await this.#trim(group);
      await this.#options.activity.look(groups.map(({ memory }) => memory));
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable)) throw fault;
    }
    await this.#trimChanges().catch((fault: unknown) => {
      if (!(fault instanceof StoreUnavailable)) throw fault;
    });
  }

  /** The streams by server. A Cluster spreads them, and each of its servers has its own memory. */
  async #groups(): Promise<readonly Group[]> {
    const { connection, streams } = this.#options;
    if (!connection.spreadsKeys) return [{ memory: await this.#memoryAt(streams[0]!), streams }];
    const found = new Map<string, { memory: Memory; streams: string[] }>();
    for (const stream of streams) {
      const memory = await this.#memoryAt(stream);
      const group = found.get(memory.server) ?? { memory, streams: [] };
      group.streams.push(stream);
      found.set(memory.server, group);
    }
    return [...found.values()];
  }

  async #memoryAt(stream: string): Promise<Memory> {
    return memoryFrom(String(await this.#options.connection.callAt(stream, 'INFO')));
  }

  /** Activity logs are copies, so they shrink before the record does. */
  #adapt(memories: readonly Memory[]): void {
    const used = Math.max(...memories.map((memory) => memory.usedShare));
    const most = this.#options.activityPerAccount;
    if (used > RETENTION.copiesUpTo)
      this.#perAccount = Math.max(RETENTION.leastPerAccount, Math.floor(this.#perAccount * 0.8));
    else if (used < RETENTION.copiesUpTo - 0.05)
      this.#perAccount = Math.min(most, Math.ceil(this.#perAccount * 1.25));
    const pressed = used > 1 - RETENTION.reserve;
    if (pressed !== this.#pressed) this.#options.observer.pressure(pressed);
    this.#pressed = pressed;
  }

  async #trim(group: Group): Promise<void> {
    const { retention, clock } = this.#options;
    const oldest = Math.max(1, Math.floor(clock.wallMs() - retention.days * DAY_MS));
    for (const stream of group.streams) await this.#trimStream(stream, 'MINID', oldest);
    const share = group.streams.length / this.#options.streams.length;
    const most = recordBytes(retention, group.memory.maxBytes) * share;
    const { least, most: longest } = RETENTION.lookBytes;
    this.#lookAfterBytes = Math.min(longest, Math.max(least, Math.floor(most / 256)));
    const sizes = await this.#sizesOf(group.streams);
    if (sizes === null) return this.#trimByEstimate(group.streams, most);
    await this.#trimToSize(group, sizes, most);
  }

  /**
   * The oldest events first, step by step, the same time in all streams: which stream an event is
   * in depends on the instance that wrote it, and says nothing about its worth.
   */
  async #trimToSize(group: Group, sizes: readonly number[], most: number): Promise<void> {
    const { maxBytes, timeMs, roomBytes } = group.memory;
    let left = sum(sizes);
    const room = maxBytes === 0 ? 0 : roomBytes(RETENTION.reserve);
    const target = Math.min(most, room < 0 ? Math.max(RETENTION.leastBytes, left + room) : left);
    while (left > target && this.#open) {
      this.#trimmedToMs += (timeMs - this.#trimmedToMs) * STEP;
      if (timeMs - this.#trimmedToMs < SHORTEST_MS)
        return this.#trimByNumber(group.streams, target / left);
      for (let gone = 1; gone > 0 && left > target; left = await this.#bytesOf(group.streams))
        gone = await this.#trimPieces(group.streams, Math.floor(this.#trimmedToMs));
    }
  }

  async #bytesOf(streams: readonly string[]): Promise<number> {
    return sum((await this.#sizesOf(streams)) ?? []);
  }

  /** A small piece of each, so that no more goes than has to. Answers how many events went. */
  async #trimPieces(streams: readonly string[], oldest: number): Promise<number> {
    let gone = 0;
    for (const stream of streams) {
      const words = ['MINID', '~', oldest, 'LIMIT', PIECE] as const;
      gone += Number(await this.#options.connection.call('XTRIM', stream, ...words));
    }
    return gone;
  }

  async #trimByNumber(streams: readonly string[], share: number): Promise<void> {
    for (const stream of streams) {
      const length = Number(await this.#options.connection.call('XLEN', stream));
      await this.#trimStream(stream, 'MAXLEN', Math.floor(length * share));
    }
  }

  /** Good to within some tens of per cent, and only of what instances like this one write. */
  async #trimByEstimate(streams: readonly string[], most: number): Promise<void> {
    if (!Number.isFinite(most)) return;
    const each = most / streams.length / (this.#bytesPerEvent + ENTRY_OVERHEAD_BYTES);
    for (const stream of streams)
      await this.#trimStream(stream, 'MAXLEN', Math.max(1, Math.floor(each)));
  }

  /**
   * Whole nodes of the stream go, which costs next to nothing; at most 10,000 entries at a time.
   */
  async #trimStream(
    stream: string,
    by: 'MINID' | 'MAXLEN',
    value: number,
    connection = this.#options.connection,
  ): Promise<void> {
    for (let trims = 0; trims < MOST_TRIMS && this.#open; trims += 1) {
      if (Number(await connection.call('XTRIM', stream, by, '~', value)) === 0) return;
    }
  }

  /** Bytes of each; null without the right to ask. */
  async #sizesOf(streams: readonly string[]): Promise<readonly number[] | null> {
    const commands = streams.map((key): RedisCommand => ['MEMORY', 'USAGE', key]);
    try {
      const replies = await Promise.all(
        commands.map(([command, ...words], at) =>
          this.#options.connection.callAt(streams[at]!, command, ...words),
        ),
      );
      return replies.map((reply) => Number(reply ?? 0));
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable && fault.code === 'NOPERM')) throw fault;
      if (!this.#blind) this.#options.observer.blind();
      this.#blind = true;
      return null;
    }
  }

  async #trimChanges(): Promise<void> {
    const { changes, retention } = this.#options;
    if (changes === null) return;
    const { connection, stream } = changes;
    const { maxBytes } = memoryFrom(String(await connection.callAt(stream, 'INFO')));
    const bytes = Number((await connection.callAt(stream, 'MEMORY', 'USAGE', stream)) ?? 0);
    const most = changesBytes(retention, maxBytes);
    if (bytes <= most) return;
    const length = Number(await connection.call('XLEN', stream));
    await this.#trimStream(stream, 'MAXLEN', Math.floor((length * most) / bytes), connection);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
