import { StoreUnavailable } from '../../../store/fault.ts';
import { auditKeys } from '../../../store/keys.ts';
import type { RedisCommand, RedisConnection } from '../../../store/redis.ts';
import type { CutWitness } from '../../chain/witness.ts';
import { AUDIT_PARTITIONS } from '../../partitions.ts';
import { type AuditRetention, changesBytes, DAY_MS, RETENTION, recordBytes } from '../retention.ts';
import type { ActivityBound } from './activity-bound.ts';
import { RedisAnchors } from './anchors.ts';
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
  /** Redis keeps nothing of what is signed of cuts. Called once. */
  unsigned(fault: Error): void;
}

export interface RedisRetentionOptions {
  readonly connection: RedisConnection;
  readonly retention: AuditRetention;
  /** Events in one account's activity log at most. */
  readonly activityPerAccount: number;
  /** Holds all activity logs together within their bytes. */
  readonly activity: ActivityBound;
  /** `store.keyPrefix`. */
  readonly prefix: string;
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
/** Cut by number, nothing goes that comes later than this. */
const MARGIN_MS = 1_000;
/** Days end with a minute: what is cut is signed that often and not with every look. */
const MINUTE_MS = 60_000;
/** What a stream entry costs beside its event, where it can only be estimated. */
const ENTRY_OVERHEAD_BYTES = 32;

/** One server and the partitions that it holds. */
interface Group {
  readonly memory: Memory;
  readonly partitions: readonly number[];
}

/**
 * Keeps the record within its days and bytes, oldest events first, whichever instance wrote them.
 * It cuts by the time at which Redis accepted them, and signs that time first: whoever verifies the
 * record knows that what is gone from before then was due.
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
  readonly #streams: readonly string[];
  readonly #anchors: RedisAnchors;
  /** Where the record begins, as far as this instance has cut it; by the server's clock. */
  #trimmedToMs = 0;
  #perAccount: number;
  #pressed = false;
  #blind = false;
  /** In this look. */
  #estimating = false;
  /** Moving average, for estimates. */
  #bytesPerEvent = 512;
  #sinceLook = 0;
  #lookAfterBytes: number = RETENTION.lookBytes.least;
  #looking: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #open = true;

  constructor(options: RedisRetentionOptions) {
    this.#options = options;
    const keys = auditKeys(options.prefix);
    this.#streams = Array.from({ length: AUDIT_PARTITIONS }, (_, n) => keys.stream(n));
    this.#anchors = new RedisAnchors({
      connection: options.connection,
      prefix: options.prefix,
      refused: (fault) => options.observer.unsigned(fault),
    });
    this.#perAccount = options.activityPerAccount;
  }

  set witness(witness: CutWitness) {
    this.#anchors.witness = witness;
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
    this.#estimating = false;
    try {
      const groups = await this.#groups();
      this.#adapt(groups.map(({ memory }) => memory));
      for (const group of groups) await this.#trim(group);
      await this.#anchors.keepAll();
      await this.#options.activity.look(groups.map(({ memory }) => memory));
    } catch (fault) {
      if (!(fault instanceof StoreUnavailable)) throw fault;
    }
    await this.#trimChanges().catch((fault: unknown) => {
      if (!(fault instanceof StoreUnavailable)) throw fault;
    });
  }

  /** The partitions by server. A Cluster spreads them, and each server has its own memory. */
  async #groups(): Promise<readonly Group[]> {
    const all = [...this.#streams.keys()];
    if (!this.#options.connection.spreadsKeys)
      return [{ memory: await this.#memoryAt(this.#streams[0]!), partitions: all }];
    const found = new Map<string, { memory: Memory; partitions: number[] }>();
    for (const partition of all) {
      const memory = await this.#memoryAt(this.#streams[partition]!);
      const group = found.get(memory.server) ?? { memory, partitions: [] };
      group.partitions.push(partition);
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

  async #trim({ memory, partitions }: Group): Promise<void> {
    const { retention } = this.#options;
    const minute = Math.floor((memory.timeMs - retention.days * DAY_MS) / MINUTE_MS);
    const oldest = Math.max(1, minute * MINUTE_MS);
    for (const partition of partitions) await this.#trimBefore(partition, oldest);
    this.#trimmedToMs = Math.max(this.#trimmedToMs, oldest);
    const most = recordBytes(retention, memory.maxBytes) * (partitions.length / AUDIT_PARTITIONS);
    const { least, most: longest } = RETENTION.lookBytes;
    this.#lookAfterBytes = Math.min(longest, Math.max(least, Math.floor(most / 256)));
    await this.#trimToSize({ memory, partitions }, most);
  }

  /**
   * The oldest events first, step by step, the same time in all streams: which stream an event is
   * in depends on the instance that wrote it, and says nothing about its worth.
   */
  async #trimToSize({ memory, partitions }: Group, most: number): Promise<void> {
    const { maxBytes, timeMs, roomBytes } = memory;
    let left = await this.#bytesOf(partitions);
    const room = maxBytes === 0 ? 0 : roomBytes(RETENTION.reserve);
    const target = Math.min(most, room < 0 ? Math.max(RETENTION.leastBytes, left + room) : left);
    while (left > target && this.#open) {
      this.#trimmedToMs += (timeMs - this.#trimmedToMs) * STEP;
      if (timeMs - this.#trimmedToMs < SHORTEST_MS)
        return this.#trimByNumber(partitions, target / left);
      for (let gone = 1; gone > 0 && left > target; left = await this.#bytesOf(partitions))
        gone = await this.#trimPieces(partitions, Math.floor(this.#trimmedToMs));
    }
  }

  /** A small piece of each, so that no more goes than has to. Answers how many events went. */
  async #trimPieces(partitions: readonly number[], oldest: number): Promise<number> {
    let gone = 0;
    for (const partition of partitions) {
      const words = ['MINID', '~', oldest, 'LIMIT', PIECE] as const;
      gone += await this.#signed(partition, oldest, async (stream) =>
        Number(await this.#options.connection.call('XTRIM', stream, ...words)),
      );
    }
    return gone;
  }

  async #trimBefore(partition: number, oldest: number): Promise<void> {
    await this.#signed(partition, oldest, (stream) => this.#trimStream(stream, 'MINID', oldest));
  }

  /** So many are left that none goes that comes a second from now. */
  async #trimByNumber(partitions: readonly number[], share: number): Promise<void> {
    const { connection } = this.#options;
    for (const partition of partitions) {
      const stream = this.#streams[partition]!;
      const length = Number(await connection.call('XLEN', stream));
      const [seconds] = (await connection.callAt(stream, 'TIME')) as readonly [string, string];
      const beforeMs = (Number(seconds) + 1) * 1_000 + MARGIN_MS;
      await this.#signed(partition, beforeMs, () =>
        this.#trimStream(stream, 'MAXLEN', Math.floor(length * share)),
      );
    }
  }

  /** Signed before anything goes. Answers how many events went. */
  async #signed(
    partition: number,
    beforeMs: number,
    cut: (stream: string) => Promise<number>,
  ): Promise<number> {
    await this.#anchors.sign(partition, beforeMs);
    const gone = await cut(this.#streams[partition]!);
    await this.#anchors.cut(partition, beforeMs, gone);
    return gone;
  }

  /**
   * Whole nodes of the stream go, which costs next to nothing; at most 10,000 entries at a time.
   * Answers how many went.
   */
  async #trimStream(
    stream: string,
    by: 'MINID' | 'MAXLEN',
    value: number,
    connection = this.#options.connection,
  ): Promise<number> {
    let all = 0;
    for (let trims = 0; trims < MOST_TRIMS && this.#open; trims += 1) {
      const gone = Number(await connection.call('XTRIM', stream, by, '~', value));
      if (gone === 0) break;
      all += gone;
    }
    return all;
  }

  async #bytesOf(partitions: readonly number[]): Promise<number> {
    const streams = partitions.map((partition) => this.#streams[partition]!);
    return sum(this.#estimating ? await this.#estimates(streams) : await this.#sizesOf(streams));
  }

  /** Bytes of each, about, where Redis does not let this user ask. */
  async #sizesOf(streams: readonly string[]): Promise<readonly number[]> {
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
      this.#estimating = true;
      return this.#estimates(streams);
    }
  }

  /** Good to within some tens of per cent, and only of what instances like this one write. */
  #estimates(streams: readonly string[]): Promise<readonly number[]> {
    const each = this.#bytesPerEvent + ENTRY_OVERHEAD_BYTES;
    return Promise.all(
      streams.map(async (key) => each * Number(await this.#options.connection.call('XLEN', key))),
    );
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
